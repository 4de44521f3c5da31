package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"throughline/cmd/throughline/cli"
	"throughline/cmd/throughline/platforms"
	"throughline/docs"
	"throughline/scenarios/exam"
	"throughline/scenarios/look"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
	"throughline/scratch"
)

// initFlags is the command line of init.
type initFlags struct {
	runFlags
	subject subjectFlags
	look    time.Duration
	ci      string
	force   bool
	asked   windowGiven
}

// windowGiven tells whether the client's window was said, and need not be measured.
type windowGiven bool

// noCI is the --ci that writes no file.
const noCI = "none"

func newInit() *cobra.Command {
	flags := initFlags{runFlags: runFlags{format: "text", page: off, dashboard: off}}
	cmd := &cobra.Command{
		Use:   "init [-- COMMAND...]",
		Short: "Look at an app of your own, and write its first scenario and CI file",
		Long: `Start an instance of an application as a scenario would, send a few requests to each of
its routes, one after the other, and note which metrics come on its StatsD address. Then
write a scenario that holds these metrics against the requests, with a comment on each
line, and a file for a CI system.

A counter that grew by exactly the number of requests of one route is proposed for
conservation, continuity, identity and shutdown; a timer with as many values for nesting;
a gauge that was 1 with a request and 0 without for gauge. How long a count was on its
way says what the client's window is at least. What else came is named in a comment.

What is left out of the flags is asked, on a terminal. No file is overwritten without
--force. What is written is what throughline check takes; edit it, and go on:

  throughline check shop.yaml; throughline run shop.yaml; throughline validate shop.yaml`,
		Example: `  throughline init --route 'order: POST /orders/{word}' --route 'find: GET /orders/{word}' -- python3 shop.py
  throughline init --route 'order: POST /orders/{word}' --command 'java -jar shop.jar --port={{.Port}}' --look 12s --ci github`,
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 0 && len(args) > 0 {
				return cli.Usage(fmt.Errorf("%s: the command is written behind --, like throughline init -- python3 app.py", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.asked = windowGiven(cmd.Flags().Changed("client-window"))
			return begin(cmd, args, flags)
		},
	}
	f := cmd.Flags()
	flags.subject.add(f)
	f.DurationVar(&flags.look, "look", 5*time.Second, "how long to wait for metrics after the last request: longer than its client flushes; 0: do not start it at all")
	f.StringVar(&flags.out, "out", "", "the scenario's file (default NAME.yaml)")
	f.StringVar(&flags.ci, "ci", noCI, "also write a CI file that runs it: "+strings.Join(docs.CISystems(), ", ")+" or "+noCI)
	f.BoolVar(&flags.force, "force", false, "overwrite files that are there")
	f.StringVar(&flags.platform, "platform", platforms.Names()[0], "what runs the instance: "+strings.Join(platforms.Names(), " or "))
	f.StringVar(&flags.haproxy, "haproxy", "", "the HAProxy binary (default: found on PATH)")
	return cmd
}

// begin looks at an application and writes its files.
func begin(cmd *cobra.Command, behind []string, flags initFlags) error {
	if interactive(cmd.InOrStdin()) {
		if err := flags.subject.ask(cmd.InOrStdin(), cmd.ErrOrStderr(), len(behind) > 0); err != nil {
			return cli.Usage(err)
		}
	}
	d, err := flags.subject.draft(behind)
	if err == nil {
		err = flags.checkInit(d)
	}
	if err != nil {
		return cli.Usage(err)
	}
	file := flags.file(d)
	if d.Dir, err = commandDir(file); err != nil {
		return cli.Usage(err)
	}
	ciFile, recipe, err := flags.recipe(file)
	if err == nil {
		err = flags.free(file, ciFile)
	}
	if err != nil {
		return cli.Usage(err)
	}
	// What is to be written is read before anything starts, so that nobody waits to hear of a mistake in a flag.
	if _, err := drafted(cmd, file, d); err != nil {
		return cli.Usage(err)
	}
	if flags.look > 0 {
		seen, err := flags.see(cmd, file, d)
		if err != nil {
			return cli.Unable(err)
		}
		d = flags.filled(d, seen)
	}
	s, err := drafted(cmd, file, d)
	if err != nil {
		return cli.Unable(fmt.Errorf("what was seen makes no scenario: %w", err))
	}
	if err := written(file, s.Source); err != nil {
		return cli.Unable(err)
	}
	if ciFile != "" {
		if err := written(ciFile, recipe); err != nil {
			return cli.Unable(err)
		}
	}
	return tellWritten(cmd.OutOrStdout(), d, file, ciFile)
}

func (f initFlags) checkInit(d exam.Draft) error {
	switch {
	case f.look < 0:
		return fmt.Errorf("--look %v: want a time from 0s", f.look)
	case f.look > 0 && len(d.Routes) > look.MostRoutes:
		return fmt.Errorf("%d routes: want at most %d, which can be told apart by how often each is asked", len(d.Routes), look.MostRoutes)
	case f.ci != noCI && !slices.Contains(docs.CISystems(), f.ci):
		return fmt.Errorf("--ci %s: no such CI system%s (have %s, %s)", f.ci, cli.DidYouMean(f.ci, docs.CISystems()), strings.Join(docs.CISystems(), ", "), noCI)
	}
	return f.check()
}

// file is where the scenario goes.
func (f initFlags) file(d exam.Draft) string {
	if f.out != "" {
		return f.out
	}
	return d.Name + ".yaml"
}

// commandDir is where commands are executed now, from the directory in which the scenario's file will be; "": there.
func commandDir(file string) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	there, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return "", err
	}
	dir, err := filepath.Rel(there, here)
	if err != nil || dir == "." {
		return "", err
	}
	return filepath.ToSlash(dir), nil
}

