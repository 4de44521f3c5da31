package signals

import (
	"slices"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/script"
)

// books are the accounts of the metric whose gaps are looked at, as the
// conservation check has them if the scenario has one for it.
func (c Continuity) books(e *evidence.Index) account.Books {
	for _, r := range script.Promised[script.Conservation](e.Scenario) {
		if r.Metric == c.Promise.Metric && r.Route == c.Promise.Route {
			return account.NewBooks(e, r)
		}
	}
	return account.NewBooks(e, script.Conservation{Metric: c.Promise.Metric, Route: c.Promise.Route, ClientWindow: c.Window, MaxLag: account.UsualLag, SampleRate: c.Rate, Confidence: defaultConfidence})
}

// defaultConfidence is what a conservation check has where it does not say another.
const defaultConfidence = 0.999

// causeOf names the likely cause of a gap of the i-th instance. Whoever lost counts then has a
// gap for the reason that it lost them; else they came after the gap. Of 300 inserts that
// were acknowledged from 4 s to 6 s and counted by nobody, the account of the instance tells
// why; if all 300 came at 6.1 s, its client flushes too seldom.
func (c Continuity) causeOf(g gap, i int, trails []trail, e *evidence.Index, b *account.Books) diagnose.Diagnosis {
	a := &b.Accounts[i]
	if d := b.Diagnosis(a); d.Cause == diagnose.Undecided || d.Cause != "" && d.From < g.to+e.Interval && d.To > g.from-e.Interval {
		return d
	}
	if c.lostIn(g, a, e) {
		for _, d := range b.Explained() { // as others lost theirs, though its own loss is excused
			if d.Cause != "" && (d.Cause == diagnose.Undecided || d.From < g.to+e.Interval && d.To > g.from-e.Interval) {
				return d
			}
		}
	}
	if d := b.Holding(a); d.Cause == diagnose.StillHeld || slices.Contains(d.Possible, diagnose.StillHeld) {
		return d
	}
	for _, other := range trails {
		if other.regular(e.Interval) { // clients flush alike
			return diagnose.Diagnosis{Cause: verdict.CauseFlushInterval}
		}
	}
	return diagnose.Diagnosis{Cause: diagnose.Late}
}

// lostIn tells whether most of what was acknowledged in a gap had not come by the end of the
// next interval either.
func (c Continuity) lostIn(g gap, a *account.Account, e *evidence.Index) bool {
	due := evidence.CountUpTo(a.Acked, g.to-c.Window) - evidence.CountUpTo(a.Acked, g.from)
	came := a.CountedWithin(g.from, g.to+e.Interval)
	return due > 0 && 2*came < float64(due)
}

// regular tells whether points come at a constant distance of several intervals:
// gaps end at one distance from each other, give or take an interval, and there is
// hardly a point that is not the end of one. Where a gap begins is no matter of
// flushes: it is when the first request after a point was acknowledged.
func (t trail) regular(interval time.Duration) bool {
	if len(t.gaps) < 2 {
		return false
	}
	shortest, longest := evidence.Forever, time.Duration(0)
	for k, g := range t.gaps[1:] {
		distance := g.to - t.gaps[k].to
		shortest, longest = min(shortest, distance), max(longest, distance)
	}
	present := t.cells.LookedAt - t.cells.Missing
	return longest-shortest <= interval && present <= int64(len(t.gaps))+1
}
