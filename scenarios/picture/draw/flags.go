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
	"scale":     {Sign: "↕", Kind: "change"},
}

// flagsOf are the flags of a journal: its steps, the faults that are no step of their
// own, deaths that nobody asked for, and trouble.
func flagsOf(events []record.Event) []Flag {
	var out []Flag
	open, born := -1, []string(nil) // the launch that has not ended, and whom it launched
	for _, e := range events {
		f := Flag{At: e.At.Seconds(), Sign: "●", Kind: "change"}
		switch e.Kind {
		case record.StepBegin:
			word, _, _ := strings.Cut(e.Step, " ")
			if known, ok := signs[word]; ok {
				f.Sign, f.Kind = known.Sign, known.Kind
			}
			f.Label = e.Step
			if word == "launch" {
				open, born = len(out), nil
			}
		case record.StepEnd:
			if open >= 0 && len(born) > 0 && strings.HasPrefix(e.Step, "launch") {
				out[open].Label = "launch " + few(born)
			}
			open = -1
			continue
		case record.Birth:
			born = append(born, e.Instance)
			continue
		case record.FaultBegin:
			f.Sign, f.Kind, f.Label = "⚡", "fault", strings.TrimSpace(e.Fault+" "+e.Instance)
			if n := len(out); n > 0 && f.At-out[n-1].At < 1 && strings.Contains(out[n-1].Label, e.Fault) {
				out[n-1].Sign, out[n-1].Kind = f.Sign, f.Kind // its step has just been told
				continue
			}
		case record.FaultEnd:
			f.Sign, f.Kind, f.Label = "◇", "fault", e.Fault+" ends"
		case record.Death:
			if e.Expected || e.Role == "" {
				continue
			}
			f.Sign, f.Kind, f.Label = "!", "trouble", e.Instance+" died by itself"
		case record.Interrupted:
			f.Sign, f.Kind, f.Label = "!", "trouble", "interrupted"
		default:
			continue
		}
		out = append(out, f)
	}
	return out
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
