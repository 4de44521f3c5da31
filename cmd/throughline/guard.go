package main

import (
	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
)

func newGuard() *cobra.Command {
	return &cobra.Command{
		Use:    "guard PLATFORM",
		Short:  "Started by run: ends what a killed runner leaves behind",
		Args:   cli.Operands(1, 1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := platformCalled(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			if err := p.guard(cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return cli.Unable(err)
			}
			return nil
		},
	}
}
