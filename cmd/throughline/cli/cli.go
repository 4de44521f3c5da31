// Package cli is how a command line behaves, whatever its commands do: the statuses it
// ends with, signals, crashes, what is said of a flag or operand that is wrong, and what
// the program calls itself.
//
// It has no command and knows none, and nothing of stacks, runs and verdicts. The
// commands of throughline, in the package above, use it.
package cli

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
)

// The exit statuses that do not depend on what a command is about. Scripts depend on
// them.
const (
	StatusUsage  = 3 // bad command line, or bad scenario
	StatusUnable = 4 // the program could not do its work
)

// Error ends the program with a status. A nil Err prints nothing: the command has said
// it all.
type Error struct {
	Status int
	Err    error
}

// Error is what Err says.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return e.Err.Error()
}

// Unwrap gives Err.
func (e *Error) Unwrap() error { return e.Err }

// Usage is for what the user has to mend before the same command can do anything.
func Usage(err error) error { return &Error{StatusUsage, err} }

// Unable is for what kept the program from its work; nil: nothing did.
func Unable(err error) error {
	if err == nil {
		return nil
	}
	return &Error{StatusUnable, err}
}

// Run is a whole program: it does what there is to do with a context that ends with the
// first signal that asks for an end, tells the error, and gives the exit status. A
// crash is told as a bug of the program.
func Run(program string, do func(context.Context) error) (status int) {
	crashApart()
	defer func() {
		if crash := recover(); crash != nil {
			fmt.Fprintf(os.Stderr, "%s: crashed, which is a bug of it: %v\n%s", program, crash, debug.Stack())
			status = StatusUnable
		}
	}()
	ctx, stop := orderly(context.Background())
	defer stop()
	return tell(program, do(ctx), os.Stderr)
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

// Insisted gives a context that ends when an end is asked for that was asked for before: with
// the second SIGINT or SIGTERM. The next one has its usual force.
func Insisted(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	again := make(chan os.Signal, 2)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer signal.Stop(again)
		for range 2 {
			select {
			case <-again:
			case <-ctx.Done():
				return
			}
		}
		cancel()
	}()
	return ctx, cancel
}

// tell turns what a command returned into an exit status and, where the command has not
// said it itself, a message: of several errors several lines, each to be found by the
// same prefix.
func tell(program string, err error, stderr io.Writer) (status int) {
	if err == nil {
		return 0
	}
	var known *Error
	if !errors.As(err, &known) {
		known = &Error{StatusUnable, err} // what was to be printed could not be
	}
	if known.Err != nil {
		for line := range strings.Lines(strings.TrimRight(known.Err.Error(), "\n") + "\n") {
			fmt.Fprint(stderr, program+": "+line)
		}
	}
	return known.Status
}
