package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/loadgen"
	"throughline/scenarios/trial"
)

// loadFlags is the command line of load.
type loadFlags struct {
	config loadgen.Config
	rate   string
	swing  string
	period time.Duration
	length time.Duration
	routes []string
	out    string
	statsd string
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
	}
	var err error
	if flags.config.Shape, err = flags.shape(); err != nil {
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
	generator, err := loadgen.New(flags.config)
	if err != nil {
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
	ctx := cmd.Context()
	if flags.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flags.length)
		defer cancel()
	}
	first := "" // what went wrong first
	summary, err := generator.Run(ctx, func(r loadgen.Row) {
		ledger.Write(r)
		statsd.Write(r)
		first = cmp.Or(first, r.Err)
	})
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

// shape is when requests are due.
func (f *loadFlags) shape() (loadgen.Shape, error) {
	rate, err := loadgen.ParseRate(f.rate)
	if err != nil {
		return nil, fmt.Errorf("--rate %w", err)
	}
	swing, err := loadgen.ParseRate(f.swing)
	if err != nil {
		return nil, fmt.Errorf("--swing %w", err)
	}
	if swing == 0 {
		shape, err := loadgen.Constant(rate)
		if err != nil {
			return nil, fmt.Errorf("--rate %s: %w", f.rate, err)
		}
		return shape, nil
	}
	shape, err := loadgen.Sine(rate, swing, f.period)
	if err != nil {
		return nil, fmt.Errorf("--rate %s --swing %s --period %v: %w", f.rate, f.swing, f.period, err)
	}
	return shape, nil
}
