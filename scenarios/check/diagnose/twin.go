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
	apartToo                   // it lacks others, of each as many as chance has it
	packedToo                  // it lacks the same, but for lines that are in the next datagram
	sampledToo                 // it is complete, or lacks others
	queuedToo                  // it is complete, or lacks about as many
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
	case apartToo:
		return t.twinWithin(t.apartVariance(max(0, off)))
	case packedToo:
		return max(t.twinIs(lostToo, 0), t.twinWithin(2*wrong/t.unit)-1)
	case sampledToo:
		return max(t.twinIs(complete, 0), t.twinIs(apartToo, 0))
	case queuedToo:
		return max(t.twinIs(complete, 0), t.twinIs(alike, 0))
	}
	if math.Abs(off-wrong) <= slack {
		return -1
	}
	return max(contradicted, normal(math.Abs(off-wrong)-slack, max(1, wrong+max(0, off))*t.clump))
}

// apartVariance is the variance of the difference between what the account and its twin lack, where
// what each lacks hangs on chances of its own: of 400 each of which half is lost, both lack the
// same number in one of 35 runs.
func (t *track) apartVariance(off float64) float64 {
	lost := min((float64(t.wrong)+off)/2, float64(t.n))
	values := max(1, min(t.unit, float64(t.Twin.N)/float64(max(1, t.Datagrams)))) // of the twin, at once
	return max(1, lost*max(0.05, 1-lost/float64(max(1, t.n)))*(t.unit+values))
}

// twinWithin scores that what account and twin lack, or have too many, differs by chance.
func (t *track) twinWithin(variance float64) float64 {
	off := float64(t.n - t.Twin.N)
	if t.surplus {
		off = -off
	}
	slack := float64(t.Buffer + t.Spare)
	width := math.Log(2*slack + 1) // each of these numbers would do
	return max(contradicted, min(0, width+normal(max(0, math.Abs(off-float64(t.wrong))-slack), variance)))
}

// twinName is what to call it.
func (t *track) twinName() string {
	if t.Twin.Kind == "" {
		return "timer"
	}
	return t.Twin.Kind
}
