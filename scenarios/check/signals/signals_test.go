package signals

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"throughline/collector/series"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// TestBarsOfSampledCurves compares the bars with what chance does to thousands
// of curves, at one lag, without the rest of a run.
func TestBarsOfSampledCurves(t *testing.T) {
	const atLeast = 0.9
	rnd := rand.New(rand.NewPCG(1, 67))
	var failed, doubted, told, passed, expected, got float64
	runs := 20_000
	for range runs {
		rate, perSecond := math.Pow(0.05, rnd.Float64()), 20*math.Pow(25, rnd.Float64())
		n := 8 + rnd.IntN(50)
		swing, period := 0.2+0.8*rnd.Float64(), 4+10*rnd.Float64()
		users, web, other := make([]float64, n), make([]float64, n), make([]float64, n)
		for k := range n {
			draw := func(mean float64) float64 { return distuv.Poisson{Lambda: mean, Src: rnd}.Rand() }
			users[k] = draw(perSecond * (1 + swing*math.Sin(2*math.Pi*float64(k)/period)))
			web[k] = distuv.Binomial{N: max(1, users[k]), P: rate, Src: rnd}.Rand() / rate
			other[k] = draw(perSecond*rate*(1+swing*math.Sin(2*math.Pi*rnd.Float64()))) / rate
		}
		b := barsOf(atLeast, noise{rate: rate, width: time.Second, intervals: n}, users)
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

// A flush of every 3 s ends its gaps so far apart, though one comes in an interval
// late and requests do not come at the very beginning of a gap.
func TestFlushesAreToldByTheEndsOfGaps(t *testing.T) {
	at := func(ms ...int) (out []gap) {
		for k := 0; k+1 < len(ms); k += 2 {
			out = append(out, gap{from: time.Duration(ms[k]) * time.Millisecond, to: time.Duration(ms[k+1]) * time.Millisecond})
		}
		return out
	}
	for _, c := range []struct {
		gaps    []gap
		present int64
		want    bool
	}{
		{at(1700, 4400, 4450, 7400, 7400, 10400, 10400, 14400), 3, true},
		{at(1700, 4400, 4450, 7400, 7400, 10400, 10400, 15400), 3, false},
		{at(1700, 4400, 4450, 7400, 7400, 10400), 8, false}, // points in between are no flushes
		{at(1700, 4400), 1, false},
		{at(1700, 4400, 4450, 7400), 2, false}, // one distance is as long as itself
	} {
		cells := verdict.Cells{LookedAt: c.present + 9, Missing: 9}
		if got := regular([]trail{{gaps: c.gaps, cells: cells}}, time.Second); got != c.want {
			t.Errorf("%v with %d points: %v, want %v", c.gaps, c.present, got, c.want)
		}
	}
}

// Where each instance shows one distance only, several show a flush if theirs are the same.
func TestFlushesAreToldByInstancesTogether(t *testing.T) {
	one := func(ends ...time.Duration) trail {
		t := trail{cells: verdict.Cells{LookedAt: 10, Missing: 9}}
		for _, to := range ends {
			t.gaps = append(t.gaps, gap{from: to - 3*time.Second, to: to})
		}
		return t
	}
	if !regular([]trail{one(4*time.Second, 7*time.Second), one(5*time.Second, 8*time.Second)}, time.Second) {
		t.Error("two distances of 3 s are no flush")
	}
	if regular([]trail{one(4*time.Second, 7*time.Second), one(5*time.Second, 11*time.Second)}, time.Second) {
		t.Error("distances of 3 s and 6 s are a flush")
	}
}

// TestAlertsAgainstARuler compares many rules with what one reads off a
// ruler: a signal that is up once, from some moment on, for some time.
func TestAlertsAgainstARuler(t *testing.T) {
	const (
		dies, replaced = 10500 * time.Millisecond, 18500 * time.Millisecond
		phase          = 137 * time.Millisecond // of the collector's intervals
	)
	e := &evidence.Index{Scenario: script.Scenario{Phases: []script.Phase{{Name: "one dies"}, {Name: "one is replaced"}}}, History: record.History{Events: []record.Event{
		{At: dies, Kind: record.PhaseBegin, Phase: "one dies"}, {At: replaced, Kind: record.PhaseEnd, Phase: "one dies"},
		{At: replaced, Kind: record.PhaseBegin, Phase: "one is replaced"}, {At: replaced + 8*time.Second, Kind: record.PhaseEnd, Phase: "one is replaced"},
	}}}
	outcomes := map[verdict.Outcome]int{}
	for seed := range uint64(20_000) {
		rnd := rand.New(rand.NewPCG(seed, 47))
		promise := script.Alert{Name: "Up", For: time.Duration(rnd.IntN(5)) * time.Second,
			Fires: &script.Deadline{In: "one dies", Within: time.Duration(1+rnd.IntN(9)) * time.Second}}
		if rnd.IntN(2) == 0 {
			promise.Clears = &script.Deadline{In: "one is replaced", Within: time.Duration(1+rnd.IntN(9)) * time.Second}
		}
		p := alertStates{pending: make([]bool, 28), firing: make([]bool, 28)}
		for k := range 28 {
			p.at = append(p.at, time.Duration(k)*time.Second+phase)
		}
		from, long := 6+rnd.IntN(16), rnd.IntN(16)
		for k := from; k < min(from+long, 28); k++ {
			p.pending[k] = true
			p.firing[k] = time.Duration(k-from)*time.Second >= promise.For
		}

		fires, clears := time.Duration(from)*time.Second+phase+promise.For, time.Duration(from+long)*time.Second+phase
		last := p.at[27]
		want := verdict.Pass
		switch deadline := dies + promise.Fires.Within; {
		case fires >= clears || fires > last || fires < dies || fires > deadline:
			want = verdict.Fail
		case promise.Clears == nil:
		case clears > last && last < replaced+promise.Clears.Within:
			want = verdict.Inconclusive
		case clears > min(last, replaced+promise.Clears.Within):
			want = verdict.Fail
		}
		f := alertRule{series.Rule{Name: promise.Name, For: promise.For}, promise}.fires(e, p)
		if f.Outcome != want {
			t.Fatalf("seed %d: up from %d for %d, %+v %+v: %v, want %v: %s", seed, from, long, promise, promise.Clears, f.Outcome, want, f.Summary)
		}
		outcomes[want]++
	}
	if outcomes[verdict.Pass] < 1000 || outcomes[verdict.Fail] < 1000 || outcomes[verdict.Inconclusive] < 10 {
		t.Errorf("one-sided: %v", outcomes)
	}
}

// TestTheBestLagIsEnoughIfAnyIs: a shorter lag that is about as good must not
// fail what the best one passes.
func TestTheBestLagIsEnoughIfAnyIs(t *testing.T) {
	tried := 0
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 73))
		var users, counted []time.Duration
		for t := time.Duration(0); t < 24*time.Second; {
			rate := 40 * (1 + 0.4*math.Sin(2*math.Pi*t.Seconds()/8))
			t += time.Duration(rnd.ExpFloat64() / rate * float64(time.Second))
			users, counted = append(users, t), append(counted, t+150*time.Millisecond)
		}
		var c evidence.Curve
		for t := 2 * time.Second; t <= 22*time.Second; t += time.Second {
			c.At, c.N = append(c.At, t), append(c.N, float64(evidence.CountUpTo(counted, t)))
		}
		shorter, at, _ := bestLag(lagsOf(users, c, 1), 2) // no lag is enough
		enough := shorter + 1e-4
		r, lag, _ := bestLag(lagsOf(users, c, 1), enough)
		if lag == at {
			continue // it is the best one
		}
		if tried++; r < enough {
			t.Errorf("seed %d: r = %.4f at %v, and %.4f at %v is about as good", seed, r, lag, shorter, at)
		}
	}
	if tried == 0 {
		t.Error("the shortest was always the best")
	}
}

