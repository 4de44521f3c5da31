package diagnose

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// released are two instances of v1 whose counts are right, and one of v2 that leaves out some.
func released(seed uint64, versions bool, counted func(int, time.Duration, *rand.Rand) bool) []Account {
	var all []Account
	for i := range uint64(3) {
		c := client{period: 100 * time.Millisecond, workers: 1}
		if i == 2 {
			c.counted = counted
		}
		a := instance(fmt.Sprintf("web-%d", i+1), 10*seed+i, steady(40), c)
		a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))} // which no network spared
		if versions {
			a.Life.Version = []string{"v1", "v1", "v2"}[i]
		}
		all = append(all, a)
	}
	return all
}

// Who knows that the instances that are right are of another version names what is wrong with this one more often, and
// never something else.
func TestAnotherVersionDoesNotSpeakAgainstACause(t *testing.T) {
	const tenth = 100 * time.Millisecond
	path := func(n int, _ time.Duration, rnd *rand.Rand) bool { return rnd.IntN(40) > 0 } // one path in 40 is not counted
	named := map[bool]int{}
	for seed := range uint64(12) {
		for _, versions := range []bool{false, true} {
			d := explained(t, tenth, released(seed, versions, path)...)[2]
			switch {
			case d.Cause == NotCounted:
				named[versions]++
			case d.Cause != Undecided || !slices.Contains(d.Possible, NotCounted):
				t.Errorf("seed %d, versions %v: %s, or %v", seed, versions, d.Cause, d.Possible)
			}
		}
	}
	if named[true] <= named[false] || named[true] < 9 {
		t.Errorf("the cause is named in %d of 12 with versions, and in %d without", named[true], named[false])
	}
}

// A network knows no versions: that the others lost nothing speaks against it as ever.
func TestANetworkKnowsNoVersions(t *testing.T) {
	for seed := range uint64(6) {
		k := newCourt(&Case{Metric: "orders", Route: "order", Window: 100 * time.Millisecond, Interval: time.Second,
			Accounts: released(seed, true, func(n int, _ time.Duration, rnd *rand.Rand) bool { return rnd.IntN(15) > 0 })})
		for h := range hypotheses {
			own := hypotheses[h].ofVersion(k, []int{2}, []int{0, 1})
			if want := outside[hypotheses[h].cause]; (len(own) == 2) != want {
				t.Errorf("%s is held against %v", hypotheses[h].cause, own)
			}
			if own := hypotheses[h].ofVersion(k, []int{1, 2}, []int{0}); len(own) != 1 {
				t.Errorf("%s of both versions is held against %v", hypotheses[h].cause, own)
			}
		}
		full := &hypotheses[slices.IndexFunc(hypotheses, func(h hypothesis) bool { return h.cause == QueueFull })]
		if with, without := full.byVersion(k, []int{2}, []int{0, 1}).total(), full.fit(k, []int{2}, nil).total(); with > max(without-ofLoad[QueueFull], full.fit(k, []int{2}, []int{0, 1}).total()) {
			t.Errorf("a queue of one version alone costs nothing: %v, %v", with, without)
		}
	}
}
