package diagnose

import (
	"fmt"
	"time"

	"throughline/scenarios/check/words"
)

// What is lost at the beginning of a life: all of some seconds, or the first sample.

// silentStart: nothing is counted in the first seconds of a life.
func silentStart(k *court, set, sound []int) fit {
	var shortest, longest time.Duration
	some := false
	for _, i := range set {
		t := &k.tracks[i]
		if t.n == 0 || t.surplus || t.Total == 0 {
			continue
		}
		silent := t.Acked[min(t.n, max(1, t.wrong))-1] - t.Acked[0]
		if !some {
			shortest, longest, some = silent, silent, true
		}
		shortest, longest = min(shortest, silent), max(longest, silent)
	}
	alike := len(set) > 1 && longest-shortest <= k.Interval+shortest/4
	f := fitEach(k, set, sound, func(t *track) float64 {
		if t.surplus || t.n == 0 {
			return never
		}
		if t.Total == 0 { // its life was over before others would have spoken
			if some && t.Acked[t.n-1]-t.Acked[0] <= longest+k.Interval {
				return -1
			}
			return never
		}
		score := t.exactly((*track).theFirst, 1.5, 0.03)
		if alike { // so many would have been as much alike
			score += choice(1 + int64(t.rate()*(longest-shortest).Seconds()))
		} else {
			score += held(t.wrong, t.n)
		}
		switch {
		case t.wrong < 4 && t.lacksTheSame():
			score -= 1
		case t.wrong < 4:
			score -= 3
		}
		if t.Late || k.anyLate(t) {
			score -= 8 // a curve that is shifted looks the same
		}
		if k.spoke(t, t.Acked[0]+k.Interval, t.Acked[t.wrong-1]-k.Interval) {
			score -= 2
		}
		return score + t.twinIs(turnedOver, 0)
	}, every(-1.5))
	if alike {
		f.shared += held(k.tracks[set[0]].wrong, k.tracks[set[0]].n) - 0.5*float64(len(set))
	}
	theBeginning := func(t *track) (from, to time.Duration) {
		if t.wrong == 0 || t.n == 0 {
			return 0, 0
		}
		return 0, t.Acked[min(t.n, t.wrong)-1]
	}
	others := f.clone().othersLostIn(k, set, theBeginning)
	f = f.othersComplete(k, set)
	f.shared -= 2
	f = f.or(others).struckToo(k, set, theBeginning)
	return f.saying(k, func(t *track) clause {
		to := t.Acked[t.wrong-1]
		return clause{why: fmt.Sprintf("nothing was counted in the first %s of its life: the client was not sending yet", words.Seconds(to-t.begin())),
			from: t.Acked[0], to: to}
	})
}

// lacksTheSame tells whether the twin lacks the very same number.
func (t *track) lacksTheSame() bool {
	return t.Twin.Kind != "" && t.least > 0 && t.n-t.Twin.N >= t.least && t.twinIs(lostToo, 0) == 0
}

// fewFirst is how many counts may be the first sample: a client that aggregates puts a few
// requests into one.
const fewFirst = 3

// firstLost: the first sample of a series is lost, the same few at every instance.
func firstLost(k *court, set, sound []int) fit {
	best := impossible(set)
	if k.mute(set) { // whoever has sent more than the first sample is seen
		return best
	}
	for lost := int64(1); lost <= fewFirst; lost++ {
		f := fitEach(k, set, sound, func(t *track) float64 {
			switch {
			case t.surplus:
				return never
			case t.Total == 0 && t.least <= upTo(t.Acked, t.Acked[0]+k.Window+k.longer+k.Interval/10):
				return -1 // its life was over before a second
			case t.Total == 0 && t.n > lost:
				return never
			case t.Total == 0:
				return 0
			case lost < t.least || lost > t.most:
				return k.firstFlush(t)
			}
			return t.exactly(func(*track) func(int64) float64 {
				return func(requests int64) float64 { return float64(min(lost, requests)) }
			}, 0, 0)
		}, func(t *track) float64 {
			if t.n > 10 && (t.surplus || lost > max(t.most, t.wrong+t.Spare)) {
				return -6
			}
			return -0.3
		})
		f.shared += choice(fewFirst)
		if len(set) == 1 && len(sound) == 0 {
			f.shared -= 1
		}
		best = best.or(f)
	}
	for j, i := range set {
		best.each[j] += k.tracks[i].twinIs(complete, 0.3) + k.tracks[i].kinComplete()
		if k.tracks[i].lacksTheSame() {
			best.each[j] -= 4 // a series of its own would lack a sample of its own
		}
	}
	return best.saying(k, func(t *track) clause {
		return clause{why: "they were missing from its first count on, and no more went missing after: the first sample of a series is lost",
			from: t.Acked[0], to: t.Acked[min(t.n, max(1, t.wrong))-1]}
	})
}

// firstFlush scores the loss of all that the client had sent at once first, where it holds
// counts back and another metric of the same requests is complete.
func (k *court) firstFlush(t *track) float64 {
	first := upTo(t.Acked, t.Acked[0]+k.Window+k.Interval/10)
	if t.Twin.Kind == "" || t.wrong > first || k.Window < k.Interval/5 {
		return never
	}
	score := choice(first) + t.exactly((*track).theFirst, 1.5, 0.03)
	if 3*t.wrong > t.n {
		score -= 3 // a first flush is rarely so much of a life
	}
	return score
}