func TestIntervalEndsContinueInBothDirections(t *testing.T) {
	e := &evidence.Index{Interval: time.Second, Ticks: []time.Duration{5137 * time.Millisecond}}
	for at, want := range map[time.Duration]time.Duration{
		0:                       137 * time.Millisecond,
		137 * time.Millisecond:  1137 * time.Millisecond,
		1100 * time.Millisecond: 1137 * time.Millisecond,
		5136 * time.Millisecond: 5137 * time.Millisecond,
		9 * time.Second:         9137 * time.Millisecond,
		-time.Nanosecond:        137 * time.Millisecond,
	} {
		if got := firstTick(e, at); got != want {
			t.Errorf("after %v: %v, want %v", at, got, want)
		}
	}
}

// TestBarsOfHeldCurves compares the bars, and how wide intervals are taken, with clients that send now and then, at one
// lag, without the rest of a run.
func TestBarsOfHeldCurves(t *testing.T) {
	const atLeast, interval = 0.9, time.Second
	rnd := rand.New(rand.NewPCG(3, 67))
	var clear, open, told, passed float64
	runs := 5_000
	for range runs {
		perSecond, swing := 20*math.Pow(25, rnd.Float64()), 0.3+0.6*rnd.Float64()
		window := time.Duration(100+rnd.IntN(1900)) * time.Millisecond
		every := time.Duration((0.3 + 0.7*rnd.Float64()) * float64(window)) // it says how long it holds at most
		seconds := 12*int(1+window/interval) + rnd.IntN(60)
		period := float64(max(8, 4*int(1+window/interval)))
		var users []time.Duration
		for at := 0.0; at < float64(seconds); {
			at += rnd.ExpFloat64() / (perSecond * (1 + swing*math.Sin(2*math.Pi*at/period)))
			users = append(users, time.Duration(at*float64(time.Second)))
		}
		web, flat := evidence.Curve{}, evidence.Curve{}
		first := time.Duration(rnd.Int64N(int64(every))) // all instances send together: the worst there is
		for k := range seconds - 1 {
			at := time.Duration(k+1) * interval
			sent := at - (at-first)%every
			web.At, web.N = append(web.At, at), append(web.N, float64(evidence.CountUpTo(users, sent)))
			flat.At, flat.N = web.At, append(flat.N, perSecond*at.Seconds()+rnd.Float64())
		}
		long := false // enough for such a client
		judge := func(c evidence.Curve) (r float64, b bars) {
			wide := script.Wide(window, interval, (len(c.At)-1)/script.LeastIntervals, func(n int) float64 {
				return variation(userRates(users, c.At, n, 0))
			})
			at0, n := userRates(users, c.At, wide, 0), noise{rate: 1, held: window, width: time.Duration(wide) * interval, intervals: (len(c.At) - 1) / wide}
			long = variation(at0) >= script.ClearOfHolding*script.HoldingNoise(window, n.width)
			r, _, _ = bestLag(lagsOf(users, c, wide), atLeast)
			return r, barsOf(atLeast, n, at0)
		}
		follows, b := judge(web)
		if follows < b.fail {
			t.Errorf("%v/s ±%.0f %%, held %v of at most %v, %d s: r = %.3f, and fails below %.3f", perSecond, 100*swing, every, window, seconds, follows, b.fail)
		}
		straight, b := judge(flat)
		if straight >= b.pass {
			passed++
		}
		if !long {
			continue
		}
		clear++
		if follows < b.pass {
			open++
		}
		if straight < b.fail {
			told++
		}
	}
	t.Logf("of those that follow %.1f %% are open where the load was long enough (%.0f %%); of those that do not %.0f %% fail there, and %.2f %% of all pass",
		100*open/clear, 100*clear/float64(runs), 100*told/clear, 100*passed/float64(runs))
	switch {
	case open > 0.05*clear:
		t.Errorf("%v of %v that follow the users are open", open, clear)
	case told < 0.9*clear:
		t.Errorf("only %v of %v that do not follow the users fail", told, clear)
	case passed > 0.01*float64(runs):
		t.Errorf("%v of %d that do not follow the users pass", passed, runs)
	}
}
