package account

import (
	"math"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Bounds is between what an instance's counter of a promised metric can be at some interval
// ends, if it is right: it has what was acknowledged longer ago than its client and the machine
// can have held it, and no more than was sent by then. What a kill may take is not missing.
type Bounds struct {
	Least, Most []float64 // by the place of the interval end in the list; neither ever falls
	Began       int       // the first interval end at which there must be a count; the length of the list: none
}

// BoundsOf gives the bounds of each instance that the route concerns at the interval ends, which are in order.
func BoundsOf(e *evidence.Index, promise script.Conservation, ends []time.Duration) map[string]Bounds {
	widths := NewAllowances(e, promise.Route)
	if promise.Status == script.Successes {
		widths = widths.ofSuccesses()
	}
	out := make(map[string]Bounds, len(e.Lives))
	late := lateMachine(e)
	for _, l := range e.LivesFor(promise.Route) {
		out[l.Instance] = boundsOf(e, promise, widths, l, ends, late)
	}
	return out
}

// lateMachine tells how late the machine was between two times, and remembers its answers: most
// instances are asked of at the same times.
func lateMachine(e *evidence.Index) func(from, to time.Duration) time.Duration {
	known := map[evidence.Stretch]time.Duration{}
	return func(from, to time.Duration) time.Duration {
		s := evidence.Stretch{From: from, To: to}
		if _, have := known[s]; !have {
			stall, flush := e.Delays(from, to)
			known[s] = max(stall, flush)
		}
		return known[s]
	}
}

func boundsOf(e *evidence.Index, promise script.Conservation, widths Allowances, l record.Lifetime, ends []time.Duration, late func(from, to time.Duration) time.Duration) Bounds {
	b := Bounds{Least: make([]float64, len(ends)), Most: make([]float64, len(ends)), Began: len(ends)}
	acked := e.Acked(l.Instance, promise.Route)
	held := promise.ClientWindow + e.AgentLate(l.Instance)
	window := held + clockGrace(held)
	killed, last := e.KilledAt(l), evidence.Forever // last: when its client last did anything
	if killed != record.Never {
		last = killed - silence(e, l.Instance, killed)
	}
	since := func(t time.Duration) time.Duration { // since when what came need not be counted at t
		t = min(t, last)
		since := e.HeldSince(l.Instance, t, window)
		return since - max(late(since-time.Second, t), slowed(e, l.Instance, t, promise.ClientWindow))
	}
	var least, most float64
	settled := record.Never // from when on nothing changes any more
	for k, t := range ends {
		switch {
		case l.Birth != record.Never && t < l.Birth:
		case settled != record.Never && t > settled:
		default:
			n := float64(evidence.CountUpTo(acked, since(t))) - float64(agentCost(e, l.Instance, acked, promise.ClientWindow, t))
			top := float64(e.SentUpTo(l.Instance, promise.Route, t) + widths.upTo(l, t).Sum())
			noise := sampledNoise(top, promise.SampleRate)
			least, most = max(least, n-noise), max(most, top+noise)
			if l.Death != record.Never && t > e.Quiet(l)+evidence.Settle*e.Interval {
				settled = t
			}
		}
		b.Least[k], b.Most[k] = least, most
		if b.Began == len(ends) && least >= 1 {
			b.Began = k
		}
	}
	return b
}

// sampledSigmas is how far the estimate of a sampled count may be off by chance, in standard
// deviations: it is asked at each interval end of each instance.
const sampledSigmas = 5

// sampledNoise is how far off a count is by chance that is made of a share of n requests. Of n
// that are kept with probability p and counted as 1/p each, the variance is n (1-p) / p.
func sampledNoise(n, p float64) float64 {
	if p >= 1 || n <= 0 {
		return 0
	}
	return sampledSigmas*math.Sqrt(n*(1-p)/p) + 1/p
}
