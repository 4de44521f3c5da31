package check

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// anyPlan makes up a scenario of kills, terminations and launches.
func anyPlan(seed uint64) plan {
	rnd := rand.New(rand.NewPCG(seed, 7))
	p := plan{seed: seed, instances: 2 + rnd.IntN(3), rate: 20 + rnd.Float64()*130, swing: rnd.Float64() * 0.8,
		slow: time.Duration(1+rnd.IntN(30)) * time.Millisecond, words: 2 + rnd.IntN(40)}
	p.window = []time.Duration{50, 100, 300, 1000, 2000}[rnd.IntN(5)] * time.Millisecond
	p.checks = fmt.Sprintf("  - continuity: {metric: fullstack.insert, route: insert, max_gap: %s}\n"+
		"  - conservation: {metric: fullstack.insert, route: insert, client_window: %s}\n", max(2*time.Second, 2*p.window), p.window)
	alive := p.instances
	p.phases = []act{{name: "warm-up", long: 3 * time.Second}}
	if seed%8 == 0 { // correlation takes longer
		p.phases[0].long = 10 * time.Second
		p.rate += 50
		p.checks += "  - correlation: {layers: [users, lb, web, db], at_least: 0.2, max_lag: 3s, metric: fullstack.insert}\n"
	}
	gone := map[int]bool{}
	for i := range 1 + rnd.IntN(2) {
		a := act{name: fmt.Sprintf("move %d", i), long: time.Duration(2000+rnd.IntN(1500)) * time.Millisecond}
		if rnd.IntN(2) == 0 {
			a.steps = append(a.steps, "launch 1")
			alive++
		}
		if who := 1 + rnd.IntN(p.instances); alive > 1 && !gone[who] {
			gone[who] = true
			alive--
			a.steps = append(a.steps, fmt.Sprintf("%s web-%d", []string{"kill", "terminate"}[rnd.IntN(2)], who))
		}
		p.phases = append(p.phases, a)
	}
	return p
}

// promising adds the checks that scenarios have beside the usual ones.
func promising(p plan) plan {
	window := fmt.Sprintf(", client_window: %s}", p.window)
	for _, check := range []string{nestingCheck, gaugeCheck, shutdownCheck} {
		p.checks += strings.Replace(check, "}", window, 1)
	}
	p.checks += identityCheck + auditCheck + "  - hygiene: {max_series: 9, growth: 9}\n"
	return p
}

func TestHealthyRunsNeverFail(t *testing.T) {
	var passed int
	for seed := range uint64(histories) {
		v := judged(t, promising(anyPlan(seed)).make())
		for _, f := range v.Findings {
			if f.Outcome == verdict.Fail {
				t.Fatalf("seed %d: %s: %s", seed, f.Check, f.Summary)
			}
		}
		if v.Unexplained != 0 {
			t.Fatalf("seed %d: %d unexplained", seed, v.Unexplained)
		}
		if v.Outcome == verdict.Pass {
			passed++
		} else if testing.Verbose() {
			for _, f := range v.Findings {
				if f.Outcome != verdict.Pass {
					t.Logf("seed %d: %s", seed, f.Summary)
				}
			}
		}
	}
	// A few are left open: clients that buffer for as long as the run, or an
	// instance that happened to answer nothing.
	if passed < histories*9/10 {
		t.Errorf("only %d of %d pass", passed, histories)
	}
	t.Logf("%d of %d pass", passed, histories)
}

// TestABusyMachineIsNoDefect stalls the whole machine for a while, often around
// a kill: users are late, and so are the clients' flushes.
func TestABusyMachineIsNoDefect(t *testing.T) {
	open := 0
	for seed := range uint64(histories / 2) {
		rnd := rand.New(rand.NewPCG(seed, 11))
		p := promising(anyPlan(seed))
		from := worldBegin + p.phases[0].long + time.Duration(rnd.Int64N(int64(2*time.Second))) - 1500*time.Millisecond
		to := from + time.Duration(rnd.Int64N(int64(1500*time.Millisecond)))
		p.stall = func(at time.Duration) time.Duration {
			if at < from || at > to {
				return 0
			}
			return to - at
		}
		v := judged(t, p.make())
		if v.Outcome == verdict.Inconclusive {
			open++
		}
		for _, f := range v.Findings {
			if f.Outcome == verdict.Fail && f.Check != "correlation" {
				t.Fatalf("seed %d: stalled from %v to %v: %s: %s", seed, from, to, f.Check, f.Summary)
			}
		}
	}
	t.Logf("%d of %d are left open", open, histories/2)
}

