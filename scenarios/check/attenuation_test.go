package check

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// sampledPlan makes up a run whose metric is sampled as its scenario says.
func sampledPlan(seed uint64) plan {
	rnd := rand.New(rand.NewPCG(seed, 53))
	rate := []float64{0.05, 0.1, 0.2, 0.5, 0.9, 1}[rnd.IntN(6)]
	p := plan{seed: seed, instances: 1 + rnd.IntN(3), rate: 20 * math.Pow(25, rnd.Float64()), swing: 0.3 + 0.5*rnd.Float64(),
		rare: rate, phases: []act{{"warm-up", nil, time.Duration(12+rnd.IntN(20)) * time.Second}}}
	p.checks = fmt.Sprintf("  - conservation: {metric: fullstack.insert, route: insert, sample_rate: %g}\n"+
		"  - correlation: {layers: [users, web], at_least: 0.9}\n", rate)
	draw := rand.New(rand.NewPCG(seed, 59))
	p.counts = func(string, int, time.Duration) int64 {
		if draw.Float64() < rate {
			return 1
		}
		return 0
	}
	return p
}

// outcomeOf is what a run's correlation comes to.
func outcomeOf(t *testing.T, v verdict.Verdict) verdict.Finding {
	t.Helper()
	for _, f := range v.Findings {
		if f.Check == checkCorrelation {
			return f
		}
	}
	t.Fatalf("no correlation among %+v", v.Findings)
	return verdict.Finding{}
}

// TestSampledMetricsAreCorrelated: sampling noise alone fails no run, and is no
// excuse for a curve in another order.
func TestSampledMetricsAreCorrelated(t *testing.T) {
	healthy, shuffled := map[verdict.Outcome]int{}, map[verdict.Outcome]int{}
	for seed := range uint64(histories / 2) {
		p := sampledPlan(seed)
		w := p.world()
		f := outcomeOf(t, judged(t, w.h))
		healthy[f.Outcome]++
		if f.Outcome == verdict.Fail || f.Outcome == verdict.Inconclusive && !strings.Contains(f.Summary, "too few samples to tell") {
			t.Fatalf("seed %d, %.0f/s at %g: %s", seed, p.rate, p.rare, f.Summary)
		}
		if p.rare == 1 && f.Outcome != verdict.Pass {
			t.Fatalf("seed %d: nothing is sampled, and %s", seed, f.Summary)
		}
		shuffle(w.h, seed)
		f = outcomeOf(t, judged(t, w.h))
		shuffled[f.Outcome]++
		if p.rare == 1 && f.Outcome != verdict.Fail {
			t.Fatalf("seed %d: nothing is sampled, and %s", seed, f.Summary)
		}
	}
	t.Logf("healthy %v, shuffled %v", healthy, shuffled)
	if healthy[verdict.Pass] < histories/2*6/10 || shuffled[verdict.Fail] < histories/2*4/10 || shuffled[verdict.Pass] > histories/200 {
		t.Errorf("healthy %v, shuffled %v", healthy, shuffled)
	}
}

// shuffle deals what the metric counted in each interval to other intervals.
func shuffle(h record.History, seed uint64) {
	for i := range h.Series {
		s := &h.Series[i]
		if s.Name != "fullstack_insert_total" {
			continue
		}
		rnd := rand.New(rand.NewPCG(seed, 61)) // the same for all instances
		var by []float64
		last := 0.0
		for _, p := range s.Points {
			by = append(by, p.Value-last)
			last = p.Value
		}
		rnd.Shuffle(len(by), func(i, j int) { by[i], by[j] = by[j], by[i] })
		sum := 0.0
		for k := range s.Points {
			sum += by[k]
			s.Points[k].Value = sum
		}
	}
}

// TestBarsOfSampledCurves compares the bars with what chance does to thousands
// of curves, at one lag, without the rest of a run.
func TestBarsOfSampledCurves(t *testing.T) {
	const atLeast = 0.9
	rnd := rand.New(rand.NewPCG(1, 67))
	var failed, doubted, told, passed, expected, got float64
	runs := 20 * histories
	for range runs {
		rate, perSecond := math.Pow(0.05, rnd.Float64()), 20*math.Pow(25, rnd.Float64())
		n := 8 + rnd.IntN(50)
		swing, period := 0.2+0.8*rnd.Float64(), 4+10*rnd.Float64()
		users, web, other := make([]float64, n), make([]float64, n), make([]float64, n)
		at := make([]time.Duration, n+1)
		for k := range n {
			at[k+1] = time.Duration(k+1) * time.Second
			draw := func(mean float64) float64 { return distuv.Poisson{Lambda: mean, Src: rnd}.Rand() }
			users[k] = draw(perSecond * (1 + swing*math.Sin(2*math.Pi*float64(k)/period)))
			web[k] = distuv.Binomial{N: max(1, users[k]), P: rate, Src: rnd}.Rand() / rate
			other[k] = draw(perSecond*rate*(1+swing*math.Sin(2*math.Pi*rnd.Float64()))) / rate
		}
		b := barsOf(atLeast, rate, users, at)
		if b.fail > b.pass || b.pass > atLeast || b.pass <= 0 {
			t.Fatalf("bars %+v", b)
		}
		r := stat.Correlation(users, web, nil)
		expected, got = expected+b.expected, got+zeroIfNaN(r)
		if r < b.fail {
			failed++
		}
		if r < atLeast*leastR(b.expected*b.expected/(1-b.expected*b.expected), n, falseDoubt) {
			doubted++
		}
		if r := zeroIfNaN(stat.Correlation(users, other, nil)); r < b.fail {
			told++
		} else if r >= b.pass {
			passed++
		}
	}
	n := float64(runs)
	t.Logf("of those that follow %.4f %% fail and %.2f %% are in doubt; of those that do not %.0f %% fail and %.3f %% pass; r was %.3f, expected %.3f",
		100*failed/n, 100*doubted/n, 100*told/n, 100*passed/n, got/n, expected/n)
	switch {
	case failed > 0:
		t.Errorf("%v of %d that follow the users fail", failed, runs)
	case doubted > 2*falseDoubt*n:
		t.Errorf("%v of %d that follow the users are in doubt", doubted, runs)
	case told < n/4:
		t.Errorf("only %v of %d that do not follow the users fail", told, runs)
	case passed > 2*falsePass*n:
		t.Errorf("%v of %d that do not follow the users pass", passed, runs)
	case math.Abs(got-expected) > 0.05*n:
		t.Errorf("r is %.3f, and by the reliability it should be %.3f", got/n, expected/n)
	}
}

// TestCorrelationOfARareRoute: the users of a metric are those of its route,
// however many requests go elsewhere.
func TestCorrelationOfARareRoute(t *testing.T) {
	p := talk()
	p.rate = 40
	p.checks = "  - conservation: {metric: fullstack.insert, route: insert}\n  - correlation: {layers: [users, web], at_least: 0.9}\n"
	h := p.make()
	rnd := rand.New(rand.NewPCG(1, 71))
	for range 9 * len(h.Requests) {
		at := worldBegin + time.Duration(rnd.Int64N(int64(24*time.Second)))
		h.Requests = append(h.Requests, record.Request{Seq: uint64(len(h.Requests)), Due: at, Sent: at, Done: at + time.Millisecond,
			Route: "list", Outcome: record.Acked, Status: 200, Instance: "web-3", Attempts: 1})
	}
	if f := outcomeOf(t, judged(t, h)); f.Outcome != verdict.Pass {
		t.Error(f.Summary)
	}
}
