package otlp

import (
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"throughline/collector"
)

// sent is one point of a stream: seconds since some moment, and a value. Start 0 is none given.
type sent struct{ start, at, value float64 }

// TestCounting: what is counted of the points of one stream, and what is found.
func TestCounting(t *testing.T) {
	for name, c := range map[string]struct {
		delta  bool
		points []sent
		want   float64
		found  []string
		aside  [2]uint64 // duplicate, late
	}{
		"one life":                       {points: []sent{{1, 2, 10}, {1, 3, 15}, {1, 4, 15}}, want: 15},
		"first point counts whole":       {points: []sent{{1, 100, 4000}}, want: 4000},
		"another life":                   {points: []sent{{1, 2, 10}, {1, 3, 15}, {5, 6, 7}, {5, 7, 9}}, want: 24},
		"another life that grew past":    {points: []sent{{1, 2, 10}, {1, 3, 12}, {5, 6, 700}, {5, 7, 900}}, want: 912},
		"a retry":                        {points: []sent{{1, 2, 10}, {1, 2, 10}, {1, 3, 15}}, want: 15, aside: [2]uint64{1, 0}},
		"a retry with another value":     {points: []sent{{1, 2, 10}, {1, 2, 12}, {1, 3, 15}}, want: 15, found: []string{"other_value hits "}, aside: [2]uint64{1, 0}},
		"late within a life":             {points: []sent{{1, 3, 15}, {1, 2, 10}, {1, 4, 16}}, want: 16, aside: [2]uint64{0, 1}},
		"the clock went back":            {points: []sent{{1, 3, 15}, {1, 2, 17}, {1, 4, 20}}, want: 20},
		"it fell":                        {points: []sent{{1, 2, 10}, {1, 3, 4}, {1, 4, 6}}, want: 16, found: []string{"value_fell hits "}},
		"two writers":                    {points: []sent{{1, 4, 10}, {2, 4.1, 20}, {1, 5, 15}, {2, 5.1, 22}}, want: 37, found: []string{"two_writers hits "}},
		"two writers, the younger first": {points: []sent{{2, 4.1, 20}, {1, 4.2, 10}, {2, 5.1, 22}}, want: 32, found: []string{"two_writers hits "}},
		"the old life came late":         {points: []sent{{1, 2, 10}, {5, 6, 7}, {1, 3, 12}, {5, 7, 9}}, want: 21},
		"no start":                       {points: []sent{{0, 2, 10}, {0, 3, 15}, {0, 4, 18}}, want: 8, found: []string{"start_missing hits "}},
		"no start, and a reset":          {points: []sent{{0, 2, 10}, {0, 3, 15}, {0, 4, 3}}, want: 8, found: []string{"start_missing hits ", "value_fell hits "}},
		"start is the time":              {points: []sent{{2, 2, 10}, {2, 3, 15}, {2, 4, 18}}, want: 8, found: []string{"start_missing hits "}},
		"deltas said to be cumulative":   {points: []sent{{1, 2, 10}, {2, 3, 5}, {3, 4, 8}, {4, 5, 7}}, want: 30, found: []string{"wrong_temporality hits cumulative"}},
		"a start that moves":             {points: []sent{{1.5, 2, 10}, {2.5, 3, 15}, {3.5, 4, 18}, {4.5, 5, 20}, {5.5, 6, 30}}, want: 93, found: []string{"start_moves hits "}},
		"a short life":                   {points: []sent{{1, 2, 10}, {3, 4, 15}, {3, 5, 20}, {3, 6, 22}}, want: 32},
		"it crashes all the while":       {points: []sent{{1, 2, 10}, {3, 4, 15}, {5, 6, 9}, {7, 8, 12}, {9, 10, 4}, {11, 12, 9}}, want: 59},

		"deltas":                           {delta: true, points: []sent{{1, 2, 10}, {2, 3, 5}}, want: 15},
		"deltas with a gap":                {delta: true, points: []sent{{1, 2, 10}, {4, 5, 5}}, want: 15},
		"a delta twice":                    {delta: true, points: []sent{{1, 2, 10}, {1, 2, 10}, {2, 3, 5}, {2, 3, 5}}, want: 15, aside: [2]uint64{2, 0}},
		"a delta twice, not at once":       {delta: true, points: []sent{{1, 2, 10}, {2, 3, 5}, {3, 4, 5}, {1, 2, 10}}, want: 20, aside: [2]uint64{1, 0}},
		"a delta twice with another value": {delta: true, points: []sent{{1, 2, 10}, {1, 2, 11}}, want: 10, found: []string{"other_value hits "}, aside: [2]uint64{1, 0}},
		"deltas out of order":              {delta: true, points: []sent{{2, 3, 5}, {1, 2, 10}, {3, 4, 1}}, want: 16},
		"a delta that covers retries":      {delta: true, points: []sent{{1, 2, 10}, {2, 6, 50}}, want: 60},
		"overlapping deltas":               {delta: true, points: []sent{{1, 3, 10}, {2, 4, 5}}, want: 15, found: []string{"windows_overlap hits "}},
		"cumulative said to be deltas":     {delta: true, points: []sent{{1, 2, 10}, {1, 3, 15}, {1, 4, 18}}, want: 43, found: []string{"wrong_temporality hits delta"}},
		"a delta without a start":          {delta: true, points: []sent{{0, 2, 10}, {0, 3, 5}, {0, 3, 5}}, want: 15, found: []string{"start_missing hits "}, aside: [2]uint64{1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Config{}, collector.Intake{})
			h := newBench(t, Config{}, collector.Intake{})
			for _, p := range c.points {
				b.take(of(sum1(p, c.delta)))
				h.take(of(values(p, c.delta)))
			}
			b.pass(time.Second)
			h.pass(time.Second)
			if got := b.sink.one(t, "hits_total"); got.Value != c.want {
				t.Errorf("it counted %v, want %v", got.Value, c.want)
			}
			if got := h.sink.one(t, "hits"); got.Histogram.Count != c.want || inBuckets(got.Histogram) != c.want {
				t.Errorf("the histogram counted %v, %v in buckets; want %v", got.Histogram.Count, inBuckets(got.Histogram), c.want)
			}
			for _, x := range []*bench{b, h} {
				if got := x.found(); !slices.Equal(got, c.found) {
					t.Errorf("it found %q, want %q", got, c.found)
				}
				f := x.senders["web-1"].figures
				if got := [2]uint64{f.aside[duplicate], f.aside[late]}; got != c.aside {
					t.Errorf("again and late are %v, want %v", got, c.aside)
				}
				if f.points != uint64(len(c.points)) || f.points != f.accepted+f.aside[duplicate]+f.aside[late] {
					t.Errorf("of %d points %d came, %d were counted", len(c.points), f.points, f.accepted)
				}
			}
		})
	}
}