// TestInjectedDifferencesAreFound loses or doubles k counts of one instance,
// anywhere in its life. What does not fit in the printed bounds is a failure
// that names the instance, and k is always within the bounds.
func TestInjectedDifferencesAreFound(t *testing.T) {
	var found, hidden int
	for seed := range uint64(histories) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		p := anyPlan(seed)
		w := p.world()
		b := w.beings[rnd.IntN(len(w.beings))]
		if b.nth < 10 || len(b.arrivals) == 0 {
			continue
		}
		k := int64(1 + rnd.IntN(8))
		sign := int64(1 - 2*rnd.IntN(2))
		at := b.arrivals[rnd.IntN(len(b.arrivals))].at
		clean := judged(t, w.h)
		shift(w.h, "fullstack_insert_total", b.name, at, float64(sign*k))
		v := judged(t, w.h)
		before, after := difference(clean, b.name), difference(v, b.name)
		if after-before != sign*k {
			t.Fatalf("seed %d: %s: the books moved by %d, and %d was injected", seed, b.name, after-before, sign*k)
		}
		fails := false
		for _, f := range v.Findings {
			if f.Check != "conservation" || f.Layer != record.LayerWeb || f.Instance == "" || f.Outcome == verdict.Pass {
				continue
			}
			if f.Instance != b.name {
				t.Fatalf("seed %d: %s is blamed instead of %s: %s", seed, f.Instance, b.name, f.Summary)
			}
			fails = fails || f.Outcome == verdict.Fail
			injected := -sign * k // as a loss
			if net := f.Lost - f.Extra; injected < net-f.Bound || injected > net+f.Bound {
				t.Fatalf("seed %d: %d not within %d ± %d: %s", seed, injected, net, f.Bound, f.Summary)
			}
		}
		if fails {
			found++
			continue
		}
		hidden++
		if width := widthOf(w, b, p); max(after, -after) > width {
			t.Fatalf("seed %d: %s: a difference of %d hides in a width of %d", seed, b.name, after, width)
		}
	}
	if found < histories/2 {
		t.Errorf("only %d of %d were found", found, histories)
	}
	t.Logf("%d found, %d within the printed bounds", found, hidden)
}

// difference is counted less acknowledged of an instance, in the verdict.
func difference(v verdict.Verdict, instance string) int64 {
	return v.Ledgers.Web.ByInstance[instance] - v.Ledgers.Users.ByInstance[instance]
}

// widthOf is how much may hide at an instance: what users do not know, and what
// a SIGKILL may have taken.
func widthOf(w *world, b *being, p plan) int64 {
	e := evidence.New(w.h, mustParse(w.h))
	for _, l := range e.Lives {
		if l.Instance != b.name {
			continue
		}
		width := account.NewAllowances(e, "insert").ForLife(l).Sum()
		if at := e.KilledAt(l); at != -1 {
			acked := e.Acked(b.name, "insert")
			width += int64(len(acked)) - evidence.CountUpTo(acked, at-p.window-1)
		}
		return width
	}
	return 0
}

// TestSampledRunsFailAsOftenAsTheySay: with 99 % confidence for all instances
// of a run together, about one healthy run in a hundred may fail. The interval
// is exact, so that it is not far fewer than that allows for either: with a
// tenth less kept, nearly all fail.
func TestSampledRunsFailAsOftenAsTheySay(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: it judges 240 runs of a thousand requests a second")
	}
	const runs = 120
	failed := func(keep float64) (n int) {
		for seed := range uint64(runs) {
			rnd := rand.New(rand.NewPCG(seed, 17))
			p := plan{seed: seed, instances: 2, rate: 1000, rare: 0.5, phases: []act{{"warm-up", nil, 4 * time.Second}},
				checks: "  - conservation: {metric: fullstack.insert, route: insert, sample_rate: 0.5, confidence: 0.99}\n"}
			p.counts = func(string, int, time.Duration) int64 {
				if rnd.Float64() < keep {
					return 1
				}
				return 0
			}
			if judged(t, p.make()).Outcome == verdict.Fail {
				n++
			}
		}
		return n
	}
	// P(X > 6) is under 0.1 % where 1.2 are expected.
	if n := failed(0.5); n > 6 {
		t.Errorf("%d of %d healthy runs fail", n, runs)
	}
	if n := failed(0.45); n < runs*9/10 {
		t.Errorf("only %d of %d wrong runs fail", n, runs)
	}
}
