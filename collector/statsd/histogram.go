package statsd

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"throughline/collector"
	"throughline/collector/dogstatsd"
)

// schema gives 16 buckets to each power of two: base 2^(1/16) = 1.044. Whatever
// is taken for a value from the bucket that it fell into is at most 4.43 % off,
// so any quantile is within 5 %. (Schema 3 would be up to 9.1 % off at the
// edges of a bucket.)
// Source: https://prometheus.io/docs/specs/native_histograms/#schema
const schema = 4

// zeroThreshold is the width of the zero bucket: what Prometheus' client
// libraries use by default.
const zeroThreshold = 0x1p-128

// bounds are 2^(i/16)/2, the upper bounds of the buckets of mantissas in
// [0.5, 1).
type bounds [1 << schema]float64

func newBounds() *bounds {
	var b bounds
	for i := range b {
		b[i] = math.Exp2(float64(i)/(1<<schema)) / 2
	}
	return &b
}

// index is the bucket of v > 0: base^(i-1) < v <= base^i.
func (b *bounds) index(v float64) int32 {
	mantissa, exponent := math.Frexp(v)
	return int32(sort.SearchFloat64s(b[:], mantissa) + (exponent-1)*len(b))
}

// histogram is a cumulative histogram that still grows.
type histogram struct {
	count, sum, zero   float64
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

// add counts v weight times.
func (h *histogram) add(b *bounds, v, weight float64) {
	h.count += weight
	h.sum += v * weight
	switch {
	case v > zeroThreshold:
		h.positive.add(b.index(v), weight)
	case v < -zeroThreshold:
		h.negative.add(b.index(-v), weight)
	default:
		h.zero += weight
	}
}

// size is the number of buckets.
func (h *histogram) size() int { return len(h.positive) + len(h.negative) }

// knows tells that all values fall into buckets that are there.
func (h *histogram) knows(b *bounds, values []dogstatsd.Value) bool {
	for _, v := range values {
		side := h.positive
		if v.Number < 0 {
			side = h.negative
		}
		if n := math.Abs(v.Number); n > zeroThreshold && !side.has(b.index(n)) {
			return false
		}
	}
	return true
}

// snapshot is the histogram as it is now.
func (h *histogram) snapshot() *collector.Histogram {
	return &collector.Histogram{
		Schema: schema, ZeroThreshold: zeroThreshold, ZeroCount: h.zero, Count: h.count, Sum: h.sum,
		Positive: slices.Clone([]collector.Bucket(h.positive)), Negative: slices.Clone([]collector.Bucket(h.negative)),
	}
}

// resume goes on from h; false if that is no histogram of this kind.
func (h *histogram) resume(from *collector.Histogram) bool {
	if from == nil || from.Schema != schema || from.ZeroThreshold != zeroThreshold {
		return false
	}
	h.count, h.sum, h.zero = from.Count, from.Sum, from.ZeroCount
	h.positive, h.negative = slices.Clone(buckets(from.Positive)), slices.Clone(buckets(from.Negative))
	return true
}
