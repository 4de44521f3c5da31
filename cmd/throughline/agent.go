package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"throughline/agent"
	"throughline/cmd/throughline/cli"
)

func newAgent() *cobra.Command {
	var config agent.Config
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "The reference agent alone: adds StatsD lines up for a while, and sends them on",
		Long: `Take StatsD lines over UDP, add up the counts of a window, and send them on to a
collector, as metrics agents do. Of gauges it sends the last value, all else as it came.
A window begins with its first line. At SIGTERM it reads what has come, and sends on what
it holds.

With --defect ` + agent.DropsBucket + ` it ends at SIGTERM with what it holds, as many agents do.`,
		Example: "  throughline agent --listen 127.0.0.1:8125 --to 127.0.0.1:9125 --window 1s",
		Args:    cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.HostPort("listen", config.Listen, "127.0.0.1:8125"); err != nil {
				return cli.Usage(err)
			}
			if err := cli.HostPort("to", config.To, "127.0.0.1:9125"); err != nil {
				return cli.Usage(err)
			}
			if config.Window <= 0 {
				return cli.Usage(fmt.Errorf("agent: --window %v: want a positive duration, like 1s", config.Window))
			}
			if config.Defect != "" && !slices.Contains(agent.Defects(), config.Defect) {
				return cli.Usage(fmt.Errorf("agent: --defect %s: no such defect; want %s", config.Defect, strings.Join(agent.Defects(), ", ")))
			}
			return cli.Unable(agent.Run(cmd.Context(), config))
		},
	}
	cmd.Flags().StringVar(&config.Listen, "listen", "127.0.0.1:8125", "address to take StatsD lines at, by UDP")
	cmd.Flags().StringVar(&config.To, "to", "", "address of the collector to send them on to, by UDP")
	cmd.Flags().DurationVar(&config.Window, "window", time.Second, "how long counts are added up before they are sent on")
	cmd.Flags().StringVar(&config.Defect, "defect", "", "be wrong in this way")
	return cmd
}
