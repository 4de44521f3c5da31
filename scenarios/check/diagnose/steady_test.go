package diagnose

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// What takes no share that is the same in each interval is not sampling, whatever its mean share is.
func TestAMeanShareIsNotASampleRate(t *testing.T) {
	swings := func(t time.Duration) float64 { return 45 + 28*math.Sin(t.Seconds()*2*math.Pi/8) }
	for _, c := range []struct {
		name    string
		counted func() func(n int, at time.Duration, rnd *rand.Rand) bool
	}{
		{"a queue that others use as well", func() func(int, time.Duration, *rand.Rand) bool {
			room, beat := 0, time.Duration(-1)
			return func(_ int, at time.Duration, rnd *rand.Rand) bool {
				if b := at / time.Second; b != beat {
					room, beat = 8, b
				}
				for rnd.Float64() < 0.5 {
					room--
				}
				room--
				return room >= 0
			}
		}},
		{"each second some number", func() func(int, time.Duration, *rand.Rand) bool {
			left, beat := 0, time.Duration(-1)
			return func(_ int, at time.Duration, rnd *rand.Rand) bool {
				if b := at / time.Second; b != beat {
					left, beat = rnd.IntN(24), b
				}
				left--
				return left >= 0
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var accounts []Account
			for i := range 4 {
				accounts = append(accounts, instance(fmt.Sprintf("web-%d", i+1), uint64(i+40), swings, client{period: time.Second, workers: 1, counted: c.counted()}))
			}
			for _, d := range explained(t, time.Second, accounts...) {
				if slices.Contains([]string{RateNotSent, NotCounted, SilentWorker}, d.Cause) {
					t.Errorf("cause %s, which takes the same share of each interval: %s", d.Cause, d.Why)
				}
			}
		})
	}
}

// A sample rate is one at each load, and is named.
func TestLotsAreSteady(t *testing.T) {
	swings := func(t time.Duration) float64 { return 45 + 28*math.Sin(t.Seconds()*2*math.Pi/8) }
	for _, workers := range []int{1, 3} {
		for _, rate := range []float64{0.2, 0.25, 0.5} {
			var accounts []Account
			for i := range 4 {
				accounts = append(accounts, instance(fmt.Sprintf("web-%d", i+1), uint64(i+50), swings, client{period: time.Second, workers: workers,
					counted: func(_ int, _ time.Duration, rnd *rand.Rand) bool { return rnd.Float64() < rate }}))
			}
			k := newCourt(&Case{Window: time.Second, Interval: time.Second, Accounts: accounts})
			if cost := k.unsteadyShare([]int{0, 1, 2, 3}); cost < -1 {
				t.Errorf("lots at %g by %d workers cost %.1f, want about 0", rate, workers, cost)
			}
		}
	}
}
