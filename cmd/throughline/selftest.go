package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/gallery"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
)

// selftestFlags is the command line of selftest.
type selftestFlags struct {
	repeat, healthy, jobs int
	out, format, platform string
	again                 string
	keep, list            bool
	synthetic             syntheticFlags
}

func newSelftest() *cobra.Command {
	var flags selftestFlags
	cmd := &cobra.Command{
		Use:   "selftest [NAME...]",
		Short: "Judge the judge: run the gallery of known defects and faults",
		Long: `Run the gallery: defects in the reference app's instrumentation, faults of the
infrastructure, alerts that cannot work and defects of this tool itself, each on a
real stack of its own, and healthy runs beside them. For each the matrix tells
whether the right check spoke, blamed the right instances, gave the right number
and named the right cause. Without names everything runs; a name is that of an
entry or of a healthy run, and --list tells them.

Progress goes to standard error, matrix and figures to standard output. The exit
status is 0 if all was caught and no healthy run failed, 1 if not, 2 if too many
runs prove nothing to say so. Records of what was not right stay in --out; with
--keep all do, and --again judges them once more by the judge of today.`,
		Example: `  throughline selftest
  throughline selftest lost-on-exit counted-twice
  throughline selftest batched-5s stalled-2s --repeat 3
  throughline selftest --repeat 10 --healthy 300 --format markdown > docs/GALLERY.md
  throughline selftest --keep --out runs/all && throughline selftest --again runs/all
  throughline selftest --synthetic 20000 --format markdown > docs/CONFUSION.md
  throughline selftest --synthetic 1 --seed 17 --only late --explain`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("healthy") && flags.healthy < 0 {
				return usage(fmt.Errorf("--healthy %d: want a whole number from 0", flags.healthy))
			}
			if err := aloneWithAgain(cmd, flags); err != nil {
				return usage(err)
			}
			made, err := aloneWithSynthetic(cmd, args, flags)
			if err != nil {
				return usage(err)
			}
			if made {
				return synthetically(cmd, flags)
			}
			return selftest(cmd, args, flags)
		},
	}
	f := cmd.Flags()
	f.IntVar(&flags.repeat, "repeat", 1, "how often each entry runs")
	f.IntVar(&flags.healthy, "healthy", -1, "how many healthy runs (default: each once; with names, those as often as the entries)")
	f.IntVar(&flags.jobs, "jobs", runtime.NumCPU(), "how many stacks run at once")
	f.StringVar(&flags.platform, "platform", onLocalName, "what runs the instances: local or docker")
	f.StringVar(&flags.out, "out", "", "directory of the records (default runs/TIME-selftest)")
	f.StringVar(&flags.format, "format", "text", "of the matrix: text, json or markdown")
	f.BoolVar(&flags.keep, "keep", false, "keep the records of what was right too")
	f.StringVar(&flags.again, "again", "", "run nothing: judge the records that a selftest with --keep left in this directory")
	f.BoolVar(&flags.list, "list", false, "list the gallery, run nothing")
	flags.synthetic.register(f)
	return cmd
}

// check refuses what cannot be done; healthy are the runs that were named, or all
// without names.
func (f *selftestFlags) check(names []string, healthy []gallery.Control) error {
	switch {
	case f.format != "text" && f.format != "json" && f.format != "markdown":
		return fmt.Errorf("--format %s: no such format (have text, json, markdown)", f.format)
	case f.platform != onLocalName && f.platform != onDockerName:
		return fmt.Errorf("--platform %s: no such platform (have local, docker)", f.platform)
	case f.repeat < 1:
		return fmt.Errorf("--repeat %d: each entry runs at least once", f.repeat)
	case f.jobs < 1:
		return fmt.Errorf("--jobs %d: at least one stack must run", f.jobs)
	}
	if f.healthy < 0 {
		f.healthy = len(healthy)
		if len(names) > 0 {
			f.healthy *= f.repeat
		}
	}
	return nil
}

