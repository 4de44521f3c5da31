package signals

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkAlert = "alert"

// Alert plays an alerting rule over the recorded samples: at each interval end
// each element of the expression's result is pending, and fires once it has
// been there for the rule's time; one that is gone begins anew.
// Source: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
type Alert struct{ Rule script.Alert }

// Judge looks at all instances, or says why it cannot.
func (c Alert) Judge(e *evidence.Index) verdict.Result {
	from, to, ok := e.Span(script.WholeRun)
	if !ok {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "the journal does not tell when the phases began and ended")}}
	}
	if why := unseen(e, c.Rule.Expr, c.Rule.NeverSeen); why != "" {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "%s: not evaluated, %s", c.Rule.Expr, why)}}
	}
	played, err := c.play(e, from, to)
	if err != nil {
		return verdict.Result{Findings: []verdict.Finding{c.finding(verdict.Inconclusive, "%s: could not be evaluated: %v", c.Rule.Expr, err)}}
	}
	var out []verdict.Finding
	if c.Rule.Fires != nil {
		out = append(out, c.fires(e, played))
	}
	for _, phase := range c.Rule.Silent {
		out = append(out, c.silent(e, played, phase))
	}
	return verdict.Result{Findings: out}
}

func (c Alert) finding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkAlert, Outcome: o, Summary: "alert " + c.Rule.Name + ": " + fmt.Sprintf(format, args...)}
}

// playedRule is what a rule did at each moment of the run.
type playedRule struct {
	at      []time.Duration
	pending []bool // or firing
	firing  []bool
}

// play evaluates the rule at all interval ends from the first phase to the end
// of the record, which goes on for a while after the last.
func (c Alert) play(e *evidence.Index, from, to time.Duration) (playedRule, error) {
	var p playedRule
	for _, t := range e.Ticks {
		to = max(to, t)
	}
	for t := e.FirstTick(from - 1); t <= to; t += e.Interval {
		p.at = append(p.at, t)
	}
	if len(p.at) == 0 {
		return p, errors.New("no interval of the collector ends in the run")
	}
	store, err := e.Prom()
	if err != nil {
		return p, err
	}
	start := e.History.Run.Start
	answer, err := store.QueryRange(context.Background(), c.Rule.Expr, start.Add(p.at[0]), start.Add(p.at[len(p.at)-1]), e.Interval)
	if err != nil {
		return p, err
	}
	for _, note := range answer.Notes {
		if strings.HasPrefix(note, "PromQL warning") {
			return p, errors.New(note)
		}
	}
	p.pending, p.firing = make([]bool, len(p.at)), make([]bool, len(p.at))
	for _, s := range answer.Series {
		there := map[int64]bool{}
		for _, point := range s.Points {
			there[point.At.UnixMilli()] = true
		}
		p.element(c.Rule.For, func(k int) bool { return there[start.Add(p.at[k]).UnixMilli()] })
	}
	return p, nil
}

// element plays the rule for one element of the result, which is there at some
// of the moments.
func (p *playedRule) element(hold time.Duration, there func(k int) bool) {
	active := record.Never
	for k, t := range p.at {
		if !there(k) {
			active = record.Never
			continue
		}
		if active == record.Never {
			active = t
		}
		p.pending[k] = true
		p.firing[k] = p.firing[k] || t-active >= hold
	}
}

// fires asks whether the alert fired in time, not before, and cleared in time.
func (c Alert) fires(e *evidence.Index, p playedRule) verdict.Finding {
	begin, _, ok := e.Span(c.Rule.Fires.In)
	if !ok {
		return c.finding(verdict.Inconclusive, "the journal does not tell when phase %q began", c.Rule.Fires.In)
	}
	deadline := begin + c.Rule.Fires.Within
	fired := -1
	for k, t := range p.at {
		if !p.firing[k] {
			continue
		}
		if t < begin {
			return c.at(c.finding(verdict.Fail, "fires at %s already, before phase %q began at %s", words.Seconds(t), c.Rule.Fires.In, words.Seconds(begin)), t, begin)
		}
		fired = k
		break
	}
	switch {
	case p.at[len(p.at)-1] < deadline && fired < 0:
		return c.finding(verdict.Inconclusive, "the record ends at %s, before it had to fire at %s", words.Seconds(p.at[len(p.at)-1]), words.Seconds(deadline))
	case p.missed(fired, deadline) && !p.missed(fired, deadline+e.Moved(c.Rule.Fires.In)):
		if why := hurried(e, c.Rule.Fires.In, c.Rule.Fires.Within); why != "" {
			return c.at(c.finding(verdict.Inconclusive, "did not fire within %s of the beginning of phase %q, but %s", c.Rule.Fires.Within, c.Rule.Fires.In, why), begin, deadline)
		}
	}
	switch {
	case fired < 0:
		return c.at(c.finding(verdict.Fail, "did not fire within %s of the beginning of phase %q at %s, nor later; %s", c.Rule.Fires.Within, c.Rule.Fires.In, words.Seconds(begin), c.why(p)), begin, deadline)
	case p.at[fired] > deadline:
		return c.at(c.finding(verdict.Fail, "fired at %s, %s after the beginning of phase %q, and had to within %s", words.Seconds(p.at[fired]), words.Seconds(p.at[fired]-begin), c.Rule.Fires.In, c.Rule.Fires.Within), begin, p.at[fired])
	}
	f := c.at(c.finding(verdict.Pass, "fired at %s, %s after the beginning of phase %q", words.Seconds(p.at[fired]), words.Seconds(p.at[fired]-begin), c.Rule.Fires.In), begin, p.at[fired])
	if c.Rule.Clears == nil {
		return f
	}
	return c.clears(e, p, fired, f)
}

