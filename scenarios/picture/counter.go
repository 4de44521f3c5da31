package picture

import (
	"math"
	"time"
)

// counter follows a cumulative series from point to point.
type counter struct {
	value float64
	at    time.Duration
	known bool // there was a point
}

// gain takes a point, and gives what came since the one before, and when that was. A
// series that fell was begun anew at 0. ok is false where there is nothing to compare
// with: of what did not begin with the run, the first point tells nothing.
func (c *counter) gain(at time.Duration, value float64, fromZero bool) (gained float64, since time.Duration, ok bool) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return 0, 0, false
	}
	before, since, ok := c.value, c.at, c.known || fromZero
	c.value, c.at, c.known = value, at, true
	if value < before {
		before = 0
	}
	if gained = value - before; math.IsInf(gained, 0) {
		return 0, since, false
	}
	return gained, since, ok
}

// gauge is a line of a layer: what was counted in a bin, and for how much of it, in
// seconds, somebody looked. A bin of which nobody saw anything is a hole.
type gauge struct {
	amount, seen *bins
}

// spread books what was gained after since until at into the bins between.
func (p *Picture) spread(g *gauge, gained float64, since, at time.Duration) {
	since, at = p.axis.snap(min(max(since, 0), longestRun)), p.axis.snap(min(max(at, 0), longestRun))
	if at <= since {
		return
	}
	whole := (at - since).Seconds()
	for i := p.axis.Index(since + 1); i <= p.axis.Index(at); i++ {
		from, to := max(since, p.axis.Until(i)-p.axis.Width), min(at, p.axis.Until(i))
		if part := (to - from).Seconds(); part > 0 {
			g.amount.add(i, gained*part/whole)
			g.seen.add(i, part)
		}
	}
}
