package diagnose

import (
	"fmt"
	"math"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// What is lost at the end of a life: with its exit, with a kill, or from some moment on.

// exitSpan is how long before its end the loss of an instance may begin that did not flush:
// datadog-go's default window is 2 s and its sender adds 100 ms; the rest is for draining.
// A client that was declared to hold longer may lose one window more.
func (k *court) exitSpan() time.Duration {
	return max(3500*time.Millisecond, 2*k.Window+1500*time.Millisecond)
}

// holdSpan is the longest that a client is thought to hold back: more than 10 s is unheard of.
func (k *court) holdSpan() time.Duration { return max(10*time.Second, 3*k.Window) }

// theLast is the shape of a loss of the last requests.
func (t *track) theLast() func(int64) float64 {
	return func(requests int64) float64 { return float64(max(0, requests-(t.n-t.wrong))) }
}

// theFirst is the shape of a loss of the first requests.
func (t *track) theFirst() func(int64) float64 {
	return func(requests int64) float64 { return float64(min(t.wrong, requests)) }
}

// exactly scores a shape that leaves nothing to chance: it may be off by a few, or a small
// share of the whole.
func (t *track) exactly(shape func(t *track) func(int64) float64, few, share float64) float64 {
	return t.both(func(t *track) float64 { return t.exactlyAlone(shape(t), few, share) })
}

func (t *track) exactlyAlone(shape func(int64) float64, few, share float64) float64 {
	return min(t.follows(shape, min(few, 0.5*float64(t.wrong))+share*float64(t.wrong)), t.shaped(t.along(shape), func(_ block, mean float64) float64 {
		if mean == 0 {
			return 0
		}
		return 0.25*few*few + share*share*mean*mean
	}))
}

// goneBy tells whether a good part had been lost by at, whatever the client held.
func (t *track) goneBy(at time.Duration) bool {
	for k := range t.Ticks {
		if t.Ticks[k] <= at && t.low[k] >= max(0.5, 0.3*float64(t.wrong)) {
			return true
		}
	}
	return false
}

// lostFrom is when the last so many requests began to be acknowledged.
func (t *track) lostFrom(lost int64) time.Duration {
	if t.n == 0 {
		return t.begin()
	}
	return t.Acked[min(t.n-1, max(0, t.n-lost))]
}

// theEnd is when the last ones were answered that are lost.
func (t *track) theEnd() (from, to time.Duration) { return t.lostFrom(t.wrong), forever }

// within is the clause of a loss of the last requests.
func (t *track) lastOnes(why string) clause {
	return clause{why: why, from: t.lostFrom(t.wrong), to: t.Acked[t.n-1]}
}

func lostOnExit(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		at := t.ended()
		if t.surplus || at == record.Never {
			return never
		}
		span := t.since(at - k.exitSpan())
		if t.least > span || t.goneBy(at-k.exitSpan()) {
			return never
		}
		return max(held(t.wrong, span), k.heldAll(t, at)) + t.exactly((*track).theLast, 1+min(1, t.clump/8), 0.1)
	}, func(t *track) float64 {
		if at := t.ended(); at != record.Never && t.since(at-max(k.Window, time.Second)) > 2 {
			return -1.5 // it had something to lose, and lost nothing
		}
		return 0
	}).struckToo(k, set, (*track).theEnd).saying(k, func(t *track) clause {
		ending := "exited"
		if t.Life.Signal != "" && t.Life.Signalled != record.Never {
			ending = "got " + t.Life.Signal
		}
		before := ""
		if t.Total == 0 {
			before = ", before anything was sent"
		}
		what := "the client was not flushed on exit"
		if k.NoLines {
			what = "nothing was exported on exit"
		}
		return t.lastOnes(fmt.Sprintf("%s %s at %s%s: %s", t.Instance, ending, words.Seconds(t.ended()), before, what))
	})
}

// killedWith scores what a kill may have taken: the last ones, back to some time.
func killedWith(k *court, t *track) float64 {
	if t.surplus || t.Killed == record.Never {
		return never
	}
	span := t.since(t.Killed - k.holdSpan())
	if t.least > span || t.goneBy(t.Killed-k.holdSpan()) {
		return never
	}
	if t.Early > t.wrong {
		return 0 // more had been missing just before, and came
	}
	score := held(t.wrong, span)
	if usual := t.since(t.Killed - k.Window - k.longer); k.longer > k.Interval/2 && t.wrong <= usual+2 {
		score = max(score, choice(usual+1)+2) // it was seen to hold as much before
	}
	return score + t.exactly((*track).theLast, 1+min(1, t.clump/8), 0.1)
}

// held is what it costs that a client held so many of at most most: clients hold for
// milliseconds or for seconds, so that the logarithm of it is what may be anything.
func held(wrong, most int64) float64 {
	return choice(wrong+1) - math.Log(1+math.Log(float64(max(1, most))))
}

// heldAll scores that an instance's life was over before its client sent anything for the first time:
// it may send at any moment of its window.
func (k *court) heldAll(t *track, at time.Duration) float64 {
	window := k.Window + k.longer
	served := at - t.Acked[0]
	if t.Total > 0 || served >= window {
		return never
	}
	return math.Log(1-max(0, served).Seconds()/window.Seconds()) + choice(2)
}

// anyLate tells whether the counts of any other instance came later than max_lag.
func (k *court) anyLate(but *track) bool {
	for i := range k.tracks {
		if k.tracks[i].Late && k.tracks[i].Instance != but.Instance {
			return true
		}
	}
	return false
}

