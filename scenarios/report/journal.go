package report

import (
	"fmt"
	"strings"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// mark is something of the journal that is drawn across all lanes.
type mark struct {
	At    float64 `json:"at"` // seconds since the start of the run
	Kind  string  `json:"kind"`
	Label string  `json:"label"`
	Web   bool    `json:"web,omitempty"` // of a web instance
}

// The kinds of marks.
const (
	markBirth   = "birth"
	markDeath   = "death"   // one that was asked for
	markLost    = "lost"    // one that nobody asked for
	markTrouble = "trouble" // the harness could not see or do something
)

// band is a stretch of time that is drawn across all lanes: a phase, a step from
// when it was begun until it took effect, or a fault.
type band struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Label string  `json:"label"`
	Bad   bool    `json:"bad,omitempty"` // a step that did not take effect, a fault that did not end as it should
}

// move is one line of the journal as a person reads it.
type move struct {
	At    string
	What  string
	Where string // the instance or the phase
	About string
	Bad   bool
}

// journalMoves are all events of the record in their order.
func journalMoves(h record.History) []move {
	moves := make([]move, 0, len(h.Events))
	for _, e := range h.Events {
		m := move{At: fmt.Sprintf("%.3f s", e.At.Seconds()), What: strings.ReplaceAll(printable(string(e.Kind)), "-", " "), Where: e.Instance, About: eventAbout(e)}
		if m.Where == "" {
			m.Where = e.Phase
		}
		m.Where = printable(m.Where)
		m.Bad = e.Error != "" || e.Kind == record.Trouble || e.Kind == record.Interrupted || e.Kind == record.Death && !e.Expected
		moves = append(moves, m)
	}
	return moves
}

// eventAbout is what else an event tells.
func eventAbout(e record.Event) string {
	var parts []string
	add := func(format string, of any, there bool) {
		if there {
			parts = append(parts, fmt.Sprintf(format, of))
		}
	}
	add("%s", e.Step, e.Step != "")
	add("%s", e.Fault, e.Fault != "")
	add("%s", e.Signal, e.Signal != "")
	add("exit status %d", e.Code, e.Kind == record.Death && e.Code >= 0)
	add("nobody asked for it%s", "", e.Kind == record.Death && !e.Expected)
	add("to %v CPUs", e.CPUs, e.Kind == record.Limited && e.CPUs > 0)
	add("no longer%s", "", e.Kind == record.Limited && e.CPUs == 0)
	add("%s", e.About, e.About != "")
	add("%s times", words.Number(e.Count), e.Count != 0)
	add("%s", e.Error, e.Error != "")
	return printable(strings.Join(parts, ", "))
}

// journalMarks are the events that are drawn. Those of the load balancer and
// the database are drawn like those of web instances.
func journalMarks(h record.History) []mark {
	marks := []mark{}
	for _, e := range h.Events {
		m := mark{At: e.At.Seconds(), Label: printable(e.Instance), Web: e.Role == record.Web}
		switch e.Kind {
		case record.Birth:
			m.Kind, m.Label = markBirth, "birth of "+m.Label
		case record.Death:
			m.Kind, m.Label = markDeath, "death of "+m.Label
			if e.Signal != "" {
				m.Label += " (" + printable(e.Signal) + ")"
			}
			if !e.Expected {
				m.Kind, m.Label = markLost, m.Label+", nobody asked for it"
			}
		case record.Trouble, record.Interrupted:
			m.Kind, m.Label = markTrouble, strings.TrimSuffix(string(e.Kind)+": "+eventAbout(e), ": ")
		default:
			continue
		}
		marks = append(marks, m)
	}
	return marks
}

// phaseBands are the phases; one that did not end goes to the end of the run.
func phaseBands(h record.History, end time.Duration) []band {
	return bands(h, end, bandKinds{record.PhaseBegin, record.PhaseEnd, func(e record.Event) string { return e.Phase }})
}

// stepBands are the steps; one that never took effect goes to the end.
func stepBands(h record.History, end time.Duration) []band {
	return bands(h, end, bandKinds{record.StepBegin, record.StepEnd, func(e record.Event) string { return e.Step }})
}

// faultBands are the stretches in which faults were at work; one whose end the
// journal does not tell goes to the end.
func faultBands(h record.History, end time.Duration) []band {
	return bands(h, end, bandKinds{record.FaultBegin, record.FaultEnd, func(e record.Event) string {
		return strings.TrimSpace(e.Fault + " " + e.Instance)
	}})
}

// bandKinds are the events that begin and end a band, and what it is called.
type bandKinds struct {
	begin, end record.Kind
	label      func(record.Event) string
}

func bands(h record.History, end time.Duration, kinds bandKinds) []band {
	out := []band{}
	open := map[string][]int{} // label → bands of that name that have not ended
	for _, e := range h.Events {
		label := kinds.label(e)
		switch e.Kind {
		case kinds.begin:
			open[label] = append(open[label], len(out))
			out = append(out, band{From: e.At.Seconds(), To: end.Seconds(), Label: printable(label), Bad: true})
		case kinds.end:
			if of := open[label]; len(of) > 0 {
				out[of[0]].To, out[of[0]].Bad = e.At.Seconds(), e.Error != ""
				open[label] = of[1:]
			}
		}
	}
	return out
}

// longestRun is where the time axis ends at the latest; what a damaged record
// says happened later stands at its end.
const longestRun = 10 * 365 * 24 * time.Hour

// runEnd is the offset of the last thing that the record tells.
func runEnd(h record.History) time.Duration {
	var end time.Duration
	for _, e := range h.Events {
		end = max(end, e.At)
	}
	for i := range h.Requests {
		end = max(end, h.Requests[i].Done)
	}
	for i := range h.Series {
		if n := len(h.Series[i].Points); n > 0 {
			end = max(end, h.Series[i].Points[n-1].At)
		}
	}
	return min(end, longestRun)
}
