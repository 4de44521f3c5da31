package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/compose/config"
	"throughline/scenarios/datadog"
)

func newDatadog() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "datadog",
		Short: "The dashboard and the monitors of a scenario, for Datadog",
		Long: `Say in Datadog's language what a scenario promises. Nothing is sent: what is written
can be given to Datadog's API. What instances send gets there by run --relay.`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDatadogExport())
	return cmd
}

func newDatadogExport() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export [FILE|NAME]",
		Short: "Write the dashboard and the monitors of a scenario as JSON",
		Long: `Write a dashboard of the metrics that a scenario's application sends, and a monitor
for each alerting rule and each check of the scenario that Datadog's language can say.
What it cannot say is listed, with the reason: in left_out, and on standard error.
Without a scenario they are those of the reference application and of its alerting
rules (compose/config/alerts.yml), which compose/datadog has.

Only what a relay gives to a Datadog agent is named: the application's own metrics with
their tags role, zone and version, and the events and service checks of the run. The
instance is no tag that is sent.

Without --out one JSON object is printed: dashboard, monitors, left_out. With it the
directory gets dashboard.json and a file for each monitor, as the API takes them.`,
		Example: `  throughline datadog export alert-rules | jq '.monitors[].query'
  throughline datadog export --out datadog my-scenario.yaml
  curl -X POST https://api.datadoghq.eu/api/v1/dashboard -H "DD-API-KEY: $DD_API_KEY" \
    -H "DD-APPLICATION-KEY: $DD_APP_KEY" -H 'Content-Type: application/json' -d @datadog/dashboard.json
  throughline run --relay udp://127.0.0.1:8125 my-scenario.yaml`,
		Args: cli.Operands(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			export, err := exported(cmd, args)
			if err != nil {
				return cli.Usage(err)
			}
			for _, l := range export.LeftOut {
				fmt.Fprintf(cmd.ErrOrStderr(), "throughline: %s: left out: %s\n", l.What, l.Why)
			}
			if out == "" {
				return writeJSON(func(text []byte) error { _, err := cmd.OutOrStdout().Write(text); return err }, export)
			}
			if err := writeExport(out, export); err != nil {
				return cli.Unable(err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", filepath.Join(out, "dashboard.json"), cli.Plural(len(export.Dashboard.Widgets), "widget"), cli.Plural(len(export.Monitors), "monitor"))
			return err
		},
	}
	cmd.ValidArgsFunction = scenarioNames // cli.Complete knows commands of the root alone
	cmd.Flags().StringVar(&out, "out", "", "write dashboard.json and monitor-NAME.json into this directory")
	return cmd
}

func exported(cmd *cobra.Command, args []string) (datadog.Export, error) {
	if len(args) == 0 {
		source, err := config.Read(config.Alerts)
		if err != nil {
			return datadog.Export{}, err
		}
		return datadog.OfRules(config.Alerts, source)
	}
	s, err := reader(cmd).Read(args[0])
	if err != nil {
		return datadog.Export{}, err
	}
	return datadog.Of(s)
}

// writeExport writes each part into a file of its own.
func writeExport(dir string, e datadog.Export) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("--out %s: cannot make the directory: %w; choose another", dir, cli.Reason(err))
	}
	write := func(name string, of any) error {
		return writeJSON(func(text []byte) error { return os.WriteFile(filepath.Join(dir, name), text, 0o644) }, of)
	}
	if err := write("dashboard.json", e.Dashboard); err != nil {
		return err
	}
	used := map[string]int{}
	for _, m := range e.Monitors {
		name := fileName(m.Name)
		if used[name]++; used[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, used[name])
		}
		if err := write("monitor-"+name+".json", m); err != nil {
			return err
		}
	}
	return nil
}

var noFileName = regexp.MustCompile(`[^A-Za-z0-9._]+`)

// fileName is a name that can be one of a file.
func fileName(name string) string {
	name = strings.Trim(noFileName.ReplaceAllString(name, "-"), "-.")
	return name[:min(len(name), 60)]
}

func writeJSON(write func([]byte) error, of any) error {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(of); err != nil {
		return err
	}
	return write([]byte(text.String()))
}
