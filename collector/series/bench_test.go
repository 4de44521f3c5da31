package series

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"throughline/collector"
)

// second is one interval of n series, as a collector flushes it.
func second(n int) []collector.Sample {
	meta := &collector.Meta{Type: collector.Counter, StatsD: "full.hits"}
	out := make([]collector.Sample, n)
	for i := range out {
		out[i] = float("hits_total", 0, 0, "instance", fmt.Sprint("web-", i/100), "route", fmt.Sprint("/r/", i%100), "zone", "a")
		out[i].Meta = meta
	}
	return out
}

// BenchmarkAppend appends an interval of 1000 known series per operation.
func BenchmarkAppend(b *testing.B) {
	s := open(b, b.TempDir())
	samples := second(1000)
	mustAppend(b, s, samples...)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		for k := range samples {
			samples[k].At, samples[k].Value = at(float64(i)), float64(i*k)
		}
		if err := s.Append(samples...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(samples)), "ns/sample")
}

// BenchmarkAppendHistograms does the same with histograms of 60 buckets.
func BenchmarkAppendHistograms(b *testing.B) {
	s := open(b, b.TempDir())
	samples := second(1000)
	for k := range samples {
		samples[k].Meta = nil
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		h := &collector.Histogram{Schema: 4, Count: float64(60 * i), Sum: float64(i)}
		for n := range 60 {
			h.Positive = append(h.Positive, collector.Bucket{Index: int32(n), Count: float64(i)})
		}
		for k := range samples {
			samples[k].At, samples[k].Histogram = at(float64(i)), h
		}
		if err := s.Append(samples...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(samples)), "ns/sample")
}

// BenchmarkOpen opens an empty store and closes it.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	i := 0
	for b.Loop() {
		i++
		s, err := Open(fmt.Sprint(dir, "/", i), Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// filled is a store with ten minutes of n series.
func filled(b *testing.B, n int) *Store {
	b.Helper()
	s := open(b, b.TempDir())
	samples := second(n)
	for i := range 601 {
		for k := range samples {
			samples[k].At, samples[k].Value = at(float64(i)), float64(i*k)
		}
		mustAppend(b, s, samples...)
	}
	return s
}

// BenchmarkQueryRange evaluates a rate over 1000 series at 600 moments.
func BenchmarkQueryRange(b *testing.B) {
	s := filled(b, 1000)
	for b.Loop() {
		if _, err := s.QueryRange(context.Background(), "sum by (instance) (rate(hits_total[10s]))", at(0), at(600), time.Second); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHTTPRange answers with 100 series of 600 points each.
func BenchmarkHTTPRange(b *testing.B) {
	s := filled(b, 100)
	target := fmt.Sprintf("/api/v1/query_range?query=hits_total&start=%d&end=%d&step=1", at(0).Unix(), at(599).Unix())
	for b.Loop() {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}
