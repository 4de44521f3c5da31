package check

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
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
		if f.Check == "correlation" {
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
func shuffle(h record.History, seed uint64) { shuffleOf(h, seed, "fullstack_insert_total") }

// shuffleOf does so with the series of a name.
func shuffleOf(h record.History, seed uint64, name string) {
	for i := range h.Series {
		s := &h.Series[i]
		if s.Name != name {
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

// beaconsPlan makes up a run whose users' browsers tell of a share of their pages.
func beaconsPlan(seed uint64) (h record.History, share float64) {
	rnd := rand.New(rand.NewPCG(seed, 67))
	share = []float64{0.1, 0.5, 0.9, 1}[rnd.IntN(4)]
	p := plan{seed: seed, instances: 1 + rnd.IntN(3), rate: 20 * math.Pow(25, rnd.Float64()), swing: 0.3 + 0.5*rnd.Float64(),
		phases: []act{{"warm-up", nil, time.Duration(12+rnd.IntN(20)) * time.Second}}}
	p.checks = "  - correlation: {layers: [users, beacons], at_least: 0.9}\n"
	h = p.make()
	told := fmt.Sprintf(", beacons: {share: %g}}\n", share)
	h.Scenario = loadLine.ReplaceAll(h.Scenario, []byte("${1}"+told))
	var came []time.Duration
	for _, r := range h.Requests {
		if r.Outcome == record.Acked && rnd.Float64() < share {
			came = append(came, r.Done+2*time.Millisecond)
		}
	}
	slices.Sort(came)
	s := record.Series{Name: record.PageViews, Labels: collector.NewLabels("route", "insert"), Meta: collector.Meta{Type: collector.Counter}}
	for n, at := 0, time.Second; at < came[len(came)-1]+2*time.Second; at += time.Second {
		for n < len(came) && came[n] < at {
			n++
		}
		s.Points = append(s.Points, record.Point{At: at, Value: float64(n), Observed: 1})
	}
	h.Series = append(h.Series, s)
	return h, share
}

// loadLine is the line of a scenario that says what the load is, without its end.
var loadLine = regexp.MustCompile(`(?m)^(load: \{.*)\}\n`)

// TestBeaconsAreCorrelated: that not every page tells fails no run, and is no excuse for page views that do not follow the users.
func TestBeaconsAreCorrelated(t *testing.T) {
	healthy, shuffled := map[verdict.Outcome]int{}, map[verdict.Outcome]int{}
	for seed := range uint64(histories / 2) {
		h, share := beaconsPlan(seed)
		f := outcomeOf(t, judged(t, h))
		healthy[f.Outcome]++
		if f.Outcome == verdict.Fail || f.Outcome == verdict.Inconclusive && !strings.Contains(f.Summary, "too few samples to tell") {
			t.Fatalf("seed %d, a share of %g: %s", seed, share, f.Summary)
		}
		if f.Layer != record.LayerUsers || (share < 1) != strings.Contains(f.Summary, fmt.Sprintf("; at a share of %g noise leaves ", share)) {
			t.Fatalf("seed %d, a share of %g: %s: %s", seed, share, f.Layer, f.Summary)
		}
		shuffleOf(h, seed, record.PageViews)
		f = outcomeOf(t, judged(t, h))
		shuffled[f.Outcome]++
		if share == 1 && f.Outcome != verdict.Fail {
			t.Fatalf("seed %d: every page told, and %s", seed, f.Summary)
		}
	}
	t.Logf("healthy %v, shuffled %v", healthy, shuffled)
	if healthy[verdict.Pass] < histories/2*6/10 || shuffled[verdict.Fail] < histories/2*4/10 || shuffled[verdict.Pass] > histories/200 {
		t.Errorf("healthy %v, shuffled %v", healthy, shuffled)
	}
}
