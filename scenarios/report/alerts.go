package report

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// alertRow is one alert of a rule file, beside what had been done to the stack.
type alertRow struct {
	Name, Labels string
	Fires        string // from when to when; "" = it was pending alone
	Pending      string // since when
	After        string // what was done last before it was pending; "" = nothing
	Says         []string
	Instance     string
}

// alertRows are the alerts in the order of their beginnings.
func alertRows(h record.History, v verdict.Verdict) []alertRow {
	var rows []alertRow
	at := func(s float64) string { return words.Seconds(time.Duration(s * float64(time.Second))) }
	for _, a := range v.Alerts {
		r := alertRow{Name: printable(a.Name), Labels: printable(alertLabels(a)), Pending: at(a.Pending), After: doneBefore(h.Events, a.Pending), Instance: printable(a.Labels["instance"])}
		switch {
		case a.Firing != 0 && a.Ended != 0:
			r.Fires = at(a.Firing) + " to " + at(a.Ended)
		case a.Firing != 0:
			r.Fires = at(a.Firing) + " to the end"
		}
		for _, name := range slices.Sorted(maps.Keys(a.Annotations)) {
			r.Says = append(r.Says, printable(name+": "+a.Annotations[name]))
		}
		rows = append(rows, r)
	}
	return rows
}

// doneBefore is the step, or the unasked death, that was last before a time, and how long before; "" = there was none.
func doneBefore(events []record.Event, at float64) (what string) {
	for _, e := range events {
		if e.At.Seconds() > at {
			break
		}
		said := ""
		switch {
		case e.Kind == record.StepBegin:
			said = e.Step
		case e.Kind == record.Death && !e.Expected:
			said = e.Instance + " died"
		default:
			continue
		}
		what = fmt.Sprintf("%.1f s after %s", at-e.At.Seconds(), printable(said))
	}
	return what
}

// alertsView is the section of the page; nil: no alert of a file was pending.
func newAlerts(h record.History, v verdict.Verdict) any {
	rows := alertRows(h, v)
	if len(rows) == 0 {
		return nil
	}
	return rows
}

// alerts writes which rules fired when, beside what was done to the stack.
func (t *text) alerts(h record.History, v verdict.Verdict) {
	var quiet int
	head := false
	for _, r := range alertRows(h, v) {
		if r.Fires == "" {
			quiet++
			continue
		}
		if !head {
			t.title("Alerts")
			head = true
		}
		line := r.Name
		if r.Labels != "" {
			line += " {" + r.Labels + "}"
		}
		line += " fired " + r.Fires
		if r.After != "" {
			line += "; pending " + r.After
		}
		t.wrapped("  ", line)
		for _, s := range r.Says {
			t.wrapped("    ", s)
		}
	}
	if quiet > 0 && head {
		t.line(fmt.Sprintf("  and %s pending, and never fired", words.Times(quiet, "alert")))
	}
}
