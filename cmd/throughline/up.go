package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/scratch"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

func newUp() *cobra.Command {
	var (
		web   int
		port  int
		flags = runFlags{format: "text"}
	)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the stack up and leave it until Ctrl-C",
		Long: `Start database, load balancer, collector and web instances, print where they are,
and leave them running until Ctrl-C.`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if web < 1 || web > 300 {
				return cli.Usage(fmt.Errorf("--web %d: want 1 to 300 instances", web))
			}
			if port < 0 || port > 65535 {
				return cli.Usage(fmt.Errorf("--port %d: want 1 to 65535, or 0 for any free one", port))
			}
			if err := flags.check(); err != nil {
				return cli.Usage(err)
			}
			s, err := reader(cmd).Read("quiet")
			if err != nil {
				return cli.Usage(err)
			}
			s.Stack.Web.Instances = web
			return up(cmd, s, port, flags)
		},
	}
	f := cmd.Flags()
	f.IntVar(&web, "web", 3, "how many web instances")
	f.IntVar(&port, "port", 0, "where the load balancer serves (default: any free port)")
	flags.common(f)
	f.StringVar(&flags.out, "out", "", "directory for logs and record (default: a temporary one, removed at the end)")
	return cmd
}

func up(cmd *cobra.Command, s script.Scenario, port int, flags runFlags) (failed error) {
	dir := flags.out
	if dir == "" {
		temporary, err := scratch.New("up")
		if err != nil {
			return cli.Unable(err)
		}
		defer func() { failed = errors.Join(failed, temporary.Remove()) }()
		dir = temporary.Path
		flags.out = dir
	}
	have, err := flags.preflight(cmd.Context(), []script.Scenario{s})
	if err != nil {
		return cli.Unable(err)
	}
	flags.seed = rand.Uint64()
	err = flags.trial(s, dir, have).Up(cmd.Context(), port, func(at run.Addresses) { addresses(cmd.OutOrStdout(), at) })
	return cli.Unable(err)
}

// addresses prints where everything is.
func addresses(w io.Writer, at run.Addresses) {
	fmt.Fprintf(w, "users          %s   (try: curl -X POST %s/insert/hello; curl %s/toplist)\n", at.Users, at.Users, at.Users)
	fmt.Fprintf(w, "load balancer  %s   (HAProxy's runtime socket)\n", at.Runtime)
	if at.Database != "" {
		fmt.Fprintf(w, "database       %s\n", at.Database)
	}
	if at.Metrics != "" {
		fmt.Fprintf(w, "metrics        %s   (Prometheus' HTTP API)\n", at.Metrics)
	}
	for _, web := range at.Web {
		fmt.Fprintf(w, "%-14s http://%s\n", web.Name, web.Addr)
	}
	fmt.Fprintln(w, "Ctrl-C ends it.")
}
