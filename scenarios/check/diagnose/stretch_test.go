package diagnose

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// That the collector was away when it says itself that it was is no choice among all stretches of the run, and costs
// nothing; the longer a run, the more it would. A stretch that nobody declared costs what it is to choose one.
func TestADeclaredOutageIsNotChosen(t *testing.T) {
	outage := Outage{From: 9 * time.Second, To: 11600 * time.Millisecond}
	arrives := func(_ int, at time.Duration, _ *rand.Rand) bool { return at < outage.From || at > outage.To }
	scores := func(outages ...Outage) (score float64) {
		c := Case{Metric: "orders", Route: "order", Window: tenth, Interval: time.Second, Outages: outages}
		for i := range 3 {
			a := instance(fmt.Sprintf("web-%d", i+1), uint64(i), steady(20), client{period: tenth, workers: 1, arrives: arrives})
			a.Others = true
			c.Accounts = append(c.Accounts, a)
		}
		k := newCourt(&c)
		return away(k, []int{0, 1, 2}, nil).shared
	}
	ticks := int64(len(instance("web-1", 0, steady(20), client{period: tenth, workers: 1}).Ticks))
	const unattended = 4 // for a collector that was away is reason enough that nothing came
	declared, found := scores(outage), scores()
	if charge := unattended - 2*choice(ticks); declared-found < charge-1 {
		t.Errorf("it scores %.1f where it is declared, and %.1f where it is not: want %.1f more", declared, found, charge)
	}
}