func seconds(s float64) pcommon.Timestamp {
	if s == 0 {
		return 0
	}
	return stamp(time.Unix(1_384_430_000, int64(s*1e9)))
}

func temporality(delta bool) pmetric.AggregationTemporality {
	if delta {
		return pmetric.AggregationTemporalityDelta
	}
	return pmetric.AggregationTemporalityCumulative
}

// sum1 is a point of the sum hits.
func sum1(s sent, delta bool) pmetric.Metric {
	m, p := numbers("hits")
	m.Sum().SetAggregationTemporality(temporality(delta))
	p.SetStartTimestamp(seconds(s.start))
	p.SetTimestamp(seconds(s.at))
	p.SetDoubleValue(s.value)
	return m
}

// values is a point of the histogram hits, with as many values, of 3.
func values(s sent, delta bool) pmetric.Metric {
	m := pmetric.NewMetric()
	m.SetName("hits")
	m.SetEmptyHistogram().SetAggregationTemporality(temporality(delta))
	p := m.Histogram().DataPoints().AppendEmpty()
	p.SetStartTimestamp(seconds(s.start))
	p.SetTimestamp(seconds(s.at))
	p.SetCount(uint64(s.value))
	p.SetSum(3 * s.value)
	p.ExplicitBounds().FromRaw([]float64{2, 4})
	p.BucketCounts().FromRaw([]uint64{0, uint64(s.value), 0})
	return m
}

// inBuckets is how many values the buckets of a histogram have.
func inBuckets(h *collector.Histogram) float64 {
	n := h.ZeroCount
	for _, b := range slices.Concat(h.Positive, h.Negative) {
		n += b.Count
	}
	return n
}
