package account

import (
	"slices"
	"sort"
	"time"

	"throughline/scenarios/check/evidence"
)

// permanent tells of each moment how much of a difference between two
// cumulative curves never comes back: the least that it is from then on. What
// one curve merely learns later than the other is not in it. A difference of 0, 4, 1, 6, 3 is
// 0, 1, 1, 3, 3 for good: one was lost by the second moment, and two more by the fourth.
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
	slices.SortStableFunc(spans, func(a, b weighted) int { return evidence.CompareTimes(a.sent, b.sent) })
	for _, s := range spans {
		o.total += s.n
		o.sent = append(o.sent, s.sent)
		o.bySent = append(o.bySent, o.total)
	}
	slices.SortStableFunc(spans, func(a, b weighted) int { return evidence.CompareTimes(a.done, b.done) })
	for i, s := range spans {
		o.done = append(o.done, s.done)
		o.byDo = append(o.byDo, o.byDo[i]+s.n)
	}
	return o
}

// touching sums the spans that touch [from, to]: all but those that were done
// before it and those that were sent after it.
func (o overlaps) touching(from, to time.Duration) int64 {
	if from > to || o.total == 0 {
		return 0
	}
	before := sort.Search(len(o.done), func(i int) bool { return o.done[i] >= from })
	notAfter := sort.Search(len(o.sent), func(i int) bool { return o.sent[i] > to })
	return o.bySent[notAfter] - o.byDo[before]
}