// recipe is the CI file, and where it goes; "": none is wanted.
func (f initFlags) recipe(scenario string) (goes string, text []byte, err error) {
	if f.ci == noCI {
		return "", nil, nil
	}
	return docs.Recipe(f.ci, filepath.ToSlash(scenario))
}

// free refuses to overwrite files.
func (f initFlags) free(files ...string) error {
	var errs []error
	for _, file := range files {
		if _, err := os.Lstat(file); file != "" && err == nil && !f.force {
			errs = append(errs, fmt.Errorf("%s: is there already; --force overwrites it, --out chooses another place for the scenario", file))
		}
	}
	return errors.Join(errs...)
}

// drafted is the scenario of a draft, read as any file is.
func drafted(cmd *cobra.Command, file string, d exam.Draft) (script.Scenario, error) {
	source, err := d.Source()
	if err != nil {
		return script.Scenario{}, err
	}
	return script.Parse(file, source, reader(cmd).Options)
}

// see starts one instance, sends it requests, and gives what is proposed.
func (f initFlags) see(cmd *cobra.Command, file string, d exam.Draft) (look.Found, error) {
	d.Instances, d.Counters, d.Timers, d.Gauges = 1, nil, nil, nil
	s, err := drafted(cmd, file, d)
	if err != nil {
		return look.Found{}, err
	}
	have, err := f.preflight(cmd.Context(), []script.Scenario{s})
	if err != nil {
		return look.Found{}, err
	}
	dir, err := scratch.New("init")
	if err != nil {
		return look.Found{}, err
	}
	defer func() { _ = dir.Remove() }() // else the next program does
	socket, err := look.Listen()
	if err != nil {
		return look.Found{}, err
	}
	defer socket.Close()
	var routes []look.Route
	for _, r := range d.Routes {
		routes = append(routes, look.Route{Name: r.Name, Method: r.Method, Path: r.Path})
	}
	f.seed, f.relay = rand.Uint64(), "udp://"+socket.Addr()
	t := f.trial(s, dir.Path, have)
	ctx, down := context.WithCancel(cmd.Context())
	defer down()
	var seen look.Seen
	looked := make(chan error, 1)
	fmt.Fprintf(cmd.ErrOrStderr(), "starting %s\n", d.Name)
	_, err = t.Up(ctx, 0, false, func(at run.Addresses) {
		fmt.Fprintf(cmd.ErrOrStderr(), "sending a few requests to %s, and waiting %v for metrics\n", cli.Plural(len(routes), "route"), f.look)
		go func() {
			defer down()
			var err error
			seen, err = look.Look(ctx, socket, at.Users, routes, f.look)
			looked <- err
		}()
	})
	select {
	case failed := <-looked:
		err = errors.Join(failed, err)
	default: // it did not come up
		err = errors.Join(err, cmd.Context().Err())
	}
	if err != nil {
		return look.Found{}, fmt.Errorf("%s: %w", d.Name, err)
	}
	return seen.Propose(), nil
}

