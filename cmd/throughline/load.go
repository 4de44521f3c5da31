package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/loadgen"
	"throughline/loadgen/crew"
	"throughline/scenarios/trial"
)

// loadFlags is the command line of load.
type loadFlags struct {
	config  loadgen.Config
	form    loadgen.Form
	workers int
	rate    string
	swing   string
	period  time.Duration
	length  time.Duration
	routes  []string
	out     string
	statsd  string
}

func newLoad() *cobra.Command {
	var flags loadFlags
	cmd := &cobra.Command{
		Use:   "load",
		Short: "The load generator alone",
		Long: `Send requests at a constant rate, or at one that swings in a sine, each when it is
due whatever the server does, and tell what the users saw. Latency counts from when a
request was due. With --ledger every request is written as a line of CSV, with
--statsd each is counted (users.requests, by route and outcome) and timed
(users.latency, in ms, by route), as the users saw it.

A 503 without the header X-Served-By counts as refused: that is how the stack's own
HAProxy says that nobody executed a request. A server that answers 503 by itself is
counted the same.

With --workers so many processes share the load: each sends every so many-th request of the one
schedule, and the ledger is that of all together. One that is lost leaves its part unsent, which is
a schedule that was missed.

Exit status: 4 where no request reached a server (nobody listens, no such name), 2 where
none was acknowledged or the schedule was missed.`,
		Example: `  throughline load --target http://127.0.0.1:8080 --rate 200/s --for 10s
  throughline load --target http://127.0.0.1:8080 --rate 200/s --swing 80/s --period 20s --statsd 127.0.0.1:8125
  throughline load --target http://127.0.0.1:8080 --route "ping=GET /ping" --rate 50/s`,
		Args: cli.NoOperands,
		RunE: func(cmd *cobra.Command, _ []string) error { return load(cmd, flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.config.Target, "target", "", "the server's or load balancer's address, like http://127.0.0.1:8080")
	f.StringVar(&flags.rate, "rate", "100/s", "requests per second")
	f.StringVar(&flags.swing, "swing", "0/s", "how far the rate swings up and down")
	f.DurationVar(&flags.period, "period", 20*time.Second, "how long one swing takes")
	f.DurationVar(&flags.length, "for", 10*time.Second, "how long; 0: until Ctrl-C")
	f.StringArrayVar(&flags.routes, "route", []string{"insert=POST /insert/{word}"}, "NAME=METHOD PATH; may be given more than once, all are requested alike")
	f.IntVar(&flags.config.Words, "words", 1000, "how many different words stand for {word}")
	f.Uint64Var(&flags.config.Seed, "seed", 1, "decides routes and words")
	f.DurationVar(&flags.config.Timeout, "timeout", 5*time.Second, "for one request")
	f.IntVar(&flags.workers, "workers", 0, "as many processes share the load, up to 100; 0: it is sent by this one")
	f.StringVar(&flags.out, "ledger", "", "file for the users' ledger as CSV; - = standard output")
	f.StringVar(&flags.statsd, "statsd", "", "tell a StatsD what the users see: host:port")
	return cmd
}

func load(cmd *cobra.Command, flags loadFlags) error {
	switch {
	case flags.length < 0:
		return cli.Usage(fmt.Errorf("--for %v: want a time, or 0 for until Ctrl-C", flags.length))
	case flags.config.Timeout <= 0:
		return cli.Usage(fmt.Errorf("--timeout %v: want a time above 0", flags.config.Timeout))
	case flags.config.Words < 1:
		return cli.Usage(fmt.Errorf("--words %d: want at least 1", flags.config.Words))
	case flags.workers < 0 || flags.workers > crew.Most:
		return cli.Usage(fmt.Errorf("--workers %d: want 1 to %d, or 0 for none", flags.workers, crew.Most))
	}
	var err error
	if flags.form, flags.config.Shape, err = flags.shape(); err != nil {
		return cli.Usage(err)
	}
	for _, text := range flags.routes {
		route, err := loadgen.ParseRoute(text)
		if err != nil {
			return cli.Usage(fmt.Errorf("--route %w", err))
		}
		flags.config.Routes = append(flags.config.Routes, route)
	}
	flags.config.Run = trial.NewID(time.Now())
	if _, err := loadgen.New(flags.config); err != nil {
		return cli.Usage(err)
	}
	ledger, err := loadgen.OpenCSV(flags.out, cmd.OutOrStdout())
	if err != nil {
		return cli.Unable(fmt.Errorf("--ledger: %w", err))
	}
	var statsd loadgen.StatsD
	if flags.statsd != "" {
		if statsd, err = loadgen.DialStatsD(flags.statsd); err != nil {
			return cli.Unable(fmt.Errorf("--statsd: %w", err))
		}
	}
	send, leave, err := flags.senders(cmd)
	if err != nil {
		return cli.Unable(err)
	}
	ctx := cmd.Context()
	if flags.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flags.length)
		defer cancel()
	}
	first := "" // what went wrong first
	summary, err := send(ctx, func(r loadgen.Row) {
		ledger.Write(r)
		statsd.Write(r)
		first = cmp.Or(first, r.Err)
	})
	err = errors.Join(err, leave())
	if unwritten := ledger.Close(); unwritten != nil {
		err = errors.Join(err, fmt.Errorf("--ledger %s: %w", flags.out, unwritten))
	}
	if err = errors.Join(err, statsd.Close()); err != nil {
		return cli.Unable(err)
	}
	summary.WriteText(cmd.ErrOrStderr())
	if err := served(flags.config.Target, summary, first); err != nil {
		return err
	}
	if summary.Missed != "" {
		return &cli.Error{Status: exitInconclusive, Err: fmt.Errorf("the schedule was missed: %s", summary.Missed)}
	}
	return nil
}

