package server

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

var lineEpoch = time.Date(2020, 2, 29, 12, 0, 0, 0, time.UTC)

// minute is a scale of one-second intervals that ends at second 60.
var minute = timeScale{from: lineEpoch, span: time.Minute, interval: time.Second}

// points are at these seconds.
func points(pairs ...float64) (out []collector.RecentPoint) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, collector.RecentPoint{At: lineEpoch.Add(time.Duration(pairs[i] * float64(time.Second))), Value: pairs[i+1], Sum: pairs[i+1] / 100})
	}
	return out
}

func TestSeriesView(t *testing.T) {
	for _, c := range []struct {
		name             string
		series           collector.RecentSeries
		kind             collector.Type
		unit             string
		now, total, gone string
	}{
		{"a counter has a rate", collector.RecentSeries{Points: points(57, 10, 58, 1010, 59, 2010)}, collector.Counter, "", "1,000/s", "2,010", ""},
		{"a counter that began anew", collector.RecentSeries{Points: points(58, 100, 59, 4)}, collector.Counter, "", "4/s", "4", ""},
		{"one point of a counter has no rate", collector.RecentSeries{Points: points(59, 3)}, collector.Counter, "", "", "3", ""},
		{"a gauge", collector.RecentSeries{Points: points(59, 0.25)}, collector.Gauge, "seconds", "250 ms", "", ""},
		{"a histogram has a mean", collector.RecentSeries{Points: points(58, 100, 59, 200)}, collector.Summary, "milliseconds", "100/s", "200, mean 0.01 ms", ""},
		{"nothing known", collector.RecentSeries{Points: points(59, -1234567)}, "", "", "-1,234,567", "", ""},
		{"ended", collector.RecentSeries{Points: points(58, 1), Ended: true}, collector.Gauge, "", "1", "", "gone for 2 seconds"},
		{"silent", collector.RecentSeries{Points: points(30, 1)}, collector.Gauge, "", "1", "", "gone for 30 seconds"},
		{"late", collector.RecentSeries{Points: points(55.5, 1)}, collector.Gauge, "", "1", "", ""},
		{"no points", collector.RecentSeries{}, collector.Gauge, "", "", "", ""},
	} {
		got := newSeriesView(c.series, c.kind, c.unit, minute)
		if got.Now != c.now || got.Total != c.total || got.Gone != c.gone {
			t.Errorf("%s: now %q, total %q, gone %q; want %q, %q, %q", c.name, got.Now, got.Total, got.Gone, c.now, c.total, c.gone)
		}
	}
}

func TestLine(t *testing.T) {
	const ground = `<path class="ground" d="M0 23.5H180"></path>`
	for _, c := range []struct {
		name   string
		points []collector.RecentPoint
		path   string
	}{
		{"from corner to corner", points(0, 0, 2, 5, 60, 10), "M2.0 22.0h.1M2.0 22.0L7.9 12.0M178.0 2.0h.1M178.0 2.0"},
		{"a hole breaks it", points(10, 1, 11, 1, 20, 1), "M31.3 2.0h.1M31.3 2.0L34.3 2.0M60.7 2.0h.1M60.7 2.0"},
		{"nothing but 0 lies on the ground", points(10, 0, 11, 0), "M31.3 22.0h.1M31.3 22.0L34.3 22.0"},
		{"what is no number is a hole", points(10, 0, 11, math.NaN(), 12, math.Inf(1), 13, 0), "M31.3 22.0h.1M31.3 22.0M40.1 22.0h.1M40.1 22.0"},
		{"nothing", nil, ""},
	} {
		got := string(minute.draw(c.points))
		want := ground + `<path d="` + c.path + `"></path></svg>`
		if !strings.HasSuffix(got, want) {
			t.Errorf("%s: %s, want …%s", c.name, got, want)
		}
	}
}

func TestFigure(t *testing.T) {
	want := map[float64]string{0: "0", 1: "1", 0.125: "0.125", 12.34: "12.3", 99.99: "100", 100: "100", 1234567: "1,234,567", -1000: "-1,000", 999.9: "1,000",
		1e15: "1e+15", 0.0004: "0.0004", math.Inf(1): "+Inf"}
	got := map[float64]string{}
	for v := range want {
		got[v] = figure(v)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
