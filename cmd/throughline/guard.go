package main

import (
	"github.com/spf13/cobra"

	"throughline/compose/local"
)

func newGuard() *cobra.Command {
	return &cobra.Command{
		Use:    "guard",
		Short:  "Started by run: ends what a killed runner leaves behind",
		Args:   noOperands,
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := local.Guard(cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return harness(err)
			}
			return nil
		},
	}
}
