package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/forward"
	"throughline/collector/otlp"
	"throughline/collector/pipeline"
	"throughline/collector/poll"
	"throughline/collector/rum"
	"throughline/collector/scrape"
	"throughline/collector/statsd"
	"throughline/compose/haproxy"
	"throughline/scenarios/run"
	"throughline/scratch"
)

// collectFlags is the command line of collect.
type collectFlags struct {
	config  pipeline.Config
	statsd  []string
	origin  string
	assign  []string
	gauges  string
	tags    string
	format  string
	haproxy string
	mongo   string
	cloud   cloudwatchFlags
	rum     string
	otlp    map[otlp.Protocol]*[]string
	scrape  []string
	every   time.Duration // of scrapes
	within  time.Duration // that a scrape must be over; 0: as every
	honor   bool          // labels that targets expose win
	origins []string
	quiet   bool
}

func newCollect() *cobra.Command {
	flags := collectFlags{otlp: map[otlp.Protocol]*[]string{otlp.HTTP: {}, otlp.GRPC: {}}}
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

With --rum it takes beacons of pages, too (navigator.sendBeacon, or fetch with keepalive):
POST /rum, as text/plain or application/json, {"id": "X-REQUEST-ID", "route": "insert",
"latency_ms": 12.5}. --rum-origin says whose pages may send them; docs/METRICS.md tells
what becomes of them, and what is refused.

With --otlp-http and --otlp-grpc it takes metrics by OpenTelemetry's protocol, too. NAME=ADDRESS
is the way in of one instance; else an instance is told by its resource's service.instance.id.
With --scrape it fetches what exposes its numbers for Prometheus (text, OpenMetrics,
protobuf), as a Prometheus would; NAME= is the label instance, else host and port are.

What waits for a relay, a remote write or a Graphite that is away is kept in a bounded
queue; what does not fit is counted. With --haproxy and --mongo it polls these, too.

With --cloudwatch it asks Amazon's CloudWatch for a metric, by namespace, name and
dimensions, and perhaps a statistic; NAME= is the label instance. Region, credentials
and endpoint are looked for as Amazon's own tools do (AWS_REGION, AWS_PROFILE, …,
~/.aws, the instance's role). A point has the time at which its period began, and
comes when period and delay are over.`,
		Example: `  throughline collect
  echo "hello.world:1|c" | nc -u -w0 127.0.0.1 8125
  curl 'http://127.0.0.1:9102/api/v1/query?query=hello_world_total'

  throughline collect --statsd web-1=127.0.0.1:9001 --statsd web-2=127.0.0.1:9002
  throughline collect --statsd unix:///run/statsd.sock --statsd 0.0.0.0:8125 --origin source
  throughline collect --scrape web-1=http://127.0.0.1:8080/metrics --scrape-interval 5s
  throughline collect --rum 0.0.0.0:9103 --rum-origin https://www.example.com
  throughline collect --data /var/lib/throughline --remote-write http://127.0.0.1:9090/api/v1/write
  throughline collect --statsd 127.0.0.1:8125 --relay udp://127.0.0.1:18125
  throughline collect --cloudwatch web-1=AWS/EC2:CPUUtilization:InstanceId=i-0a1b2c3d4e5f67890
  throughline collect --cloudwatch AWS/ApplicationELB:RequestCount:LoadBalancer=app/front/50dc6c495c0c9188:Sum`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error { return collect(cmd, flags) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&flags.statsd, "statsd", []string{"127.0.0.1:8125"}, "where to listen for StatsD: [NAME=]ADDRESS")
	f.StringVar(&flags.origin, "origin", "listener", "who sent a line that came in without a name: listener, source or container")
	f.StringArrayVar(&flags.assign, "assign", nil, "ORIGIN=NAME: the name of a source address or container id")
	f.StringVar(&flags.gauges, "gauges", "auto", "a gauge's -5 is a change (deltas), a value (absolute), or what the line's dialect has (auto)")
	f.StringVar(&flags.tags, "tags", "dogstatsd", "tags in names that are understood beside DogStatsD's and Graphite's: influxdb, librato, signalfx or all")
	f.StringVar(&flags.config.HTTP, "listen", "127.0.0.1:9102", "address of the HTTP API")
	f.StringVar(&flags.config.Dir, "data", "", "directory of the series (default: a temporary one, removed at the end)")
	f.StringVar(&flags.haproxy, "haproxy", "", "HAProxy's runtime socket to poll: host:port, or unix:/path")
	f.StringVar(&flags.mongo, "mongo", "", "URI of a MongoDB to poll")
	f.StringArrayVar(&flags.cloud.metrics, "cloudwatch", nil, "a metric to ask CloudWatch for: [NAME=]NAMESPACE:METRIC[:DIMENSION=VALUE,…][:STATISTIC]")
	f.StringVar(&flags.cloud.endpoint, "cloudwatch-endpoint", "", "URL of the CloudWatch (default: where Amazon's SDK finds it)")
	f.StringVar(&flags.cloud.region, "cloudwatch-region", "", "its region (default: AWS_REGION, or that of the shared configuration)")
	f.DurationVar(&flags.cloud.period, "cloudwatch-period", time.Minute, "that its points are of")
	f.DurationVar(&flags.cloud.delay, "cloudwatch-delay", 10*time.Minute, "how long after the end of a period it is asked for: values change for minutes before they stay")
	f.StringArrayVar(&flags.scrape, "scrape", nil, "what to scrape: [NAME=]URL, like web-1=http://127.0.0.1:8080/metrics")
	f.DurationVar(&flags.every, "scrape-interval", time.Second, "how often")
	f.BoolVar(&flags.honor, "scrape-honor-labels", false, "labels that a target exposes win over its own, instance too (Prometheus' honor_labels)")
	f.DurationVar(&flags.within, "scrape-timeout", 0, "how long a scrape may take (default: the interval, at most 10s)")
	f.StringVar(&flags.rum, "rum", "", "where to take beacons of pages: host:port; such an address is for browsers, and serves nothing else")
	f.StringArrayVar(&flags.origins, "rum-origin", nil, "origin of pages that may send beacons, as browsers write it: https://www.example.com")
	f.StringArrayVar(flags.otlp[otlp.HTTP], "otlp-http", nil, "where to take OTLP over HTTP, at /v1/metrics: [NAME=]HOST:PORT; 4318 is usual")
	f.StringArrayVar(flags.otlp[otlp.GRPC], "otlp-grpc", nil, "where to take OTLP over gRPC: [NAME=]HOST:PORT; 4317 is usual")
	f.BoolVar(&flags.quiet, "quiet", false, "show neither samples of bad and refused lines nor new findings")
	f.StringVar(&flags.config.Relay, "relay", "", "give every datagram, as it came, to another StatsD: udp://host:port or unixgram:///path")
	f.StringVar(&flags.config.RemoteWrite, "remote-write", "", "give the samples to a Prometheus: URL of its remote write")
	f.StringVar(&flags.config.Graphite, "graphite", "", "give the samples to a Graphite: host:port of carbon's plaintext receiver")
	f.StringVar(&flags.format, "graphite-format", "tags", "labels as Graphite's tags, or in the path: tags or path")
	r := &flags.config.StatsD
	f.DurationVar(&flags.config.Interval, "interval", time.Second, "how long a flush interval is")
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
	metrics, err := flags.cloud.read()
	if err != nil {
		return cli.Usage(err)
	}
	if len(metrics) > 0 {
		flags.config.Late = flags.cloud.config(metrics).Late()
	}
	if flags.config.Dir == "" {
		temporary, err := scratch.New("collect")
		if err != nil {
			return cli.Unable(err)
		}
		defer func() { failed = errors.Join(failed, temporary.Remove()) }()
		flags.config.Dir = temporary.Path
	}
	stderr := cmd.ErrOrStderr()
	if !flags.quiet {
		log := statsd.NewLog(stderr)
		flags.config.StatsD.Junk, flags.config.StatsD.Found = log.Junk, log.Found
	}
	flags.config.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, err := pipeline.New(flags.config)
	if err != nil {
		return cli.Unable(err)
	}
	defer func() { failed = errors.Join(failed, c.Close()) }()
	if err := errors.Join(flags.poll(c.Polls), flags.cloud.poll(cmd.Context(), metrics, c.Polls.Add)); err != nil {
		return cli.Unable(err)
	}
	if err := flags.targets(c.Scrapes); err != nil {
		return err
	}
	if err := flags.open(c.StatsD, listeners, stderr); err != nil {
		return cli.Unable(err)
	}
	if err := flags.openOTLP(c.OTLP, stderr); err != nil {
		return cli.Unable(err)
	}
	if c.RUM != nil {
		fmt.Fprintf(stderr, "Beacons of pages of %s on http://%s%s\n", strings.Join(flags.origins, ", "), c.RUM.Addr(), rum.Path)
	}
	fmt.Fprintf(stderr, "Prometheus' HTTP API, and a page for people, on http://%s; Ctrl-C ends it\n", c.Addr())
	if err := c.Run(cmd.Context()); err != nil {
		return cli.Unable(err)
	}
	c.StatsD.Figures().WriteSummary(stderr)
	for _, o := range c.Outputs {
		fmt.Fprintln(stderr, o.Figures())
	}
	return nil
}

// read reads what is given as text, and gives the ways in.
func (f *collectFlags) read() (ways []statsd.Listener, err error) {
	r := &f.config.StatsD
	switch {
	case f.config.Interval < 10*time.Millisecond || f.config.Interval > 5*time.Minute:
		return nil, fmt.Errorf("--interval %v: want 10ms to 5m", f.config.Interval)
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
	if err := cli.HostPort("listen", f.config.HTTP, "127.0.0.1:9102"); err != nil {
		return nil, err
	}
	if err := f.beacons(); err != nil {
		return nil, err
	}
	for protocol, all := range f.otlp {
		for _, text := range *all {
			if err := cli.HostPort("otlp-"+string(protocol), otlpListener(protocol, text).Addr, "127.0.0.1:4318"); err != nil {
				return nil, err
			}
		}
	}
	if len(f.scrape) > 0 && (f.every < 100*time.Millisecond || f.every > time.Hour) {
		return nil, fmt.Errorf("--scrape-interval %v: want 100ms to 1h", f.every)
	}
	if path, ok := haproxy.SocketPath(f.haproxy); ok && path == "" {
		return nil, fmt.Errorf("--haproxy %s: no path; want one such as unix:/run/haproxy/admin.sock", f.haproxy)
	} else if err := cli.HostPort("haproxy", f.haproxy, "127.0.0.1:9999"); err != nil && !ok && f.haproxy != "" {
		return nil, fmt.Errorf("%w, or unix:/path", err)
	}
	if r.Gauges, err = statsd.ParseGauges(f.gauges); err != nil {
		return nil, fmt.Errorf("--gauges %w", err)
	}
	if r.Tags, err = dogstatsd.ParseStyles(f.tags); err != nil {
		return nil, fmt.Errorf("--tags: %w", err)
	}
	if f.config.GraphiteFormat, err = forward.ParseFormat(f.format); err != nil {
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

// otlpListener reads [NAME=]HOST:PORT. Without a name instances are told by their resources.
func otlpListener(protocol otlp.Protocol, text string) otlp.Listener {
	name, addr, named := strings.Cut(text, "=")
	if !named {
		return otlp.Listener{Addr: text, Protocol: protocol, Origin: otlp.ByResource}
	}
	return otlp.Listener{Instance: name, Addr: addr, Protocol: protocol}
}

// openOTLP opens the ways in for OTLP.
func (f *collectFlags) openOTLP(receiver *otlp.Collector, stderr io.Writer) error {
	for _, protocol := range []otlp.Protocol{otlp.HTTP, otlp.GRPC} {
		for _, text := range *f.otlp[protocol] {
			l := otlpListener(protocol, text)
			addr, err := receiver.Listen(l)
			if err != nil {
				return err
			}
			who := ""
			if l.Instance != "" {
				who = " of " + l.Instance
			}
			fmt.Fprintf(stderr, "OTLP%s over %s on %s\n", who, protocol, addr)
		}
	}
	return nil
}

// beacons reads where beacons are taken, and whose.
func (f *collectFlags) beacons() error {
	switch {
	case f.rum == "" && len(f.origins) > 0:
		return errors.New("--rum-origin: no beacons are taken without --rum; want both, or none")
	case f.rum == "":
		return nil
	case len(f.origins) == 0:
		return errors.New("--rum: whose pages may send beacons? want --rum-origin too, like --rum-origin https://www.example.com")
	}
	for _, origin := range f.origins {
		if err := rum.CheckOrigin(origin); err != nil {
			return fmt.Errorf("--rum-origin %w", err)
		}
	}
	f.config.RUM = &rum.Config{Addr: f.rum, Origins: f.origins}
	return cli.HostPort("rum", f.rum, "127.0.0.1:9103")
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

// targets adds what is to be scraped.
func (f *collectFlags) targets(scrapes *scrape.Collector) error {
	for _, text := range f.scrape {
		name, address, named := strings.Cut(text, "=")
		if !named || strings.Contains(name, "/") { // an = of the URL's query
			name, address = "", text
		}
		if u, err := url.Parse(address); err == nil && name == "" {
			name = u.Host
		}
		if err := scrapes.Add(scrape.Target{URL: address, Instance: name, Every: f.every, Timeout: f.within, HonorLabels: f.honor}); err != nil {
			return cli.Usage(fmt.Errorf("--scrape %s: %w", text, err))
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
