package main

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/loadgen/crew"
)

func newWorker() *cobra.Command {
	return &cobra.Command{
		Use:    "worker",
		Short:  "Started by run and load: a worker of a load that several processes share",
		Args:   cli.Operands(0, 0),
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// What a terminal sends to all processes is the coordinator's to answer, and it tells when the load is over.
			signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
			invitation, err := crew.Invited()
			if err != nil {
				return cli.Unable(err)
			}
			conn, err := invitation.Dial()
			if err != nil {
				return cli.Unable(err)
			}
			return cli.Unable(crew.Worker{Number: invitation.Number, Token: invitation.Token}.Work(cmd.Context(), conn))
		},
	}
}
