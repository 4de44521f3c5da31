// Package scaling has the rule about an autoscaler: whether its decisions follow from what the
// collector held, whether what the collector held led them right, and whether the fleet was
// there in time.
//
// It holds the journalled decisions against three other histories of the same run: the record,
// asked again; a truth, in which each series is what the users' ledger says of it; and a fleet
// without any lag. scenarios/autoscale has the arithmetic, which is that of the run itself.
// scenarios/check has the rule in its table.
package scaling

import (
	"fmt"
	"slices"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const checkScaling = "scaling"

// Scaling judges the decisions of the scenario's autoscaler.
type Scaling struct{ Promise script.Scaling }

// judging is one judgement under way.
type judging struct {
	Scaling
	e         *evidence.Index
	policy    autoscale.Policy
	on        string // the expression
	decisions []autoscale.Decision
	selectors []series.Selector
	held      []record.Series // those of the record that the expression selects at all
}

// Judge looks at all decisions, or says why it cannot.
func (c Scaling) Judge(e *evidence.Index) verdict.Result {
	j := judging{Scaling: c, e: e}
	if why := j.prepare(); why != "" {
		return verdict.Result{Findings: []verdict.Finding{j.finding(verdict.Inconclusive, "%s", why)}}
	}
	out := []verdict.Finding{j.replayed()}
	out = append(out, j.led()...)
	out = append(out, j.inTime()...)
	if f := j.idle(out); f != nil {
		out = append(out, *f)
	}
	return verdict.Result{Findings: out}
}

func (c Scaling) finding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkScaling, Outcome: o, Layer: record.LayerWeb, Summary: fmt.Sprintf(format, args...)}
}

// between says when what is found took place.
func between(f verdict.Finding, from, to time.Duration) verdict.Finding {
	f.From, f.To = from.Seconds(), to.Seconds()
	return f
}

// prepare finds the decisions and what they were made from. It tells why there is nothing to
// judge; "": there is.
func (j *judging) prepare() string {
	a := j.e.Scenario.Autoscale
	if a == nil {
		return "the scenario has no autoscaler: nothing was decided"
	}
	j.policy, j.on = a.Policy, a.On
	for _, ev := range j.e.History.Events {
		if ev.Kind == record.Decided && ev.Decision != nil {
			j.decisions = append(j.decisions, *ev.Decision)
		}
	}
	if len(j.decisions) == 0 {
		return "the journal has no decision of the autoscaler: it never decided, or this record is of a version that did not write it down"
	}
	var err error
	if j.selectors, err = series.Selectors(j.on); err != nil {
		return fmt.Sprintf("%s: %v", j.on, err)
	}
	for _, s := range j.e.History.Series {
		if j.selects(s) {
			j.held = append(j.held, s)
		}
	}
	return ""
}

// selects tells whether the expression asks for a series.
func (j *judging) selects(s record.Series) bool {
	return slices.ContainsFunc(j.selectors, func(x series.Selector) bool { return x.Selects(s.Name, s.Labels) })
}

// idle is about an autoscaler that never changed anything: it cannot have been wrong, and
// nothing is known of it. nil: it did, or was to keep still, or something else is wrong.
func (j *judging) idle(found []verdict.Finding) *verdict.Finding {
	changes := slices.ContainsFunc(j.decisions, func(d autoscale.Decision) bool { return d.Wanted != d.Had })
	wrong := slices.ContainsFunc(found, func(f verdict.Finding) bool { return f.Outcome == verdict.Fail })
	if changes || wrong || j.Promise.Still {
		return nil
	}
	f := j.finding(verdict.Inconclusive, "the autoscaler never changed the fleet in %d decisions, so this run shows nothing of how it scales: "+
		"let the load call for more instances and for fewer, or say still: yes", len(j.decisions))
	return &f
}

// lasts is how long the decision at place k holds: until the next.
func (j *judging) lasts(k int) time.Duration {
	if k+1 < len(j.decisions) {
		return j.decisions[k+1].At - j.decisions[k].At
	}
	return j.policy.Every
}
