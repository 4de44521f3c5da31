package check

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// BenchmarkJudge judges a million requests, and ten, that 300 instances answered,
// of which some are killed and some terminated. peak-MB is the most memory that judging held
// beyond the record itself, with what was not collected yet; MB all that it ever took.
func BenchmarkJudge(b *testing.B) {
	b.Run("usual", func(b *testing.B) { benchmarkJudge(b, 1, allChecks) })
	b.Run("ten million", func(b *testing.B) { benchmarkJudge(b, 10, allChecks) })
	b.Run("every check", func(b *testing.B) {
		benchmarkJudge(b, 1, allChecks+strings.ReplaceAll(promises, "max_series: 5", "max_series: 20"))
	})
}

func benchmarkJudge(b *testing.B, millions int, checks string) {
	// A scenario may have up to 100,000 requests a second.
	half := 30 * time.Second * time.Duration((millions+4)/5)
	p := plan{seed: 1, instances: 298, rate: float64(millions) * 5e5 / half.Seconds(), swing: 0.3, words: 50_000, checks: checks, phases: []act{
		{"warm-up", nil, half},
		{"moves", nil, half},
	}}
	for i := range 20 {
		p.phases[1].steps = append(p.phases[1].steps, fmt.Sprintf("kill web-%d", 2*i+1), fmt.Sprintf("terminate web-%d", 2*i+2))
	}
	p.phases[1].steps = append(p.phases[1].steps, "launch 1", "launch 1")
	w := p.world()
	for _, s := range w.h.Series { // others beside the counted one, as an app has them
		for k := range 5 {
			if s.Meta.Sent != "" && s.Name == "fullstack_insert_total" {
				s.Meta.Sent = fmt.Sprintf("fullstack.other%d", k)
				s.Name = fmt.Sprintf("fullstack_other%d_total", k)
				w.h.Series = append(w.h.Series, s)
			}
		}
	}
	drop(&w.h, func(s record.Series) bool {
		return strings.HasPrefix(s.Name, "throughline_collector_") && len(s.Points) == 1
	})
	w.hopsOf()
	h := w.h
	runtime.GC() // the record alone
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := peakHeap()
	n := 0
	for b.Loop() {
		b.StopTimer()
		runtime.GC() // what the last one left is not this one's
		b.StartTimer()
		v, err := Judge(h)
		if err != nil {
			b.Fatal(err)
		}
		if v.Outcome != verdict.Pass {
			for _, f := range v.Findings {
				if f.Outcome != verdict.Pass {
					b.Errorf("%s: %v: %s", f.Check, f.Outcome, f.Summary)
				}
			}
			b.FailNow()
		}
		n++
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(len(h.Requests)), "requests")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n)/1e6, "MB")
	b.ReportMetric((float64(peak())-float64(before.HeapAlloc))/1e6, "peak-MB")
}

// peakHeap watches how much the heap holds until the function that it gives is
// called, which tells the most that was seen.
func peakHeap() func() uint64 {
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var top uint64
		heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		ticker := time.NewTicker(5 * time.Millisecond)
		defer ticker.Stop()
		for {
			metrics.Read(heap)
			top = max(top, heap[0].Value.Uint64())
			select {
			case <-stop:
				most <- top
				return
			case <-ticker.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-most }
}
