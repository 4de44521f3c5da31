package check

import (
	"math"
	"slices"
	"sort"
	"time"

	"throughline/scenarios/record"
)

// curve is a cumulative count: from at[k] on it is n[k]; before at[0] it is 0.
type curve struct {
	at []time.Duration
	n  []float64
}

// sumOf adds cumulative series up. Each begins at 0, whatever came before its
// first point, and keeps its last value when it ends: what was counted by an
// instance that is gone stays counted.
func sumOf(series []*record.Series) curve {
	type step struct {
		at time.Duration
		by float64
	}
	var steps []step
	for _, s := range series {
		var last float64
		for _, p := range s.Points {
			if !counts(p) {
				continue
			}
			steps = append(steps, step{p.At, p.Value - last})
			last = p.Value
		}
	}
	sort.SliceStable(steps, func(i, j int) bool { return steps[i].at < steps[j].at })
	var c curve
	var sum float64
	for _, s := range steps {
		sum += s.by
		if k := len(c.at) - 1; k >= 0 && c.at[k] == s.at {
			c.n[k] = sum
			continue
		}
		c.at = append(c.at, s.at)
		c.n = append(c.n, sum)
	}
	return c
}

// counts tells whether a point has a value that a counter can have.
func counts(p record.Point) bool {
	return !p.Stale && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0)
}

// upTo is the count at t.
func (c curve) upTo(t time.Duration) float64 {
	k := sort.Search(len(c.at), func(i int) bool { return c.at[i] > t })
	if k == 0 {
		return 0
	}
	return c.n[k-1]
}

// last is the final count.
func (c curve) last() float64 {
	if len(c.n) == 0 {
		return 0
	}
	return c.n[len(c.n)-1]
}

// since is the count from t to the end. A curve that begins after t began at 0.
func (c curve) since(t time.Duration) float64 { return c.last() - c.upTo(t) }

// countUpTo tells how many of the sorted times are not after t.
func countUpTo(sorted []time.Duration, t time.Duration) int64 {
	return int64(sort.Search(len(sorted), func(i int) bool { return sorted[i] > t }))
}

// permanent tells of each moment how much of a difference between two
// cumulative curves never comes back: the least that it is from then on. What
// one curve merely learns later than the other is not in it. A loss steps where
// this steps.
func permanent(difference []float64) []float64 {
	out := slices.Clone(difference)
	for k := len(out) - 2; k >= 0; k-- {
		out[k] = min(out[k], out[k+1])
	}
	for k := range out {
		out[k] = max(0, out[k])
	}
	return out
}

// overlaps counts spans of time that touch another span, in logarithmic time.
type overlaps struct {
	total        int64
	sent, done   []time.Duration // each sorted by itself
	bySent, byDo []int64         // weights of the first k, in that order
}

// weighted is a span of time with the count it stands for.
type weighted struct {
	sent, done time.Duration
	n          int64
}

func newOverlaps(spans []weighted) overlaps {
	o := overlaps{bySent: []int64{0}, byDo: []int64{0}}
	slices.SortStableFunc(spans, func(a, b weighted) int { return compareTimes(a.sent, b.sent) })
	for _, s := range spans {
		o.total += s.n
		o.sent = append(o.sent, s.sent)
		o.bySent = append(o.bySent, o.total)
	}
	slices.SortStableFunc(spans, func(a, b weighted) int { return compareTimes(a.done, b.done) })
	for i, s := range spans {
		o.done = append(o.done, s.done)
		o.byDo = append(o.byDo, o.byDo[i]+s.n)
	}
	return o
}

func compareTimes(a, b time.Duration) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// touching sums the spans that touch [from, to]: all but those that were done
// before it and those that were sent after it.
func (o overlaps) touching(from, to time.Duration) int64 {
	before := sort.Search(len(o.done), func(i int) bool { return o.done[i] >= from })
	notAfter := sort.Search(len(o.sent), func(i int) bool { return o.sent[i] > to })
	return o.bySent[notAfter] - o.byDo[before]
}
