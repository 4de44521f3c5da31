package main

import (
	"bytes"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/scenarios"
)

func newList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "The built-in scenarios, one line each",
		Args:  cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
			for _, name := range scenarios.Names() {
				s, err := reader(cmd).Read(name)
				if err != nil {
					return cli.Usage(err)
				}
				fmt.Fprintf(out, "%s\t%v\t%s\n", s.Name, s.Duration(), s.About)
			}
			return out.Flush()
		},
	}
}

func newShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME...",
		Short: "The file of a built-in scenario, to read or to begin one's own with",
		Example: `  throughline show replace-an-instance
  throughline show replace-an-instance > mine.yaml && throughline check mine.yaml`,
		Args: cli.Operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var files [][]byte
			for _, name := range args { // all are found before any is shown
				source, err := scenarios.Read(name)
				if err != nil {
					return cli.Usage(err)
				}
				files = append(files, source)
			}
			_, err := cmd.OutOrStdout().Write(bytes.Join(files, []byte("\n")))
			return err
		},
	}
}

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE|NAME...",
		Short: "Read scenario files, run nothing",
		Long: `Read scenario files (- is standard input), or built-in scenarios by name, completely
and list all that is wrong with them, each error as file:line:column. Nothing is
started.`,
		Args: cli.Operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := reader(cmd).ReadAll(args)
			if err != nil {
				return cli.Usage(err)
			}
			for _, s := range all {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: %s, %s, %v, %s\n",
					s.File, s.Name, cli.Plural(len(s.Phases), "phase"), s.Duration(), cli.Plural(len(s.Checks), "check")); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
