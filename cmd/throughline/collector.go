package main

import (
	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/collector/process"
)

func newCollector() *cobra.Command {
	return &cobra.Command{
		Use:    "collector",
		Short:  "Started by run: the collector of a scenario that kills it",
		Args:   cli.Operands(0, 0),
		Hidden: true,
		RunE:   func(*cobra.Command, []string) error { return cli.Unable(process.Serve()) },
	}
}
