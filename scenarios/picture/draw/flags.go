package draw

import (
	"strings"
	"time"

	"throughline/scenarios/record"
)

// Flag is something that was done to the stack, or happened to it.
type Flag struct {
	At    float64 // seconds since the start of the run
	Sign  string  // one character, so that color is not the only sign of its kind
	Kind  string  // "end", "begin", "change", "fault", "trouble"
	Label string
}

// Span is a named stretch of time.
type Span struct {
	From, To float64
	Label    string
}

// signs are those of the moves, by the word that a step begins with.
var signs = map[string]Flag{
	"kill":      {Sign: "✕", Kind: "end"},
	"terminate": {Sign: "✕", Kind: "end"},
	"stop":      {Sign: "✕", Kind: "end"},
	"interrupt": {Sign: "✕", Kind: "end"},
	"launch":    {Sign: "▲", Kind: "begin"},
	"replace":   {Sign: "⇄", Kind: "change"},
	"deploy":    {Sign: "⇄", Kind: "change"},
	"rollback":  {Sign: "⇆", Kind: "change"},
	"scale":     {Sign: "↕", Kind: "change"},
	"fault":     {Sign: "⚡", Kind: "fault"},
	"heal":      {Sign: "◇", Kind: "fault"},
}

// flagsOf are the flags of a journal: its steps, the faults that are no step of their
// own, deaths that nobody asked for, and interruptions.
func flagsOf(events []record.Event) []Flag {
	var out []Flag
	launching, born := -1, []string(nil) // the launch that has not ended, and whom it launched
	for _, e := range events {
		switch e.Kind {
		case record.Birth:
			born = append(born, e.Instance)
		case record.StepEnd:
			if launching >= 0 && len(born) > 0 {
				out[launching].Label = "launch " + few(born)
			}
			launching = -1
		}
		f, ok := flagOf(e)
		if !ok || toldOf(out, e) {
			continue
		}
		if e.Kind == record.StepBegin && strings.HasPrefix(e.Step, "launch ") {
			launching, born = len(out), nil
		}
		out = append(out, f)
	}
	return out
}

// flagOf is the flag of an event, if it has one.
func flagOf(e record.Event) (f Flag, ok bool) {
	at := e.At.Seconds()
	switch {
	case e.Kind == record.StepBegin:
		word, _, _ := strings.Cut(e.Step, " ")
		f, ok = signs[word]
		if !ok {
			f = Flag{Sign: "●", Kind: "change"}
		}
		f.At, f.Label = at, strings.TrimPrefix(e.Step, "fault ")
		return f, true
	case e.Kind == record.FaultBegin:
		return Flag{at, "⚡", "fault", strings.TrimSpace(e.Fault + " " + e.Instance)}, true
	case e.Kind == record.FaultEnd:
		return Flag{at, "◇", "fault", e.Fault + " ends"}, true
	case e.Kind == record.Death && !e.Expected && e.Role != "":
		return Flag{at, "!", "trouble", e.Instance + " died by itself"}, true
	case e.Kind == record.Interrupted:
		return Flag{at, "!", "trouble", "interrupted"}, true
	}
	return Flag{}, false
}

// toldOf tells whether an event of a fault needs no flag, as its step has one already: that
// began within a second before, and names the fault.
func toldOf(flags []Flag, e record.Event) bool {
	if e.Kind != record.FaultBegin && e.Kind != record.FaultEnd {
		return false
	}
	for _, f := range flags[max(0, len(flags)-4):] {
		begun := e.Kind == record.FaultEnd || !strings.HasPrefix(f.Label, "heal ")
		if begun && e.At.Seconds()-f.At < 1 && strings.Contains(f.Label, e.Fault) {
			return true
		}
	}
	return false
}

// few lists names, or says how many more there are.
func few(names []string) string {
	if len(names) <= 2 {
		return strings.Join(names, ", ")
	}
	return names[0] + " … " + names[len(names)-1]
}

// phasesOf are the phases; one that has not ended goes on to the end.
func phasesOf(events []record.Event, end time.Duration) []Span {
	var out []Span
	for _, e := range events {
		switch e.Kind {
		case record.PhaseBegin:
			out = append(out, Span{e.At.Seconds(), end.Seconds(), e.Phase})
		case record.PhaseEnd:
			if n := len(out); n > 0 && out[n-1].Label == e.Phase {
				out[n-1].To = e.At.Seconds()
			}
		}
	}
	return out
}
