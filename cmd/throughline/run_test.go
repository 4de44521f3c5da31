package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose/haproxy"
	"throughline/compose/httpd"
	"throughline/compose/local"
	"throughline/scenarios"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/script"
)

// These tests run whole scenarios on real stacks, as a user does. They take
// as long as the scenarios: go test -short runs one on each platform.

// always is the scenario that is run with -short too.
const always = "replace-an-instance"

// sideBySide bounds how many stacks run at once: each is half a dozen processes that
// mostly wait, and a starved one proves nothing. Five on two cores still prove what they
// are to (2 of 134 runs of the gallery did not); three leave room for the tests' own work.
var sideBySide = make(chan struct{}, 3)

// unhurried marks a test that -short leaves out.
func unhurried(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED by -short: it runs a whole stack for up to half a minute")
	}
}

// stacked marks a test that runs a stack, and waits for its turn.
func stacked(t *testing.T) {
	t.Helper()
	if _, err := haproxy.Find(""); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	t.Parallel()
	sideBySide <- struct{}{}
	t.Cleanup(func() { <-sideBySide })
}

// outcome is what came of one run of the program.
type outcome struct {
	dir     string
	status  int
	verdict verdict.Verdict
	stderr  string
}

// runScenario runs a scenario to its end.
func runScenario(t *testing.T, scenario string, flags ...string) outcome {
	t.Helper()
	return runBy(t, []string{"run"}, scenario, flags...)
}

// runBy does so by a command that takes what run does.
func runBy(t *testing.T, command []string, scenario string, flags ...string) outcome {
	t.Helper()
	o := outcome{dir: filepath.Join(t.TempDir(), "run")}
	cmd := exec.Command(binary, slices.Concat(command, []string{"--format", "json", "--out", o.dir, scenario}, flags)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	o.stderr = stderr.String()
	o.status = cmd.ProcessState.ExitCode()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s: %v", scenario, err)
	}
	if o.status > exitInconclusive {
		t.Fatalf("run %s: exit status %d\n%s", scenario, o.status, o.stderr)
	}
	if err := json.Unmarshal(out, &o.verdict); err != nil {
		t.Fatalf("run %s: its standard output is no verdict: %v\n%s", scenario, err, out)
	}
	return o
}

// text lists a verdict's findings that are no pass.
func (o outcome) text() string {
	var b strings.Builder
	for _, f := range o.verdict.Findings {
		if f.Outcome != verdict.Pass {
			fmt.Fprintf(&b, "%v %s %s: %s\n", f.Outcome, f.Check, f.Instance, f.Summary)
		}
	}
	return b.String()
}

// meantToFail are the built-in scenarios that show what broken instrumentation looks like,
// with the cause that their verdict is to name.
var meantToFail = map[string]string{"misled-autoscaler": diagnose.SilentWorker}

// TestLibrary runs every built-in scenario. On a healthy stack a fail is a false
// alarm; those that are meant to fail have to, by the right cause. On a machine that
// is too busy to keep the schedule a run may be inconclusive, which is said.
func TestLibrary(t *testing.T) {
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			if name != always {
				unhurried(t)
			}
			needs(t, name)
			stacked(t)
			o := runScenario(t, name)
			judgeAgain(t, o)
			if cause, ok := meantToFail[name]; ok {
				fails(t, o, cause)
				return
			}
			passes(t, o)
		})
	}
}

// fails demands a fail which is explained by one cause.
func fails(t *testing.T, o outcome, cause string) {
	t.Helper()
	if o.verdict.Outcome == verdict.Inconclusive {
		t.Skipf("SKIPPED, NOTHING PROVED: inconclusive: this machine was too busy\n%s", o.text())
	}
	if o.status != exitFail || o.verdict.Outcome != verdict.Fail {
		t.Fatalf("exit status %d, want %d\n%s", o.status, exitFail, o.text())
	}
	var causes []string
	for _, e := range o.verdict.Explanations {
		if e.Cause != "" {
			causes = append(causes, e.Cause)
		}
	}
	if diff := cmp.Diff([]string{cause}, causes); diff != "" {
		t.Errorf("the causes named (-want +got):\n%s%s", diff, o.text())
	}
}

// passes demands a pass that looked at continuity too, or says that the machine was too busy for one.
func passes(t *testing.T, o outcome) {
	t.Helper()
	accounted(t, o)
	if o.verdict.Cells.LookedAt == 0 {
		t.Error("no cell was looked at")
	}
}

// accounted demands a pass in which something was counted, or says that the machine was too busy for one.
func accounted(t *testing.T, o outcome) {
	t.Helper()
	switch o.verdict.Outcome {
	case verdict.Fail:
		t.Errorf("false alarm: exit status %d\n%s", o.status, o.text())
	case verdict.Inconclusive:
		t.Skipf("SKIPPED, NOTHING PROVED: inconclusive: this machine was too busy\n%s", o.text())
	}
	if o.status != exitPass || o.verdict.Unexplained != 0 || o.verdict.Ledgers.Web.ByInstance["web-1"] == 0 {
		t.Errorf("a pass with exit status %d, %d unexplained, counted by %v", o.status, o.verdict.Unexplained, o.verdict.Ledgers.Web.ByInstance)
	}
}

