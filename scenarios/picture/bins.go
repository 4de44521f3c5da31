package picture

import (
	"slices"
	"time"

	"throughline/scenarios/record"
)

// Axis cuts the time of a run into equal bins. Bin i covers what is later than
// First + i·Width and not later than First + (i+1)·Width, so that an interval of the
// collector, which ends at a whole multiple of its length since 1970, is exactly one bin
// while the bins are not wider.
type Axis struct {
	First time.Duration // where bin 0 begins, at most 0
	Width time.Duration
}

func newAxis(run record.Run) Axis {
	width := run.Interval
	if width <= 0 {
		width = time.Second
	}
	var first time.Duration
	if !run.Start.IsZero() {
		first = -time.Duration(run.Start.UnixNano() % int64(width))
	}
	return Axis{First: min(first, 0), Width: width}
}

// Index is the bin that t is in; what is before the first is in the first.
func (a Axis) Index(t time.Duration) int { return int(max(0, (t-a.First-1)/a.Width)) }

// Until is where bin i ends.
func (a Axis) Until(i int) time.Duration { return a.First + time.Duration(i+1)*a.Width }

// snap gives the end of a bin for a moment that is all but there: polls are made when
// intervals end, by a clock that is a little apart.
func (a Axis) snap(t time.Duration) time.Duration {
	if end := a.Until(a.Index(t - a.Width/2)); (t - end).Abs() < time.Millisecond {
		return end
	}
	return t
}

// Middle is the middle of bin i.
func (a Axis) Middle(i int) time.Duration { return a.Until(i) - a.Width/2 }

// bins are amounts by bin. Those before first and after the last are 0, and take no room.
type bins struct {
	first int
	v     []float64
	later bool // of two that become one, the second counts alone
}

func (b *bins) add(bin int, x float64) {
	switch {
	case len(b.v) == 0:
		b.first, b.v = bin, append(b.v, 0)
	case bin < b.first:
		b.v = slices.Insert(b.v, 0, make([]float64, b.first-bin)...)
		b.first = bin
	}
	for bin-b.first >= len(b.v) {
		b.v = append(b.v, 0)
	}
	b.v[bin-b.first] += x
}

// merge makes one bin of each pair.
func (b *bins) merge() {
	if len(b.v) == 0 {
		return
	}
	first := b.first / 2
	merged := make([]float64, (b.first+len(b.v)-1)/2-first+1)
	for i, x := range b.v {
		if !b.later || (b.first+i)%2 == 1 {
			merged[(b.first+i)/2-first] += x
		}
	}
	b.first, b.v = first, merged
}

// all gives the amounts of bins 0 to n-1.
func (b *bins) all(n int) []float64 {
	out := make([]float64, n)
	if b.first < n {
		copy(out[b.first:], b.v)
	}
	return out
}
