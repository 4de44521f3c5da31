package account

import (
	"math"
	"time"

	"throughline/scenarios/check/evidence"
)

// Lateness is how far an instance's counts lag behind the acknowledgements. At 9.1 s the
// counter stands at 500, and the 501st request was acknowledged at 5.0 s: with a window of
// 100 ms it is 4.0 s late.
type Lateness struct {
	By, At time.Duration // the longest lag beyond the client's window, and when; 0: within max_lag
	// Excused tells that the machine or the collector was late itself then.
	Excused bool
}

// lateness compares the two curves sideways: at each interval end, how old is
// the oldest acknowledged request that is not counted yet, and not lost for
// good? Sampled counters are no exact curve and are left out.
func (a *Account) lateness(e *evidence.Index) Lateness {
	var l Lateness
	if a.Promise.SampleRate < 1 || len(a.Acked) == 0 || len(a.counted.At) == 0 {
		return l
	}
	lost := permanent(a.Gap)
	allowed := a.heldFor + a.Promise.MaxLag
	for k, t := range a.ticks {
		if t < e.FirstScrape(a.Life.Instance)+e.Interval {
			continue // nobody had asked yet
		}
		since := e.HeldSince(a.Life.Instance, t, allowed+e.Asking(a.Life.Instance, t-allowed, t))
		due := float64(evidence.CountUpTo(a.Acked, since))
		have := a.counted.UpTo(t) + lost[k]
		if have >= due {
			continue
		}
		oldest := a.Acked[int(math.Floor(max(0, have)))]
		by := t - oldest - a.heldFor
		excused := e.Waits(a.Life.Instance, oldest-time.Second, t+time.Second) > TooLate(a.Promise.MaxLag)
		// What nothing excuses counts more than what is longer.
		if l.By == 0 || l.Excused && !excused || l.Excused == excused && by > l.By {
			l.By, l.At, l.Excused = by, t, excused
		}
	}
	return l
}

// UsualLag is from which lag on counts are called late by checks that have no
// max_lag of their own: what conservation has by default.
const UsualLag = 2 * time.Second

// TooLate is how late the machine itself must have been to be blamed for a count
// that came later than allowed: half of what is allowed, but not less than what
// a scheduler needs on any day.
func TooLate(allowed time.Duration) time.Duration { return max(allowed/2, 25*time.Millisecond) }