func selftest(cmd *cobra.Command, names []string, flags selftestFlags) error {
	entries, healthy, err := gallery.Select(names...)
	if err == nil {
		err = flags.check(names, healthy)
	}
	if err != nil {
		return usage(err)
	}
	if flags.list {
		return listGallery(cmd, entries, healthy)
	}
	var trials []trial
	try := trial.run
	if flags.again != "" {
		flags.out, flags.keep = flags.again, true
		trials, err = kept(flags.again, entries, healthy)
		try = trial.judgeAgain
	} else {
		if trials, err = plan(cmd.ErrOrStderr(), gallerySelection{entries, healthy, len(names) > 0}, flags); err != nil {
			return err
		}
		if flags.out == "" {
			flags.out = filepath.Join("runs", time.Now().Format("20060102-150405")+"-selftest")
		}
		err = ready(cmd.Context(), trials, flags)
	}
	if err != nil {
		return err
	}
	results := runTrials(cmd, trials, flags, try)
	if err := showMatrix(cmd, results, flags.format); err != nil {
		return harness(err)
	}
	if status := verdictOn(results, len(trials)); status != exitPass {
		return &statusError{status: status}
	}
	return nil
}

func listGallery(cmd *cobra.Command, entries []gallery.Entry, healthy []gallery.Control) error {
	out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, e := range entries {
		fmt.Fprintf(out, "%s\t%s\t%s: %s\t%s\n", e.Name, e.Fault, e.Want.Check, e.Want.Outcome, e.About)
	}
	for _, c := range healthy {
		fmt.Fprintf(out, "%s\t-\thealthy: pass\t%s\n", c.Name, c.About)
	}
	return out.Flush()
}

