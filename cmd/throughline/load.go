package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"context"

	"github.com/spf13/cobra"

	"throughline/loadgen"
)

// loadFlags is the command line of load.
type loadFlags struct {
	config loadgen.Config
	rate   string
	length time.Duration
	routes []string
	out    string
}

func newLoad() *cobra.Command {
	var flags loadFlags
	cmd := &cobra.Command{
		Use:   "load",
		Short: "The load generator alone",
		Long: `Send requests at a constant rate, each when it is due whatever the server does, and
tell what the users saw. Latency counts from when a request was due. With --ledger
every request is written as a line of CSV.

A 503 without the header X-Served-By counts as refused: that is how the stack's own
HAProxy says that nobody executed a request. A server that answers 503 by itself is
counted the same.`,
		Example: `  throughline load --target http://127.0.0.1:8080 --rate 200/s --for 10s
  throughline load --target http://127.0.0.1:8080 --route "ping=GET /ping" --rate 50/s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return load(cmd, flags) },
	}
	f := cmd.Flags()
	f.StringVar(&flags.config.Target, "target", "", "the server's or load balancer's address, like http://127.0.0.1:8080")
	f.StringVar(&flags.rate, "rate", "100/s", "requests per second")
	f.DurationVar(&flags.length, "for", 10*time.Second, "how long")
	f.StringArrayVar(&flags.routes, "route", []string{"insert=POST /insert/{word}"}, "NAME=METHOD PATH; may be given more than once, all are requested alike")
	f.IntVar(&flags.config.Words, "words", 1000, "how many different words stand for {word}")
	f.Uint64Var(&flags.config.Seed, "seed", 1, "decides routes and words")
	f.DurationVar(&flags.config.Timeout, "timeout", 5*time.Second, "for one request")
	f.StringVar(&flags.out, "ledger", "", "file for the users' ledger as CSV; - = standard output")
	return cmd
}

func load(cmd *cobra.Command, flags loadFlags) error {
	rate, err := strconv.ParseFloat(strings.TrimSuffix(flags.rate, "/s"), 64)
	if err != nil {
		return usage(fmt.Errorf("--rate %s: want requests per second, like 200/s", flags.rate))
	}
	if flags.config.Shape, err = loadgen.Constant(rate); err != nil {
		return usage(fmt.Errorf("--rate %s: %w", flags.rate, err))
	}
	for _, text := range flags.routes {
		route, err := parseRoute(text)
		if err != nil {
			return usage(err)
		}
		flags.config.Routes = append(flags.config.Routes, route)
	}
	flags.config.Run = runID(time.Now())
	generator, err := loadgen.New(flags.config)
	if err != nil {
		return usage(err)
	}
	keep, closeLedger, err := ledger(flags.out, cmd.OutOrStdout())
	if err != nil {
		return harness(err)
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), flags.length)
	defer cancel()
	summary, err := generator.Run(ctx, keep)
	if err == nil {
		err = closeLedger()
	}
	if err != nil {
		return harness(err)
	}
	showSummary(cmd.ErrOrStderr(), summary)
	if summary.Missed != "" {
		return &statusError{exitInconclusive, fmt.Errorf("the schedule was missed: %s", summary.Missed)}
	}
	return nil
}

func parseRoute(text string) (loadgen.Route, error) {
	name, rest, ok := strings.Cut(text, "=")
	method, path, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 {
		return loadgen.Route{}, fmt.Errorf("--route %q: want NAME=METHOD PATH, like insert=POST /insert/{word}", text)
	}
	return loadgen.Route{Name: name, Method: method, Path: path}, nil
}

// ledger returns what to do with each row, and with the end.
func ledger(path string, stdout io.Writer) (keep func(loadgen.Row), done func() error, err error) {
	if path == "" {
		return func(loadgen.Row) {}, func() error { return nil }, nil
	}
	file := stdout
	closeFile := func() error { return nil }
	if path != "-" {
		f, err := os.Create(path)
		if err != nil {
			return nil, nil, fmt.Errorf("--ledger: %w", err)
		}
		file, closeFile = f, f.Close
	}
	w := bufio.NewWriter(file)
	fmt.Fprintln(w, "seq,due,lateness_us,latency_us,route,word,instance,outcome,status,attempts,error")
	keep = func(r loadgen.Row) {
		fmt.Fprintf(w, "%d,%s,%d,%d,%s,%s,%s,%s,%d,%d,%q\n", r.Seq, r.Due.UTC().Format(time.RFC3339Nano),
			r.Lateness().Microseconds(), r.Latency().Microseconds(), r.Route, r.Word, r.Instance, r.Outcome, r.Status, r.Attempts, r.Err)
	}
	return keep, func() error {
		if err := w.Flush(); err != nil {
			return fmt.Errorf("--ledger %s: %w", path, err)
		}
		return closeFile()
	}, nil
}

func showSummary(w io.Writer, s loadgen.Summary) {
	fmt.Fprintf(w, "requests   %d in %v (%.1f/s), %d attempts at the wire\n", s.Requests, s.Duration.Round(time.Millisecond), s.Rate, s.Attempts)
	fmt.Fprintf(w, "outcome    %d acked, %d refused, %d unknown\n", s.Acked, s.Refused, s.Unknown)
	var codes []int
	for code := range s.Statuses {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	fmt.Fprint(w, "status    ")
	for _, code := range codes {
		if code == 0 {
			fmt.Fprintf(w, " none:%d", s.Statuses[code])
			continue
		}
		fmt.Fprintf(w, " %d:%d", code, s.Statuses[code])
	}
	fmt.Fprintf(w, "\nlatency    %s   (from due)\n", quantiles(s.Latency))
	fmt.Fprintf(w, "lateness   %s   (sent after due)\n", quantiles(s.Lateness))
}

func quantiles(q loadgen.Quantiles) string {
	r := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v  p90 %v  p99 %v  max %v", r(q.P50), r(q.P90), r(q.P99), r(q.Max))
}
