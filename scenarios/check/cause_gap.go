package check

import (
	"time"

	"throughline/scenarios/record"
)

// causeOf names the likely cause of a gap of the i-th instance, by where it lies
// in the instance's life and by who else has one.
func (c continuity) causeOf(g gap, i int, trails []trail, e *evidence) string {
	l, t := e.lives[i], trails[i]
	first, last := t.acked[0], t.acked[len(t.acked)-1]
	switch {
	case t.cells.Missing == t.cells.LookedAt:
		return causeNoMetric
	case t.regular(e.interval):
		return causeFlushInterval
	case g.from <= first:
		return causeSilentStart
	case g.to > last && l.Signalled != record.Never && !l.Killed() && l.Signalled-g.from <= exitSpan:
		return causeLostOnExit
	case g.to > last:
		return causeWentSilent
	case everybodys(g, trails):
		return causeAway
	}
	return causeBurst
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

// everybodys tells whether every instance that answered requests in a gap has one
// at the same time.
func everybodys(g gap, trails []trail) bool {
	struck := 0
	for _, t := range trails {
		if len(t.acked) == 0 || countUpTo(t.acked, g.to) == countUpTo(t.acked, g.from-1) {
			continue
		}
		here := false
		for _, other := range t.gaps {
			here = here || other.from < g.to && other.to > g.from
		}
		if !here {
			return false
		}
		struck++
	}
	return struck >= 2
}
