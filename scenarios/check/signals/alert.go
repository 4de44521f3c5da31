package signals

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/script"
)

const checkAlert = "alert"

// Alert plays alerting rules over the recorded samples: at each interval end
// each element of the expression's result is pending, and fires once it has
// been there for its `for`; one that is gone begins anew. With `for: 2s`, an element that is
// there at 10.1, 11.1 and 12.1 s is pending from 10.1 s on and fires at 12.1 s; had it been
// missing at 11.1 s, it would fire at 14.1 s at the earliest.
// Source: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
type Alert struct {
	Promise script.Alert
	// Scenario has the files of rules.
	Scenario script.Scenario
}

// Judge looks at all instances, or says why it cannot.
func (c Alert) Judge(e *evidence.Index) verdict.Result {
	rules, err := RulesOf(c.Promise, c.Scenario)
	if err != nil {
		return verdict.Result{Findings: []verdict.Finding{{Check: checkAlert, Summary: "alert: " + err.Error()}}}
	}
	var all verdict.Result
	for _, r := range rules {
		one := alertRule{r, c.Promise}.judge(e)
		all.Findings = append(all.Findings, one.Findings...)
		all.Alerts = append(all.Alerts, one.Alerts...)
	}
	return all
}

// alertRule is one rule, and what is promised of it.
type alertRule struct {
	series.Rule
	Promise script.Alert
}

func (c alertRule) judge(e *evidence.Index) verdict.Result {
	from, to, ok := e.Span(script.WholeRun)
	if !ok {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "the journal does not tell when the phases began and ended")}}
	}
	if why := unseen(e, c.Expr, c.Promise.NeverSeen); why != "" {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "%s: not evaluated, %s", c.Expr, why)}}
	}
	played, err := c.play(e, from, to)
	if err != nil {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "%s: could not be evaluated: %v", c.Expr, err)}}
	}
	out := c.unseenBeginnings(e, played.at, c.promised(e, played))
	return verdict.Result{Findings: append(out, c.unreadable(e, played.alerts)...), Alerts: c.told(e, played.alerts)}
}

// promised are the findings on what was promised, in its order.
func (c alertRule) promised(e *evidence.Index, p alertStates) (out []verdict.Finding) {
	if c.Promise.Fires != nil {
		out = append(out, c.fires(e, p))
	}
	for _, phase := range c.Promise.Silent {
		out = append(out, c.silent(e, p, phase))
	}
	return out
}

// unreadable tells of an alert that fired and whose annotations Prometheus could not expand: who is woken reads an error.
func (c alertRule) unreadable(e *evidence.Index, all []series.Alert) []verdict.Finding {
	for _, a := range all {
		for _, name := range slices.Sorted(maps.Keys(a.Annotations)) {
			if why := series.Broken(a.Annotations[name]); why != "" && !a.Firing.IsZero() {
				at := a.Firing.Sub(e.Moment(0))
				return []verdict.Finding{c.between(c.finding(verdict.Fail, "fires at %s, and its annotation %s cannot be expanded: %s", words.Seconds(at), name, why), at, at)}
			}
		}
	}
	return nil
}

func (c alertRule) finding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkAlert, Outcome: o, Summary: "alert " + c.Name + ": " + fmt.Sprintf(format, args...)}
}

// alertStates is what an alerting rule did at each moment of the run.
type alertStates struct {
	at      []time.Duration
	pending []bool // or firing
	firing  []bool
	alerts  []series.Alert
}

// play evaluates the alerting rule at all interval ends from the first phase to the end
// of the record, which goes on for a while after the last.
func (c alertRule) play(e *evidence.Index, from, to time.Duration) (alertStates, error) {
	for _, t := range e.Ticks {
		to = max(to, t)
	}
	at := ticksBetween(e, from, to)
	if len(at) == 0 {
		return alertStates{}, errors.New("no interval of the collector ends in the run")
	}
	store, err := e.Prom()
	if err != nil {
		return alertStates{}, err
	}
	return c.playOn(e, store, at)
}

