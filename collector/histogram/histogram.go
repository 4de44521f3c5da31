// Package histogram adds measurements up to native histograms, as all timers of a
// collector are kept: 16 buckets for each power of two, so that any quantile, of any
// number of them merged, is within 5 %.
//
// It keeps no series and knows no interval. Ways in that measure times call it:
// collector/statsd and collector/rum.
package histogram

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"throughline/collector"
)

// Schema gives 16 buckets to each power of two: base 2^(1/16) = 1.044. Whatever
// is taken for a value from the bucket that it fell into is at most 4.43 % off,
// so any quantile is within 5 %. (Schema 3 would be up to 9.1 % off at the
// edges of a bucket.)
// Source: https://prometheus.io/docs/specs/native_histograms/#schema
const Schema = 4

// ZeroThreshold is the width of the zero bucket: what Prometheus' client
// libraries use by default.
const ZeroThreshold = 0x1p-128

// Bounds are 2^(i/16)/2, the upper bounds of the buckets of mantissas in
// [0.5, 1). All histograms share them.
type Bounds [1 << Schema]float64

// NewBounds gives the bounds.
func NewBounds() *Bounds {
	var b Bounds
	for i := range b {
		b[i] = math.Exp2(float64(i)/(1<<Schema)) / 2
	}
	return &b
}

// Index is the bucket of v > 0: base^(i-1) < v <= base^i.
func (b *Bounds) Index(v float64) int32 {
	mantissa, exponent := math.Frexp(v)
	return int32(sort.SearchFloat64s(b[:], mantissa) + (exponent-1)*len(b))
}

// Histogram is a cumulative histogram that still grows. The zero value is empty.
type Histogram struct {
	Count, Sum         float64
	zero               float64
	positive, negative buckets
}

// buckets are sorted by index.
type buckets []collector.Bucket

func (b buckets) find(index int32) (int, bool) {
	return slices.BinarySearchFunc(b, index, func(x collector.Bucket, i int32) int { return cmp.Compare(x.Index, i) })
}

func (b buckets) has(index int32) bool {
	_, found := b.find(index)
	return found
}

func (b *buckets) add(index int32, weight float64) {
	at, found := b.find(index)
	if !found {
		*b = slices.Insert(*b, at, collector.Bucket{Index: index})
	}
	(*b)[at].Count += weight
}

// Add counts v weight times.
func (h *Histogram) Add(b *Bounds, v, weight float64) {
	h.Count += weight
	h.Sum += v * weight
	switch {
	case v > ZeroThreshold:
		h.positive.add(b.Index(v), weight)
	case v < -ZeroThreshold:
		h.negative.add(b.Index(-v), weight)
	default:
		h.zero += weight
	}
}

// Size is the number of buckets.
func (h *Histogram) Size() int { return len(h.positive) + len(h.negative) }

// Knows tells that v falls into a bucket that is there.
func (h *Histogram) Knows(b *Bounds, v float64) bool {
	side := h.positive
	if v < 0 {
		side = h.negative
	}
	n := math.Abs(v)
	return n <= ZeroThreshold || side.has(b.Index(n))
}

// Snapshot is the histogram as it is now.
func (h *Histogram) Snapshot() *collector.Histogram {
	return &collector.Histogram{
		Schema: Schema, ZeroThreshold: ZeroThreshold, ZeroCount: h.zero, Count: h.Count, Sum: h.Sum,
		Positive: slices.Clone([]collector.Bucket(h.positive)), Negative: slices.Clone([]collector.Bucket(h.negative)),
	}
}

// Resume goes on from a snapshot; false if that is no histogram of this kind.
func (h *Histogram) Resume(from *collector.Histogram) bool {
	if from == nil || from.Schema != Schema || from.ZeroThreshold != ZeroThreshold {
		return false
	}
	h.Count, h.Sum, h.zero = from.Count, from.Sum, from.ZeroCount
	h.positive, h.negative = slices.Clone(buckets(from.Positive)), slices.Clone(buckets(from.Negative))
	return true
}