// missed tells whether something, which came about at moment k or never (-1), had
// not by a deadline that the record reaches.
func (p playedRule) missed(k int, deadline time.Duration) bool {
	if k >= 0 {
		return p.at[k] > deadline
	}
	return p.at[len(p.at)-1] >= deadline
}

// why tells what kept an alert from firing.
func (c Alert) why(p playedRule) string {
	var n int64
	for _, yes := range p.pending {
		if yes {
			n++
		}
	}
	if n == 0 {
		return "its expression never had a result in this run: where nothing is left to count there is no series to compare, and absent() may be missing"
	}
	return fmt.Sprintf("its expression had a result at %s, never for %s on end", words.Times(n, "point"), c.Rule.For)
}

func (c Alert) at(f verdict.Finding, from, to time.Duration) verdict.Finding {
	f.From, f.To = from.Seconds(), to.Seconds()
	return f
}

// clears asks whether the alert that fired had stopped in time.
func (c Alert) clears(e *evidence.Index, p playedRule, fired int, f verdict.Finding) verdict.Finding {
	name := fmt.Sprintf("the beginning of phase %q", c.Rule.Clears.In)
	begin, _, ok := e.Span(c.Rule.Clears.In)
	if c.Rule.Clears.In == script.End {
		name = "the end of the last phase"
		_, begin, ok = e.Span(script.WholeRun)
	}
	if !ok {
		return c.finding(verdict.Inconclusive, "the journal does not tell when phase %q began", c.Rule.Clears.In)
	}
	deadline := begin + c.Rule.Clears.Within
	cleared := -1 // one that fires again before the deadline has not cleared
	for k := fired; k < len(p.at) && (cleared < 0 || p.at[k] <= deadline); k++ {
		switch {
		case p.firing[k]:
			cleared = -1
		case cleared < 0:
			cleared = k
		}
	}
	if c.Rule.Clears.In != script.End && p.missed(cleared, deadline) && !p.missed(cleared, deadline+e.Moved(c.Rule.Clears.In)) {
		if why := hurried(e, c.Rule.Clears.In, c.Rule.Clears.Within); why != "" {
			return c.finding(verdict.Inconclusive, "fired at %s and did not clear within %s of %s, but %s", words.Seconds(p.at[fired]), c.Rule.Clears.Within, name, why)
		}
	}
	if cleared >= 0 {
		t := p.at[cleared]
		if t > deadline {
			return c.at(c.finding(verdict.Fail, "fired at %s and cleared at %s, %s, and had to within %s", words.Seconds(p.at[fired]), words.Seconds(t), after(t-begin, name), c.Rule.Clears.Within), p.at[fired], t)
		}
		f.Summary += fmt.Sprintf(", and cleared at %s, %s", words.Seconds(t), after(t-begin, name))
		f.To = t.Seconds()
		return f
	}
	last := p.at[len(p.at)-1]
	if last < deadline {
		return c.finding(verdict.Inconclusive, "fired at %s, and the record ends at %s, before it had to clear at %s", words.Seconds(p.at[fired]), words.Seconds(last), words.Seconds(deadline))
	}
	return c.at(c.finding(verdict.Fail, "fired at %s and never cleared: it had to within %s of %s at %s", words.Seconds(p.at[fired]), c.Rule.Clears.Within, name, words.Seconds(begin)), p.at[fired], last)
}

// after writes how long after, or before, something was.
func after(d time.Duration, what string) string {
	if d < 0 {
		return words.Seconds(-d) + " before " + what
	}
	return words.Seconds(d) + " after " + what
}

// silent asks whether the alert did not fire in a phase.
func (c Alert) silent(e *evidence.Index, p playedRule, phase string) verdict.Finding {
	from, to, ok := e.Span(phase)
	if !ok {
		return c.finding(verdict.Inconclusive, "the journal does not tell when phase %q began and ended", phase)
	}
	var looked, firing, pending int64
	first := record.Never
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
			if first == record.Never {
				first = t
			}
		}
	}
	switch {
	case looked == 0:
		return c.finding(verdict.Inconclusive, "no interval of the collector ends in phase %q, so it was not evaluated", phase)
	case firing > 0:
		return c.at(c.finding(verdict.Fail, "fires in phase %q, where it must be silent: at %d of %s, first at %s", phase, firing, words.Times(looked, "point"), words.Seconds(first)), first, to)
	}
	return c.at(c.finding(verdict.Pass, "silent in phase %q: %s evaluated, pending at %d", phase, words.Times(looked, "point"), pending), from, to)
}
