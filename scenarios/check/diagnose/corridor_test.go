package diagnose

import (
	"math/rand/v2"
	"testing"
	"time"
)

// trackOf lays out one account as Explain does.
func trackOf(t *testing.T, period time.Duration, a Account) *track {
	t.Helper()
	k := newCourt(&Case{Metric: "orders", Route: "order", Window: period, Interval: time.Second, Accounts: []Account{a}})
	return &k.tracks[0]
}

// Counts that lack at the end alone, or from the beginning on, do not lack by chance, however
// few they are; and those that do are not the last or the first.
func TestFewLossesTellWhereTheyAre(t *testing.T) {
	const lost = 4
	all := len(instance("web-1", 7, steady(20), client{period: tenth, workers: 1}).Acked)
	counted := map[string]func(n int, at time.Duration, rnd *rand.Rand) bool{
		"the last":     func(n int, _ time.Duration, _ *rand.Rand) bool { return n < all-lost },
		"the first":    func(n int, _ time.Duration, _ *rand.Rand) bool { return n >= lost },
		"one in a 100": func(n int, _ time.Duration, _ *rand.Rand) bool { return n%100 != 50 },
	}
	for name, by := range counted {
		a := instance("web-1", 7, steady(20), client{period: tenth, workers: 1, counted: by})
		tr := trackOf(t, tenth, a)
		chance, last, first := tr.atRandom(1), tr.follows(tr.theLast(), 0.5), tr.follows(tr.theFirst(), 0.5)
		for is, score := range map[string]float64{"one in a 100": chance, "the last": last, "the first": first} {
			if fits := score > -1; fits != (is == name) {
				t.Errorf("%s are lost: score %.1f for %s", name, score, is)
			}
		}
	}
}

// How long a client holds counts that holds them longer than declared is guessed from its gaps:
// bounds that are no better than that contradict no shape.
func TestGuessedBoundsContradictNothing(t *testing.T) {
	const lost = 4
	a := instance("web-1", 7, steady(20), client{period: tenth, workers: 1, counted: func(n int, _ time.Duration, _ *rand.Rand) bool { return n >= lost }})
	tr := trackOf(t, tenth, a)
	last := tr.theLast()
	if score := tr.follows(last, 0.5); tr.guessed || score > -1 {
		t.Errorf("the first are lost: score %.1f for the last, bounds guessed: %v", score, tr.guessed)
	}
	tr.guessed = true
	if score := tr.follows(last, 0.5); score != 0 {
		t.Errorf("guessed bounds: score %.1f for the last, want 0", score)
	}
	slow := instance("web-1", 7, steady(20), client{period: 3 * time.Second, workers: 1})
	for k := range slow.Since {
		slow.Since[k] += 3*time.Second - tenth // as one that declares a tenth
	}
	if !trackOf(t, tenth, slow).guessed {
		t.Error("a client that holds for 3 s and declares a tenth: the bounds are not guessed")
	}
}

// What a kill took is not in what lacked before it, and a surplus of which it took some was
// there all the same.
func TestGatesEndWithAKill(t *testing.T) {
	a := instance("web-1", 7, steady(20), client{period: tenth, workers: 1})
	for k := range a.Counted {
		a.Counted[k] *= 1.2
	}
	last := len(a.Ticks) - 1
	a.Killed, a.Life.Death, a.Buffer = a.Ticks[last-4], a.Ticks[last-4], 40
	for k := last - 3; k <= last; k++ {
		a.Counted[k] -= 40
	}
	a.Total = int64(a.Counted[last])
	a.Open = int64(len(a.Acked)) - a.Total
	tr := trackOf(t, tenth, a)
	if tr.untilKilled() != last-4 || !tr.surplus {
		t.Fatalf("%d interval ends until the kill of %d, surplus %v", tr.untilKilled(), last+1, tr.surplus)
	}
	if most, want := tr.high[last-5], 0.2*float64(upTo(tr.Acked, tr.Ticks[last-5])); most < want-1 {
		t.Errorf("before the kill %.0f may be too many, and %.0f are", most, want)
	}
}

// A client that sends every 5 s is known to half a second or so by its lumps, where there is
// one of it, and not where its counts contradict that or another one speaks.
func TestLumpsSharpen(t *testing.T) {
	const period = 5 * time.Second
	for _, c := range []struct {
		name   string
		client client
		change func(*Account)
		sharp  bool
	}{
		{"one worker", client{period: period, workers: 1}, nil, true},
		{"one worker that loses one in four", client{period: period, workers: 1, counted: func(n int, _ time.Duration, _ *rand.Rand) bool { return n%4 != 0 }}, nil, true},
		{"three workers", client{period: period, workers: 3}, nil, false},
		{"three workers at a time", client{period: period, workers: 3}, func(a *Account) { a.SourcesAt = nil }, false},
		{"each second", client{period: time.Second, workers: 1}, nil, false},
		{"a lump that lacks half, which comes with the next", client{period: period, workers: 1}, func(a *Account) {
			for k := range a.Counted {
				if a.Ticks[k] > 11*time.Second && a.Ticks[k] < 16*time.Second {
					a.Counted[k] -= 40
				}
			}
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := instance("web-1", 3, steady(20), c.client)
			if c.change != nil {
				c.change(&a)
			}
			tr := trackOf(t, period, a)
			if tr.sharp != c.sharp {
				t.Fatalf("sharp: %v", tr.sharp)
			}
			for k := range tr.Ticks {
				if wide := tr.madeBy[k] - tr.leftBy[k]; tr.sharp && k > 6 && tr.leftBy[k] < forever && wide > 2*time.Second {
					t.Errorf("at %v counts are known to %v", tr.Ticks[k], wide)
				}
			}
		})
	}
}
