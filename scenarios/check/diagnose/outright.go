package diagnose

import (
	"fmt"
	"math"
	"slices"

	"throughline/scenarios/check/words"
)

// What the collector says itself: another type, another name, nothing at all, lines that
// it could not read.

func wrongType(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		if t.Also == "" || t.surplus {
			return never
		}
		return 0
	}, func(t *track) float64 {
		if t.Also != "" {
			return contradicted
		}
		return 0
	}).saying(k, func(t *track) clause {
		too := " too"
		if t.Total == 0 {
			too = ""
		}
		return clause{why: fmt.Sprintf("%s arrived as a %s%s: what is sent as another type is not counted", k.Metric, t.Also, too)}
	})
}

func renamed(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		switch {
		case t.Alias == "" || t.Total > 0:
			return never
		case !t.aliasAgrees():
			return -5 // another counter may happen to have about as many
		}
		return 0
	}, free).saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("%s has nothing of %s, but %s has %s: the instance counts under another name", k.Metric,
			t.Instance, t.Alias, words.Number(t.AliasCount))}
	})
}

// aliasAgrees tells whether another counter has just as many as the account lacks.
func (t *track) aliasAgrees() bool {
	return math.Abs(float64(t.AliasCount-t.n)) <= float64(t.Buffer+t.Spare)+4*t.noise
}

// noMetric: nothing came, for the whole life of an instance. The shorter that was, the more
// likely it is only its end or its beginning that was lost.
func noMetric(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		if t.Total > 0 || t.n == 0 {
			return never
		}
		if t.Alias != "" && t.aliasAgrees() || t.Also != "" {
			return contradicted
		}
		if t.Alias != "" {
			return -2
		}
		if t.Others && t.kinComplete() <= -4 {
			return contradicted // other counters never came either, and what is not added up did: a client held them
		}
		if t.ended() >= 0 && t.since(t.ended()-k.exitSpan()) == t.n {
			return -8
		}
		if t.Killed >= 0 && (k.longer > 0 || k.anyLate(t)) && t.since(t.Killed-k.holdSpan()) == t.n {
			return -8 // it did not live until counts that come as late would have come
		}
		return -0.5
	}, every(-0.3)).saying(k, func(t *track) clause {
		if t.Others {
			return clause{why: fmt.Sprintf("it sent other metrics, but never %s", k.Metric)}
		}
		return clause{why: "nothing at all arrived from it"}
	})
}

// badLines: as many are missing as there were lines that made no sense.
func badLines(k *court, set, sound []int) fit {
	f := unread(k, set, sound, func(t *track) int64 {
		if t.Cut > 0 {
			return 0
		}
		return t.Bad
	}, 1, "line", "could not be read by the collector: a name, value or tag breaks the line").twins(k, set, complete, 0.3)
	// What breaks a name may break those of other counters as well.
	alone, others := f.clone().othersComplete(k, set), f.clone().othersLost(k, set)
	others.shared -= 2
	f = alone.or(others)
	if !slices.ContainsFunc(set, func(i int) bool { return k.tracks[i].Short < k.tracks[i].Bad }) {
		f.shared -= 3 // lines that all end early are cut
	}
	return f
}

// truncated: datagrams were cut, and what stood behind the cut is missing.
func truncated(k *court, set, sound []int) fit {
	f := unread(k, set, sound, func(t *track) int64 { return max(t.Cut, t.Bad) }, 0, "line", "end too early: datagrams came cut, and what stood behind the cut is lost")
	told, whole, ends, behind := false, false, false, 0.0
	for _, i := range set {
		whole, ends = whole || k.tracks[i].Short < k.tracks[i].Bad, ends || k.tracks[i].Short > 0
		switch t := &k.tracks[i]; {
		case t.Cut > 0:
			told = true
		case t.twinIs(complete, 0) == 0 && t.Twin.Kind != "" && t.kinComplete() == 0:
			behind = -6 // what was behind the cut would lack too, if anything was
		}
	}
	f.shared += behind
	if !told {
		f.shared -= 1.5 // the collector saw no datagram cut
	}
	switch {
	case whole && !told && !ends: // a line that is cut is the beginning of a good one
		f.shared += contradicted
	case whole:
		f.shared -= 6 // what is cut rarely makes a whole line
	}
	return f
}

// beyond is what it costs a loss that lines which could not be read account for less of it.
func beyond(off, expected float64) float64 {
	if off <= 0 {
		return 0
	}
	return min(10, off*off/(2*(1+expected)))
}

// unread scores that as many are missing as could not be read; all is 1 where nothing else
// is missing with them.
func unread(k *court, set, sound []int, count func(*track) int64, all float64, noun, why string) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		bad := count(t)
		switch {
		case t.surplus || bad == 0:
			return never
		case bad >= t.least && bad <= t.most:
			return 0
		}
		// A line may stand for several requests, and bad ones may be of other metrics too.
		expected := float64(bad) * max(1, float64(t.Total)/float64(max(1, t.Lines)))
		return -1 - math.Abs(math.Log(expected/float64(max(1, t.wrong)))) - all*beyond(float64(t.least)-expected, expected)
	}, func(t *track) float64 {
		if bad := count(t); bad > 0 {
			return -3
		}
		return 0
	}).saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("%s %s", words.Times(count(t), noun), why)}
	})
}

// rateNotApplied: a line for each request, and each is scaled up by the rate it carries.
func rateNotApplied(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		slack := float64(t.Buffer+t.Spare) + 1
		switch {
		case !t.surplus:
			return never
		case t.Rate == 1 && t.Sampled >= 0 && t.Sampled < t.Total:
			return max(contradicted, min(0, slack+float64(t.n)/50-math.Abs(float64(t.Sampled-t.n))))
		case t.Rate < 1:
			expected := float64(t.n) * (1/t.Rate - 1)
			return max(contradicted, -10*math.Max(0, math.Abs(float64(t.wrong)-expected)-slack)/expected)
		}
		return never
	}, free).saying(k, func(t *track) clause {
		if t.Rate < 1 {
			return clause{why: fmt.Sprintf("evenly, %.1f times too many: the sample rate %g is sent and not applied", float64(t.Total)/float64(max(1, t.n)), t.Rate)}
		}
		return clause{why: fmt.Sprintf("%s measurements came, one for each, and were scaled up: a sample rate is sent and not applied", words.Number(t.Sampled))}
	})
}
