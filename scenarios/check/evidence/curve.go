package evidence

import (
	"maps"
	"math"
	"slices"
	"sort"
	"time"

	"throughline/scenarios/record"
)

// Curve is a cumulative count: from at[k] on it is n[k]; before at[0] it is 0.
type Curve struct {
	At []time.Duration
	N  []float64
}

// SumOf adds cumulative series up. Each begins at 0, whatever came before its
// first point, and keeps its last value when it ends: what was counted by an
// instance that is gone stays counted.
func SumOf(series []*record.Series) Curve {
	type step struct {
		at time.Duration
		by float64
	}
	var steps []step
	for _, s := range series {
		var last float64
		for _, p := range s.Points {
			if !IsCount(p) {
				continue
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

// ValuesOf is how many values came for some series, each in a line of its own.
func ValuesOf(series []*record.Series) Curve {
	came := map[time.Duration]float64{}
	for _, s := range series {
		for _, p := range s.Points {
			came[p.At] += float64(p.Observed)
		}
	}
	c := Curve{At: slices.Sorted(maps.Keys(came))}
	var sum float64
	for _, at := range c.At {
		sum += came[at]
		c.N = append(c.N, sum)
	}
	return c
}

// IsCount tells whether a point has a value that a counter can have.
func IsCount(p record.Point) bool {
	return !p.Stale && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0)
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
