package main

import (
	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/compose/kubernetes"
	"throughline/compose/kubernetes/inside"
)

func newPod() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "pod",
		Short:  "Started by run in pods: executes what it is told, ends what a killed runner leaves behind",
		Args:   cli.Operands(0, 0),
		Hidden: true,
	}
	part := func(use string, operands int, do func(cmd *cobra.Command, args []string) error) {
		cmd.AddCommand(&cobra.Command{Use: use, Short: cmd.Short, Args: cli.Operands(operands, operands), Hidden: true, RunE: do})
	}
	part("run RUNNER INSTANCE", 2, func(cmd *cobra.Command, args []string) error {
		status, err := inside.Run(cmd.Context(), args[0], args[1])
		if err != nil || status == 0 {
			return cli.Unable(err)
		}
		return &cli.Error{Status: status}
	})
	part("copy DIRECTORY", 1, func(_ *cobra.Command, args []string) error { return cli.Unable(inside.Copy(args[0])) })
	part("reap RUNNER NAMESPACE", 2, func(cmd *cobra.Command, args []string) error {
		return cli.Unable(kubernetes.Reap(cmd.Context(), args[0], args[1]))
	})
	return cmd
}
