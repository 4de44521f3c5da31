package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
)

func newVersion() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "The version of this program, and of what it finds on this machine",
		Long: `Tell which program this is (version, commit, Go, platform; the same line as --version),
and which of the programs that it starts or asks are on this machine: HAProxy, which
every run on local takes, and the Apache HTTP server, a Docker engine and mongod, which
some take. What is not there is no error.`,
		Example: `  throughline version
  throughline version --format json | jq -r .version`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return cli.Usage(fmt.Errorf("--format %s: no such format (have text, json)", format))
			}
			v := versions(cmd.Context())
			if format == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return cli.Unable(e.Encode(v))
			}
			return cli.Unable(v.write(cmd.OutOrStdout(), cmd.Root().Name()))
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

// versionsFound is what this program is, and what it found. Its keys are those of --format json.
type versionsFound struct {
	cli.Build
	Programs []platforms.Program `json:"programs"`
}

func versions(ctx context.Context) versionsFound {
	return versionsFound{cli.ThisBuild(), platforms.Programs(ctx)}
}

func (f versionsFound) write(w io.Writer, program string) error {
	if _, err := fmt.Fprintln(w, cli.VersionLine(program)); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range f.Programs {
		if p.Version == "" {
			fmt.Fprintf(t, "  %s\t-\t%s\n", p.Name, p.Missing)
			continue
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", p.Name, p.Version, p.At)
	}
	return t.Flush()
}
