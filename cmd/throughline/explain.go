package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/docs"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [WORD...]",
		Short: "What a word of a report means, and how to repair what a cause names",
		Long: `Explain the words of a report and of a scenario: the columns and rows (acked,
residual, lb 2xx), the checks (conservation, vacuity), the outcomes and layers, and
the causes that findings name: how each looks in a record, what it is confused with,
and how to repair it in StatsD's clients. Without a word, list them all. It is
docs/WORDS.md, the checks of docs/SCENARIOS.md and docs/DIAGNOSES.md, an entry at a time.`,
		Example: `  throughline explain                  all words, one line each
  throughline explain residual
  throughline explain client window    or client-window, or client_window
  throughline explain lost-on-exit undecided`,
		RunE: func(cmd *cobra.Command, args []string) error {
			text := glossaryList()
			if len(args) > 0 {
				var err error
				if text, err = explain(args); err != nil {
					return cli.Usage(err)
				}
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
}

// explain writes the entries of words, one after the other. Several that are one entry
// together (client window) are one.
func explain(words []string) (string, error) {
	if e, known := docs.Explain(strings.Join(words, " ")); known {
		return entryText(e), nil
	}
	var out []string
	var errs []error
	for _, word := range words {
		e, known := docs.Explain(word)
		if !known {
			errs = append(errs, fmt.Errorf("%s: no such word%s; throughline explain lists them", word, cli.DidYouMean(word, glossaryWords())))
			continue
		}
		out = append(out, entryText(e))
	}
	return strings.Join(out, "\n\n"), errors.Join(errs...)
}

func entryText(e docs.Entry) string {
	return fmt.Sprintf("%s: %s\n\n%s\n", e.Word, strings.ToLower(e.Group), strings.TrimSpace(e.Text))
}

// glossaryWords are all that can be explained.
func glossaryWords() []string {
	var words []string
	for _, e := range docs.Glossary() {
		words = append(words, e.Word)
	}
	return words
}

// The columns of the list.
const (
	wordColumn = 30
	lineColumn = 96
)

// glossaryList names all words under their headings, each with its first sentence.
func glossaryList() string {
	var out strings.Builder
	group := ""
	for _, e := range docs.Glossary() {
		if e.Group != group {
			if group != "" {
				out.WriteString("\n")
			}
			group = e.Group
			out.WriteString(group + "\n")
		}
		fmt.Fprintf(&out, "  %-*s  %s\n", wordColumn, e.Word, cutTo(lineColumn, e.Line()))
	}
	return out.String()
}

// cutTo leaves at most n characters.
func cutTo(n int, text string) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:n-1])) + "…"
}
