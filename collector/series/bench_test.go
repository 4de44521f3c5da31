package series

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb"

	"throughline/collector"
)

// second is one interval of n series, as a collector flushes it.
func second(n int) []collector.Sample {
	meta := &collector.Meta{Type: collector.Counter, Sent: "full.hits"}
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

// flood is one second of 100,000 series, of which 20,000 are histograms of 60
// buckets.
func flood() []collector.Sample {
	const floats, histograms = 80_000, 20_000
	out := second(floats + histograms)
	for i := range out[floats:] {
		h := &collector.Histogram{Schema: 4, ZeroThreshold: 0x1p-128}
		for n := range 60 {
			h.Positive = append(h.Positive, collector.Bucket{Index: int32(n)})
		}
		out[floats+i].Name, out[floats+i].Meta, out[floats+i].Histogram = "delay", nil, h
	}
	return out
}

// advance moves a flood to a second: each series counts on.
func advance(samples []collector.Sample, seconds int) {
	when := at(float64(seconds))
	for i := range samples {
		samples[i].At, samples[i].Value = when, float64(seconds*(i%7+1))
		if h := samples[i].Histogram; h != nil {
			h.Count, h.Sum = 60*float64(seconds), 45*float64(seconds)
			for n := range h.Positive {
				h.Positive[n].Count = float64(seconds)
			}
		}
	}
}

// heap is what is in use, in MB, after a collection.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// cpu is the time that the process has computed, which is what counts on a busy
// machine.
func cpu(b testing.TB) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFlood appends a second of 100,000 series per operation. It tells the
// heap that they keep, and the CPU time of a sample.
func BenchmarkFlood(b *testing.B) {
	s := open(b, b.TempDir())
	samples := flood()
	before, spent := heap(), cpu(b)
	seconds := 0
	for b.Loop() {
		seconds++
		advance(samples, seconds)
		mustAppend(b, s, samples...)
	}
	b.ReportMetric(float64(cpu(b)-spent)/float64(b.N*len(samples)), "cpu-ns/sample")
	b.ReportMetric(heap()-before, "heap-MB")
}

// BenchmarkRestart opens a store with two minutes of 100,000 series, and asks
// for the last sample of each.
func BenchmarkRestart(b *testing.B) {
	dir, samples := b.TempDir(), flood()
	s, err := Open(dir, Options{Now: func() time.Time { return at(200) }})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 120 {
		advance(samples, i+1)
		mustAppend(b, s, samples...)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		begun := cpu(b)
		plain, err := tsdb.Open(dir, nil, nil, nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric((cpu(b) - begun).Seconds(), "plain-open-cpu-s")
		if err := plain.Close(); err != nil {
			b.Fatal(err)
		}
		begun = cpu(b)
		s, err := Open(dir, Options{Now: func() time.Time { return at(200) }})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric((cpu(b) - begun).Seconds(), "open-cpu-s")
		begun = cpu(b)
		for i := range samples {
			if _, ok := s.Last(samples[i].Name, samples[i].Labels); !ok {
				b.Fatal("a series is not found")
			}
		}
		b.ReportMetric((cpu(b) - begun).Seconds(), "lasts-cpu-s")
		begun = cpu(b)
		for i := range samples {
			if _, ok := s.Last("never", samples[i].Labels); ok {
				b.Fatal("a series is found")
			}
		}
		b.ReportMetric((cpu(b) - begun).Seconds(), "births-cpu-s")
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMetrics is a scrape of 100,000 series with two minutes each.
func BenchmarkMetrics(b *testing.B) {
	s, samples := open(b, b.TempDir()), flood()
	for i := range 120 {
		advance(samples, 480+i)
		mustAppend(b, s, samples...)
	}
	for b.Loop() {
		if got := accepting(b, s, acceptOpenMetrics); got.status != http.StatusOK {
			b.Fatal(got.body)
		}
	}
}
