package statsd

import "time"

// grid is where the clock is cut: at every whole interval since 1970, as the
// wall clock was when the grid was made. Boundaries are counted on with the
// monotonic clock, so that a step of the wall clock moves none of them.
type grid struct {
	origin   time.Time // a boundary
	interval time.Duration
}

func newGrid(now time.Time, interval time.Duration) grid {
	past := time.Duration(now.UnixNano() % int64(interval))
	// Add keeps the monotonic reading, Truncate would not.
	return grid{now.Add(-past), interval}
}

// after is the first boundary later than t.
func (g grid) after(t time.Time) time.Time {
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