// playOn evaluates it on a store.
func (c alertRule) playOn(e *evidence.Index, store *series.Store, at []time.Duration) (alertStates, error) {
	p := alertStates{at: at}
	moments := make([]time.Time, len(p.at))
	for k, t := range p.at {
		moments[k] = e.Moment(t)
	}
	played, err := store.Play(context.Background(), c.Rule, moments, e.Interval)
	if err != nil {
		return p, err
	}
	for _, note := range played.Notes {
		if strings.HasPrefix(note, "PromQL warning") {
			return p, errors.New(note)
		}
	}
	p.pending, p.firing, p.alerts = played.Pending, played.Firing, played.Alerts
	return p, nil
}

// told gives the alerts of a rule that stands in a file, for the report.
func (c alertRule) told(e *evidence.Index, all []series.Alert) (out []verdict.Alert) {
	if c.Promise.File == "" {
		return nil
	}
	since := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return t.Sub(e.Moment(0)).Seconds()
	}
	for _, a := range all {
		told := verdict.Alert{Name: c.Name, File: c.Promise.File, Labels: map[string]string{}, Annotations: a.Annotations,
			Pending: since(a.Pending), Firing: since(a.Firing), Ended: since(a.Ended)}
		for _, l := range a.Labels {
			if l.Name != "alertname" {
				told.Labels[l.Name] = l.Value
			}
		}
		out = append(out, told)
	}
	return out
}

// fires asks whether the alert fired in time, not before, and cleared in time.
func (c alertRule) fires(e *evidence.Index, p alertStates) verdict.Finding {
	begin, _, ok := e.Span(c.Promise.Fires.In)
	if !ok {
		return c.finding(verdict.Inconclusive, "the journal does not tell when phase %q began", c.Promise.Fires.In)
	}
	deadline := begin + c.Promise.Fires.Within
	fired := -1
	for k, t := range p.at {
		if !p.firing[k] {
			continue
		}
		if t < begin {
			return c.between(c.finding(verdict.Fail, "fires at %s already, before phase %q began at %s", words.Seconds(t), c.Promise.Fires.In, words.Seconds(begin)), t, begin)
		}
		fired = k
		break
	}
	switch {
	case p.at[len(p.at)-1] < deadline && fired < 0:
		return c.finding(verdict.Inconclusive, "the record ends at %s, before it had to fire at %s", words.Seconds(p.at[len(p.at)-1]), words.Seconds(deadline))
	case p.missed(fired, deadline) && !p.missed(fired, deadline+stepTime(e, c.Promise.Fires.In)):
		if why := hurried(e, c.Promise.Fires.In, c.Promise.Fires.Within); why != "" {
			return c.between(c.finding(verdict.Inconclusive, "did not fire within %s of the beginning of phase %q, but %s", c.Promise.Fires.Within, c.Promise.Fires.In, why), begin, deadline)
		}
	}
	switch {
	case fired < 0:
		return c.between(c.finding(verdict.Fail, "did not fire within %s of the beginning of phase %q at %s, nor later; %s", c.Promise.Fires.Within, c.Promise.Fires.In, words.Seconds(begin), c.why(p)), begin, deadline)
	case p.at[fired] > deadline:
		return c.between(c.finding(verdict.Fail, "fired at %s, %s after the beginning of phase %q, and had to within %s", words.Seconds(p.at[fired]), words.Seconds(p.at[fired]-begin), c.Promise.Fires.In, c.Promise.Fires.Within), begin, p.at[fired])
	}
	f := c.between(c.finding(verdict.Pass, "fired at %s, %s after the beginning of phase %q", words.Seconds(p.at[fired]), words.Seconds(p.at[fired]-begin), c.Promise.Fires.In), begin, p.at[fired])
	if c.Promise.Clears == nil {
		return f
	}
	return c.clears(e, p, fired, f)
}

// missed tells whether something, which came about at moment k or never (-1), had
// not by a deadline that the record reaches.
func (p alertStates) missed(k int, deadline time.Duration) bool {
	if k >= 0 {
		return p.at[k] > deadline
	}
	return p.at[len(p.at)-1] >= deadline
}

// why tells what kept an alert from firing.
func (c alertRule) why(p alertStates) string {
	var n int64
	for _, yes := range p.pending {
		if yes {
			n++
		}
	}
	if n == 0 {
		return "its expression never had a result in this run: where nothing is left to count there is no series to compare, and absent() may be missing"
	}
	return fmt.Sprintf("its expression had a result at %s, never for %s on end", words.Times(n, "point"), c.For)
}

