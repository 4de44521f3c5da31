package report

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/collector"
	"throughline/scenarios/record"
)

func TestRate(t *testing.T) {
	hole := math.NaN()
	pushed := collector.Meta{Type: collector.Counter, StatsD: "a"}
	polled := collector.Meta{Type: collector.Counter}
	at := func(d time.Duration, value float64) record.Point {
		return record.Point{At: d, Value: value, Observed: 1}
	}
	carried := func(d time.Duration, value float64) record.Point { return record.Point{At: d, Value: value} }
	for _, c := range []struct {
		name   string
		meta   collector.Meta
		points []record.Point
		want   values
	}{
		{"what is pushed begins at 0", pushed, []record.Point{at(second, 5), at(2*second, 9)}, values{5, 4, hole, hole, hole}},
		{"what is polled has a past", polled, []record.Point{at(second, 500), at(2*second, 509)}, values{hole, 9, hole, hole, hole}},
		{"a reset begins at 0 again", pushed, []record.Point{at(second, 5), at(2*second, 3)}, values{5, 3, hole, hole, hole}},
		{"a missing point is a hole; what came meanwhile stands behind it", pushed, []record.Point{at(second, 5), at(4*second, 11)}, values{5, hole, hole, 6, hole}},
		{"a value carried forward is a hole", pushed, []record.Point{at(second, 5), carried(2*second, 5), at(3*second, 6)}, values{5, hole, 1, hole, hole}},
		{"nothing counted is no hole", pushed, []record.Point{at(second, 5), at(2*second, 5)}, values{5, 0, hole, hole, hole}},
		{"the end of a series", pushed, []record.Point{at(second, 5), {At: 2 * second, Stale: true}, at(4*second, 7)}, values{5, hole, hole, 2, hole}},
		{"a poll that is late is spread over its time", polled, []record.Point{at(0, 0), at(1250*ms, 125), at(2*second, 200), at(3*second, 300)},
			values{100, 100, 100, hole, hole}},
		{"no number is a hole", pushed, []record.Point{at(second, 5), at(2*second, math.NaN()), at(3*second, 8)}, values{5, hole, 3, hole, hole}},
		{"no point", pushed, nil, values{hole, hole, hole, hole, hole}},
	} {
		b := bins{width: second, interval: second, n: 5}
		got := b.rate(record.Series{Meta: c.meta, Points: c.points})
		if diff := cmp.Diff(c.want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// Bins are the collector's intervals: what was pushed at 1.37 s is in the bin
// that ends there, and so are the requests of that interval.
func TestBinsAreIntervals(t *testing.T) {
	h := record.History{Run: record.Run{Interval: second}, Series: []record.Series{{Meta: collector.Meta{Type: collector.Counter, StatsD: "a"},
		Points: []record.Point{{At: 1370 * ms, Value: 3, Observed: 1}, {At: 2370 * ms, Value: 5, Observed: 1}}}}}
	b := newBins(h, 4*second)
	if diff := cmp.Diff([]float64{-0.13, 0.87, 1.87, 2.87, 3.87}, b.centers(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("centers (-want +got):\n%s", diff)
	}
	requests := []record.Request{{Done: 1370 * ms, Outcome: record.Acked}, {Done: 371 * ms, Outcome: record.Acked}, {Done: 370 * ms, Outcome: record.Acked}, {Done: 1371 * ms, Outcome: record.Acked}}
	if diff := cmp.Diff(values{1, 2, 1, 0, 0}, b.perSecond(requests, func(r record.Request) bool { return r.Outcome == record.Acked })); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	want := values{math.NaN(), 3, 2, math.NaN(), math.NaN()}
	if diff := cmp.Diff(want, b.rate(h.Series[0]), cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("web (-want +got):\n%s", diff)
	}
}

func TestLatencies(t *testing.T) {
	b := bins{width: second, interval: second, n: 2}
	var requests []record.Request
	for i := range 100 { // 1 ms … 100 ms, in no order
		requests = append(requests, record.Request{Due: 500 * ms, Done: 500*ms + time.Duration(1+i*37%100)*ms, Outcome: record.Outcome(i % 2)})
	}
	requests = append(requests, record.Request{Due: 500 * ms, Done: 900 * second, Outcome: record.Refused})
	p50, p99 := b.latencies(requests)
	if p50[0] != 50 || p99[0] != 99 || !math.IsNaN(p50[1]) || !math.IsNaN(p99[1]) {
		t.Errorf("p50 %v, p99 %v; want 50 and 99 ms, then holes", p50, p99)
	}
}

// What a million requests cost.
func BenchmarkWriteHTML(b *testing.B) {
	h := killed()
	one := h.Requests
	for len(h.Requests) < 1_000_000 {
		h.Requests = append(h.Requests, one...)
	}
	v := judged(h, 1)
	b.ResetTimer()
	for b.Loop() {
		if err := WriteHTML(discard{}, h, v); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
