package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// These tests kill the collector of a run, which is then a process of its own.

// TestKilledCollector: what all instances lost with it is told in its amount, for no other cause, and
// the journal proves that it was killed. The gallery has whether the cause is named on a machine that is idle: on a busy
// one a record may not tell, and then says so.
func TestKilledCollector(t *testing.T) {
	unhurried(t)
	stacked(t)
	o := runScenario(t, killsCollector(t, "2s"))
	judgeAgain(t, o)
	accused := map[string]bool{}
	for _, f := range o.verdict.Findings {
		switch {
		case f.Check == "efficacy" && (f.Outcome != verdict.Pass || !strings.Contains(f.Summary, "its process ended by SIGKILL at")):
			t.Errorf("the kill is not proved: %s", f.Summary)
		case f.Check == "record" && f.Outcome != verdict.Pass, f.Outcome == verdict.Fail && f.Check != "conservation":
			t.Errorf("%v %s: %s", f.Outcome, f.Check, f.Summary)
		case f.Outcome != verdict.Fail || f.Instance == "": // what is of no instance follows from these
		case f.Cause == diagnose.Away, f.Cause == diagnose.Undecided && strings.Contains(f.Summary, diagnose.Away):
			accused[f.Instance] = true
		default:
			t.Errorf("lost by another cause: %s (%s)", f.Summary, f.Cause)
		}
	}
	if len(accused) != 3 || o.verdict.Outcome != verdict.Fail {
		t.Errorf("%v: %v lost counts, want all three\n%s", o.verdict.Outcome, accused, o.text())
	}
	// 60 requests a second, for two seconds and the part of an interval that was under way.
	if n := o.verdict.Unexplained; n < 100 || n > 200 {
		t.Errorf("%d were lost in 2 s to 3 s, at 60/s", n)
	}
}

// TestCollectorIsKilledInAPause: where nothing is sent meanwhile, nothing is lost, and counters go on.
func TestCollectorIsKilledInAPause(t *testing.T) {
	unhurried(t)
	stacked(t)
	tryEntry(t, "collector-killed")
}

// killsCollector is a scenario in which there is no collector for so long.
func killsCollector(t *testing.T, away string) string {
	t.Helper()
	return endingScenario(t, "["+binary+", app]", "15s", ", do: {fault: kill-collector, for: "+away+", within: 40s}")
}

// TestKilledRunnerWithACollector kills the runner when it has killed its collector and started another one,
// which must not be left over.
func TestKilledRunnerWithACollector(t *testing.T) {
	unhurried(t)
	stacked(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd, events := startRun(t, dir, killsCollector(t, "200ms"))
	events.await(t, "fault kill-collector")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	judgedInconclusive(t, dir)
	nothingLeft(t, dir)
}

// TestInterruptedWithoutACollector presses Ctrl-C while there is no collector. The other one comes at once, the
// record is whole, and nobody is accused.
func TestInterruptedWithoutACollector(t *testing.T) {
	unhurried(t)
	stacked(t)
	dir := filepath.Join(t.TempDir(), "run")
	cmd, events := startRun(t, dir, killsCollector(t, "30s"))
	events.await(t, "1/2 before")
	journal := filepath.Join(dir, "journal.jsonl")
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(journal)
		if err == nil && strings.Contains(string(text), `"kind":"`+string(record.CollectorEnd)+`"`) {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("the collector is not killed: %s, %v", text, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its status is looked at below
	if code := cmd.ProcessState.ExitCode(); code != exitInconclusive {
		t.Errorf("exit status %d, want %d\n%s", code, exitInconclusive, events.text())
	}
	accusesNobody(t, dir)
	nothingLeft(t, dir)
}
