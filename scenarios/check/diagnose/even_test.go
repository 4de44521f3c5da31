package diagnose

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A helper that all counters share may leave out some of each: other counters lack the same share, and a
// timer of the same requests is whole.
func TestAPathThatAllCountersTake(t *testing.T) {
	var accounts []Account
	for i := range 3 {
		a := instance(fmt.Sprintf("web-%d", i+1), uint64(i+150), steady(50), client{period: time.Second, workers: 1,
			counted: func(n int, _ time.Duration, _ *rand.Rand) bool { return n%5 != 0 }})
		a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
		var others []time.Duration
		for j, at := range a.Acked {
			if j%3 == 0 {
				others = append(others, at)
			}
		}
		a.Kin = []Kin{{Acked: others, Total: int64(len(others)) * 4 / 5}}
		accounts = append(accounts, a)
	}
	for _, d := range explained(t, time.Second, accounts...) {
		if d.Cause != NotCounted && !slices.Contains(d.Possible, NotCounted) {
			t.Errorf("cause %s %v, want %s to be possible: %s", d.Cause, d.Possible, NotCounted, d.Why)
		}
	}
}

// countingShares are instances of which each counts a share of its own, by chance, and times all requests.
func countingShares(seed uint64, rate float64, shares ...float64) (accounts []Account) {
	for i, share := range shares {
		a := instance(fmt.Sprintf("web-%d", i+1), seed+uint64(i), steady(rate), client{period: time.Second, workers: 1,
			counted: func(_ int, _ time.Duration, rnd *rand.Rand) bool { return rnd.Float64() < share }})
		a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
		accounts = append(accounts, a)
	}
	return accounts
}

// A share that nobody samples at is a condition as well as a rate.
func TestARareRateIsNotNamedForAShare(t *testing.T) {
	for _, d := range explained(t, time.Second, countingShares(170, 50, 0.44, 0.40, 0.38, 0.42)...) {
		if d.Cause == RateNotSent {
			t.Errorf("cause %s, at shares of 0.38 to 0.44: %s", d.Cause, d.Why)
		}
	}
}

// Where nearly the half is missing, it is no one path that misses the counter for sure.
func TestNearlyHalfIsNotOnePathForSure(t *testing.T) {
	for _, d := range explained(t, time.Second, countingShares(190, 30, 0.60, 0.57, 0.56, 0.58)...) {
		if d.Cause == NotCounted {
			t.Errorf("cause %s, where 42 %% is missing: %s", d.Cause, d.Why)
		}
	}
}
