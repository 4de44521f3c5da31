package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/collector/server"
	"throughline/compose/haproxy"
	"throughline/scenarios/run"
)

// collectFlags is the command line of collect.
type collectFlags struct {
	statsd   string
	listen   string
	data     string
	haproxy  string
	mongo    string
	interval time.Duration
}

func newCollect() *cobra.Command {
	var flags collectFlags
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "The collector alone: StatsD in, Prometheus' HTTP API out",
		Long: `Listen for StatsD, keep what comes as Prometheus series, and answer Prometheus'
HTTP API (query, query_range, series, labels, …), /metrics and /federate, so that
Grafana and promtool can read it. With --haproxy and --mongo it also polls these.`,
		Example: `  throughline collect
  echo "hello.world:1|c" | nc -u -w0 127.0.0.1 8125
  curl 'http://127.0.0.1:9102/api/v1/query?query=hello_world_total'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return collect(cmd, flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.statsd, "statsd", "127.0.0.1:8125", "UDP address for StatsD")
	f.StringVar(&flags.listen, "listen", "127.0.0.1:9102", "address of the HTTP API")
	f.StringVar(&flags.data, "data", "", "directory of the series (default: a temporary one, removed at the end)")
	f.StringVar(&flags.haproxy, "haproxy", "", "HAProxy's runtime socket to poll (host:port)")
	f.StringVar(&flags.mongo, "mongo", "", "URI of a MongoDB to poll")
	f.DurationVar(&flags.interval, "interval", time.Second, "how long a flush interval is")
	return cmd
}

func collect(cmd *cobra.Command, flags collectFlags) (err error) {
	if flags.interval < 10*time.Millisecond {
		return usage(fmt.Errorf("--interval %v: want at least 10ms", flags.interval))
	}
	if flags.data == "" {
		if flags.data, err = os.MkdirTemp("", "throughline-collect-"); err != nil {
			return harness(err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(flags.data)) }()
	}
	s, err := server.New(server.Config{Interval: flags.interval, Dir: flags.data, HTTP: flags.listen})
	if err != nil {
		return harness(err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	statsd, err := s.ListenAt("", collector.Labels{}, flags.statsd)
	if err != nil {
		return harness(err)
	}
	if err := addPollers(s, flags); err != nil {
		return harness(err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "StatsD on udp://%s, Prometheus' HTTP API on http://%s; Ctrl-C ends it\n", statsd, s.Addr())
	if err := s.Run(cmd.Context()); err != nil {
		return harness(err)
	}
	total := s.Ledger().Total
	fmt.Fprintf(cmd.ErrOrStderr(), "%d datagrams, %d lines, %d bad lines, %d datagrams dropped by the kernel\n",
		total.Datagrams, total.Lines, total.BadLines(), total.KernelDrops)
	return nil
}

func addPollers(s *server.Server, flags collectFlags) error {
	if flags.haproxy != "" {
		if err := s.AddPoller("haproxy", run.BalancerPoller(haproxy.NewRuntime(flags.haproxy))); err != nil {
			return err
		}
	}
	if flags.mongo != "" {
		mongo, err := poll.NewMongo(flags.mongo)
		if err != nil {
			return err
		}
		return s.AddPoller("mongo", mongo)
	}
	return nil
}
