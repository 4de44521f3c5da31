package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What a command returns decides the status, and what is told.
func TestTell(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		said   string
	}{
		{nil, 0, ""},
		{Unable(nil), 0, ""},
		{&Error{Status: 2}, 2, ""},
		{Usage(errors.New("--web 0: want 1")), StatusUsage, "prog: --web 0: want 1\n"},
		{Unable(errors.Join(errors.New("no engine"), errors.New("no image"))), StatusUnable, "prog: no engine\nprog: no image\n"},
		{fmt.Errorf("while it ended: %w", Usage(errors.New("bad"))), StatusUsage, "prog: bad\n"},
		{errors.New("write: no space left\n"), StatusUnable, "prog: write: no space left\n"},
	} {
		var stderr strings.Builder
		if got := tell("prog", c.err, &stderr); got != c.status || stderr.String() != c.said {
			t.Errorf("%v: status %d, told %q; want %d and %q", c.err, got, stderr.String(), c.status, c.said)
		}
	}
}

// A bad command line is one message that names the thing first and says what to do next.
func TestBadCommandLines(t *testing.T) {
	root := &cobra.Command{Use: "prog"}
	run := &cobra.Command{Use: "run FILE...", Args: Operands(1, 2), RunE: func(*cobra.Command, []string) error { return nil }}
	run.Flags().Int("jobs", 1, "how many")
	root.AddCommand(run, &cobra.Command{Use: "list", Args: NoOperands, RunE: func(*cobra.Command, []string) error { return nil }})
	Finish(root)
	for line, want := range map[string]string{
		"rum":               "rum: no such command (did you mean run?); prog --help lists them",
		"run":               "run: FILE... is missing; see prog run --help",
		"run a b c":         "c: is one too many, prog run takes FILE...; see prog run --help",
		"list all":          "all: prog list takes flags only; see prog list --help",
		"run --job 2 a":     "--job: no such flag (did you mean --jobs?); see prog run --help",
		"run --jobs":        "--jobs: its value is missing: want a whole number; see prog run --help",
		"run --jobs many a": "--jobs many: want a whole number; see prog run --help",
		"help nothing":      "nothing: no such command; prog --help lists them",
		"run a":             "",
	} {
		root.SetArgs(strings.Fields(line))
		err := root.Execute()
		var known *Error
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", line, err)
		case want != "" && (!errors.As(err, &known) || known.Status != StatusUsage || err.Error() != want):
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestHostPort(t *testing.T) {
	for text, good := range map[string]bool{"127.0.0.1:0": true, "[::1]:9102": true, ":80": true, "9102": false, "a:b": false, "a:99999": false, "": false} {
		if err := HostPort("listen", text, "127.0.0.1:9102"); (err == nil) != good || !good && err.Error() != "--listen "+text+": want host:port, like 127.0.0.1:9102" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A shell is told what may come next, of operands and of flags.
func TestComplete(t *testing.T) {
	root := &cobra.Command{Use: "prog"}
	run := &cobra.Command{Use: "run", RunE: func(*cobra.Command, []string) error { return nil }}
	run.Flags().String("format", "", "")
	judge := &cobra.Command{Use: "judge", RunE: run.RunE}
	root.AddCommand(run, judge)
	Complete(root, map[string]Completion{"judge": Directory}, map[string]map[string]Completion{"run": {"format": OneOf("text", "json")}})
	for line, want := range map[string]string{
		"run --format": "text\njson\n:4\n",
		"run":          ":4\n",
		"judge":        ":16\n",
		"judge one":    ":4\n",
	} {
		var out strings.Builder
		root.SetOut(&out)
		root.SetErr(io.Discard)
		root.SetArgs(append(append([]string{cobra.ShellCompRequestCmd}, strings.Fields(line)...), ""))
		if err := root.Execute(); err != nil || out.String() != want {
			t.Errorf("%s: %q (%v), want %q", line, out.String(), err, want)
		}
	}
}

func TestGiven(t *testing.T) {
	cmd := &cobra.Command{Use: "prog"}
	cmd.Flags().Int("jobs", 1, "")
	cmd.Flags().Int("seed", 1, "")
	if got := Given(cmd, "jobs", "seed"); got != "" {
		t.Errorf("none is given: %q", got)
	}
	if err := cmd.Flags().Set("seed", "1"); err != nil {
		t.Fatal(err)
	}
	if got := Given(cmd, "jobs", "seed"); got != "seed" {
		t.Errorf("--seed is given: %q", got)
	}
}