// between says when what is found took place.
func (c alertRule) between(f verdict.Finding, from, to time.Duration) verdict.Finding {
	f.From, f.To = from.Seconds(), to.Seconds()
	return f
}

// clears asks whether the alert that fired had stopped in time.
func (c alertRule) clears(e *evidence.Index, p alertStates, fired int, f verdict.Finding) verdict.Finding {
	name := fmt.Sprintf("the beginning of phase %q", c.Promise.Clears.In)
	begin, _, ok := e.Span(c.Promise.Clears.In)
	if c.Promise.Clears.In == script.End {
		name = "the end of the last phase"
		_, begin, ok = e.Span(script.WholeRun)
	}
	if !ok {
		return c.finding(verdict.Inconclusive, "the journal does not tell when phase %q began", c.Promise.Clears.In)
	}
	deadline := begin + c.Promise.Clears.Within
	cleared := -1 // one that fires again before the deadline has not cleared
	for k := fired; k < len(p.at) && (cleared < 0 || p.at[k] <= deadline); k++ {
		switch {
		case p.firing[k]:
			cleared = -1
		case cleared < 0:
			cleared = k
		}
	}
	if c.Promise.Clears.In != script.End && p.missed(cleared, deadline) && !p.missed(cleared, deadline+stepTime(e, c.Promise.Clears.In)) {
		if why := hurried(e, c.Promise.Clears.In, c.Promise.Clears.Within); why != "" {
			return c.finding(verdict.Inconclusive, "fired at %s and did not clear within %s of %s, but %s", words.Seconds(p.at[fired]), c.Promise.Clears.Within, name, why)
		}
	}
	if cleared >= 0 {
		t := p.at[cleared]
		if t > deadline {
			return c.between(c.finding(verdict.Fail, "fired at %s and cleared at %s, %s, and had to within %s", words.Seconds(p.at[fired]), words.Seconds(t), beforeOrAfter(t-begin, name), c.Promise.Clears.Within), p.at[fired], t)
		}
		f.Summary += fmt.Sprintf(", and cleared at %s, %s", words.Seconds(t), beforeOrAfter(t-begin, name))
		f.To = t.Seconds()
		return f
	}
	last := p.at[len(p.at)-1]
	if last < deadline {
		return c.finding(verdict.Inconclusive, "fired at %s, and the record ends at %s, before it had to clear at %s", words.Seconds(p.at[fired]), words.Seconds(last), words.Seconds(deadline))
	}
	return c.between(c.finding(verdict.Fail, "fired at %s and never cleared: it had to within %s of %s at %s", words.Seconds(p.at[fired]), c.Promise.Clears.Within, name, words.Seconds(begin)), p.at[fired], last)
}

// beforeOrAfter writes how long after, or before, something was.
func beforeOrAfter(d time.Duration, what string) string {
	if d < 0 {
		return words.Seconds(-d) + " before " + what
	}
	return words.Seconds(d) + " after " + what
}

// silent asks whether the alert did not fire in a phase.
func (c alertRule) silent(e *evidence.Index, p alertStates, phase string) verdict.Finding {
	from, to, ok := e.Span(phase)
	if !ok {
		return c.finding(verdict.Inconclusive, "the journal does not tell when phase %q began and ended", phase)
	}
	var looked, firing, pending int64
	first := time.Duration(-1)
	for k, t := range p.at {
		if t < from || t > to {
			continue
		}
		looked++
		if p.pending[k] {
			pending++
		}
		if p.firing[k] {
			firing++
			if first < 0 {
				first = t
			}
		}
	}
	switch {
	case looked == 0:
		return c.finding(verdict.Inconclusive, "no interval of the collector ends in phase %q, so it was not evaluated", phase)
	case firing > 0:
		return c.between(c.finding(verdict.Fail, "fires in phase %q, where it must be silent: at %d of %s, first at %s", phase, firing, words.Times(looked, "point"), words.Seconds(first)), first, to)
	}
	return c.between(c.finding(verdict.Pass, "silent in phase %q: %s evaluated, pending at %d", phase, words.Times(looked, "point"), pending), from, to)
}
