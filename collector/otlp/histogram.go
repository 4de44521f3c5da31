package otlp

import (
	"cmp"
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"throughline/collector"
	"throughline/collector/histogram"
)

// coarsest is the coarsest schema of a native histogram. Source: https://prometheus.io/docs/specs/native_histograms/#schema
const coarsest = -4

// bounds place values in buckets of histogram.Schema.
var bounds = histogram.NewBounds()

// empty is a histogram without values.
func empty() *collector.Histogram {
	return &collector.Histogram{Schema: histogram.Schema, ZeroThreshold: histogram.ZeroThreshold}
}

// at is a histogram of values that are all the same.
func at(v, count, sum float64) *collector.Histogram {
	h := empty()
	h.Count, h.Sum = count, sum
	place(h, v, 0, count)
	return h
}

// place counts values in the bucket of v, or as many beyond it.
func place(h *collector.Histogram, v float64, beyond int32, count float64) {
	switch {
	case v > histogram.ZeroThreshold:
		h.Positive = addTo(h.Positive, bounds.Index(v)+beyond, count)
	case v < -histogram.ZeroThreshold:
		h.Negative = addTo(h.Negative, bounds.Index(-v)-beyond, count)
	default:
		h.ZeroCount += count
	}
}

// addTo counts in a bucket.
func addTo(to []collector.Bucket, index int32, count float64) []collector.Bucket {
	at, found := slices.BinarySearchFunc(to, index, func(b collector.Bucket, i int32) int { return cmp.Compare(b.Index, i) })
	if !found {
		to = slices.Insert(to, at, collector.Bucket{Index: index})
	}
	to[at].Count += count
	return to
}

// explicit is a histogram whose sender chose the bounds of its buckets. All that is known of a value is between which of them it
// is: it counts at the upper one, so that no quantile comes out lower than it was.
func explicit(p pmetric.HistogramDataPoint) (*collector.Histogram, fate) {
	upper, counts := p.ExplicitBounds(), p.BucketCounts()
	count, sum := float64(p.Count()), p.Sum()
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return nil, badValue
	}
	if counts.Len() <= 1 && upper.Len() == 0 {
		if counts.Len() == 1 && counts.At(0) != p.Count() {
			return nil, badBuckets
		}
		return at(sum/max(count, 1), count, sum), accepted
	}
	if counts.Len() != upper.Len()+1 {
		return nil, badBuckets
	}
	h := empty()
	h.Count, h.Sum = count, sum
	var total uint64
	last := math.Inf(-1)
	for i := range counts.Len() {
		bound, beyond := last, int32(1)
		if i < upper.Len() && !math.IsInf(upper.At(i), 1) {
			bound, beyond = upper.At(i), 0
			if !(bound > last) {
				return nil, badBuckets
			}
			last = bound
		}
		if n := counts.At(i); n > 0 {
			total += n
			place(h, bound, beyond, float64(n))
		}
	}
	if total != p.Count() {
		return nil, badBuckets
	}
	return h, accepted
}

// exponential is a histogram with exponential buckets. Bucket i is (base^i, base^(i+1)] in OTLP, and (base^(i-1), base^i] in a
// native histogram: the index is one off.
// Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#exponential-histograms
func exponential(p pmetric.ExponentialHistogramDataPoint) (*collector.Histogram, fate) {
	sum, zero := p.Sum(), p.ZeroThreshold()
	if math.IsNaN(sum) || math.IsInf(sum, 0) || math.IsNaN(zero) || math.IsInf(zero, 0) || zero < 0 {
		return nil, badValue
	}
	h := empty()
	h.Schema = min(max(p.Scale(), coarsest), histogram.Schema)
	h.ZeroThreshold = max(h.ZeroThreshold, zero)
	h.Count, h.Sum, h.ZeroCount = float64(p.Count()), sum, float64(p.ZeroCount())
	total := p.ZeroCount()
	for _, side := range []struct {
		to   *[]collector.Bucket
		from pmetric.ExponentialHistogramDataPointBuckets
	}{{&h.Positive, p.Positive()}, {&h.Negative, p.Negative()}} {
		n, ok := rescale(side.to, side.from.BucketCounts(), int64(side.from.Offset()), p.Scale(), h.Schema)
		if !ok {
			return nil, badBuckets
		}
		total += n
	}
	if total != p.Count() {
		return nil, badBuckets
	}
	return h, accepted
}

