package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/scratch"
	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/forward"
	"throughline/collector/poll"
	"throughline/collector/series"
	"throughline/collector/server"
	"throughline/collector/statsd"
	"throughline/compose/haproxy"
	"throughline/scenarios/run"
)

// collectFlags is the command line of collect.
type collectFlags struct {
	statsd  []string
	origin  string
	assign  []string
	gauges  string
	tags    string
	listen  string
	data    string
	haproxy string
	mongo   string
	quiet   bool

	interval    time.Duration
	receive     statsd.Config
	relay       string
	remoteWrite string
	graphite    string
	format      string
	path        forward.Format // format, read
}

func newCollect() *cobra.Command {
	var flags collectFlags
	cmd := &cobra.Command{
		Use:   "collect",
		Short: "The collector alone: StatsD in, Prometheus' HTTP API out",
		Long: `Listen for StatsD (etsy's, Datadog's to version 1.6 of the protocol, and Graphite's
tags), keep what comes as Prometheus series, and answer Prometheus' HTTP API (query,
query_range, series, labels, …), /metrics and /federate, so that Grafana and promtool
can read it. A page for people is at the address of the API. docs/METRICS.md tells
what becomes of a line, and what the collector says about itself.

A way in is host:port or udp://host:port, tcp://host:port (lines), unixgram:///path
(also unix:///path), or unixstream:///path (each datagram after its length), as in
Datadog's clients. NAME=ADDRESS is the way in of one instance. --statsd may be given
several times.

Tags in a name in the style of InfluxDB (name,tag=value), Librato (name#tag=value) or
SignalFx (name[tag=value]) are understood with --tags; else they become part of the
name, which is said.

Without a name, --origin says who sent a line: "listener" (nobody in particular),
"source" (its address) or "container" (its field |c:). --assign ORIGIN=NAME gives such
an origin a name.

What waits for a relay, a remote write or a Graphite that is away is kept in a bounded
queue; what does not fit is counted. With --haproxy and --mongo it polls these, too.`,
		Example: `  throughline collect
  echo "hello.world:1|c" | nc -u -w0 127.0.0.1 8125
  curl 'http://127.0.0.1:9102/api/v1/query?query=hello_world_total'

  throughline collect --statsd web-1=127.0.0.1:9001 --statsd web-2=127.0.0.1:9002
  throughline collect --statsd unix:///run/statsd.sock --statsd 0.0.0.0:8125 --origin source
  throughline collect --data /var/lib/throughline --remote-write http://127.0.0.1:9090/api/v1/write
  throughline collect --statsd 127.0.0.1:8125 --relay udp://127.0.0.1:18125`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error { return collect(cmd, flags) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&flags.statsd, "statsd", []string{"127.0.0.1:8125"}, "where to listen for StatsD: [NAME=]ADDRESS")
	f.StringVar(&flags.origin, "origin", "listener", "who sent a line that came in without a name: listener, source or container")
	f.StringArrayVar(&flags.assign, "assign", nil, "ORIGIN=NAME: the name of a source address or container id")
	f.StringVar(&flags.gauges, "gauges", "auto", "a gauge's -5 is a change (deltas), a value (absolute), or what the line's dialect has (auto)")
	f.StringVar(&flags.tags, "tags", "dogstatsd", "tags in names that are understood beside DogStatsD's and Graphite's: influxdb, librato, signalfx or all")
	f.StringVar(&flags.listen, "listen", "127.0.0.1:9102", "address of the HTTP API")
	f.StringVar(&flags.data, "data", "", "directory of the series (default: a temporary one, removed at the end)")
	f.StringVar(&flags.haproxy, "haproxy", "", "HAProxy's runtime socket to poll: host:port, or unix:/path")
	f.StringVar(&flags.mongo, "mongo", "", "URI of a MongoDB to poll")
	f.BoolVar(&flags.quiet, "quiet", false, "show neither samples of bad and refused lines nor new findings")
	f.StringVar(&flags.relay, "relay", "", "give every datagram, as it came, to another StatsD: udp://host:port or unixgram:///path")
	f.StringVar(&flags.remoteWrite, "remote-write", "", "give the samples to a Prometheus: URL of its remote write")
	f.StringVar(&flags.graphite, "graphite", "", "give the samples to a Graphite: host:port of carbon's plaintext receiver")
	f.StringVar(&flags.format, "graphite-format", "tags", "labels as Graphite's tags, or in the path: tags or path")
	r := &flags.receive
	f.DurationVar(&flags.interval, "interval", time.Second, "how long a flush interval is")
	f.DurationVar(&r.OutOfOrder, "out-of-order", 10*time.Second, "how long a series with timestamps (|T) waits for late lines")
	f.DurationVar(&r.Expire, "expire", 5*time.Minute, "after how long without a line the series of an unnamed origin end; 0: never")
	f.IntVar(&r.MaxSeries, "max-series", 20_000, "series of one instance; lines beyond are refused and counted")
	f.IntVar(&r.MaxSeriesTotal, "max-series-total", 100_000, "series of all instances")
	f.IntVar(&r.MaxOrigins, "max-origins", 1000, "unnamed origins that are told apart")
	f.IntVar(&r.MaxTags, "max-tags", 64, "tags of a line")
	f.IntVar(&r.MaxName, "max-name", 512, "bytes of a name")
	return cmd
}

func collect(cmd *cobra.Command, flags collectFlags) (failed error) {
	listeners, err := flags.read()
	if err != nil {
		return cli.Usage(err)
	}
	outputs, err := flags.outputs()
	if err != nil {
		return cli.Unable(err)
	}
	if flags.data == "" {
		temporary, err := scratch.New("collect")
		if err != nil {
			return cli.Unable(err)
		}
		defer func() { failed = errors.Join(failed, temporary.Remove()) }()
		flags.data = temporary.Path
	}
	if !flags.quiet {
		log := statsd.NewLog(cmd.ErrOrStderr())
		flags.receive.Junk, flags.receive.Found = log.Junk, log.Found
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := series.Open(flags.data, series.Options{Log: log})
	if err != nil {
		return cli.Unable(err)
	}
	defer func() { failed = errors.Join(failed, store.Close()) }()
	config := server.Config{Store: store, Interval: flags.interval, Dir: flags.data, HTTP: flags.listen, Log: log}
	for _, o := range outputs {
		config.Outputs = append(config.Outputs, o)
	}
	s, err := server.New(config)
	if err != nil {
		return cli.Unable(err)
	}
	defer func() { failed = errors.Join(failed, s.Close()) }()
	receiver, polls := statsd.New(flags.receive, s.Intake()), poll.NewLoop(poll.Config{}, s.Intake())
	s.Add(receiver, polls)
	err = polls.Add("collector", s.Self())
	if err == nil {
		err = flags.poll(polls)
	}
	if err == nil {
		err = flags.open(receiver, listeners, cmd.ErrOrStderr())
	}
	if err != nil {
		return cli.Unable(err)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Prometheus' HTTP API, and a page for people, on http://%s; Ctrl-C ends it\n", s.Addr())
	if err := s.Run(cmd.Context()); err != nil {
		return cli.Unable(err)
	}
	receiver.Figures().WriteSummary(cmd.ErrOrStderr())
	for _, o := range outputs {
		fmt.Fprintln(cmd.ErrOrStderr(), o.Figures())
	}
	return nil
}

// outputs makes what gives to others, in the order in which it is told of. Nobody is
// asked whether they are there.
func (f *collectFlags) outputs() (all []forward.Forwarder, err error) {
	for _, way := range []struct {
		to   string
		open func(to string) (forward.Forwarder, error)
	}{
		{f.relay, func(to string) (forward.Forwarder, error) {
			relay, err := forward.NewRelay(forward.RelayConfig{To: to})
			if err == nil {
				f.receive.Relay = relay.Send
			}
			return relay, err
		}},
		{f.remoteWrite, func(to string) (forward.Forwarder, error) {
			return forward.NewRemoteWrite(forward.RemoteWriteConfig{URL: to})
		}},
		{f.graphite, func(to string) (forward.Forwarder, error) {
			return forward.NewGraphite(forward.GraphiteConfig{To: to, Format: f.path})
		}},
	} {
		if way.to == "" {
			continue
		}
		output, err := way.open(way.to)
		if err != nil {
			return nil, err
		}
		all = append(all, output)
	}
	return all, nil
}

// read reads what is given as text, and gives the ways in.
func (f *collectFlags) read() (ways []statsd.Listener, err error) {
	r := &f.receive
	switch {
	case f.interval < 10*time.Millisecond || f.interval > 5*time.Minute:
		return nil, fmt.Errorf("--interval %v: want 10ms to 5m", f.interval)
	case r.Expire < 0:
		return nil, fmt.Errorf("--expire %v: want a time, or 0 for never", r.Expire)
	case r.OutOfOrder < 0:
		return nil, fmt.Errorf("--out-of-order %v: want a time, or 0 for not at all", r.OutOfOrder)
	case r.OutOfOrder == 0:
		r.OutOfOrder = -1 // not at all
	}
	for name, n := range map[string]int{"series": r.MaxSeries, "series-total": r.MaxSeriesTotal, "origins": r.MaxOrigins, "tags": r.MaxTags, "name": r.MaxName} {
		if n <= 0 {
			return nil, fmt.Errorf("--max-%s %d: want at least 1", name, n)
		}
	}
	if err := cli.HostPort("listen", f.listen); err != nil {
		return nil, err
	}
	if f.haproxy != "" {
		if err := haproxy.CheckAddress(f.haproxy); err != nil {
			return nil, fmt.Errorf("--haproxy %w", err)
		}
	}
	if r.Gauges, err = statsd.ParseGauges(f.gauges); err != nil {
		return nil, fmt.Errorf("--gauges %w", err)
	}
	if r.Tags, err = dogstatsd.ParseStyles(f.tags); err != nil {
		return nil, fmt.Errorf("--tags: %w", err)
	}
	if f.path, err = forward.ParseFormat(f.format); err != nil {
		return nil, fmt.Errorf("--graphite-format %w", err)
	}
	for _, text := range f.assign {
		if from, name, found := strings.Cut(text, "="); !found || from == "" || name == "" {
			return nil, fmt.Errorf("--assign %s: want ORIGIN=NAME, such as 10.0.0.3=web-1", text)
		}
	}
	origin, err := statsd.ParseOrigin(f.origin)
	if err != nil {
		return nil, fmt.Errorf("--origin %w", err)
	}
	for _, text := range f.statsd {
		way, err := statsd.ParseListener(text, origin)
		if err != nil {
			return nil, fmt.Errorf("--statsd %w", err)
		}
		ways = append(ways, way)
	}
	return ways, nil
}

// poll adds what is to be polled.
func (f *collectFlags) poll(polls *poll.Loop) error {
	if f.haproxy != "" {
		if err := polls.Add("haproxy", run.BalancerPoller(haproxy.NewRuntime(f.haproxy))); err != nil {
			return err
		}
	}
	if f.mongo != "" {
		mongo, err := poll.NewMongo(f.mongo)
		if err != nil {
			return err
		}
		if err := polls.Add("mongo", mongo); err != nil {
			return err
		}
	}
	return nil
}

// open opens the ways in and names who sends there.
func (f *collectFlags) open(receiver *statsd.Collector, listeners []statsd.Listener, stderr io.Writer) error {
	for _, text := range f.assign {
		from, name, _ := strings.Cut(text, "=")
		if err := receiver.Assign(from, name, collector.Labels{}); err != nil {
			return err
		}
	}
	for _, l := range listeners {
		addr, err := receiver.Listen(l)
		if err != nil {
			return err
		}
		who := ""
		if l.Instance != "" {
			who = " of " + l.Instance
		}
		fmt.Fprintf(stderr, "StatsD%s on %s\n", who, addr.URL())
	}
	return nil
}
