package main

import (
	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/compose/respawn"
)

func newRespawn() *cobra.Command {
	return &cobra.Command{
		Use:    "respawn -- PROGRAM [ARGUMENT...]",
		Short:  "Started by run: runs a program again when it has crashed",
		Args:   cobra.MinimumNArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return cli.Unable(respawn.Run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
}
