package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/docs"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CAUSE...]",
		Short: "What a finding's cause means, and how to repair it",
		Long: `Explain the causes that findings name: how each looks in a record, what it is
confused with, and how to repair it in StatsD's clients. Without a cause, list
them. It is docs/DIAGNOSES.md, a cause at a time.

  throughline explain lost-on-exit`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var out strings.Builder
			if len(args) == 0 {
				listCauses(&out)
			}
			var errs []error
			for i, cause := range args {
				d, ok := docs.Find(cause)
				if !ok {
					errs = append(errs, fmt.Errorf("%s: no such cause%s; throughline explain lists them", cause, cli.DidYouMean(cause, causes())))
					continue
				}
				if i > 0 {
					out.WriteString("\n\n")
				}
				fmt.Fprintf(&out, "%s: %s\n\n%s\n", d.Cause, strings.ToLower(d.Group), d.Text)
			}
			if len(errs) > 0 {
				return cli.Usage(errors.Join(errs...))
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), out.String())
			return err
		},
	}
}

// listCauses writes them by group.
func listCauses(out *strings.Builder) {
	group := ""
	for _, d := range docs.Diagnoses() {
		if d.Group != group {
			if group != "" {
				out.WriteString("\n")
			}
			group = d.Group
			out.WriteString(group + "\n")
		}
		out.WriteString("  " + d.Cause + "\n")
	}
}

func causes() []string {
	var names []string
	for _, d := range docs.Diagnoses() {
		names = append(names, d.Cause)
	}
	return names
}
