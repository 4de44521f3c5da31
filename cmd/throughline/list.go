package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"throughline/scenarios"
	"throughline/scenarios/script"
)

func newList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "The built-in scenarios, one line each",
		Args:  noOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
			for _, name := range scenarios.Names() {
				s, err := readScenario(name)
				if err != nil {
					return usage(err)
				}
				fmt.Fprintf(out, "%s\t%v\t%s\n", s.Name, s.Duration(), s.About)
			}
			return out.Flush()
		},
	}
}

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Read scenario files, run nothing",
		Long: `Read scenario files (or built-in scenarios by name) completely and list all that
is wrong with them, each error as file:line:column. Nothing is started.`,
		Args: operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := readScenarios(args)
			if err != nil {
				return usage(err)
			}
			for _, s := range all {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: ok: %s, %d phases, %v, %d checks\n",
					s.File, s.Name, len(s.Phases), s.Duration(), len(s.Checks)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// readScenarios reads all or says what is wrong with each.
func readScenarios(args []string) ([]script.Scenario, error) {
	var (
		all  []script.Scenario
		errs []error
	)
	for _, arg := range args {
		s, err := readScenario(arg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, s)
	}
	return all, joined(errs)
}
