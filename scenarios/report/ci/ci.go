// Package ci says verdicts in the words of CI systems: as annotations that GitHub shows beside the lines of a
// scenario file, as a summary in Markdown for the page of a job, and as the badge of a README.
//
// It is no report of a run: that is the page, and junit.xml (package report), which every CI system reads. It
// knows verdicts and where the checks stand in a file, and neither records nor runs; the command line calls it.
package ci

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"throughline/scenarios/check/verdict"
)

// Place is where something stands in a scenario file.
type Place struct {
	File string // as it was named; empty: in no file, as a built-in scenario
	Line int    // from 1; 0: the file as a whole
}

// Ended is a scenario that came to its end, with a verdict or without.
type Ended struct {
	Scenario string
	Verdict  *verdict.Verdict // nil: there is none
	Unrun    string           // why there is none
	File     string           // the scenario's; empty: it is built in
	// Checks are the places of the scenario's checks, by the check's key.
	Checks map[string]int
	Dir    string // of record and reports
	Tries  int    // how many there were, where those before proved nothing; 0 is as 1
}

// place is where the check of an explanation stands.
func (e Ended) place(x verdict.Explanation) Place {
	for _, i := range x.Findings {
		if i < 0 || i >= len(e.Verdict.Findings) {
			continue
		}
		if line, ok := e.Checks[e.Verdict.Findings[i].Check]; ok {
			return Place{e.File, line}
		}
	}
	return Place{File: e.File}
}

// WriteGitHub writes an annotation for each explanation of what is not a pass: an error for
// a failure, a warning where nothing is proved. They are the workflow commands of GitHub
// Actions, which its runner reads from the output of a step.
// Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
func WriteGitHub(w io.Writer, all []Ended) error {
	var out strings.Builder
	for _, e := range all {
		switch {
		case e.Verdict == nil:
			annotate(&out, "error", Place{File: e.File}, e.Scenario+" was not run", e.Unrun)
		case e.Verdict.Outcome == verdict.Pass:
		case len(e.Verdict.Explanations) == 0:
			annotate(&out, level(e.Verdict.Outcome), Place{File: e.File}, e.Scenario+": "+e.Verdict.Title, e.Verdict.Sentence)
		default:
			for _, x := range e.Verdict.Explanations {
				annotate(&out, level(e.Verdict.Outcome), e.place(x), e.Scenario+": "+x.Title, strings.TrimSpace(x.Sentence+" "+x.Repair))
			}
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func level(o verdict.Outcome) string {
	if o == verdict.Fail {
		return "error"
	}
	return "warning"
}

// annotate writes one workflow command on one line.
func annotate(out *strings.Builder, level string, at Place, title, message string) {
	var with []string
	if at.File != "" {
		with = append(with, "file="+property.Replace(at.File))
		if at.Line > 0 {
			with = append(with, fmt.Sprintf("line=%d", at.Line))
		}
	}
	with = append(with, "title="+property.Replace(title))
	fmt.Fprintf(out, "::%s %s::%s\n", level, strings.Join(with, ","), data.Replace(message))
}

// What a workflow command may not have as it is, so that no text can begin another one.
// Source: https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// WriteMarkdown writes a summary of all scenarios: a table, and below it each explanation
// of what is not a pass. GitHub shows it where a step appends it to the file that
// GITHUB_STEP_SUMMARY names; GitLab and Jenkins show such a file as an artefact.
func WriteMarkdown(w io.Writer, all []Ended) error {
	var out strings.Builder
	out.WriteString("## Throughline\n\n| | scenario | what it comes to |\n|---|---|---|\n")
	for _, e := range all {
		word, title := "not run", e.Unrun
		if e.Verdict != nil {
			word, title = e.Verdict.Outcome.String(), e.Verdict.Title
		}
		if e.Tries > 1 {
			title += fmt.Sprintf(" (try %d; those before proved nothing)", e.Tries)
		}
		fmt.Fprintf(&out, "| **%s** | %s | %s |\n", word, cell(e.Scenario), cell(title))
	}
	for _, e := range all {
		if e.Verdict == nil || e.Verdict.Outcome == verdict.Pass {
			continue
		}
		fmt.Fprintf(&out, "\n### %s\n\n%s\n", inline(e.Scenario), inline(e.Verdict.Sentence))
		for _, x := range e.Verdict.Explanations {
			fmt.Fprintf(&out, "\n- **%s** %s", inline(strings.TrimSuffix(x.Title, ".")+"."), inline(strings.TrimSpace(x.Sentence+" "+x.Repair)))
			if x.Cause != "" {
				fmt.Fprintf(&out, " Cause: %s.", code(x.Cause))
			}
		}
		if len(e.Verdict.Explanations) > 0 {
			out.WriteString("\n")
		}
		if e.Dir != "" {
			fmt.Fprintf(&out, "\nThe whole report is %s.\n", code(e.Dir+"/report.html"))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// inline makes any text harmless in a line of Markdown: names come from scenario files and
// metrics, which anybody may have written.
func inline(text string) string {
	return marks.Replace(strings.Join(strings.Fields(text), " "))
}

var marks = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", "&lt;", ">", "&gt;", "&", "&amp;")

// code is text that is shown letter by letter.
func code(text string) string {
	return "`" + strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "`", "'") + "`"
}

// cell is inline text in a table.
func cell(text string) string { return strings.ReplaceAll(inline(text), "|", `\|`) }

// WriteBadge writes the badge of all scenarios, as shields.io reads it from an address.
// Source: https://shields.io/badges/endpoint-badge
func WriteBadge(w io.Writer, all []Ended) error {
	passed, failed := 0, 0
	for _, e := range all {
		switch {
		case e.Verdict == nil:
		case e.Verdict.Outcome == verdict.Pass:
			passed++
		case e.Verdict.Outcome == verdict.Fail:
			failed++
		}
	}
	badge := struct {
		Version int    `json:"schemaVersion"`
		Label   string `json:"label"`
		Message string `json:"message"`
		Color   string `json:"color"`
		IsError bool   `json:"isError,omitempty"`
	}{1, "throughline", "pass", "brightgreen", false}
	switch {
	case failed > 0:
		badge.Message, badge.Color, badge.IsError = fmt.Sprintf("%d of %d fail", failed, len(all)), "red", true
	case passed < len(all):
		badge.Message, badge.Color = fmt.Sprintf("%d of %d prove nothing", len(all)-passed, len(all)), "lightgrey"
	case passed == 0:
		badge.Message, badge.Color = "nothing was run", "lightgrey"
	}
	return json.NewEncoder(w).Encode(badge)
}
