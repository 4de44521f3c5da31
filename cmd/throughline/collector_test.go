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
	if o.verdict.Outcome == verdict.Inconclusive {
		t.Skipf("SKIPPED, NOTHING PROVED: inconclusive: this machine was too busy\n%s", o.text())
	}
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
	if least, most := lostWithCollector(t, o.dir); int64(o.verdict.Unexplained) < least || int64(o.verdict.Unexplained) > most {
		t.Errorf("%d were lost, want %d to %d", o.verdict.Unexplained, least, most)
	}
}

// lostWithCollector is how many requests must have been lost with the collector, and how many may have been: those that were
// answered while there was none, and those of the interval that was under way.
func lostWithCollector(t *testing.T, dir string) (least, most int64) {
	t.Helper()
	h, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var gone, next, over time.Duration
	for _, e := range h.Events {
		switch e.Kind {
		case record.CollectorEnd:
			gone = e.At
		case record.CollectorBegin:
			next = e.At
		case record.FaultEnd:
			over = e.At
		}
	}
	const held = 500 * time.Millisecond // by a client, on a busy machine; it says 100 ms
	for _, r := range h.Requests {
		if r.Outcome != record.Acked {
			continue
		}
		if r.Done > gone && r.Done < next-held {
			least++
		}
		if r.Done > gone-h.Run.Interval-held && r.Done < over+held {
			most++
		}
	}
	if least == 0 {
		t.Error("nobody asked for anything while there was no collector")
	}
	return least, most
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