// filled is the draft with what was seen, where nothing was said.
func (f initFlags) filled(d exam.Draft, found look.Found) exam.Draft {
	window := func(lag time.Duration) time.Duration {
		if f.asked {
			return f.subject.window
		}
		return look.Window(lag)
	}
	if len(d.Counters) == 0 {
		for _, c := range found.Counters {
			n := exam.Counter{Metric: c.Metric, Route: c.Route, Window: window(c.Lag), Successes: c.Successes,
				Why: fmt.Sprintf("%s grew by %d with %d requests to %s: they are the same, each counted once.", c.Metric, c.Requests, c.Requests, c.Route)}
			if !f.asked {
				n.Window0 = fmt.Sprintf("A count was at most %v on its way. What the client holds at most, its documentation says: docs/CLIENTS.md.", c.Lag.Round(time.Millisecond))
			}
			d.Counters = append(d.Counters, n)
		}
	}
	if len(d.Timers) == 0 {
		for _, t := range found.Timers {
			n := exam.Timer{Metric: t.Metric, Route: t.Route, Window: window(t.Lag), Why: fmt.Sprintf("%s has a value for each request to %s.", t.Metric, t.Route)}
			if !t.Typed {
				n.Unit = "ms"
				n.Why += " Its type does not tell the unit: is it milliseconds?"
			}
			d.Timers = append(d.Timers, n)
		}
	}
	if len(d.Gauges) == 0 {
		for _, g := range found.Gauges {
			d.Gauges = append(d.Gauges, exam.Gauge{Metric: g.Metric, AtRest: g.AtRest, Window: window(found.Lag()), Why: g.Metric + " was 1 with a request and 0 without: is it of the requests in flight?"})
		}
	}
	d.Remarks = found.Remarks
	if len(d.Counters) == 0 {
		d.Remarks = append([]string{fmt.Sprintf("No counter of requests came within %v. Does the application send StatsD to STATSD_HOST and STATSD_PORT? Does its client flush more seldom (--look 15s)?", f.look)}, d.Remarks...)
	}
	d.Seen = "Written by throughline init, which sent a few requests to each route of one instance."
	return d
}

// written writes a file and the directories above it.
func written(file string, text []byte) error {
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", file, cli.Reason(err))
	}
	return nil
}

// tellWritten says what was found and how to go on.
func tellWritten(w io.Writer, d exam.Draft, file, ciFile string) error {
	var b strings.Builder
	for _, c := range d.Counters {
		fmt.Fprintf(&b, "  counter %s counts %s, client_window %v\n", c.Metric, c.Route, c.Window)
	}
	for _, t := range d.Timers {
		fmt.Fprintf(&b, "  timer %s measures %s\n", t.Metric, t.Route)
	}
	for _, g := range d.Gauges {
		fmt.Fprintf(&b, "  gauge %s is of the requests in flight\n", g.Metric)
	}
	for _, r := range d.Remarks {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	fmt.Fprintf(&b, "wrote %s\n", file)
	if ciFile != "" {
		fmt.Fprintf(&b, "wrote %s\n", ciFile)
	}
	fmt.Fprintf(&b, "go on with:\n  throughline check %[1]s\n  throughline run %[1]s\n  throughline validate %[1]s\n", file)
	_, err := io.WriteString(w, b.String())
	return err
}
