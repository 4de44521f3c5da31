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
	if len(e.Overwritten(c.Promise.Metric, a.Life.Instance)) > 0 {
		return diagnose.Diagnosis{Cause: diagnose.Honored}
	}
	if scrapeFailed(g, e, a.Life.Instance) {
		return diagnose.Diagnosis{Cause: diagnose.ScrapeFailed}
	}
	if a.Scraped {
		return b.Diagnosis(a)
	}
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
	late := false
	possible := []string{verdict.CauseFlushInterval}
	for k, d := range b.Explained() {
		if d.Cause == diagnose.LargeBuffer { // clients hold alike, and send no more often
			return diagnose.Diagnosis{Cause: verdict.CauseFlushInterval}
		}
		late = late || b.Accounts[k].Late.By > 0
		for _, cause := range append([]string{d.Cause}, d.Possible...) {
			if cause != "" && cause != diagnose.Undecided && !slices.Contains(possible, cause) {
				possible = append(possible, cause)
			}
		}
	}
	switch {
	case regular(trails, e.Interval):
		return diagnose.Diagnosis{Cause: verdict.CauseFlushInterval}
	case late:
		return diagnose.Diagnosis{Cause: diagnose.Late}
	}
	// A gap that nothing else is wrong with may be one of a client that sends seldom, or one in which something was lost that
	// could hide in what a kill excuses.
	return diagnose.Diagnosis{Cause: diagnose.Undecided, Possible: possible}
}

// scrapeFailed tells whether a scrape of an instance, or of the agent beside it, failed in a gap. Where neither is scraped, none did.
func scrapeFailed(g gap, e *evidence.Index, instance string) bool {
	return slices.ContainsFunc(e.Scrapes(instance), func(s evidence.Scrape) bool {
		return !s.Good && s.From >= g.from-e.Interval && s.From <= g.to
	})
}

// lostIn tells whether most of what was acknowledged in a gap had not come by the end of the
// next interval either.
func (c Continuity) lostIn(g gap, a *account.Account, e *evidence.Index) bool {
	due := evidence.CountUpTo(a.Acked, g.to-c.Window) - evidence.CountUpTo(a.Acked, g.from)
	came := a.CountedWithin(g.from, g.to+e.Interval)
	return due > 0 && 2*came < float64(due)
}

// regular tells whether points of any trail come at a constant distance of several intervals, or those of several
// trails at the same one, if there is but one distance of each: clients flush alike.
func regular(trails []trail, interval time.Duration) bool {
	var single []time.Duration
	for _, t := range trails {
		distances := t.distances()
		if len(distances) == 1 {
			single = append(single, distances[0])
		}
		if alike(distances, interval) {
			return true
		}
	}
	return alike(single, interval)
}

// alike tells whether several distances are the same, give or take an interval.
func alike(distances []time.Duration, interval time.Duration) bool {
	return len(distances) > 1 && slices.Max(distances)-slices.Min(distances) <= interval
}

// distances are those of the ends of gaps from each other, where there is hardly a point that
// is not the end of one. Where a gap begins is no matter of flushes: it is when the first
// request after a point was acknowledged.
func (t trail) distances() (out []time.Duration) {
	if present := t.cells.LookedAt - t.cells.Missing; present > int64(len(t.gaps))+1 {
		return nil
	}
	for k := 1; k < len(t.gaps); k++ {
		out = append(out, t.gaps[k].to-t.gaps[k-1].to)
	}
	return out
}
