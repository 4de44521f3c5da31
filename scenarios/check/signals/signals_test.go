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
		shorter, at, _ := bestLag(lagsOf(users, c), 2) // no lag is enough
		enough := shorter + 1e-4
		r, lag, _ := bestLag(lagsOf(users, c), enough)
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
