package diagnose

import (
	"fmt"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// What is lost, or too many, in one stretch of time.

// stretch is from the last interval end at which nothing was wrong yet to the first at which
// all of it was, as far as the curves tell.
type stretch struct {
	from, to time.Duration
	requests int64 // that may have been acknowledged within it
}

// stepped finds the stretch in which the difference arose.
func (t *track) stepped() stretch {
	if t.step.requests > 0 {
		return t.step
	}
	first, last := 0, len(t.Ticks)-1
	whole := float64(t.wrong)
	some := max(0.5, 0.05*whole)
	for k := range t.gone {
		if t.gone[k] <= some {
			first = k
		}
	}
	for k := len(t.gone) - 1; k >= 0 && t.gone[k] >= whole-some; k-- {
		last = k
	}
	last = max(last, min(first+1, len(t.Ticks)-1))
	s := stretch{from: t.Ticks[first], to: t.Ticks[last]}
	if t.gone[first] > some { // it was there from the start
		s.from = t.begin()
	}
	s.requests = max(1, upTo(t.Acked, s.to)-upTo(t.Acked, s.from))
	t.step = s
	return s
}

// open is the widest stretch in which the difference may have arisen.
func (t *track) widest() float64 {
	some := max(0.5, 0.05*float64(t.wrong))
	first, last := -1, len(t.Ticks)-1
	for k := range t.Ticks {
		if t.high[k] <= some {
			first = k
		}
		if t.low[len(t.Ticks)-1-k] >= float64(t.wrong)-some {
			last = len(t.Ticks) - 1 - k
		}
	}
	var before int64
	if first >= 0 {
		before = t.old[first]
	}
	return float64(max(1, min(t.n, t.Sent[last])-before)) / float64(max(1, t.n))
}

// inAStretch scores a loss, or a surplus, of one stretch of an instance's life.
func (k *court) inAStretch(t *track) float64 {
	if t.n == 0 || len(t.Ticks) < 2 {
		return -6
	}
	s := t.stepped()
	score := 2*choice(int64(len(t.Ticks))) + choice(max(t.wrong, s.requests))
	if long := float64(s.to-s.from) / float64(max(1, t.span)); long > 0.3 {
		score -= 20 * (long - 0.3)
	}
	return score
}

// burst: one stretch of an instance's life, whatever happened in it.
func burst(k *court, set, sound []int) fit {
	f := fitEach(k, set, sound, k.inAStretch, every(-0.3))
	if len(set) > 1 && k.common(set).to > 0 {
		f.shared -= 2 * choice(int64(len(k.tracks[set[0]].Ticks))) * float64(len(set)-1)
	}
	return f.saying(k, func(t *track) clause {
		switch {
		case t.n == 0:
			return clause{why: "it acknowledged none"}
		case t.surplus:
			s := t.stepped()
			return clause{why: "they came in a burst", from: s.from, to: s.to}
		}
		s := t.stepped()
		return clause{why: "they are neither the first nor the last of its life, nor spread over it", from: s.from, to: s.to}
	})
}

// common is the stretch that the accounts of a set share; to is 0 where they share none.
func (k *court) common(set []int) stretch {
	var c stretch
	for j, i := range set {
		s := k.tracks[i].stepped()
		if j == 0 {
			c = s
			continue
		}
		c.from, c.to = max(c.from, s.from), min(c.to, s.to)
	}
	if c.from >= c.to {
		return stretch{}
	}
	return c
}

// away: nobody received anything from anybody in one stretch. Whatever arrived within it
// contradicts that, and so does an instance that answered then and lost nothing.
func away(k *court, set, sound []int) fit {
	c := k.common(set)
	if !k.lossOnly(set) || c.to == 0 {
		return impossible(set)
	}
	unattended := k.unattended(c)
	f := fitEach(k, set, sound, func(t *track) float64 {
		answered := upTo(t.Acked, c.to) - upTo(t.Acked, c.from)
		own := t.stepped()
		switch {
		case own.to-own.from > c.to-c.from+2*k.Interval+k.Window+k.longer:
			return never // what it lost is not of this stretch
		case !unattended && k.spoke(t, c.from+k.Interval/10, c.to-k.Interval/10):
			return never
		case k.heard(t, c):
			return never
		case t.wrong < 5:
			return -8 // of so few it cannot be told
		case float64(t.wrong) < 0.3*float64(answered-t.clumpOf(c)):
			return contradicted
		}
		return 0
	}, func(t *track) float64 {
		if t.Life.Death != record.Never && t.Life.Death < c.to {
			return 0
		}
		inner := upTo(t.Acked, c.to-k.Interval) - upTo(t.Acked, c.from+k.Interval)
		if inner >= 3 || !unattended && k.spoke(t, c.from, c.to) {
			return contradicted
		}
		return 0
	})
	f.shared += 2 * choice(int64(len(k.tracks[set[0]].Ticks)))
	switch {
	case unattended:
		f.shared += 4
	case len(set) == 1:
		f.shared -= 5
	}
	return f.saying(k, func(t *track) clause {
		if unattended {
			return clause{why: fmt.Sprintf("between %s and %s, when for a while the collector ended no interval: nobody received them", words.Seconds(c.from), words.Seconds(c.to)), from: c.from, to: c.to}
		}
		return clause{why: fmt.Sprintf("the counts of all %d instances that answered then are missing, and nothing else arrived from them: nobody received them", len(set)), from: c.from, to: c.to}
	})
}

// clumpOf is how many of a stretch's requests may belong to the intervals at its ends.
func (t *track) clumpOf(c stretch) int64 {
	return int64(t.rate() * 2 * min(c.to-c.from, 2*time.Second).Seconds())
}

// heard tells whether the metric itself went up in an interval within a stretch, by more
// than what had been held before.
func (k *court) heard(t *track, c stretch) bool {
	for j := 1; j < len(t.Ticks); j++ {
		if t.Ticks[j-1] >= c.from+k.Window && t.Ticks[j] <= c.to-k.Interval/10 && t.Counted[j]-t.Counted[j-1] >= 1 && t.Ticks[j]-t.Ticks[j-1] <= 3*k.Interval/2 {
			return true
		}
	}
	return false
}

// unattended tells whether the collector ended no interval for a while within a stretch.
func (k *court) unattended(c stretch) bool {
	for i := range k.tracks {
		ticks := k.tracks[i].Ticks
		for j := 1; j < len(ticks)-1; j++ { // the last one is the end of the record
			if ticks[j]-ticks[j-1] >= 3*k.Interval/2 && ticks[j] > c.from && ticks[j-1] < c.to {
				return true
			}
		}
	}
	return false
}
