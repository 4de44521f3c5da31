package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"throughline/compose/docker"
	"throughline/compose/local"
)

func newGuard() *cobra.Command {
	guards := map[string]func(io.Reader, io.Writer) error{onLocalName: local.Guard, onDockerName: docker.Guard}
	return &cobra.Command{
		Use:    "guard PLATFORM",
		Short:  "Started by run: ends what a killed runner leaves behind",
		Args:   operands(1, 1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			guard, ok := guards[args[0]]
			if !ok {
				return usage(fmt.Errorf("%s: no such platform (have %s, %s)", args[0], onLocalName, onDockerName))
			}
			if err := guard(cmd.InOrStdin(), cmd.OutOrStdout()); err != nil {
				return harness(err)
			}
			return nil
		},
	}
}
