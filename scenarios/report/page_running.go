package report

import (
	"fmt"
	"strings"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/picture"
	"throughline/scenarios/picture/draw"
)

// Head is what the page of a run that goes on says of it in words. Counts are of all
// routes, since the load began.
type Head struct {
	Scenario   string
	About      string        // the scenario's own line; may be empty
	State      string        // in a word: "starting", "running", "settling", "judging", "up"; empty: "running"
	Phase      string        // that goes on; empty: none has begun
	PhaseIndex int           // of it, from 0
	Phases     int           // how many there are; 0: nobody knows, nor how long one lasts
	Left       time.Duration // of the phase; below 0: its steps take longer than planned
	Elapsed    time.Duration // since the load began
	Rate       float64       // acknowledged per second, of late
	P99        time.Duration // latency, of late
	Acked      uint64
	Refused    uint64
	Unknown    uint64   // what became of them nobody can know
	Instances  []string // that serve
	Notes      []string
	Error      string // why there will be no verdict; empty: nothing is known to be wrong
}

// Running is the page of a run that goes on. It has the sections of [Ended]; those that
// only a verdict can fill are empty.
func Running(s picture.Snapshot, head Head) Page {
	view := draw.New(s)
	return Page{
		title: head.state() + ": " + printable(head.Scenario),
		sections: []section{
			{"sentence", "How the run goes", head.sentence(s)},
			{"numbers", "Four numbers", runningNumbers(s)},
			{"slide", "What was counted, and what had been acknowledged", newSlide(view, s, nil)},
			{"instances", "The instances", runningInstances(view, s)},
			{"findings", "Findings by cause", head.findings()},
			{"layers", "The layers", newLayers(view, s)},
			{"ledger", "The ledgers side by side", nil},
			{"alerts", "The alerts", nil}, // nobody has judged yet
			{"journal", "What happened, and when", newJournal(s.Events, nil)},
			{"scenario", "The scenario as it is run", nil},
			{"files", "Where the data is", nil},
		},
	}
}

func (h Head) state() string {
	if h.State == "" {
		return "running"
	}
	return printable(h.State)
}

// sentence says what is going on: "2/3 one instance dies · 6 s left · owed 12".
func (h Head) sentence(s picture.Snapshot) sentenceView {
	out := sentenceView{Outcome: h.state(), Tone: "running", Title: whole(h.Scenario), Error: printable(h.Error)}
	var parts []string
	if h.Phase != "" {
		phase := printable(h.Phase)
		if h.Phases > 0 {
			phase = fmt.Sprintf("%d/%d %s", h.PhaseIndex+1, h.Phases, phase)
		}
		parts = append(parts, phase)
		if h.Phases == 0 {
			// nobody knows when it ends
		} else if h.Left >= 0 {
			parts = append(parts, fmt.Sprintf("%.0f s left", h.Left.Seconds()))
		} else {
			parts = append(parts, fmt.Sprintf("its steps take %.0f s longer", -h.Left.Seconds()))
		}
	} else {
		if h.About != "" {
			parts = append(parts, printable(h.About))
		}
		if h.Elapsed > 0 {
			parts = append(parts, fmt.Sprintf("for %.0f s", h.Elapsed.Seconds()))
		}
	}
	if owed := s.Owed(); s.Whole > 0 && s.Counts.Metric != "" {
		parts = append(parts, "owed "+words.Number(int64(owed[s.Whole-1])))
	}
	if h.Acked+h.Refused+h.Unknown > 0 {
		parts = append(parts, fmt.Sprintf("%.0f/s", h.Rate), "p99 "+latency(h.P99))
	}
	if n := len(h.Instances); n > 0 {
		parts = append(parts, words.Times(n, "instance")+" serving")
	}
	if h.Refused > 0 {
		parts = append(parts, words.Number(h.Refused)+" refused")
	}
	if h.Unknown > 0 {
		parts = append(parts, words.Number(h.Unknown)+" unknown")
	}
	out.Sentence = whole(strings.Join(parts, " · "))
	return out
}

// findings are the notes alone: there is no verdict.
func (h Head) findings() any {
	if len(h.Notes) == 0 {
		return nil
	}
	var out findingsView
	for _, n := range h.Notes {
		out.Notes = append(out.Notes, printable(n))
	}
	out.Running = true
	return out
}

func runningInstances(view draw.View, s picture.Snapshot) any {
	if len(s.Instances) == 0 && len(s.Events) == 0 {
		return nil
	}
	out := instancesView{Lanes: view.Lanes(), Frozen: view.Frozen()}
	out.Many = len(s.Instances) > manyLanes
	return out
}
