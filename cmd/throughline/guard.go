package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
)

func newGuard() *cobra.Command {
	return &cobra.Command{
		Use:    "guard PLATFORM",
		Short:  "Started by run: ends what a killed runner leaves behind",
		Args:   cli.Operands(1, 1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := platforms.Find(args[0])
			if err != nil {
				return cli.Usage(err)
			}
			if p.Guard == nil {
				return cli.Usage(fmt.Errorf("guard %s: it has none on this machine", p.Name))
			}
			return cli.Unable(p.Guard(cmd.InOrStdin(), cmd.OutOrStdout()))
		},
	}
}
