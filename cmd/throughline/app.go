package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"throughline/app"
	"throughline/cmd/throughline/cli"
)

func newApp() *cobra.Command {
	var defect string
	cmd := &cobra.Command{
		Use:   "app",
		Short: "The reference app alone: the talk's word counter",
		Long: `Run one instance of the reference app. It reads its addresses from the
environment: PORT, HOST, INSTANCE, ZONE, STATSD_HOST, STATSD_PORT (or Datadog's
DD_AGENT_HOST, DD_DOGSTATSD_PORT, DD_DOGSTATSD_URL, DD_TAGS) and MONGODB_URI.
STATSD_AGGREGATION (2s) has its client put counts together for longer than 40ms,
STATSD_SAMPLE_RATE (0.5) has it sample them. STOP_TAKES (4s) makes a stop longer.
WORK_EVERY (20ms) has it do some work that nobody asked for, as a worker does.
EXPOSE=yes has it show its numbers to a Prometheus at /metrics as well, and
OTEL_METRICS_EXPORTER=otlp push them by OpenTelemetry's SDK, with its variables.

With --defect the instrumentation is wrong in one way; a few defects are the
service's own, which is said:
` + app.ListDefects(),
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := app.FromEnv(os.Getenv)
			if err != nil {
				return cli.Usage(err)
			}
			if defect != "" && !slices.ContainsFunc(app.Defects(), func(d app.Defect) bool { return d.Name == defect }) {
				return cli.Usage(fmt.Errorf("--defect %s: no such defect; throughline app --help lists them", defect))
			}
			config.Defect, config.Log = defect, cmd.ErrOrStderr()
			return cli.Unable(app.Run(cmd.Context(), config))
		},
	}
	cmd.Flags().StringVar(&defect, "defect", "", "make the instrumentation wrong in this way")
	return cmd
}
