package diagnose

import (
	"math/rand/v2"
	"testing"
	"time"
)

// An instance whose life was over before its client sent anything lost what that held. No sample rate, and no path
// through the code, loses all; where it lived for long, its metric was never there.
func TestWhoWasNeverHeard(t *testing.T) {
	none := func(int, time.Duration, *rand.Rand) bool { return false }
	for _, c := range []struct {
		long time.Duration
		want string
	}{{1200 * time.Millisecond, LostOnExit}, {20 * time.Second, NoMetric}} {
		sound := instance("web-1", 1, steady(60), client{period: 2 * time.Second, workers: 1})
		sound.Life.Version = "v1"
		a := instance("web-2", 2, steady(60), client{period: 2 * time.Second, workers: 1, counted: none})
		a.Life.Version = "v2"
		end := from + c.long
		a.Acked = a.Acked[:upTo(a.Acked, end)]
		a.Open, a.Total = int64(len(a.Acked)), 0
		a.Life.Signal, a.Life.Signalled, a.Life.Death = "SIGTERM", end, end+100*time.Millisecond
		for k := range a.Sent {
			a.Sent[k] = upTo(a.Acked, a.Ticks[k])
		}
		a.Others, sound.Others = true, true // timers came
		if c.want == LostOnExit {           // and no other counter
			a.Kin = []Kin{{Acked: a.Acked[:20]}}
		}
		if d := explained(t, 2*time.Second, sound, a)[1]; d.Cause != c.want {
			t.Errorf("it lived for %v: %s %v, want %s: %s", c.long, d.Cause, d.Possible, c.want, d.Why)
		}
		k := newCourt(&Case{Window: 2 * time.Second, Interval: time.Second, Accounts: []Account{sound, a}})
		for _, h := range hypotheses {
			switch h.cause {
			case RateNotSent, NotCounted, Conditional, NetLost, SilentWorker, FirstLost:
				if f := h.hear(k, []int{1}, nil); f.total() > contradicted {
					t.Errorf("%s lost all, with a score of %.1f", h.cause, f.total())
				}
			}
		}
	}
}

// Who asks whether an instance can serve may stop before the record ends.
func TestProbesThatEndBeforeTheRecord(t *testing.T) {
	a := instance("web-1", 1, steady(60), client{period: tenth, workers: 1})
	k := newCourt(&Case{Window: tenth, Interval: time.Second, Accounts: []Account{a}})
	asked := k.tracks[0].probed(forever)
	if served := (until - a.Life.Ready).Seconds(); asked < served-0.5 || asked > served+1.5 {
		t.Errorf("it was asked for %.1f s, and was counted for %.1f s", asked, served)
	}
}

// A counter that lacks some beside the timer while they are held, and has some too many later, does not come at once with it.
func TestATimerThatIsAheadOfTooManyCounts(t *testing.T) {
	a := instance("web-1", 1, steady(60), client{period: 2 * time.Second, workers: 1})
	a.Twin = Twin{Kind: "timer", N: int64(len(a.Acked))}
	for k, at := range a.Ticks {
		a.Twin.At = append(a.Twin.At, float64(upTo(a.Acked, at)))
		if at > 20*time.Second { // then each is counted twice
			a.Counted[k] += float64(upTo(a.Acked, at) - upTo(a.Acked, 20*time.Second))
		}
	}
	a.Total = int64(a.Counted[len(a.Counted)-1])
	a.Open = int64(len(a.Acked)) - a.Total
	tr := newTrack(&a)
	if held, behind := tr.madeUp(2 * time.Second); !tr.surplus || behind < 20 {
		t.Errorf("of %.0f held %.0f came behind the timer", held, behind)
	}
}
