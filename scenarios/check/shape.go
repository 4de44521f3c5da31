package check

import (
	"math"
	"time"

	"throughline/scenarios/record"
)

// The shapes that a loss can have over an instance's life.
const (
	shapeEven  = iota // like the requests themselves
	shapeStart        // the first ones
	shapeEnd          // the last ones
	shapeCount
)

// shapes are the distances of a loss from each shape: the greatest vertical
// distance of two cumulative curves, as a share of the loss, as in the test of
// Kolmogorov and Smirnov.
type shapes [shapeCount]float64

// closeCall is how near a second shape must come to be named too.
const closeCall = 0.1

// rank gives the nearest shape and the next.
func (s shapes) rank() (best, second int) {
	for i := range s {
		if s[i] < s[best] {
			best = i
		}
	}
	second = (best + 1) % shapeCount
	for i := range s {
		if i != best && s[i] < s[second] {
			second = i
		}
	}
	return best, second
}

// evenLimit is the distance from which on n events are not taken for a sample
// of a curve: the critical value of the Kolmogorov–Smirnov test at 5 %, but
// not under 0.35, because interval ends are coarse.
func evenLimit(n int64) float64 { return max(0.35, 1.36/math.Sqrt(float64(max(1, n)))) }

// lossShapes compares the loss that never came back with each shape.
func (a *account) lossShapes(lost int64) shapes {
	n := int64(len(a.acked))
	gone := permanent(a.gap)
	backlog := a.backlog(gone, lost)
	share := func(acked int64) shapes {
		return shapes{
			shapeEven:  float64(acked) / float64(n),
			shapeStart: float64(min(lost, acked)) / float64(lost),
			shapeEnd:   float64(max(min(acked, backlog), acked-(n-lost))) / float64(lost),
		}
	}
	var worst shapes
	var before int64
	for k, t := range a.ticks {
		now := countUpTo(a.acked, t)
		// A request may be lost from its acknowledgement on, and is missed
		// within the interval: the prediction is the range between two
		// interval ends. What the client still holds is no loss yet.
		holding := now - countUpTo(a.acked, t-a.rule.ClientWindow)
		low, high := share(before), share(now)
		seen := gone[k] / float64(lost)
		for i := range worst {
			off := max(low[i]-seen, seen-high[i]-float64(holding)/float64(lost))
			worst[i] = max(worst[i], off)
		}
		before = now
	}
	return worst
}

// backlog is what the client of an instance that ended always held back, before
// it lost its last requests: a client that sends seldom is behind at every
// interval end, and what it never caught up with looks lost from the start. One
// that was behind by all of the loss from the start on is another shape.
func (a *account) backlog(gone []float64, lost int64) int64 {
	if a.life.Death == record.Never {
		return 0
	}
	from := a.acked[int64(len(a.acked))-lost]
	for k := len(a.ticks) - 1; k >= 0; k-- {
		if a.ticks[k] < from {
			if behind := whole(gone[k]); float64(behind) < 0.9*float64(lost) {
				return behind
			}
			return 0
		}
	}
	return 0
}

// spread is how far the surplus of n counts is from a curve from 0 to 1. A surplus
// never falls: where it seems to, counts are still under way, or came before their
// answers. So it is taken to be at most what it ever was, and at least what it will
// not fall below.
func (a *account) spread(n int64, expected func(time.Duration) float64) float64 {
	surplus := make([]float64, len(a.gap))
	for k := range a.gap {
		surplus[k] = -a.gap[k]
	}
	least := permanent(surplus)
	var worst, before, most float64
	for k, t := range a.ticks {
		now := expected(t)
		most = max(most, surplus[k])
		worst = max(worst, before-most/float64(n), least[k]/float64(n)-now)
		before = now
	}
	return worst
}

// stepped is when the permanent difference arose: from the last interval end
// without any of it to the first with all of it.
func (a *account) stepped() (from, to time.Duration) {
	difference := a.gap
	if len(difference) > 0 && difference[len(difference)-1] < 0 {
		difference = make([]float64, len(a.gap))
		for k := range a.gap {
			difference[k] = -a.gap[k]
		}
	}
	gone := permanent(difference)
	last := len(gone) - 1
	from, to = a.ticks[0], a.ticks[last]
	for k := last; k >= 0; k-- {
		if gone[k] == gone[last] {
			to = a.ticks[k]
		}
		if gone[k] < 0.5 {
			return a.ticks[k], to
		}
	}
	return from, to
}

// goneBefore is how many had gone missing for good by the last interval end that is
// not after t.
func (a *account) goneBefore(t time.Duration) float64 {
	var gone float64
	for k, missing := range permanent(a.gap) {
		if a.ticks[k] <= t {
			gone = missing
		}
	}
	return gone
}

// disproved tells whether the counts contradict a shape that the curves alone
// would allow: the greater a share is lost, the more alike all shapes are. Who
// lost the first requests counted none before half of them were over; who lost
// the last counted none after.
func (a *account) disproved(shape int, lost int64) bool {
	n := int64(len(a.acked))
	some := max(3, float64(n)/100)
	switch shape {
	case shapeEven: // silence is no sampling, unless by a chance of one in a thousand
		t := a.acked[lost*3/4]
		older := countUpTo(a.acked, t-a.rule.ClientWindow-a.rule.MaxLag)
		return a.counted.upTo(t) == 0 && math.Pow(1-float64(a.total)/float64(n), float64(older)) < 0.001
	case shapeStart:
		return a.counted.upTo(a.acked[lost/2]) >= some
	case shapeEnd:
		// What is counted late belongs to requests of before. Who lives on sends what
		// is late, so that what was missing for good before was no silence at the end.
		return a.counted.since(a.acked[n-1-lost/2]+a.rule.ClientWindow+a.rule.MaxLag) >= some ||
			a.life.Death == record.Never && a.goneBefore(a.acked[n-lost]) > float64(lost)/2
	}
	return false
}
