package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/compose"
)

func newHealth() *cobra.Command {
	return &cobra.Command{
		Use:   "health [URL]",
		Short: "Ask an instance whether it can serve; for health checks of images",
		Long: `GET the URL, by default http://127.0.0.1:$PORT/healthz. Exit status 0 if it answers
2xx within 2 s, else 1 and the reason in one line.`,
		Args: cli.Operands(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			url := "http://127.0.0.1:" + os.Getenv("PORT") + "/healthz"
			if len(args) > 0 {
				url = args[0]
			} else if os.Getenv("PORT") == "" {
				return &cli.Error{Status: exitFail, Err: errors.New("health: PORT is not set; set it, or give a URL")}
			}
			if err := compose.Healthy(cmd.Context(), url); err != nil {
				return &cli.Error{Status: exitFail, Err: fmt.Errorf("health: %w", err)}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s answers\n", url)
			return nil
		},
	}
}
