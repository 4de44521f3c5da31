package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"throughline/scenarios/record"
)

// These tests kill the collector of a run, which is then a process of its own.

// TestKilledCollector: what is lost with it is told as lost with it, with its amount and without
// blame; where nothing was sent meanwhile, nothing is.
func TestKilledCollector(t *testing.T) {
	unhurried(t)
	for _, name := range []string{"kill-collector", "collector-killed"} {
		t.Run(name, func(t *testing.T) {
			stacked(t)
			tryEntry(t, name)
		})
	}
}

// killsCollector is a scenario in which there is no collector for so long.
func killsCollector(t *testing.T, away string) string {
	t.Helper()
	return endingScenario(t, "[throughline, app]", "15s", ", do: {fault: kill-collector, for: "+away+", within: 40s}")
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
