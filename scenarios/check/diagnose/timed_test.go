package diagnose

import (
	"testing"
	"time"
)

// behindBy is a timer whose values come so long after their requests, but those of a stretch.
func behindBy(a Account, delay, from, to time.Duration) Twin {
	twin := Twin{Kind: "timer"}
	for _, at := range a.Ticks {
		n := upTo(a.Acked, at-delay)
		if at == a.Ticks[len(a.Ticks)-1] {
			n = int64(len(a.Acked))
		}
		n -= upTo(a.Acked, min(at-delay, to)) - upTo(a.Acked, min(at-delay, from))
		twin.At = append(twin.At, float64(n))
		twin.N = n
	}
	return twin
}

// The values of a timer that come soon tell when something was lost, and what they say is held against a cause as well.
func TestATimerThatComesSoonerTellsWhen(t *testing.T) {
	const window = 5 * time.Second
	for _, c := range []struct {
		about string
		delay time.Duration
		timed bool
	}{
		{"it comes at once", 20 * time.Millisecond, true},
		{"it comes with the counts", window, false},
	} {
		a := instance("web-1", 1, steady(60), client{period: window, workers: 1})
		a.Twin = behindBy(a, c.delay, 10*time.Second, 13*time.Second)
		a.Total -= a.Total / 10
		a.Open = int64(len(a.Acked)) - a.Total
		tr := &newCourt(&Case{Window: window, Interval: time.Second, Accounts: []Account{a}}).tracks[0]
		if (tr.timed != nil) != c.timed {
			t.Errorf("%s: it tells when: %v", c.about, tr.timed != nil)
		}
		if tr.timed == nil {
			continue
		}
		if s := tr.timed.stepped(); s.from < 9*time.Second || s.to > 14*time.Second+137*time.Millisecond {
			t.Errorf("%s: they were lost from %v to %v, want from 10 s to 13 s", c.about, s.from, s.to)
		}
		score := func(v *track) float64 {
			if v == tr {
				return -1
			}
			return -5
		}
		if got := tr.both(score); got != -5 {
			t.Errorf("a cause that the timer contradicts scores %.0f, want -5", got)
		}
		if tr.timed.Open = 0; tr.both(score) != -1 {
			t.Error("a timer that lacks none speaks against a cause")
		}
	}
}

// A timer whose values come at once with the counts tells how much was lost at each interval end.
func TestATimerThatComesWithTheCounts(t *testing.T) {
	lossy := func() Account {
		a := instance("web-1", 1, steady(60), client{period: 2 * time.Second, workers: 1})
		a.Twin = Twin{Kind: "timer", N: a.Total, At: append([]float64(nil), a.Counted...)}
		for k, at := range a.Ticks { // nothing is counted from 10 s to 12 s
			a.Counted[k] -= float64(upTo(a.Acked, min(at, 12*time.Second)) - upTo(a.Acked, min(at, 10*time.Second)))
		}
		a.Total = int64(a.Counted[len(a.Counted)-1])
		a.Open = int64(len(a.Acked)) - a.Total
		return a
	}
	a := lossy()
	k := newCourt(&Case{Window: 2 * time.Second, Interval: time.Second, Accounts: []Account{a}})
	if tr := &k.tracks[0]; k.together != 1 || !tr.exact || tr.most-tr.least > 2 {
		t.Errorf("together at %d accounts, exact: %v, lost are %d to %d", k.together, tr.exact, tr.least, tr.most)
	}
	// Held back, counts lack beside the timer and come later.
	a = lossy()
	for k, at := range a.Ticks {
		a.Twin.At[k] = float64(upTo(a.Acked, at))
	}
	k = newCourt(&Case{Window: 2 * time.Second, Interval: time.Second, Accounts: []Account{a}})
	if tr := &k.tracks[0]; k.together != 0 || tr.exact {
		t.Errorf("held counts: together at %d accounts, exact: %v", k.together, tr.exact)
	}
}
