package check

import (
	"math"
	"time"
)

// flushLateness is the collector's own measure of how late its intervals ended.
const flushLateness = "throughline_collector_flush_lateness_seconds"

// clockStepsSeries counts how often the wall clock was set while the collector
// ran.
const clockStepsSeries = "throughline_collector_clock_steps_total"

// lateness is how far an instance's counts lag behind the acknowledgements.
type lateness struct {
	by, at time.Duration // the longest lag beyond the client's window, and when; 0: within max_lag
	// excused tells that the machine or the collector was late itself then.
	excused bool
}

// lateness compares the two curves sideways: at each interval end, how old is
// the oldest acknowledged request that is not counted yet, and not lost for
// good? Sampled counters are no exact curve and are left out.
func (a *account) lateness(e *evidence) lateness {
	var l lateness
	if a.rule.SampleRate < 1 || len(a.acked) == 0 || len(a.counted.at) == 0 {
		return l
	}
	lost := permanent(a.gap)
	allowed := a.rule.ClientWindow + a.rule.MaxLag
	for k, t := range a.ticks {
		due := float64(countUpTo(a.acked, e.heldSince(a.life.Instance, t, allowed)))
		have := a.counted.upTo(t) + lost[k]
		if have >= due {
			continue
		}
		oldest := a.acked[int(math.Floor(max(0, have)))]
		by := t - oldest - a.rule.ClientWindow
		stall, flush := e.delays(oldest-time.Second, t+time.Second)
		excused := max(stall, flush) > tooLate(a.rule.MaxLag)
		// What nothing excuses counts more than what is longer.
		if l.by == 0 || l.excused && !excused || l.excused == excused && by > l.by {
			l.by, l.at, l.excused = by, t, excused
		}
	}
	return l
}

// usualLag is from which lag on counts are called late by checks that have no
// max_lag of their own: what conservation has by default.
const usualLag = 2 * time.Second

// tooLate is how late the machine itself must have been to be blamed for a count
// that came later than allowed: half of what is allowed, but not less than what
// a scheduler needs on any day.
func tooLate(allowed time.Duration) time.Duration { return max(allowed/2, 25*time.Millisecond) }

// delays is how late the load generator and the collector were between from
// and to: what the machine, not the application, made late.
func (e *evidence) delays(from, to time.Duration) (stall, flush time.Duration) {
	late := e.greatest(flushLateness, from, to+e.interval)
	return e.stall(from, to), time.Duration(min(late, 1e9) * float64(time.Second))
}
