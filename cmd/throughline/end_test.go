package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
)

// These tests end runs in other ways than they would end by themselves, and look
// for what must be there all the same.

// TestInterrupted presses Ctrl-C, closes the terminal, or ends the program: in
// mid-run, and while the last counts are waited for. Nobody is accused of what was
// under way then.
func TestInterrupted(t *testing.T) {
	unhurried(t)
	short := endingScenario(t, "[throughline, app]", "15s", "")
	for _, c := range []struct {
		signal         syscall.Signal
		scenario, when string
	}{
		{syscall.SIGINT, "replace-an-instance", "kill web-2"},
		{syscall.SIGTERM, "replace-an-instance", "kill web-2"},
		{syscall.SIGHUP, short, "1/2 before"},
		{syscall.SIGINT, short, "waiting for the last counts"},
	} {
		t.Run(c.signal.String()+" at "+c.when, func(t *testing.T) {
			if signal.Ignored(c.signal) {
				t.Skipf("SKIPPED, NOTHING PROVED: these tests were started with %v ignored", c.signal)
			}
			stacked(t)
			nothingLeft(t, interruptedBy(t, c.signal, 10*time.Second, c.scenario, c.when))
		})
	}
}

// interruptedBy sends a signal when a run says something, which then has so long to end, and looks at what is left: nobody is accused.
func interruptedBy(t *testing.T, by syscall.Signal, limit time.Duration, scenario, when string, flags ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	cmd, events := startRun(t, dir, scenario, flags...)
	events.await(t, when)
	pressed := time.Now()
	if err := cmd.Process.Signal(by); err != nil {
		t.Fatal(err)
	}
	go func() { // what it still writes is read, or it would wait for that
		for range events.next {
		}
	}()
	_ = cmd.Wait() // its status is looked at below
	if took := time.Since(pressed); took > limit {
		t.Errorf("it took %v to end, it may take %v", took, limit)
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInconclusive {
		t.Errorf("exit status %d, want %d\n%s", code, exitInconclusive, events.text())
	}
	judgedInconclusive(t, dir)
	accusesNobody(t, dir)
	return dir
}

// accusesNobody looks for failures in the reports of a run.
func accusesNobody(t *testing.T, dir string) {
	t.Helper()
	v := writtenVerdict(t, dir)
	interrupted := false
	for _, f := range v.Findings {
		if f.Outcome == verdict.Fail || f.Cause != "" {
			t.Errorf("%v %s %s: %s (%s)", f.Outcome, f.Check, f.Instance, f.Summary, f.Cause)
		}
		interrupted = interrupted || f.Check == "record" && strings.Contains(f.Summary, "interrupted at")
	}
	if !interrupted {
		t.Errorf("no finding says that the run was interrupted: %v", v.Findings)
	}
	report, err := os.ReadFile(filepath.Join(dir, "junit.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(report), "<failure") || !strings.Contains(string(report), "<error") {
		t.Errorf("junit.xml has a failure, or no error:\n%s", report)
	}
}

func writtenVerdict(t *testing.T, dir string) verdict.Verdict {
	t.Helper()
	var v verdict.Verdict
	text, err := os.ReadFile(filepath.Join(dir, "verdict.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// A shell passes a hangup on when its terminal goes: it comes twice, and the second
// one must not end what the first one began to put in order.
func TestASecondHangupHasNoForce(t *testing.T) {
	unhurried(t)
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("SKIPPED, NOTHING PROVED: these tests were started under nohup")
	}
	dir := filepath.Join(t.TempDir(), "run")
	stacked(t)
	cmd, events := startRun(t, dir, endingScenario(t, slowToStop("2"), "15s", ""))
	events.await(t, "1/2 before")
	for _, when := range []string{"interrupted: recording", ""} {
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if when != "" {
			events.await(t, when)
		}
	}
	_ = cmd.Wait() // its status is looked at below
	if code := cmd.ProcessState.ExitCode(); code != exitInconclusive {
		t.Errorf("exit status %d, want %d\n%s", code, exitInconclusive, events.text())
	}
	accusesNobody(t, dir)
}

// Under nohup a hangup has no meaning.
func TestAHangupUnderNohup(t *testing.T) {
	unhurried(t)
	nohup, err := exec.LookPath("nohup")
	if err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	stacked(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd := exec.Command(nohup, binary, "run", "--out", dir, endingScenario(t, "[throughline, app]", "15s", ""))
	cmd.Env = onPath()
	events := started(t, cmd)
	events.await(t, "1/2 before")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil { // nohup has become the program
		t.Fatal(err)
	}
	events.await(t, "waiting for the last counts")
	_ = cmd.Wait() // its status is looked at below
	if code := cmd.ProcessState.ExitCode(); code > exitInconclusive {
		t.Errorf("exit status %d\n%s", code, events.text())
	}
	if strings.Contains(journalOf(t, dir), `"interrupted"`) {
		t.Error("the run was interrupted")
	}
}

// slowToStop is an app whose processes are gone so many seconds after SIGTERM.
func slowToStop(seconds string) string {
	return `[sh, -c, "trap 'sleep ` + seconds + `; exit 0' TERM; throughline app & wait; wait"]`
}

// endingScenario is short and has an app that takes its time to stop.
func endingScenario(t *testing.T, app, stop, do string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ending.yaml")
	source := `scenario: ending
stack:
  web:
    instances: 3
    command: ` + app + `
    routes: {insert: "POST /insert/{word}"}
    stop: ` + stop + `
load: {rate: 60/s, mix: {insert: 1}}
phases:
  - {phase: before, for: 3s}
  - {phase: after, for: 3s` + do + `}
checks:
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
`
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// onPath puts this program on the PATH of what the test starts.
func onPath() []string {
	return append(os.Environ(), "PATH="+filepath.Dir(binary)+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// ended runs a scenario to its end in dir and gives its exit status and what it
// said.
func ended(t *testing.T, dir, scenario string, env []string) (int, string) {
	t.Helper()
	cmd := exec.Command(binary, "run", "--out", dir, scenario)
	cmd.Env = env
	text, _ := cmd.CombinedOutput() // its status is looked at by the caller
	return cmd.ProcessState.ExitCode(), string(text)
}

// conclusive demands a pass, with all reports, or says that the machine was too
// busy for one.
func conclusive(t *testing.T, dir string, status int, said string) verdict.Verdict {
	t.Helper()
	if status > exitInconclusive {
		t.Fatalf("exit status %d\n%s", status, said)
	}
	v := writtenVerdict(t, dir)
	for _, name := range []string{"junit.xml", "report.html"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	notTooBusy(t, v)
	if status != exitPass || v.Outcome != verdict.Pass {
		t.Errorf("exit status %d, %v\n%s", status, v.Outcome, said)
	}
	return v
}

// notTooBusy says so where the machine was too busy for the load.
func notTooBusy(t *testing.T, v verdict.Verdict) {
	t.Helper()
	for _, f := range v.Findings {
		if f.Outcome != verdict.Pass && strings.Contains(f.Summary, "missed its schedule") {
			t.Skipf("SKIPPED, NOTHING PROVED: this machine was too busy: %s", f.Summary)
		}
	}
}

// An app that takes four seconds to stop is as good as any: the stack waits for it,
// in a step and at the end, for all instances at once.
func TestAnAppThatIsSlowToStop(t *testing.T) {
	unhurried(t)
	stacked(t)
	dir := filepath.Join(t.TempDir(), "run")
	status, said := ended(t, dir, endingScenario(t, slowToStop("4"), "15s", ", do: [{terminate: web-1}]"), onPath())
	v := conclusive(t, dir, status, said)
	if len(v.Notes) > 0 {
		t.Errorf("notes %q, want none: nobody was killed", v.Notes)
	}
	if events := journalOf(t, dir); strings.Contains(events, "SIGKILL") {
		t.Errorf("somebody was killed:\n%s", events)
	}
	nothingLeft(t, dir)
}

// One that takes longer than it may is killed, which journal and verdict tell, and
// which is no reason against the verdict.
func TestAnAppThatDoesNotStop(t *testing.T) {
	unhurried(t)
	stacked(t)
	dir := filepath.Join(t.TempDir(), "run")
	status, said := ended(t, dir, endingScenario(t, slowToStop("60"), "1s", ", do: [{replace: web-1}]"), onPath())
	v := conclusive(t, dir, status, said)
	notes := strings.Join(v.Notes, "\n")
	for _, name := range []string{"web-1", "web-2", "web-3", "web-4"} {
		want := "it had not ended 1s after SIGTERM (stack.web.stop) and was killed"
		if !strings.Contains(notes, "stop of "+name+" at ") || strings.Count(notes, want) != 4 {
			t.Errorf("no note of %s and each other:\n%s", name, notes)
		}
	}
	if !strings.Contains(said, "note  stop of web-4") || !strings.Contains(journalOf(t, dir), `"about":"stop of web-4"`) {
		t.Errorf("neither terminal nor journal may keep it to themselves:\n%s", said)
	}
	again := exec.Command(binary, "judge", dir)
	if out, err := again.Output(); err != nil || !strings.Contains(string(out), "note  stop of web-4") {
		t.Errorf("judge: %v\n%s", err, out)
	}
	nothingLeft(t, dir)
}

func journalOf(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// While the database is frozen the run's own polls of it fail. That is what the
// scenario wants, and no reason against a verdict.
func TestAFrozenDatabaseIsNoTrouble(t *testing.T) {
	unhurried(t)
	stacked(t)
	file := filepath.Join(t.TempDir(), "frozen.yaml")
	if err := os.WriteFile(file, []byte(`scenario: frozen
stack: {web: {instances: 2}}
load: {rate: 60/s, shape: sine, swing: 20/s, period: 4s, mix: {insert: 1}}
phases:
  - {phase: before, for: 4s}
  - {phase: frozen, for: 3s, do: [{fault: freeze-database}]}
  - {phase: thawed, for: 4s, do: [{heal: freeze-database}]}
checks:
  - continuity: {metric: fullstack.insert, max_gap: 2s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
  - audit: {route: insert}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	status, said := ended(t, dir, file, os.Environ())
	v := conclusive(t, dir, status, said)
	if len(v.Notes) != 1 || !strings.HasPrefix(v.Notes[0], "poller mongo at ") || !strings.Contains(v.Notes[0], "that is expected") {
		t.Errorf("notes %q, want one of the polls that failed", v.Notes)
	}
}
