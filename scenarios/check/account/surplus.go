package account

import (
	"time"

	"throughline/scenarios/check/evidence"
)

// Surplus is by how much a count was ahead of all that can have been executed, and
// when first. No lag makes that: what is missing later was counted twice before. 45 counted
// at 5.1 s, when 40 requests had been sent, is a surplus of 5, also if the instance ends
// with as many counts as it acknowledged.
type Surplus struct {
	N  int64
	At time.Duration
}

// surplus looks for it at every point. Where a clock was set, or a client gives its
// counts times of its own, a count may stand before its request.
func (a *Account) surplus(e *evidence.Index) (s Surplus) {
	if a.Promise.SampleRate < 1 || a.Sampled >= 0 || e.ClockSteps() || e.CollectorFigure("timestamped_lines_total") > 0 {
		return s
	}
	for k, t := range a.counted.At {
		over := evidence.Whole(a.counted.N[k]) - e.SentUpTo(a.Life.Instance, a.Promise.Route, t) - a.Sum()
		if over > 0 && s.N == 0 {
			s.At = t
		}
		s.N = max(s.N, over)
	}
	return s
}

func abs(n int64) int64 { return max(n, -n) }
