package diagnose

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"throughline/scenarios/record"
)

// How many are lost, or too many, is known at each interval end to lie between two bounds: what
// has been counted cannot be lost, and what the client must have sent and is not counted is.
// Of a few losses that says more than their number in each part of a life: where none of five
// was lost until the last second of thirty, they do not come by chance all the while.

// narrow finds the bounds. What is lost, or too many, does not become fewer.
func (t *track) narrow() {
	t.low, t.high = make([]float64, len(t.Ticks)), make([]float64, len(t.Ticks))
	for k := range t.Ticks {
		t.low[k], t.high[k] = float64(t.old[k])-t.Counted[k], float64(t.due[k]+t.Spare)-t.Counted[k]
		if t.surplus {
			t.low[k], t.high[k] = -t.high[k], -t.low[k]
		}
	}
	last := len(t.high) - 1
	if t.surplus {
		last = t.untilKilled() - 1 // but a kill takes some of what is too many
	}
	for k := last - 1; k >= 0; k-- {
		t.high[k] = min(t.high[k], t.high[k+1])
	}
	var top float64
	for k := range t.low {
		top = max(top, t.low[k], 0)
		t.high[k] = max(0, t.high[k])
		t.low[k] = min(top, t.high[k])
	}
}

// gate is one bound: of the first so many requests at least, or at most, so many are lost.
type gate struct {
	requests    int64
	least, most float64
}

// gates are the bounds in the order of requests.
func (t *track) gates() []gate {
	if t.gated == nil {
		for k := range t.untilKilled() {
			early, due := t.requestsAt(k)
			if t.surplus { // who counts too much has counted all that are early, and none that are not due
				early, due = due, early
			}
			t.gated = append(t.gated, gate{early, t.low[k], math.Inf(1)}, gate{due, 0, t.high[k]})
		}
		slices.SortStableFunc(t.gated, func(a, b gate) int { return int(a.requests - b.requests) })
	}
	return t.gated
}

// untilKilled is how many of its interval ends were before a kill. What that took is no part of
// what was lost before.
func (t *track) untilKilled() int {
	if t.Killed == record.Never {
		return len(t.Ticks)
	}
	n, _ := slices.BinarySearch(t.Ticks, t.Killed)
	return n
}

// atRandom scores that the losses come so many at once, each time at any request: it is the
// logarithm of how likely they are to pass the gate that is hardest to pass. Of many gates one
// is always a little hard.
func (t *track) atRandom(unit float64) float64 {
	score, known := t.random[unit]
	if !known {
		score = t.passing(unit)
		if t.random == nil {
			t.random = map[float64]float64{}
		}
		t.random[unit] = score
	}
	return score
}

// passing is atRandom of a number that was not asked for yet.
func (t *track) passing(unit float64) float64 {
	wrong := t.share() * float64(t.n)
	events := math.Round(wrong / max(1, unit))
	if t.n == 0 || events == 0 || t.noise > 0 {
		return 0
	}
	const hardOfMany = 2.5
	var score float64
	each := wrong / events
	for _, g := range t.gates() {
		passed := distuv.Binomial{N: events, P: min(1, float64(g.requests)/float64(t.n))}
		if least := math.Ceil(g.least/each - 0.5); least > 0 && least <= events {
			score = min(score, math.Log(max(1e-9, 1-passed.CDF(least-1))))
		}
		if most := math.Floor(g.most/each + 0.5); most < events {
			score = min(score, math.Log(max(1e-9, passed.CDF(most))))
		}
	}
	return min(0, score+hardOfMany)
}

// follows scores a shape that leaves nothing to chance but so many: the further it leaves the
// bounds, the worse.
func (t *track) follows(lost func(requests int64) float64, slack float64) float64 {
	if t.guessed { // so are the bounds
		return 0
	}
	var worst float64
	for _, g := range t.gates() {
		l := lost(g.requests)
		worst = max(worst, g.least-l-slack, l-g.most-slack)
	}
	return max(contradicted, -4*worst)
}
