package statsd

import "time"

// grid is where the clock is cut: at every whole interval since 1970, as the
// wall clock was when the grid was made. Boundaries are counted on with the
// monotonic clock, so that a step of the wall clock moves none of them.
type grid struct {
	origin   time.Time // a boundary
	interval time.Duration
	given    time.Time // the last boundary of the collector before this one, which has its points; zero: there was none
}

func newGrid(now time.Time, interval time.Duration) grid {
	past := time.Duration(now.UnixNano() % int64(interval))
	// Add keeps the monotonic reading, Truncate would not.
	return grid{origin: now.Add(-past), interval: interval}
}

// following is g for a collector that takes the place of another one: that one
// has given the points of the boundaries up to given. It ended before its last
// interval was over when it is replaced within one, and a series has one point at
// a time.
func (g grid) following(given time.Time) grid {
	g.given = given
	return g
}

// before is the time of a zero that comes before the point of a boundary: the
// boundary before, unless a collector before this one has points there. A
// millisecond after those may stand the end of the series.
func (g grid) before(boundary time.Time) time.Time {
	at := boundary.Add(-g.interval)
	if at.After(g.given) {
		return at
	}
	return g.given.Add(2 * time.Millisecond)
}

// after is the first boundary later than t.
func (g grid) after(t time.Time) time.Time {
	if t.Before(g.given) {
		t = g.given
	}
	since := t.Sub(g.origin)
	n := since / g.interval
	if since >= 0 || since%g.interval == 0 {
		n++
	}
	return g.origin.Add(n * g.interval)
}

// astray tells that the wall clock was set by an interval or more since the
// grid was made, or that the machine slept.
func (g grid) astray(now time.Time) bool {
	wall := now.Round(0).Sub(g.origin.Round(0))
	return (wall - now.Sub(g.origin)).Abs() >= g.interval
}
