package forward

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser/posrange"

	"throughline/collector"
)

// prometheusQuantile is histogram_quantile's own code.
func prometheusQuantile(q float64, h *collector.Histogram) float64 {
	out := &histogram.FloatHistogram{Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, Count: h.Count, Sum: h.Sum}
	convert := func(buckets []collector.Bucket) (spans []histogram.Span, counts []float64) {
		mine, counts := toSpans(buckets)
		for _, s := range mine {
			spans = append(spans, histogram.Span{Offset: s.Offset, Length: s.Length})
		}
		return spans, counts
	}
	out.PositiveSpans, out.PositiveBuckets = convert(h.Positive)
	out.NegativeSpans, out.NegativeBuckets = convert(h.Negative)
	v, _ := promql.HistogramQuantile(q, out, "", posrange.PositionRange{})
	return v
}

// TestQuantile compares with Prometheus over histograms of all kinds.
func TestQuantile(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	some := func(h *collector.Histogram) (out []collector.Bucket) {
		for i := range int32(random.IntN(20)) {
			if n := random.IntN(4); n > 0 {
				out = append(out, collector.Bucket{Index: 3*i - 20, Count: float64(n) / 2})
				h.Count += float64(n) / 2
			}
		}
		return out
	}
	looked := 0
	for range 2000 {
		h := &collector.Histogram{Schema: int32(random.IntN(9)) - 2, ZeroThreshold: 0x1p-128}
		if random.IntN(2) == 0 {
			h.ZeroCount = float64(random.IntN(5))
			h.Count = h.ZeroCount
		}
		if random.IntN(3) > 0 {
			h.Negative = some(h)
		}
		if random.IntN(3) > 0 {
			h.Positive = some(h)
		}
		for _, q := range []float64{0, 0.1, 0.5, 0.77, 0.95, 0.99, 1} {
			got, want := quantile(q, h), prometheusQuantile(q, h)
			// At an edge between buckets, Prometheus takes one or the
			// other by the last bit of a sum.
			if h.Count > 0 && onEdge(q*h.Count, h) {
				continue
			}
			looked++
			if math.Abs(got-want) > 1e-9*math.Abs(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Fatalf("%v of %+v is %v, want %v", q, *h, got, want)
			}
		}
	}
	if looked < 5000 {
		t.Errorf("looked at %d quantiles only", looked)
	}
}

// onEdge is whether a rank is where one bucket ends and the next begins.
func onEdge(rank float64, h *collector.Histogram) bool {
	sum := 0.0
	at := func(n float64) bool { sum += n; return math.Abs(sum-rank) < 1e-9 }
	for i := len(h.Negative) - 1; i >= 0; i-- {
		if at(h.Negative[i].Count) {
			return true
		}
	}
	if h.ZeroCount > 0 && at(h.ZeroCount) {
		return true
	}
	for _, b := range h.Positive {
		if at(b.Count) {
			return true
		}
	}
	return rank == 0
}

// TestSince takes a history apart and puts it together again.
func TestSince(t *testing.T) {
	before := &collector.Histogram{Schema: 4, ZeroCount: 1, Count: 6, Sum: 10, Positive: []collector.Bucket{{Index: 1, Count: 2}, {Index: 5, Count: 3}}}
	now := &collector.Histogram{Schema: 4, ZeroCount: 2, Count: 12, Sum: 4, Positive: []collector.Bucket{{Index: 1, Count: 2}, {Index: 3, Count: 1}, {Index: 5, Count: 5}}, Negative: []collector.Bucket{{Index: 2, Count: 2}}}
	h := since(before, now)
	if h.Count != 6 || h.Sum != -6 || h.ZeroCount != 1 || len(h.Positive) != 2 || h.Positive[0] != (collector.Bucket{Index: 3, Count: 1}) ||
		h.Positive[1] != (collector.Bucket{Index: 5, Count: 2}) || len(h.Negative) != 1 || h.Negative[0].Count != 2 {
		t.Errorf("since is %+v", h)
	}
	if since(now, before) != before || since(nil, now) != now {
		t.Error("a histogram that began anew brought all that is in it")
	}
}
