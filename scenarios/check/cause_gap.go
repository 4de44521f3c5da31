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
// the gaps are of one length, and there is hardly a point that is not the end of
// one.
func (t trail) regular(interval time.Duration) bool {
	if len(t.gaps) < 2 {
		return false
	}
	// The first begins with the first request, not with a flush.
	inner := t.gaps[1:]
	shortest, longest := inner[0].to-inner[0].from, inner[0].to-inner[0].from
	for _, g := range inner {
		shortest, longest = min(shortest, g.to-g.from), max(longest, g.to-g.from)
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