// ready writes all scenarios and lists what is wrong or missing, before anything
// starts.
func ready(ctx context.Context, trials []trial, flags selftestFlags) error {
	if err := writable(flags.out); err != nil {
		return harness(err)
	}
	var errs []error
	known := map[string]bool{}
	for _, t := range trials {
		dir := filepath.Join(flags.out, t.dir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return harness(err)
		}
		if err := os.WriteFile(t.scenario(flags.out), []byte(t.stage.Scenario(t.name)), 0o644); err != nil {
			return harness(err)
		}
		if !known[t.name] {
			known[t.name] = true
			if _, err := readScenario(t.scenario(flags.out), nil); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if err := joined(errs); err != nil {
		return usage(err)
	}
	if _, err := preflight(ctx, nil, runFlags{out: flags.out, platform: flags.platform}); err != nil {
		return harness(err)
	}
	return nil
}

// runTrials runs all, some at a time, and says how each went. When the context
// ends, what has not begun is left out.
func runTrials(cmd *cobra.Command, trials []trial, flags selftestFlags, try func(trial, context.Context, selftestFlags) gallery.Result) []gallery.Result {
	var (
		mu      sync.Mutex
		results []gallery.Result
		group   errgroup.Group
	)
	group.SetLimit(flags.jobs)
	for _, t := range trials {
		group.Go(func() error {
			if cmd.Context().Err() != nil {
				return nil
			}
			r := try(t, cmd.Context(), flags)
			if cmd.Context().Err() != nil {
				return nil // it was interrupted: what it says means nothing
			}
			mu.Lock()
			defer mu.Unlock()
			results = append(results, r)
			fmt.Fprintf(cmd.ErrOrStderr(), "[%d/%d] %s\n", len(results), len(trials), oneLine(r))
			return nil
		})
	}
	_ = group.Wait() // no trial returns an error
	return results
}

// oneLine says how a trial went.
func oneLine(r gallery.Result) string {
	took := r.Took.Round(100 * time.Millisecond)
	switch {
	case r.Error != "":
		return fmt.Sprintf("%s: COULD NOT RUN: %s", r.Name, r.Error)
	case !r.Proved:
		return fmt.Sprintf("%s: proves nothing (%v): %s", r.Name, took, r.Said)
	case r.Good() && r.Control:
		return fmt.Sprintf("%s: silent (%v)", r.Name, took)
	case r.Good():
		return fmt.Sprintf("%s: caught by %s: %s (%v)", r.Name, r.By, cmp.Or(r.Named, "no cause"), took)
	case r.Control:
		return fmt.Sprintf("%s: FALSE ALARM: %s; record: %s", r.Name, r.Said, r.Dir)
	}
	return fmt.Sprintf("%s: NOT RIGHT: caught %v, instance %v, amount %v, cause %v (%s): %s; record: %s",
		r.Name, r.Caught, r.Instance, r.Amount, r.Cause, r.Named, r.Said, r.Dir)
}

// run runs one trial as a user would, in a process of its own, and scores it.
func (t trial) run(ctx context.Context, flags selftestFlags) gallery.Result {
	begin := time.Now()
	dir := filepath.Join(flags.out, t.dir, "record")
	r, err := t.score(ctx, flags, dir)
	r.Name, r.Control, r.Took, r.Dir = t.name, t.entry == nil, time.Since(begin), dir
	if err != nil {
		r.Error, r.Proved = err.Error(), false
	}
	if r.Good() && !flags.keep {
		if err := os.RemoveAll(filepath.Join(flags.out, t.dir)); err != nil {
			r.Error = err.Error()
		}
		r.Dir = ""
	}
	return r
}

func (t trial) score(ctx context.Context, flags selftestFlags, dir string) (gallery.Result, error) {
	printed, err := runApart(ctx, "--platform", flags.platform, "--out", dir, t.scenario(flags.out))
	if err != nil {
		return gallery.Result{}, err
	}
	history, err := record.Read(dir)
	if err != nil {
		return gallery.Result{}, err
	}
	verdict, err := check.Judge(history)
	if err != nil {
		return gallery.Result{}, err
	}
	var again bytes.Buffer
	if err := report.WriteJSON(&again, verdict); err != nil {
		return gallery.Result{}, err
	}
	if !bytes.Equal(printed, again.Bytes()) {
		return gallery.Result{}, errors.New("judged again, the record gives another verdict than its run")
	}
	return t.weigh(dir, history, verdict)
}

// weigh compares the verdict on a record with what it must say.
func (t trial) weigh(dir string, history record.History, judged verdict.Verdict) (gallery.Result, error) {
	if t.entry == nil {
		return gallery.ScoreControl(t.name, judged), nil
	}
	if t.entry.Spoil != nil {
		if judged.Outcome != verdict.Pass {
			return gallery.Result{Outcome: judged.Outcome, Said: "the run was not healthy before it was spoiled"}, nil
		}
		t.entry.Spoil(&history)
		var err error
		if judged, err = check.Judge(history); err != nil {
			return gallery.Result{}, err
		}
	}
	logged, err := loggedAmounts(dir)
	return gallery.Score(*t.entry, gallery.Run{History: history, Verdict: judged, Logged: logged}), err
}

// runApart runs a scenario in a process of its own and gives the verdict that
// it printed.
func runApart(ctx context.Context, args ...string) ([]byte, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's own file: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"run", "--format", "json", "--dashboard", "off"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	if status := cmd.ProcessState.ExitCode(); status > exitInconclusive || status < 0 {
		return nil, fmt.Errorf("exit status %d: %s", status, lastLine(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

func lastLine(text []byte) string {
	text = bytes.TrimSpace(text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

var defectLine = regexp.MustCompile(`defect \S+: dropped=(\d+) extra=(\d+)`)

// loggedAmounts reads what defective instances logged at their end.
func loggedAmounts(dir string) (map[string]gallery.Amount, error) {
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "web-*.log"))
	if err != nil {
		return nil, err
	}
	out := map[string]gallery.Amount{}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if m := defectLine.FindSubmatch(text); m != nil {
			dropped, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits
			extra, _ := strconv.ParseInt(string(m[2]), 10, 64)
			name := filepath.Base(path)
			out[name[:len(name)-len(".log")]] = gallery.Amount{Dropped: dropped, Extra: extra}
		}
	}
	return out, nil
}

func showMatrix(cmd *cobra.Command, results []gallery.Result, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(cmd.OutOrStdout())
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			Results []gallery.Result `json:"results"`
			Figures gallery.Figures  `json:"figures"`
		}{results, gallery.NewFigures(results)})
	case "markdown":
		return gallery.WriteMarkdown(cmd.OutOrStdout(), results)
	}
	return gallery.WriteText(cmd.OutOrStdout(), results)
}

// verdictOn gives the exit status: one entry missed or one false alarm is a
// fail; an entry of which no run proves anything leaves it open, and so does a
// selftest that was ended before all its runs were.
func verdictOn(results []gallery.Result, planned int) int {
	status := exitPass
	proved := map[string]bool{}
	for _, r := range results {
		if r.Proved && r.Caught == gallery.Wrong {
			status = exitFail
		}
		proved[r.Name] = proved[r.Name] || r.Proved
	}
	for _, any := range proved {
		if !any {
			status = worse(status, exitInconclusive)
		}
	}
	if len(results) < planned {
		status = worse(status, exitInconclusive)
	}
	return status
}
