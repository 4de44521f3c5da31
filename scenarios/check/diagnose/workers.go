package diagnose

import (
	"fmt"
	"math"
)

// What is lost because an instance has several workers, each with a client of its own.

// mostWorkers is how many workers an instance is thought to have at most.
const mostWorkers = 16

// silentWorker: one of several workers sends nothing, of any metric.
func silentWorker(k *court, set, sound []int) fit {
	if !k.lossOnly(set) {
		return impossible(set)
	}
	best, seen := impossible(set), k.socketsKnown(set)
	for workers := int64(2); workers <= mostWorkers; workers++ {
		for _, every := range []int64{0, workers} {
			s := share{p: 1 / float64(workers), every: every}
			f := fitEach(k, set, sound, func(t *track) float64 { return t.even(s) + t.speak(workers-1) },
				func(t *track) float64 { return t.speak(workers) - 1 })
			if seen {
				f.shared -= 1
			} else {
				f.shared += 2*choice(workers) - 0.5 // few have many
			}
			best = best.or(f)
		}
	}
	best.shared += min(k.pace.penalty(), k.unsteadyShare(set))
	return best.twins(k, set, lostToo, 2.5).othersLost(k, set).saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("about %s is missing, and the %s of the same requests lacks the very same number: whole requests go unmeasured, as when one of several workers has lost its sender",
			oneIn(t.n, t.wrong), t.twinName())}
	})
}

// oftenReplaced is what it costs to think that workers were replaced as often as it takes to
// lose so many, a client's window at a time: workers live for a good part of a run.
func (t *track) oftenReplaced() float64 {
	const usually = 12 // an instance's workers together
	lives := float64(t.wrong) / (t.clump / 2)
	return -2 * math.Log(max(1, lives/usually))
}

// turnover: workers are replaced after so many requests, and what each still held goes with
// it, again and again.
func turnover(k *court, set, sound []int) fit {
	if !k.lossOnly(set) {
		return impossible(set)
	}
	f := k.replaced(set, k.evenly(set, sound, manner{everybody: true, clump: true, regular: true})).othersLost(k, set)
	held, apart := f.clone().twins(k, set, heldToo, 1), f.clone().twins(k, set, complete, 1)
	apart.shared -= 1
	f = held.or(apart)
	f.shared += k.mostly(set)/2 + k.pace.penalty()
	for j, i := range set {
		f.each[j] += k.tracks[i].oftenReplaced()
	}
	// What a worker holds is lost once in its life.
	const shortest = 10 // requests of a life, at least
	var expected float64
	for _, i := range set {
		expected += float64(k.tracks[i].n) / shortest * k.tracks[i].clump / 2
	}
	if wrong, _ := k.pool(set); float64(wrong) > expected {
		f.shared -= 6
	}
	return f.saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("about %s is missing, a few at a time, and the %s of the same requests lacks them too: as when workers are replaced after so many requests without a flush",
			oneIn(t.n, t.wrong), t.twinName())}
	})
}
