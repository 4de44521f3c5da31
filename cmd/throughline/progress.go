package main

import (
	"io"
	"os"
	"strconv"
	"time"

	"throughline/scenarios/report"
	"throughline/scenarios/run"
	"throughline/scenarios/script"
)

// progress shows a run's progress: report and run do not know each other.
type progress struct{ *report.Progress }

func newProgress(w io.Writer, s script.Scenario, c run.Config) progress {
	p := progress{report.NewProgress(w, report.NewTerminal(w, os.Getenv).Live)}
	p.Begin(s.Name, s.About, strconv.FormatUint(c.Run.Seed, 10), c.Dir, len(s.Phases))
	return p
}

// Tick shows how the run does.
func (p progress) Tick(s run.Status) { p.Progress.Tick(report.Status(s)) }

// EndPhase shows how a phase went.
func (p progress) EndPhase(took time.Duration, s run.Status) {
	p.Progress.EndPhase(took, report.Status(s))
}
