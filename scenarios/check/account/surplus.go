package account

import (
	"sort"
	"time"

	"throughline/scenarios/check/evidence"
)

// Surplus is by how much a count was ahead of all that can have been executed, and
// when first. No lag makes that: what is missing later was counted twice before.
//
// Example: 40 requests had been sent to web-2 by 9 s, 3 of which nobody knows what
// became of, and it had counted 50. Then N is 10, however many requests of unknown
// outcome it got after that. If the 50th was sent at 11.5 s, By is 2.5 s: a clock that
// is off by as much would make it right.
type Surplus struct {
	N      int64
	At, By time.Duration // By is evidence.Forever if there never were as many
}

// surplus looks for it at every point. Where a clock was set, or a client gives its
// counts times of its own, a count may stand before its request.
func (a *Account) surplus(e *evidence.Index, widths Allowances) (s Surplus) {
	if a.Promise.SampleRate < 1 || a.Sampled >= 0 || e.ClockSteps() || e.CollectorFigure("timestamped_lines_total") > 0 {
		return s
	}
	possible := func(t time.Duration) int64 {
		return e.SentUpTo(a.Life.Instance, a.Promise.Route, t) + widths.upTo(a.Life, t).Sum()
	}
	for k, t := range a.counted.At {
		n := evidence.Whole(a.counted.N[k])
		over := n - possible(t)
		if over <= 0 {
			continue
		}
		if s.N == 0 {
			s.At = t
		}
		s.N, s.By = max(s.N, over), max(s.By, until(t, func(t time.Duration) bool { return possible(t) >= n }))
	}
	return s
}

// mostOff is the longest time by which a clock can be off in a run.
const mostOff = 24 * time.Hour

// until is how long after t something comes true that then stays true, to a
// microsecond; evidence.Forever if it does not.
func until(t time.Duration, holds func(time.Duration) bool) time.Duration {
	after := time.Duration(sort.Search(int(mostOff/time.Microsecond), func(us int) bool { return holds(t + time.Duration(us)*time.Microsecond) })) * time.Microsecond
	if after >= mostOff {
		return evidence.Forever
	}
	return after
}

// clockOff tells whether a clock that is off may be what puts counts ahead of their
// requests: then all counts of all instances are ahead by about as much.
func (b *Books) clockOff(e *evidence.Index) bool {
	var by time.Duration
	for i := range b.Accounts {
		by = max(by, b.Accounts[i].Ahead.By)
	}
	if by == 0 || by == evidence.Forever {
		return false
	}
	for i := range b.Accounts {
		if b.Accounts[i].contradicts(e, by) {
			return false
		}
	}
	return true
}

// contradicts tells whether counts lack, at some interval end, what was acknowledged so
// long before that no client holds it any more, if the users' clock was behind the
// collector's by as much as that.
func (a *Account) contradicts(e *evidence.Index, by time.Duration) bool {
	if a.Promise.SampleRate < 1 {
		return false
	}
	gap := make([]float64, len(a.ticks))
	for k, t := range a.ticks {
		gap[k] = float64(evidence.CountUpTo(a.Acked, t+by)) - a.counted.UpTo(t)
	}
	lost := permanent(gap)
	window := a.Promise.ClientWindow + clockGrace(a.Promise.ClientWindow)
	for k, t := range a.ticks {
		since := min(e.HeldSince(a.Life.Instance, t, window)+by, e.HeldSince(a.Life.Instance, t+by, window))
		stall, flush := e.Delays(since-by-time.Second, t+by)
		if a.counted.UpTo(t)+lost[k] < float64(evidence.CountUpTo(a.Acked, since-max(stall, flush, a.slowed))) {
			return true
		}
	}
	return false
}

func abs(n int64) int64 { return max(n, -n) }