// needs skips a built-in scenario that this machine cannot carry out.
func needs(t *testing.T, name string) {
	t.Helper()
	all, err := reader(newRoot()).ReadAll([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	if all[0].Stack.HTTPD {
		if name == "behind-apache" {
			t.Skip("TestBehindApache runs it, with a step more")
		}
		if _, err := httpd.Find(t.Context()); err != nil {
			t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
		}
	}
	if !all[0].Needs(script.CPULimits) {
		return
	}
	if err := local.CanLimitCPU(); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
}

// judgeAgain judges the record: the verdict must be the same to the byte.
func judgeAgain(t *testing.T, o outcome) {
	t.Helper()
	first, err := os.ReadFile(filepath.Join(o.dir, "verdict.json"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "judge", "--format", "json", o.dir)
	again, _ := cmd.Output()
	if cmd.ProcessState.ExitCode() != o.status {
		t.Errorf("judge: exit status %d, run had %d", cmd.ProcessState.ExitCode(), o.status)
	}
	if diff := cmp.Diff(string(first), string(again)); diff != "" {
		t.Errorf("judge gives another verdict than run (-run +judge):\n%s", diff)
	}
}

// TestForeignApp runs a Python app with a StatsD client that knows no tags.
func TestForeignApp(t *testing.T) {
	unhurried(t)
	if err := exec.Command("/usr/bin/python3", "-c", "import bottle, pymongo, statsd").Run(); err != nil {
		t.Skip("SKIPPED, NOTHING PROVED: /usr/bin/python3 has no bottle, pymongo and statsd; make deps installs them on Debian")
	}
	stacked(t)
	o := runScenario(t, "../../docs/examples/python-bottle/replace-an-instance.yaml")
	for _, instance := range []string{"web-1", "web-2", "web-3", "web-4"} {
		if o.verdict.Ledgers.Web.ByInstance[instance] == 0 {
			t.Errorf("nothing was counted for %s: %v", instance, o.verdict.Ledgers.Web.ByInstance)
		}
	}
	passes(t, o)
}

// TestKilledRunner kills the runner in mid-run: nothing of it may be left, and
// what it wrote must be readable.
func TestKilledRunner(t *testing.T) {
	unhurried(t)
	stacked(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd, events := startRun(t, dir, "replace-an-instance")
	events.await(t, "kill web-2")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	judgedInconclusive(t, dir)
	nothingLeft(t, dir)
}

func judgedInconclusive(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command(binary, "judge", dir)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitInconclusive {
		t.Errorf("judge of a run that did not end: exit status %d, want %d\n%s", code, exitInconclusive, out)
	}
}

// progress is what a run writes while it goes on.
type lines struct {
	next chan string
	all  []string
}

func (l *lines) await(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		select {
		case line, ok := <-l.next:
			if !ok {
				t.Fatalf("the run ended before %q:\n%s", want, l.text())
			}
			l.all = append(l.all, line)
			if strings.Contains(line, want) {
				return
			}
		case <-deadline:
			t.Fatalf("no %q within a minute:\n%s", want, l.text())
		}
	}
}

func (l *lines) text() string { return strings.Join(l.all, "\n") }

func startRun(t *testing.T, dir, scenario string, flags ...string) (*exec.Cmd, *lines) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"run", "--out", dir, scenario}, flags...)...)
	cmd.Env = onPath()
	return cmd, started(t, cmd)
}

// started starts a program and follows what it writes.
func started(t *testing.T, cmd *exec.Cmd) *lines {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &lines{next: make(chan string, 1000)}
	go func() {
		defer close(l.next)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			l.next <- scanner.Text()
		}
	}()
	return l
}

// nothingLeft waits until every process that the journal names is gone.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	journal, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	born := 0
	for line := range strings.Lines(string(journal)) {
		var e struct {
			Kind, Instance, ID string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Kind != "birth" && e.Kind != "collector-begin" {
			continue
		}
		if e.Kind == "collector-begin" {
			e.Instance = "the collector"
		} else {
			born++
		}
		pid, err := strconv.Atoi(e.ID)
		if err != nil {
			t.Fatalf("birth of %s without a process: %s", e.Instance, line)
		}
		gone := time.Now().Add(10 * time.Second)
		for syscall.Kill(pid, 0) == nil {
			if time.Now().After(gone) {
				t.Errorf("%s (process %d) outlived its runner by 10 s", e.Instance, pid)
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if born < 5 {
		t.Errorf("the journal tells of %d births, want a whole stack", born)
	}
}
