package diagnose

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// half does not count every other request, as chance has it.
func half(_ int, _ time.Duration, rnd *rand.Rand) bool { return rnd.Float64() > 0.5 }

// A timer that lacks the very same number lacks the same requests; one that lacks about as many lacks others.
func TestATimerThatLacksTheSame(t *testing.T) {
	for _, c := range []struct {
		about       string
		off         int64
		same, apart float64 // scores, at least
	}{
		{"the same number", 0, 0, contradicted},
		{"a few more", 15, contradicted, -6},
	} {
		a := instance("web-1", 1, steady(80), client{period: time.Millisecond, workers: 1, counted: half})
		a.Twin = Twin{Kind: "timer", N: a.Total - c.off}
		k := newCourt(&Case{Window: time.Millisecond, Interval: time.Second, Accounts: []Account{a}})
		same, apart := k.tracks[0].twinIs(lostToo, 0), k.tracks[0].twinIs(apartToo, 0)
		if same < c.same || apart < c.apart || (same > apart) != (c.off == 0) {
			t.Errorf("%s: the same requests %.1f, others %.1f", c.about, same, apart)
		}
	}
}

// Who samples draws lots for each metric: three instances at which a timer lacks as many as the counter do not sample.
func TestNoSamplingLosesTheSameTwice(t *testing.T) {
	var accounts []Account
	for i := range uint64(3) {
		a := instance("web-"+string(rune('1'+i)), i, steady(80), client{period: time.Millisecond, workers: 1, counted: half})
		a.Twin = Twin{Kind: "timer", N: a.Total}
		accounts = append(accounts, a)
	}
	for _, d := range explained(t, time.Millisecond, accounts...) {
		if d.Cause == RateNotSent {
			t.Errorf("%s: %s", d.Cause, d.Why)
		}
	}
}

// Counters of other routes that have just what they should contradict datagrams that came twice.
func TestDatagramsThatCameTwiceBringAllCountersTwice(t *testing.T) {
	a := instance("web-1", 1, steady(80), client{period: time.Millisecond, workers: 1})
	for k := range a.Counted {
		a.Counted[k] = math.Round(1.2 * a.Counted[k])
	}
	a.Total = int64(a.Counted[len(a.Counted)-1])
	a.Open = int64(len(a.Acked)) - a.Total
	a = a.unseen()
	score := func(a Account) float64 {
		k := newCourt(&Case{Window: time.Millisecond, Interval: time.Second, Accounts: []Account{a}})
		return netTwice(k, []int{0}, nil).total()
	}
	unknown := score(a)
	if a.Kin = []Kin{{Acked: a.Acked[:400], Total: 400}}; score(a) > unknown-5 {
		t.Errorf("it scores %.1f, and %.1f where another counter has its 400 and no more", unknown, score(a))
	}
	if a.Kin = []Kin{{Acked: a.Acked[:1], Total: 1}}; score(a) < unknown-1 {
		t.Errorf("it scores %.1f, and %.1f where another counter has 1", unknown, score(a))
	}
}

// An absence that is shorter than what a client holds may strike nothing of it.
func TestAnAbsenceBetweenTwoSendings(t *testing.T) {
	a := instance("web-1", 1, steady(40), client{period: 5 * time.Second, workers: 1})
	k := newCourt(&Case{Window: 5 * time.Second, Interval: time.Second, Accounts: []Account{a}})
	tr := &k.tracks[0]
	if got := k.missedBy(tr, 1); math.Abs(got-math.Log(0.8)) > 0.01 {
		t.Errorf("1 s is missed with a score of %.2f, want %.2f", got, math.Log(0.8))
	}
	if got := k.missedBy(tr, 6); got != never {
		t.Errorf("6 s are missed with a score of %.2f", got)
	}
	tr.unit = 1 // each count is sent by itself
	if got := k.missedBy(tr, 1); got != never {
		t.Errorf("40 sendings a second miss 1 s with a score of %.2f", got)
	}
}

// One instance at which values come apart from counts shows that they do at all, also where interval
// ends do not fall between the two.
func TestApartAtOneIsApartAtAll(t *testing.T) {
	var accounts []Account
	for i := range 3 {
		a := instance("web", uint64(i+70), func(t time.Duration) float64 { return 60 + 50*math.Sin(t.Seconds()*2*math.Pi/3) }, client{period: time.Second, workers: 1,
			counted: func(n int, _ time.Duration, _ *rand.Rand) bool { return n%7 != 0 }})
		a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
		for k, at := range a.Ticks {
			came := float64(upTo(a.Acked, at-600*time.Millisecond)) // apart
			if i == 0 {
				came = math.Round(a.Counted[k] * 7 / 6) // with the counts
			}
			a.Twin.At = append(a.Twin.At, came)
		}
		accounts = append(accounts, a)
	}
	k := newCourt(&Case{Window: time.Second, Interval: time.Second, Accounts: accounts})
	for i := range k.tracks {
		if k.tracks[i].abreast || k.tracks[i].exact {
			t.Errorf("%d: counts are thought to come with values, which others show they do not", i)
		}
	}
}
