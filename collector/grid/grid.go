// Package grid cuts time into intervals, as the sources of a collector do for what is pushed.
//
// It knows no series and starts no clock. collector/statsd and collector/otlp call it; the sources of one collector cut
// at the same moments to the nanosecond, for they are given the same boundary to count on from (collector.Intake).
package grid

import (
	"time"

	"throughline/collector"
)

// Grid is where the clock is cut: at every whole interval since 1970, as the
// wall clock was when the grid was made. Boundaries are counted on with the
// monotonic clock, so that a step of the wall clock moves none of them.
type Grid struct {
	origin   time.Time // a boundary
	interval time.Duration
}

// New makes a grid by the clock as it is now.
func New(now time.Time, interval time.Duration) Grid {
	past := time.Duration(now.UnixNano() % int64(interval))
	// Add keeps the monotonic reading, Truncate would not.
	return Grid{now.Add(-past), interval}
}

// Of makes the first grid of a source, now: that of its collector, or one of its own where it has none.
func Of(in collector.Intake, now time.Time) Grid {
	if !in.Boundary.IsZero() {
		return Grid{in.Boundary, in.Interval}
	}
	return New(now, in.Interval)
}

// Free is the time of a point at a boundary, of a series that has points up to
// given: a series has one point at a time.
func (g Grid) Free(boundary, given time.Time) time.Time {
	if boundary.After(given) {
		return boundary
	}
	return g.After(given)
}

// Zero is the time of a zero before the point of a boundary, of a counter that begins
// anew and has points up to given: the boundary before, if that is free. A
// millisecond after those points may stand the end of the series.
func (g Grid) Zero(boundary, given time.Time) time.Time {
	if before := boundary.Add(-g.interval); before.After(given) {
		return before
	}
	return given.Add(2 * time.Millisecond)
}

// After is the first boundary later than t.
func (g Grid) After(t time.Time) time.Time {
	since := t.Sub(g.origin)
	n := since / g.interval
	if since >= 0 || since%g.interval == 0 {
		n++
	}
	return g.origin.Add(n * g.interval)
}

// Astray tells that the wall clock was set by an interval or more since the
// grid was made, or that the machine slept.
func (g Grid) Astray(now time.Time) bool {
	wall := now.Round(0).Sub(g.origin.Round(0))
	return (wall - now.Sub(g.origin)).Abs() >= g.interval
}
