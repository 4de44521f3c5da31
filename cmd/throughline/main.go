// Command throughline runs a small real web stack under load, scales it, kills
// parts of it, and tells from the record whether the metrics stayed continuous
// and correlated.
//
// This package is wiring: a file for each subcommand, which reads flags, puts
// the parts together and chooses the exit status. It knows no rule of a verdict
// and no step of a run; people, scripts and the instances of a stack call it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"throughline/scenarios/trial"
)

// The exit statuses. Scripts depend on them.
const (
	exitPass         = int(trial.Pass)
	exitFail         = int(trial.Fail)
	exitInconclusive = int(trial.Inconclusive)
	exitUsage        = 3                // bad scenario or bad command line
	exitHarness      = int(trial.Unrun) // the harness could not run
)

// statusError ends the program with a status. A nil err prints nothing: the
// verdict has said it all.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

func usage(err error) error   { return &statusError{exitUsage, err} }
func harness(err error) error { return &statusError{exitHarness, err} }

// ending ends the program with the status that trials came to.
func ending(s trial.Status) error {
	if s == trial.Pass {
		return nil
	}
	return &statusError{status: int(s)}
}

func main() {
	os.Exit(Main())
}

// Main is main with its exit status as result, so that tests can run the
// command line in a process of their own.
func Main() (code int) {
	crashApart()
	defer func() {
		if crash := recover(); crash != nil {
			fmt.Fprintf(os.Stderr, "throughline: crashed, which is a bug of it: %v\n%s", crash, debug.Stack())
			code = exitHarness
		}
	}()
	for _, p := range platforms() {
		if p.prepare != nil {
			p.prepare()
		}
	}
	ctx, stop := orderly(context.Background())
	defer stop()
	return status(newRoot().ExecuteContext(ctx), os.Stderr)
}

// orderly gives a context that ends with the first signal that asks for an end:
// SIGINT and SIGTERM, and SIGHUP unless it was ignored when the program started, as
// nohup has it. A second SIGINT or SIGTERM has its usual force. A second SIGHUP has
// none: a terminal that is closed sends it through its shell once more. From the
// first on, writing to a terminal or pipe that is gone is an error and no end.
func orderly(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt, syscall.SIGTERM)
	hangup := make(chan os.Signal, 1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(hangup, syscall.SIGHUP)
	}
	go func() {
		defer cancel()
		select {
		case <-end:
			signal.Stop(end)
		case <-hangup:
			signal.Notify(hangup, syscall.SIGPIPE) // nobody reads it; it is noticed and has no force
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		signal.Stop(end)
		signal.Stop(hangup)
	}
}

// status turns what a command returned into an exit status and, where the
// command has not said it itself, a message.
func status(err error, stderr io.Writer) int {
	if err == nil {
		return exitPass
	}
	var known *statusError
	if !errors.As(err, &known) {
		known = &statusError{exitHarness, err} // what was to be printed could not be
	}
	if known.err != nil {
		// Several errors are several lines, each to be found by the same prefix.
		for line := range strings.Lines(strings.TrimRight(known.err.Error(), "\n") + "\n") {
			fmt.Fprint(stderr, "throughline: "+line)
		}
	}
	return known.status
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "throughline",
		Short: "Prove that metrics stay continuous and correlated while instances come and go",
		Long: `Throughline runs a small real web stack (HAProxy, web instances with StatsD, a
MongoDB) under load, scales it, kills parts of it, and tells from the record
whether the metrics stayed continuous and correlated.

Start with:
  throughline list                      the built-in scenarios
  throughline run replace-an-instance   run one; its verdict is the exit status

Exit status: 0 pass, 1 fail, 2 inconclusive (the run proves nothing),
3 bad scenario or usage, 4 the harness could not run. Of several runs the worst
counts: 1, then 4, then 2.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRun(), newJudge(), newCheck(), newList(), newExplain(), newUp(), newSelftest(), newCollect(), newLoad(), newApp(), newDocstore(), newHealth(), newVersion(), newGuard())
	root.SetFlagErrorFunc(badFlag)
	root.Version = versionLine(debug.ReadBuildInfo())
	root.SetVersionTemplate("{{.Version}}\n")
	complete(root)
	group(root)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = topics
		case "completion":
			group(c)
			for _, shell := range c.Commands() {
				shell.Args = noOperands
			}
		}
	}
	return root
}
