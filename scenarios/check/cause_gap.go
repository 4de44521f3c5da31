package check

import (
	"slices"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/script"
)

// books are the accounts of the metric whose gaps are looked at, by the rule of the
// conservation check if the scenario has one for it.
func (c continuity) books(e *evidence) books {
	for _, check := range e.scenario.Checks {
		if r := check.Conservation; r != nil && r.Metric == c.rule.Metric && r.Route == c.rule.Route {
			return newBooks(e, *r)
		}
	}
	return newBooks(e, script.Conservation{Metric: c.rule.Metric, Route: c.rule.Route, ClientWindow: c.window, MaxLag: usualLag, SampleRate: c.rate, Confidence: defaultConfidence})
}

// defaultConfidence is that of a conservation check.
const defaultConfidence = 0.999

// causeOf names the likely cause of a gap of the i-th instance. Whoever lost counts then has a
// gap for the reason that it lost them; else they came after the gap.
func (c continuity) causeOf(g gap, i int, trails []trail, e *evidence, b *books) diagnose.Diagnosis {
	a := &b.accounts[i]
	if d := b.diagnosis(a); d.Cause == diagnose.Undecided || d.Cause != "" && d.From < g.to+e.interval && d.To > g.from-e.interval {
		return d
	}
	if d := b.holding(a); d.Cause == diagnose.StillHeld || slices.Contains(d.Possible, diagnose.StillHeld) {
		return d
	}
	for _, other := range trails {
		if other.regular(e.interval) { // clients flush alike
			return diagnose.Diagnosis{Cause: verdict.CauseFlushInterval}
		}
	}
	return diagnose.Diagnosis{Cause: diagnose.Late}
}

// regular tells whether points come at a constant distance of several intervals:
// gaps end at one distance from each other, give or take an interval, and there is
// hardly a point that is not the end of one. Where a gap begins is no matter of
// flushes: it is when the first request after a point was acknowledged.
func (t trail) regular(interval time.Duration) bool {
	if len(t.gaps) < 2 {
		return false
	}
	shortest, longest := forever, time.Duration(0)
	for k, g := range t.gaps[1:] {
		distance := g.to - t.gaps[k].to
		shortest, longest = min(shortest, distance), max(longest, distance)
	}
	present := t.cells.LookedAt - t.cells.Missing
	return longest-shortest <= interval && present <= int64(len(t.gaps))+1
}
