package diagnose

import "math"

// What another metric of the same requests shows, such as the timer of a counter.

// relation is how another metric of the same requests stands to what is wrong.
type relation int

const (
	complete   relation = iota // it has a value for each request
	lostToo                    // it lacks the very same requests
	heldToo                    // it lacks the same requests, as far as both leave together
	alike                      // it lacks about as many
	sampledToo                 // it is complete, or lacks about as many others
	turnedOver                 // it lacks the same, or is never held
)

// twinIs scores what the twin should show; unsure is what it costs not to know it.
func (t *track) twinIs(r relation, unsure float64) float64 {
	if t.Twin.Kind == "" {
		return -unsure
	}
	off := float64(t.n - t.Twin.N)
	if t.surplus {
		off = -off
	}
	wrong, slack := float64(t.wrong), float64(t.Buffer+t.Spare)
	switch r {
	case complete:
		return max(contradicted, -2*max(0, math.Abs(off)-slack))
	case lostToo:
		if differ := math.Abs(off-wrong) - slack; differ > 0 {
			return max(contradicted, -8-differ)
		}
		return 0
	case heldToo:
		differ := max(0, math.Abs(off-wrong)-slack)
		if differ == 0 {
			return 0
		}
		return max(contradicted, -4-20*differ/max(1, wrong))
	case turnedOver:
		return max(t.twinIs(heldToo, 0), t.twinIs(complete, 0)-1)
	case sampledToo:
		return max(t.twinIs(complete, 0), t.twinIs(alike, 0))
	}
	if math.Abs(off-wrong) <= slack {
		return -1
	}
	return max(contradicted, normal(math.Abs(off-wrong)-slack, max(1, wrong+max(0, off))*t.clump))
}

// twinName is what to call it.
func (t *track) twinName() string {
	if t.Twin.Kind == "" {
		return "timer"
	}
	return t.Twin.Kind
}
