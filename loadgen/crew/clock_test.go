package crew

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestExchange(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		exchange      Exchange
		offset, bound time.Duration
	}{
		// The worker's clock is 100 ms behind; 4 ms there, 4 ms back, 2 ms at the coordinator.
		"same way both": {Exchange{Asked: 0, Received: 104 * ms, Answered: 106 * ms, Told: 10 * ms}, 100 * ms, 4 * ms},
		// 8 ms there, 0 ms back: off by 4 ms, which is the bound.
		"one way": {Exchange{Asked: 0, Received: 108 * ms, Answered: 110 * ms, Told: 10 * ms}, 104 * ms, 4 * ms},
		"ahead":   {Exchange{Asked: 3000 * ms, Received: 1 * ms, Answered: 1 * ms, Told: 3002 * ms}, -3000 * ms, 1 * ms},
	} {
		if got := c.exchange.Offset(); got != c.offset {
			t.Errorf("%s: offset %v, want %v", name, got, c.offset)
		}
		if got := c.exchange.Bound(); got != c.bound {
			t.Errorf("%s: bound %v, want %v", name, got, c.bound)
		}
	}
}

// TestReckoningIsWithinItsBound: whatever the delays each way, and however clocks drift up to what is said, the reckoned time is
// off by no more than the bound, and the bound is not the worst delay there was.
func TestReckoningIsWithinItsBound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, ppm := range []float64{-500, -200, 0, 200, 500} {
		skewed := func(true_ time.Duration) time.Duration {
			return 3*time.Second + true_ + time.Duration(ppm*1e-6*float64(true_))
		}
		var r Reckoning
		now := time.Duration(0)
		delay := func() time.Duration { return time.Duration(random.ExpFloat64() * float64(2*time.Millisecond)) }
		var worst time.Duration
		for range 2000 { // 8 minutes
			x := Exchange{Asked: skewed(now)}
			now += delay()
			x.Received = now
			now += delay() / 10
			x.Answered = now
			now += delay()
			x.Told = skewed(now)
			r.Add(x)
			for range 5 {
				at, bound := r.At(skewed(now))
				if off := (at - now).Abs(); off > bound+1 { // 1 ns for rounding
					t.Fatalf("%v ppm: at %v the reckoning is off by %v, and says %v", ppm, now, off, bound)
				}
				worst = max(worst, bound)
				now += 50 * time.Millisecond
			}
		}
		if got, offset, n := r.Worst(skewed(now)); got != worst || n != 2000 || (offset-(now-skewed(now))).Abs() > worst {
			t.Errorf("%v ppm: worst %v, offset %v of %d exchanges; want %v, %v", ppm, got, offset, n, worst, now-skewed(now))
		}
		if worst > 5*time.Millisecond {
			t.Errorf("%v ppm: the worst bound is %v: the exchanges that took long are not left out", ppm, worst)
		}
	}
}

// TestImpossibleExchangeIsLeftOut: nobody answers for longer than was waited for it.
func TestImpossibleExchangeIsLeftOut(t *testing.T) {
	var r Reckoning
	r.Add(Exchange{Asked: 0, Received: 5, Answered: 7, Told: 2})
	r.Add(Exchange{Asked: 0, Received: 0, Answered: time.Second, Told: time.Millisecond})
	r.Add(Exchange{Asked: 0, Received: time.Second, Answered: 0, Told: time.Millisecond})
	if _, _, n := r.Worst(0); n != 1 {
		t.Errorf("%d exchanges were kept, want 1", n)
	}
}
