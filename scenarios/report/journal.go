package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// move is one line of the journal as a person reads it.
type move struct {
	At    string
	What  string
	Where string // the instance or the phase
	About string
	Bad   bool

	Instance string // of which it is; empty: of none
}

// journalMoves are all events of the record in their order.
func journalMoves(h record.History) []move {
	moves := make([]move, 0, len(h.Events))
	for _, e := range h.Events {
		m := move{At: fmt.Sprintf("%.3f s", e.At.Seconds()), What: strings.ReplaceAll(printable(string(e.Kind)), "-", " "), Where: e.Instance, About: eventAbout(e), Instance: printable(e.Instance)}
		if m.Where == "" {
			m.Where = e.Phase
		}
		m.Where = printable(m.Where)
		m.Bad = e.Error != "" || e.Kind == record.Trouble || e.Kind == record.Interrupted || e.Kind == record.Death && !e.Expected
		moves = append(moves, m)
	}
	return moves
}

// alertMoves puts among the moves of a journal, at their times, when alerts of rule files began to fire and were over.
func alertMoves(moves []move, events []record.Event, alerts []verdict.Alert) []move {
	type change struct {
		at float64
		move
	}
	var changes []change
	for _, a := range alerts {
		if a.Firing == 0 {
			continue
		}
		add := func(at float64, what string) {
			changes = append(changes, change{at, move{At: fmt.Sprintf("%.3f s", at), What: what, Where: printable(a.Name), About: alertAbout(a), Instance: printable(a.Labels["instance"]), Bad: what == alertFires}})
		}
		add(a.Firing, alertFires)
		if a.Ended != 0 {
			add(a.Ended, "alert over")
		}
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.at, b.at) })
	out := make([]move, 0, len(moves)+len(changes))
	for i, m := range moves {
		for len(changes) > 0 && changes[0].at < events[i].At.Seconds() {
			out, changes = append(out, changes[0].move), changes[1:]
		}
		out = append(out, m)
	}
	for _, c := range changes {
		out = append(out, c.move)
	}
	return out
}

const alertFires = "alert fires"

// alertAbout is what an alert says of itself: its annotation summary, or its labels.
func alertAbout(a verdict.Alert) string {
	if summary := a.Annotations["summary"]; summary != "" {
		return printable(summary)
	}
	return printable(alertLabels(a))
}

// alertLabels writes labels as PromQL does.
func alertLabels(a verdict.Alert) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, a.Labels[name]))
	}
	return strings.Join(parts, ", ")
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
	add("exit status %d", e.Code, e.Kind == record.Commanded && e.Code != 0)
	add("nobody asked for it%s", "", e.Kind == record.Death && !e.Expected)
	add("to %v CPUs", e.CPUs, e.Kind == record.Limited && e.CPUs > 0)
	add("to be ended at %s", words.Seconds(e.Deadline), e.Deadline != 0)
	add("%s", cloudAbout(e.Cloud), e.Cloud != nil)
	add("no longer%s", "", e.Kind == record.Limited && e.CPUs == 0)
	add("%s", e.About, e.About != "")
	add("%s times", words.Number(e.Count), e.Count != 0)
	add("%s", e.Decision, e.Decision != nil)
	add("%s", e.Error, e.Error != "")
	return printable(strings.Join(parts, ", "))
}

// cloudAbout is what a cloud told an instance of itself.
func cloudAbout(c *record.Cloud) string {
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s, %s in %s", c.ID, c.Type, c.Zone)
}
