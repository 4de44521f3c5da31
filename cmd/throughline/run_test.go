package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios"
	"throughline/scenarios/check"
)

// These tests run whole scenarios on real stacks, as a user does. They take
// as long as the scenarios: go test -short leaves them out.

// sideBySide bounds how many stacks run at once: each is half a dozen
// processes, and a starved one proves nothing.
var sideBySide = make(chan struct{}, 2)

// stacked marks a test that runs a stack, and waits for its turn.
func stacked(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a whole stack for half a minute")
	}
	if _, err := findHAProxy(""); err != nil {
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
	verdict check.Verdict
	stderr  string
}

// runScenario runs a scenario to its end.
func runScenario(t *testing.T, scenario string, flags ...string) outcome {
	t.Helper()
	o := outcome{dir: filepath.Join(t.TempDir(), "run")}
	cmd := exec.Command(binary, append([]string{"run", "--format", "json", "--out", o.dir, scenario}, flags...)...)
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
		if f.Outcome != check.Pass {
			fmt.Fprintf(&b, "%v %s %s: %s\n", f.Outcome, f.Check, f.Instance, f.Summary)
		}
	}
	return b.String()
}

// TestLibrary runs every built-in scenario on a healthy stack. A fail is a
// false alarm. On a machine that is too busy to keep the schedule a run may be
// inconclusive, which is said.
func TestLibrary(t *testing.T) {
	for _, name := range scenarios.Names() {
		t.Run(name, func(t *testing.T) {
			stacked(t)
			o := runScenario(t, name)
			switch o.verdict.Outcome {
			case check.Fail:
				t.Errorf("false alarm: exit status %d\n%s", o.status, o.text())
			case check.Inconclusive:
				t.Logf("inconclusive: this machine was too busy\n%s", o.text())
			default:
				if o.status != exitPass || o.verdict.Unexplained != 0 || o.verdict.Cells.LookedAt == 0 {
					t.Errorf("a pass with exit status %d, %d unexplained, %d cells looked at", o.status, o.verdict.Unexplained, o.verdict.Cells.LookedAt)
				}
			}
			judgeAgain(t, o)
		})
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

// A defect of the reference app's instrumentation, the scenario that fits it,
// and what the finding must say.
var defects = []struct {
	name, scenario string
	instances      []string // that must be named
	cause          string
	// truth tells from an instance's log how many counts it dropped or
	// made up, where it can know.
	truth bool
}{
	{"lost-on-exit", "rolling-deploy", []string{"web-1", "web-2", "web-3"}, "lost-on-exit", true},
	{"counted-twice", "quiet", []string{"web-1", "web-2", "web-3"}, "counted-twice", false},
	{"not-counted", "quiet", []string{"web-1", "web-2", "web-3"}, "not-counted", false},
	{"forgotten-rate", "quiet", []string{"web-1", "web-2", "web-3"}, "sample-rate-not-sent", false},
	{"renamed-per-instance", "quiet", []string{"web-1", "web-2", "web-3"}, "renamed", false},
	{"late", "quiet", []string{"web-1", "web-2", "web-3"}, "late", false},
	{"silent-start", "replace-an-instance", []string{"web-1", "web-2", "web-3", "web-4"}, "silent-start", false},
	{"total-as-counter", "quiet", []string{"web-1", "web-2", "web-3"}, "total-as-counter", false},
}

// TestDefects runs each defect in the scenario that fits it: the verdict must
// be a fail that names the instances, the cause and the right number.
func TestDefects(t *testing.T) {
	for _, d := range defects {
		t.Run(d.name, func(t *testing.T) {
			stacked(t)
			o := runScenario(t, withDefect(t, d.scenario, d.name))
			if o.status != exitFail || o.verdict.Outcome != check.Fail {
				t.Fatalf("exit status %d, outcome %v, want a fail\n%s", o.status, o.verdict.Outcome, o.text())
			}
			for _, instance := range d.instances {
				f, ok := conservationOf(o.verdict, instance)
				if !ok {
					t.Errorf("no conservation finding names %s\n%s", instance, o.text())
					continue
				}
				if f.Cause != d.cause {
					t.Errorf("%s: cause %q, want %q: %s", instance, f.Cause, d.cause, f.Summary)
				}
				checkNumber(t, o, f, d.truth)
			}
			judgeAgain(t, o)
		})
	}
}

// withDefect writes a built-in scenario with a defect in its app.
func withDefect(t *testing.T, scenario, defect string) string {
	t.Helper()
	source, err := scenarios.Read(scenario)
	if err != nil {
		t.Fatal(err)
	}
	web := regexp.MustCompile(`web: \{instances: (\d+)\}`)
	if !web.Match(source) {
		t.Fatalf("%s: no line to put the defect in", scenario)
	}
	path := filepath.Join(t.TempDir(), defect+".yaml")
	source = web.ReplaceAll(source, []byte("web: {instances: $1, defect: "+defect+"}"))
	if err := os.WriteFile(path, source, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func conservationOf(v check.Verdict, instance string) (check.Finding, bool) {
	for _, f := range v.Findings {
		if f.Check == "conservation" && f.Layer == "web" && f.Instance == instance && f.Outcome == check.Fail {
			return f, true
		}
	}
	return check.Finding{}, false
}

var defectLine = regexp.MustCompile(`defect \S+: dropped=(\d+) extra=(\d+)`)

// checkNumber compares a finding's number with the ledgers, and with what the
// defective instance itself logged at its exit, if it can know.
func checkNumber(t *testing.T, o outcome, f check.Finding, logged bool) {
	t.Helper()
	acked, counted := o.verdict.Ledgers.Users.ByInstance[f.Instance], o.verdict.Ledgers.Web.ByInstance[f.Instance]
	if got, want := f.Lost-f.Extra, acked-counted; got != want && (got < want-f.Bound || got > want+f.Bound) {
		t.Errorf("%s: lost %d, extra %d, but it acknowledged %d and counted %d (bound %d)", f.Instance, f.Lost, f.Extra, acked, counted, f.Bound)
	}
	if !logged {
		return
	}
	log, err := os.ReadFile(filepath.Join(o.dir, "logs", f.Instance+".log"))
	if err != nil {
		t.Fatal(err)
	}
	m := defectLine.FindSubmatch(log)
	if m == nil {
		t.Fatalf("%s did not log what its defect dropped:\n%s", f.Instance, log)
	}
	dropped, _ := strconv.ParseInt(string(m[1]), 10, 64)
	if f.Lost < dropped-f.Bound || f.Lost > dropped+f.Bound {
		t.Errorf("%s dropped %d counts, the finding says %d, give or take %d", f.Instance, dropped, f.Lost, f.Bound)
	}
}

// TestForeignApp runs a Python app with a StatsD client that knows no tags.
func TestForeignApp(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import bottle, pymongo, statsd").Run(); err != nil {
		t.Skip("SKIPPED, NOTHING PROVED: /usr/bin/python3 has no bottle, pymongo and statsd; make deps installs them on Debian")
	}
	stacked(t)
	o := runScenario(t, "../../docs/examples/python-bottle/replace-an-instance.yaml")
	switch o.verdict.Outcome {
	case check.Fail:
		t.Errorf("false alarm: %s", o.text())
	case check.Inconclusive:
		t.Logf("inconclusive: this machine was too busy\n%s", o.text())
	}
	for _, instance := range []string{"web-1", "web-2", "web-3", "web-4"} {
		if o.verdict.Ledgers.Web.ByInstance[instance] == 0 {
			t.Errorf("nothing was counted for %s: %v", instance, o.verdict.Ledgers.Web.ByInstance)
		}
	}
}

// TestInterrupted presses Ctrl-C in mid-run.
func TestInterrupted(t *testing.T) {
	stacked(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd, events := startRun(t, dir)
	events.await(t, "kill web-2")
	pressed := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at below
	if took := time.Since(pressed); took > 10*time.Second {
		t.Errorf("Ctrl-C took %v, it may take 10 s", took)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInconclusive {
		t.Errorf("exit status %d, want %d\n%s", code, exitInconclusive, events.text())
	}
	judgedInconclusive(t, dir)
	nothingLeft(t, dir)
}

// TestKilledRunner kills the runner in mid-run: nothing of it may be left, and
// what it wrote must be readable.
func TestKilledRunner(t *testing.T) {
	stacked(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd, events := startRun(t, dir)
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

func startRun(t *testing.T, dir string, flags ...string) (*exec.Cmd, *lines) {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"run", "--out", dir, "replace-an-instance"}, flags...)...)
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
	return cmd, l
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
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Kind != "birth" {
			continue
		}
		born++
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
