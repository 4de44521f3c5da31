package check

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// BenchmarkJudge judges a million requests, and ten, that 300 instances answered,
// of which some are killed and some terminated. MB is all the memory that judging ever took
// beyond the record itself, so that its peak is lower.
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
	h := p.make()
	for i := range h.Series { // others beside the counted one, as an app has them
		for k := range 5 {
			s := h.Series[i]
			if s.Meta.StatsD != "" && s.Name == "fullstack_insert_total" {
				s.Meta.StatsD = fmt.Sprintf("fullstack.other%d", k)
				s.Name = fmt.Sprintf("fullstack_other%d_total", k)
				h.Series = append(h.Series, s)
			}
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	for b.Loop() {
		v, err := Judge(h)
		if err != nil {
			b.Fatal(err)
		}
		if v.Outcome != Pass {
			b.Fatalf("%v: %+v", v.Outcome, v.Findings)
		}
		n++
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(len(h.Requests)), "requests")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n)/1e6, "MB")
}
