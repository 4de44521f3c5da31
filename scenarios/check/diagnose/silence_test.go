package diagnose

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// sending are three instances whose lines arrive when arrives says so, with other series.
func sending(seed uint64, period time.Duration, arrives func(worker int, at time.Duration, rnd *rand.Rand) bool) Case {
	c := Case{Metric: "orders", Route: "order", Window: period, Interval: time.Second}
	for i := range 3 {
		a := instance(fmt.Sprintf("web-%d", i+1), seed+uint64(i), steady(20), client{period: period, workers: 1, arrives: arrives})
		a.Others = true
		c.Accounts = append(c.Accounts, a)
	}
	return c
}

// Chance takes datagrams here and there, and not just those of all instances for two seconds.
func TestChanceDoesNotSilenceAll(t *testing.T) {
	silenced := sending(300, tenth, func(_ int, at time.Duration, _ *rand.Rand) bool { return at < 9*time.Second || at > 12*time.Second })
	struck := sending(300, tenth, func(_ int, _ time.Duration, rnd *rand.Rand) bool { return rnd.Float64() > 0.12 })
	of := func(c Case) float64 { return newCourt(&c).allAtOnce([]int{0, 1, 2}) }
	if score := of(silenced); score > contradicted+1 {
		t.Errorf("a silence of all for 3 s scores %.1f, want it to contradict that chance struck", score)
	}
	if score := of(struck); score != 0 {
		t.Errorf("losses here and there score %.1f, want 0", score)
	}
}

// An instance that was killed, or lives on, is one that sent: only who ended within a silence tells nothing of it.
func TestWhoSentInASilence(t *testing.T) {
	c := sending(310, tenth, func(_ int, at time.Duration, _ *rand.Rand) bool { return at < 9*time.Second || at > 12*time.Second })
	c.Accounts[1].Killed = 11 * time.Second
	k := newCourt(&c)
	if _, senders := k.dueIn(stretch{from: 9 * time.Second, to: 13 * time.Second}); senders != 2 {
		t.Errorf("%d instances must have sent, want 2: the third was killed meanwhile", senders)
	}
}

// Where nothing arrives from anybody any more, and the collector goes on, nobody saw it come back.
func TestAnAbsenceHasAnEnd(t *testing.T) {
	c := sending(320, tenth, func(_ int, at time.Duration, _ *rand.Rand) bool { return at < 17*time.Second })
	k := newCourt(&c)
	silent := stretch{from: 17 * time.Second, to: 25500 * time.Millisecond}
	forGood := k.awayIn(silent, []int{0, 1, 2}, nil).shared
	k.heard[k.tracks[0].Ticks[25]] = true
	passing := k.awayIn(silent, []int{0, 1, 2}, nil).shared
	if math.IsInf(passing, -1) || forGood > passing+contradicted {
		t.Errorf("an absence that nobody saw end scores %.1f, and one that ended %.1f: want %.1f between them", forGood, passing, contradicted)
	}
}

// What is counted twice to the last request is no share of them.
func TestTwiceToTheLast(t *testing.T) {
	score := func(again func(n int) int64) float64 {
		c := sending(340, time.Second, nil)
		for i := range c.Accounts {
			a := &c.Accounts[i]
			more := float64(again(len(a.Acked))) / float64(len(a.Acked))
			for j := range a.Counted {
				a.Counted[j] = math.Round(a.Counted[j] * (1 + more))
			}
			a.Total = int64(len(a.Acked)) + again(len(a.Acked))
			a.Open = int64(len(a.Acked)) - a.Total
		}
		return twice(newCourt(&c), []int{0, 1, 2}, nil).total()
	}
	if s := score(func(n int) int64 { return int64(n) }); !math.IsInf(s, -1) {
		t.Errorf("a share scores %.1f where each request is counted twice, want it to be out", s)
	}
	if s := score(func(n int) int64 { return int64(n / 4) }); math.IsInf(s, -1) {
		t.Error("a share is out where one request in four is counted twice")
	}
}

// What is sent twice on exit was held until then: who had sent it before sent something else too often.
func TestWhatCameBeforeAnExitWasNotHeld(t *testing.T) {
	const ended = 20 * time.Second
	scores := func(came time.Duration) []float64 {
		c := sending(350, 2*time.Second, nil)
		for i := range c.Accounts {
			a := &c.Accounts[i]
			a.Acked = slices.DeleteFunc(a.Acked, func(at time.Duration) bool { return at > ended })
			a.Life.Signal, a.Life.Signalled, a.Life.Death = "SIGTERM", ended, ended+100*time.Millisecond
			for j, at := range a.Ticks {
				a.Counted[j] = float64(upTo(a.Acked, min(at, ended-time.Second)))
				if at > ended {
					a.Counted[j] = float64(len(a.Acked))
				}
				if at > came {
					a.Counted[j] += float64(upTo(a.Acked, ended) - upTo(a.Acked, ended-time.Second))
				}
				a.Sent[j] = upTo(a.Acked, at)
			}
			a.Total = int64(a.Counted[len(a.Counted)-1])
			a.Open = int64(len(a.Acked)) - a.Total
		}
		return windowTwice(newCourt(&c), []int{0, 1, 2}, nil).each
	}
	for i, score := range scores(ended) {
		if score <= contradicted {
			t.Errorf("what came twice on exit scores %.1f at web-%d, want it not to be contradicted", score, i+1)
		}
	}
	for i, score := range scores(ended - 1700*time.Millisecond) {
		if score > contradicted {
			t.Errorf("what had come before scores %.1f at web-%d, want it to be contradicted", score, i+1)
		}
	}
}