// rescale counts one side's buckets at a schema; false where one is beyond every number that there is.
func rescale(to *[]collector.Bucket, counts pcommon.UInt64Slice, offset int64, scale, schema int32) (total uint64, ok bool) {
	for i := range counts.Len() {
		n := counts.At(i)
		if n == 0 {
			continue
		}
		index := offset + int64(i) + 1
		switch shift := int64(scale) - int64(schema); {
		case shift > 0:
			index = (index-1)>>min(shift, 62) + 1
		case shift < 0: // its upper bound, so that all of it is at most there
			if shift < -11 { // two of its buckets hold all numbers
				return 0, false
			}
			index <<= -shift
		}
		if index < lowest(schema) || index > highest(schema) {
			return 0, false
		}
		total += n
		*to = addTo(*to, int32(index), float64(n))
	}
	return total, true
}

// lowest and highest are the indexes of the buckets of the smallest and the greatest number there are, 2^-1074 and 2^1024,
// and one more on each side.
func lowest(schema int32) int64  { return int64(math.Floor(math.Ldexp(-1074, int(schema)))) - 1 }
func highest(schema int32) int64 { return int64(math.Ceil(math.Ldexp(1024, int(schema)))) + 1 }

// coarser are buckets at a schema that is coarser by a number of steps, each of which takes two for one.
func coarser(from []collector.Bucket, steps int32) []collector.Bucket {
	var out []collector.Bucket
	for _, b := range from {
		out = addTo(out, (b.Index-1)>>steps+1, b.Count)
	}
	return out
}

// alike brings two histograms to the coarser schema and the wider zero bucket of both. Neither is changed.
func alike(a, b *collector.Histogram) (x, y collector.Histogram) {
	schema, zero := min(a.Schema, b.Schema), max(a.ZeroThreshold, b.ZeroThreshold)
	return fitted(a, schema, zero), fitted(b, schema, zero)
}

func fitted(h *collector.Histogram, schema int32, zero float64) collector.Histogram {
	out := *h
	if steps := h.Schema - schema; steps > 0 {
		out.Schema, out.Positive, out.Negative = schema, coarser(h.Positive, steps), coarser(h.Negative, steps)
	}
	if zero > h.ZeroThreshold {
		out.ZeroThreshold = zero
		for _, side := range []*[]collector.Bucket{&out.Positive, &out.Negative} {
			var rest []collector.Bucket
			for _, b := range *side {
				if math.Exp2(math.Ldexp(float64(b.Index), -int(out.Schema))) <= zero {
					out.ZeroCount += b.Count
				} else {
					rest = append(rest, b)
				}
			}
			*side = rest
		}
	}
	return out
}

// difference is what came since before; nil: since the beginning. It is false where a bucket has less than it had: then all that
// came is at its mean.
func difference(now, before *collector.Histogram) (*collector.Histogram, bool) {
	if before == nil {
		return now, true
	}
	x, y := alike(now, before)
	out := &collector.Histogram{Schema: x.Schema, ZeroThreshold: x.ZeroThreshold, ZeroCount: x.ZeroCount - y.ZeroCount, Count: x.Count - y.Count, Sum: x.Sum - y.Sum}
	var ok, also bool
	out.Positive, ok = less(x.Positive, y.Positive)
	out.Negative, also = less(x.Negative, y.Negative)
	if !ok || !also || out.ZeroCount < 0 {
		return at(out.Sum/max(out.Count, 1), out.Count, out.Sum), false
	}
	return out, true
}

// less takes buckets away from others; false where there are not as many.
func less(from, away []collector.Bucket) ([]collector.Bucket, bool) {
	out := slices.Clone(from)
	for _, b := range away {
		at, found := slices.BinarySearchFunc(out, b.Index, func(x collector.Bucket, i int32) int { return cmp.Compare(x.Index, i) })
		if !found || out[at].Count < b.Count {
			return nil, false
		}
		out[at].Count -= b.Count
	}
	return slices.DeleteFunc(out, func(b collector.Bucket) bool { return b.Count == 0 }), true
}

// sum is both histograms.
func sum(a, b *collector.Histogram) *collector.Histogram {
	x, y := alike(a, b)
	x.Count, x.Sum, x.ZeroCount = x.Count+y.Count, x.Sum+y.Sum, x.ZeroCount+y.ZeroCount
	x.Positive, x.Negative = merged(x.Positive, y.Positive), merged(x.Negative, y.Negative)
	return &x
}

// merged are the buckets of both, in the order of their indexes.
func merged(a, b []collector.Bucket) []collector.Bucket {
	out := make([]collector.Bucket, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].Index < b[0].Index:
			out, a = append(out, a[0]), a[1:]
		case a[0].Index > b[0].Index:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, collector.Bucket{Index: a[0].Index, Count: a[0].Count + b[0].Count}), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}
