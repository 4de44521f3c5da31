package evidence

import (
	"sort"
	"time"

	"throughline/scenarios/record"
)

// Curve is a cumulative count: from At[k] on it is N[k]; before At[0] it is 0. Points of 5 at
// 1.1 s and 12 at 2.1 s make a curve that is 5 at 2.0 s and 12 at 9 s.
type Curve struct {
	At []time.Duration
	N  []float64
}

// SumOf adds cumulative series up. Each begins at 0, whatever came before its
// first point, and keeps its last value when it ends: what was counted by an
// instance that is gone stays counted. One that is scraped and falls has begun anew
// at 0, as increase() takes it; the collector's own sums fall by what is taken off.
func SumOf(series []*record.Series) Curve {
	type step struct {
		at time.Duration
		by float64
	}
	var steps []step
	for _, s := range series {
		var last float64
		for _, p := range s.Points {
			if !p.HasNumber() {
				continue
			}
			if p.Value < last && s.Scraped() {
				last = 0
			}
			steps = append(steps, step{p.At, p.Value - last})
			last = p.Value
		}
	}
	sort.SliceStable(steps, func(i, j int) bool { return steps[i].at < steps[j].at })
	var c Curve
	var sum float64
	for _, s := range steps {
		sum += s.by
		if k := len(c.At) - 1; k >= 0 && c.At[k] == s.at {
			c.N[k] = sum
			continue
		}
		c.At = append(c.At, s.at)
		c.N = append(c.N, sum)
	}
	return c
}

// UpTo is the count at t.
func (c Curve) UpTo(t time.Duration) float64 {
	k := sort.Search(len(c.At), func(i int) bool { return c.At[i] > t })
	if k == 0 {
		return 0
	}
	return c.N[k-1]
}

// Last is the final count.
func (c Curve) Last() float64 {
	if len(c.N) == 0 {
		return 0
	}
	return c.N[len(c.N)-1]
}

// Since is the count from t to the end. A curve that begins after t began at 0.
func (c Curve) Since(t time.Duration) float64 { return c.Last() - c.UpTo(t) }

// CountUpTo tells how many of the sorted times are not after t.
func CountUpTo(sorted []time.Duration, t time.Duration) int64 {
	return int64(sort.Search(len(sorted), func(i int) bool { return sorted[i] > t }))
}

// CompareTimes orders offsets. It is cmp.Compare, written out for the sorts of a
// million requests.
func CompareTimes(a, b time.Duration) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