// served refuses to call it a load when nobody was there to serve it. The load
// could not be made at all where no request got as far as a connection; where
// requests were answered, and none acknowledged, it proves nothing.
func served(target string, s loadgen.Summary, first string) error {
	switch {
	case s.Requests == 0:
		return &cli.Error{Status: exitInconclusive, Err: errors.New("load: no request was due in that time; give a longer --for, or a higher --rate")}
	case s.Attempts == 0 && s.Exhausted == 0:
		return cli.Unable(fmt.Errorf("load --target %s: no request reached a server, the first for this: %s; start the server, or mend --target", target, first))
	case s.Acked > 0:
		return nil
	case s.Statuses[0] == s.Requests:
		return &cli.Error{Status: exitInconclusive, Err: fmt.Errorf("load --target %s: no request was answered, the first for this: %s", target, first)}
	}
	return &cli.Error{Status: exitInconclusive, Err: fmt.Errorf("load --target %s: no request was acknowledged (want answers with 2xx): %s; see that --route names what the server answers",
		target, s.StatusCounts())}
}

// senders is what sends the load: a generator in this process, or workers. leave ends it when the load is over.
func (f *loadFlags) senders(cmd *cobra.Command) (send func(context.Context, func(loadgen.Row)) (loadgen.Summary, error), leave func() error, err error) {
	if f.workers == 0 {
		generator, err := loadgen.New(f.config)
		if err != nil {
			return nil, nil, err
		}
		return generator.Run, func() error { return nil }, nil
	}
	self, err := platforms.OwnFile()
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("--workers: listen for them: %w", err)
	}
	all, err := crew.Assemble(cmd.Context(), crew.Config{Load: f.config, Form: f.form, Workers: f.workers, Listener: listener, Token: rand.Text(),
		Start: crew.Processes{Command: []string{self, "worker"}}.Start, Journal: workersSaid{cmd.ErrOrStderr()}})
	if err != nil {
		return nil, nil, fmt.Errorf("--workers: %w", err)
	}
	return all.Run, all.Close, nil
}

// workersSaid tells people of the workers of a load. It implements crew.Journal.
type workersSaid struct{ to io.Writer }

// Begun implements crew.Journal.
func (workersSaid) Begun(int, string) {}

// Compared implements crew.Journal: what is small is nobody's concern.
func (w workersSaid) Compared(worker int, c crew.Comparison) {
	if c.Bound >= 10*time.Millisecond {
		fmt.Fprintf(w.to, "worker %d: its times may be wrong by %v\n", worker, c.Bound.Round(time.Microsecond))
	}
}

// Ended implements crew.Journal.
func (w workersSaid) Ended(worker int, e crew.Ending) {
	if !e.Expected {
		fmt.Fprintf(w.to, "worker %d was lost after %v: %s\n", worker, e.At.Round(time.Millisecond), e.How)
	}
}

// shape is when requests are due.
func (f *loadFlags) shape() (loadgen.Form, loadgen.Shape, error) {
	form := loadgen.Form{Kind: loadgen.ConstantForm}
	var err error
	if form.Rate, err = loadgen.ParseRate(f.rate); err != nil {
		return form, nil, fmt.Errorf("--rate %w", err)
	}
	if form.Swing, err = loadgen.ParseRate(f.swing); err != nil {
		return form, nil, fmt.Errorf("--swing %w", err)
	}
	said := "--rate " + f.rate
	if form.Swing != 0 {
		form.Kind, form.Period = loadgen.SineForm, f.period
		said = fmt.Sprintf("--rate %s --swing %s --period %v", f.rate, f.swing, f.period)
	}
	shape, err := form.Shape()
	if err != nil {
		return form, nil, fmt.Errorf("%s: %w", said, err)
	}
	return form, shape, nil
}
