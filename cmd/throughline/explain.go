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
				out.WriteString(docs.List())
			}
			var errs []error
			for i, cause := range args {
				d, ok := docs.Find(cause)
				if !ok {
					errs = append(errs, fmt.Errorf("%s: no such cause%s; throughline explain lists them", cause, cli.DidYouMean(cause, docs.Causes())))
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