// largeBuffer: a client that holds back for longer than declared does so all the time, and is
// behind at some interval ends.
func largeBuffer(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		score := killedWith(k, t)
		if held := t.Killed - t.lostFrom(t.wrong); held > k.Window+k.longer+3*k.Interval/2 {
			score -= 5
		}
		if k.anyLate(t) {
			score -= 8 // then it is late at all times
		}
		return score
	}, func(t *track) float64 {
		if t.Killed != record.Never {
			return -0.7
		}
		return 0
	}).struckToo(k, set, (*track).theEnd).saying(k, func(t *track) clause {
		if t.Early > t.wrong {
			return t.lastOnes(fmt.Sprintf("shortly before its SIGKILL %s were missing that were older than the %s declared as client_window, and some came later: the client holds back longer", words.Times(t.Early, "count"), k.Window))
		}
		return t.lastOnes(fmt.Sprintf("%s was killed at %s and the client had held back %s, more than the %s declared as client_window",
			t.Instance, words.Seconds(t.Killed), words.Seconds(t.Killed-t.lostFrom(t.wrong)), k.Window))
	}).or(heldByNumber(k, set, sound))
}

// late: what comes late is taken by a kill, or by the end of the run.
func late(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		switch {
		case t.surplus:
			return never
		case t.Killed != record.Never && k.anyLate(t):
			return killedWith(k, t)
		case t.Killed == record.Never && t.Late:
			return -3
		}
		return never
	}, free).saying(k, func(t *track) clause {
		from := t.lostFrom(t.wrong)
		if t.Killed == record.Never {
			return t.lastOnes("its counts leave late, and the last of them had not come at the end")
		}
		return t.lastOnes(fmt.Sprintf("its counts leave about %s late, and the kill at %s took the last of them", words.Seconds(t.Killed-from), words.Seconds(t.Killed)))
	})
}

// wentSilent: nothing is counted from some moment on, while the instance goes on serving. What
// was born after others fell silent may never have spoken.
func wentSilent(k *court, set, sound []int) fit {
	first, last := forever, time.Duration(0)
	spoke := 0
	for _, i := range set {
		if t := &k.tracks[i]; t.n > 0 && t.Total > 0 && !t.surplus && !k.atLast(t) {
			from := t.lostFrom(t.wrong)
			first, last, spoke = min(first, from), max(last, from), spoke+1
		}
	}
	together := spoke > 1 && last-first <= 2*k.Interval+k.Window
	f := fitEach(k, set, sound, func(t *track) float64 {
		switch {
		case t.surplus || t.n == 0:
			return never
		case t.Total == 0 && spoke == 0:
			return never
		case t.Total == 0 && t.Acked[0] < first-k.Interval:
			return -5 // its client stopped before it had sent anything
		case t.Total == 0:
			return -1
		}
		score := t.exactly((*track).theLast, 1.5, 0.03)
		if !together {
			score += choice(t.n)
		}
		if t.wrong < 5 {
			score -= 2 // of so few it cannot be told
		}
		switch from := t.lostFrom(t.wrong); {
		case t.ended() != record.Never && from > t.ended()-k.exitSpan(), t.Killed != record.Never && from > t.Killed-3*time.Second-k.Window,
			k.atLast(t):
			score -= 5 // an end that takes what is held is common, and a silence just before it is not
		}
		if k.spoke(t, t.lostFrom(t.wrong)+k.Window+k.Interval, t.end()-k.Interval) {
			score -= 1.5 // a client that stops sending stops for all metrics
		}
		return score
	}, every(-0.5))
	if together {
		f.shared += choice(k.tracks[set[0]].n) - float64(spoke)
	}
	return f.struckToo(k, set, (*track).theEnd).saying(k, func(t *track) clause {
		if t.Total == 0 {
			return clause{why: "it was born when others had stopped sending, and never sent anything"}
		}
		return t.lastOnes(fmt.Sprintf("nothing was counted from %s on: the client stopped sending while its instance went on serving", words.Seconds(t.lostFrom(t.wrong))))
	})
}

// atLast tells whether what a living instance lost is no more than a client may still hold.
func (k *court) atLast(t *track) bool {
	return t.alive() && t.n > 0 && t.lostFrom(t.wrong) > t.Acked[t.n-1]-3*time.Second-k.Window-k.longer
}

// forever is later than anything that happens.
const forever = time.Duration(math.MaxInt64)

// spoke tells whether another series of the instance got a value in an interval that lies
// within from and to.
func (k *court) spoke(t *track, from, to time.Duration) bool {
	for i, at := range t.Ticks {
		if i < len(t.Spoke) && t.Spoke[i] && at-k.Interval >= from && at <= to {
			return true
		}
	}
	return false
}

// stillHeld: a client that sends when it holds enough, or when it is called, still holds the
// last ones when the run ends. What it was asked to end for it would have sent.
func stillHeld(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		if t.surplus || !t.alive() || t.n == 0 {
			return never
		}
		most := t.since(t.Acked[t.n-1] - k.holdSpan())
		if t.least > most {
			return never
		}
		score := held(t.wrong, most) + t.exactly((*track).theLast, 1+min(1, t.clump/8), 0.1)
		if t.Acked[t.n-1]-t.lostFrom(t.wrong) > k.Window+k.longer+k.Interval/2 {
			score -= 8 // it would have been seen to hold so many before
		}
		return score
	}, func(t *track) float64 {
		if t.alive() && t.n > 10 {
			return -1 // it happened to hold nothing
		}
		return 0
	}).othersLostIn(k, set, (*track).theEnd).struckToo(k, set, (*track).theEnd).saying(k, func(t *track) clause {
		return t.lastOnes("they are the last of the run, of instances that live on: the client, or one of its workers, still holds them")
	})
}
