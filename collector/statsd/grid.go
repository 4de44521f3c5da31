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

// free is the time of a point at a boundary, of a series that has points up to
// given: a series has one point at a time.
func (g grid) free(boundary, given time.Time) time.Time {
	if boundary.After(given) {
		return boundary
	}
	return g.after(given)
}

// zero is the time of a zero before the point of a boundary, of a counter that begins
// anew and has points up to given: the boundary before, if that is free. A
// millisecond after those points may stand the end of the series.
func (g grid) zero(boundary, given time.Time) time.Time {
	if before := boundary.Add(-g.interval); before.After(given) {
		return before
	}
	return given.Add(2 * time.Millisecond)
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
