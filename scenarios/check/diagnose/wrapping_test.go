package diagnose

import (
	"math"
	"testing"
	"time"
)

// wrapped has an account lose all full batches of so many, of a client that sends each second.
func wrapped(a Account, batch float64) Account {
	was, kept := 0.0, 0.0
	for k, is := range a.Counted {
		kept += math.Mod(is-was, batch)
		was, a.Counted[k] = is, kept
	}
	a.Total = int64(kept)
	a.Open = int64(len(a.Acked)) - a.Total
	return a
}

// swinging is a load in whose troughs no batch is full.
func swinging(t time.Duration) float64 { return 11 + 9*math.Sin(t.Seconds()*2*math.Pi/12) }

// Batches that are full at the peaks alone are no stretch of bad luck, nor an even share.
func TestBatchesThatAreFullAtPeaks(t *testing.T) {
	var accounts []Account
	for i := range uint64(4) {
		a := wrapped(instance("web-"+string(rune('1'+i)), i, swinging, client{period: time.Second, workers: 1}), 16)
		a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
		if a.Open < 16 || a.Open%16 != 0 {
			t.Fatalf("%s lost %d", a.Instance, a.Open)
		}
		accounts = append(accounts, a)
	}
	k, set := newCourt(&Case{Window: time.Second, Interval: time.Second, Accounts: accounts}), []int{0, 1, 2, 3}
	score := wrapping(k, set, nil).total()
	for _, h := range hypotheses {
		switch h.cause {
		case Burst, NotCounted, RateNotSent, Conditional, NetLost:
			if other := h.hear(k, set, nil).total(); other > score-5 {
				t.Errorf("%s scores %.1f, and %s %.1f", Wrapping, score, h.cause, other)
			}
		}
	}
}

// Where the timer tells how much is lost at each interval end, that is a multiple each time.
func TestWholeBatches(t *testing.T) {
	a := instance("web-1", 1, swinging, client{period: time.Second, workers: 1})
	a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
	a.Twin.At = append(a.Twin.At, a.Counted...) // which comes with the counts
	a = wrapped(a, 16)
	tr := newCourt(&Case{Window: time.Second, Interval: time.Second, Accounts: []Account{a}}).tracks[0]
	if !tr.exact {
		t.Fatal("the timer does not tell how much was lost when")
	}
	for m, want := range map[int64]bool{16: true, 12: false, 100: false} {
		if got := tr.wholeBatches(m) > 0; got != want {
			t.Errorf("multiples of %d each time: %v", m, got)
		}
	}
	tr.exact = false
	if tr.wholeBatches(16) != 0 {
		t.Error("what is not known is said to be a multiple")
	}
}

// Of 40 a worker's batch of 16 is full twice; two workers share them as chance has it.
func TestBatchesOf(t *testing.T) {
	for _, c := range []struct{ n, workers, least, most float64 }{
		{40, 1, 32, 32}, {15, 1, 0, 0}, {40, 2, 28, 32}, {20, 2, 0, 2}, {64, 2, 44, 54},
	} {
		if got := batchesOf(c.n, 16, c.workers); got < c.least || got > c.most {
			t.Errorf("%.0f by %.0f workers: %.1f are in full batches of 16, want %.0f to %.0f", c.n, c.workers, got, c.least, c.most)
		}
	}
}

// Requests of unknown outcome that the timer does not know were not answered, and none of them was lost.
func TestATimerKnowsWhatIsUnknown(t *testing.T) {
	a := instance("web-1", 1, steady(40), client{period: time.Second, workers: 1})
	a.Spare, a.Open, a.Total = 90, 64, a.Total-64
	a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
	tr := newTrack(&a)
	if tr.most != 154 || tr.knownMost() != 64 {
		t.Errorf("at most %d are lost, or %d; want 154, or 64", tr.most, tr.knownMost())
	}
	a.Twin.N += 10 // it knows ten of them
	if tr = newTrack(&a); tr.knownMost() != 74 {
		t.Errorf("at most %d are lost, want 74", tr.knownMost())
	}
	a.Twin = Twin{}
	if tr = newTrack(&a); tr.knownMost() != 154 {
		t.Errorf("without a timer at most %d are lost, want 154", tr.knownMost())
	}
}
