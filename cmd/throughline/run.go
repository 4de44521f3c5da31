package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

// interval is the collector's, and the grain of every verdict.
const interval = time.Second

// runFlags is the command line of run, and in part of up.
type runFlags struct {
	platform  string
	out       string
	seed      uint64
	mongo     string
	dashboard string
	format    string
	haproxy   string
}

// common are the flags that run and up share.
func (f *runFlags) common(set *pflag.FlagSet) {
	set.StringVar(&f.platform, "platform", onLocalName, "what runs the instances: local (child processes) or docker (containers)")
	set.StringVar(&f.mongo, "mongo", "", "URI of a MongoDB to use instead of the embedded database")
	set.StringVar(&f.dashboard, "dashboard", "127.0.0.1:0", "where the collector answers Prometheus' HTTP API while the stack is up, or off")
	set.StringVar(&f.haproxy, "haproxy", "", "the HAProxy binary (default: found on PATH)")
}

func newRun() *cobra.Command {
	var flags runFlags
	cmd := &cobra.Command{
		Use:   "run FILE|NAME...",
		Short: "Run scenarios and give a verdict on each",
		Long: `Run scenarios one after the other: files (- is standard input), or built-in ones
by name (see throughline list). For each, a stack is started, put under load and changed as
the scenario says, and everything seen is recorded in a directory. The verdict is
then judged from that record alone, and can be judged again with throughline judge.

Progress goes to standard error, the verdict to standard output. The exit status
is that of the worst verdict: 0 pass, 2 inconclusive, 4 if a scenario could not be
run (what is missing is listed before anything starts; the other scenarios are
run), 1 fail, which outranks them all. If a scenario cannot be read it is 3, and
nothing is started.`,
		Example: `  throughline run replace-an-instance
  throughline run --seed 7 --out /tmp/r my-scenario.yaml
  throughline run --format json quiet | jq .outcome`,
		Args: operands(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("seed") {
				flags.seed = uint64(rand.Uint32()) // short enough to type again
			}
			return runAll(cmd, args, flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.out, "out", "", "directory of the record (default runs/TIME-SCENARIO; with several scenarios a folder in it for each)")
	f.Uint64Var(&flags.seed, "seed", 0, "decides words and routes of the load (default: drawn, printed and recorded)")
	flags.common(f)
	f.StringVar(&flags.format, "format", "text", "of the verdict: text or json")
	return cmd
}

func (f runFlags) check() error {
	switch {
	case f.platform != onLocalName && f.platform != onDockerName:
		return fmt.Errorf("--platform %s: no such platform (have local, docker)", f.platform)
	case f.platform == onDockerName && f.haproxy != "":
		return fmt.Errorf("--haproxy %s: on docker HAProxy comes in an image; leave the flag out", f.haproxy)
	case f.format != "text" && f.format != "json":
		return fmt.Errorf("--format %s: no such format (have text, json)", f.format)
	case f.dashboard != "off" && address("dashboard", f.dashboard) != nil:
		return fmt.Errorf("%w, or off", address("dashboard", f.dashboard))
	case f.mongo != "" && !strings.HasPrefix(f.mongo, "mongodb://") && !strings.HasPrefix(f.mongo, "mongodb+srv://"):
		return fmt.Errorf("--mongo %s: not a MongoDB URI, like mongodb://127.0.0.1:27017", f.mongo)
	}
	return nil
}

func exitOf(o verdict.Outcome) int {
	switch o {
	case verdict.Pass:
		return exitPass
	case verdict.Fail:
		return exitFail
	}
	return exitInconclusive
}

// writable tells whether a record can be written at out, by making the
// directory and a file in it.
func writable(out string) error {
	if out == "" {
		out = "runs"
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return fmt.Errorf("--out %s: cannot make the directory: %w; choose another", out, err)
	}
	probe, err := os.CreateTemp(out, ".probe-")
	if err != nil {
		return fmt.Errorf("--out %s: cannot write into it: %w; choose another", out, err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// job is one scenario to run.
type job struct {
	flags runFlags
	dir   string
	found found
}

// newConfig is all of a run's configuration but platform and progress.
func newConfig(s script.Scenario, j job, start time.Time) run.Config {
	c := run.Config{
		Scenario: s, Dir: j.dir, MongoURI: j.flags.mongo, HAProxy: j.found.haproxy,
		Web: j.found.web[s.Stack.Web.Image], Database: j.found.database,
		Run: record.Run{
			ID: runID(start), Scenario: s.Name, File: s.File, Seed: j.flags.seed, Platform: j.flags.platform,
			Start: start, Interval: interval, Database: databaseOf(s, j),
			Versions: map[string]string{"throughline": version(), "haproxy": j.found.haproxyVersion},
		},
	}
	if j.flags.dashboard != "off" {
		c.Dashboard = j.flags.dashboard
	}
	return c
}

// runOne runs a scenario, judges what it recorded and shows the verdict. Without a
// verdict the error says why there is none, with one what could not be written of it.
func runOne(cmd *cobra.Command, s script.Scenario, j job) (status int, verdict bool, err error) {
	config := newConfig(s, j, time.Now())
	progress := newProgress(cmd.ErrOrStderr(), s, config)
	defer progress.Close()
	config.Progress = progress
	if j.found.note != "" && config.Run.Database == embedded {
		progress.Note(j.found.note)
	}
	failed := onPlatform(cmd.Context(), config, j.found, run.Run)
	history, err := recorded(j.dir, config.Run.ID, failed)
	if err != nil {
		return exitHarness, false, err
	}
	if failed != nil {
		progress.Note(fmt.Sprintf("the stack did not go down as it should, after the record was closed: %v", failed))
	}
	progress.Close()
	judged, err := check.Judge(history)
	if err != nil {
		return exitHarness, false, err
	}
	status = exitOf(judged.Outcome)
	_, unwritten := report.WriteAll(j.dir, history, judged)
	err = errors.Join(unwritten, show(cmd.OutOrStdout(), history, judged, shown{format: j.flags.format, dir: j.dir}))
	if err != nil {
		status = worse(status, exitHarness)
	}
	return status, true, err
}

// recorded reads the record of a run. A run that failed has none, unless what failed
// came after the record had been closed: then it is as good as any, and what went
// wrong is to be told beside the verdict.
func recorded(dir, id string, failed error) (record.History, error) {
	history, err := record.Read(dir)
	if failed != nil && (err != nil || !wholeRecord(history, id)) {
		return record.History{}, failed
	}
	return history, err
}

// wholeRecord tells whether a record is this run's, and has its end.
func wholeRecord(h record.History, id string) bool {
	return h.Run.ID == id && len(h.Damage) == 0 && slices.ContainsFunc(h.Events, func(e record.Event) bool { return e.Kind == record.RunEnd })
}

// runID is unique among the runs of one machine: request ids and series carry
// it, so that nothing of an earlier run can be taken for this one's.
func runID(start time.Time) string {
	return strconv.FormatInt(start.UnixMilli(), 36) + strconv.FormatInt(int64(os.Getpid()), 36)
}

// shown says how to show a verdict.
type shown struct {
	format string
	dir    string // of the report; "": there is none
}

// show prints a verdict.
func show(w io.Writer, h record.History, v verdict.Verdict, how shown) error {
	if how.format == "json" {
		return report.WriteJSON(w, v)
	}
	where := filepath.Join(how.dir, report.HTMLFile)
	if _, err := os.Stat(where); err != nil || how.dir == "" {
		where = "" // a record that is judged where it may not be written
	}
	on := report.NewTerminal(w, os.Getenv)
	return report.WriteText(w, h, v, report.TextOptions{Color: on.Color, Width: on.Width, Where: where})
}
