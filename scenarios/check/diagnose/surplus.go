package diagnose

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// What is counted too much.

// surplusOnly is never where something was lost.
func (k *court) surplusOnly(set []int) bool {
	for _, i := range set {
		if !k.tracks[i].surplus {
			return false
		}
	}
	return true
}

// otherRoute: the metric counts what belongs to other routes too: at every instance exactly
// as many as it answered of them.
func otherRoute(k *court, set, sound []int) fit {
	return k.elsewhere(set, sound, (*track).beside, func(streams []string, failed map[string]bool) bool {
		return slices.ContainsFunc(streams, func(s string) bool { return !failed[s] })
	}, "that is what it answered of %s (%s): they are counted too")
}

// failures: requests that were answered as failures are counted like the others: when they were answered or, by who counts
// before the work is done, when they came. The two are told apart where failures took their time, as those do that wait for a database.
func failures(k *court, set, sound []int) fit {
	alone := func(streams []string, failed map[string]bool) bool {
		return !slices.ContainsFunc(streams, func(s string) bool { return !failed[s] })
	}
	const why = "that is what it answered with other than 2xx: %s (%s): failures are counted too"
	answered := k.elsewhere(set, sound, (*track).beside, alone, why)
	if !k.failedSlowly() {
		return answered
	}
	begun := k.elsewhere(set, sound, (*track).begun, alone, why+", and before it is known that they are")
	begun.shared += choice(2)
	return answered.or(begun)
}

// failedSlowly tells whether an instance took longer than an interval to fail.
func (k *court) failedSlowly() bool {
	return slices.ContainsFunc(k.tracks, func(t track) bool {
		return slices.ContainsFunc(t.Beside, func(s Stream) bool {
			for i := range min(len(s.At), len(s.Begun)) {
				if s.At[i]-s.Begun[i] > k.Interval {
					return true
				}
			}
			return false
		})
	})
}

// mostStreams is how many kinds of other requests are put together in all ways.
const mostStreams = 6

// elsewhere tries all sets of other streams that are fit for the cause, and keeps the one
// whose numbers agree best; when gives the times at which what is in streams would have been counted.
func (k *court) elsewhere(set, sound []int, when func(*track, []string) []time.Duration, fits func([]string, map[string]bool) bool, why string) fit {
	if !k.surplusOnly(set) {
		return impossible(set)
	}
	var names []string
	failed := map[string]bool{}
	for i := range k.tracks {
		for _, s := range k.tracks[i].Beside {
			if len(s.At) > 0 && !slices.Contains(names, s.What) {
				names = append(names, s.What)
				failed[s.What] = s.Failed
			}
		}
	}
	slices.Sort(names)
	names = names[:min(mostStreams, len(names))]
	best := impossible(set)
	var chosen []string
	tried := int64(0)
	for bits := 1; bits < 1<<len(names); bits++ {
		var some []string
		for j, name := range names {
			if bits&(1<<j) != 0 {
				some = append(some, name)
			}
		}
		if !fits(some, failed) {
			continue
		}
		tried++
		f := fitEach(k, set, sound, func(t *track) float64 { return k.sameAs(t, when(t, some)) }, func(t *track) float64 {
			if n := int64(len(when(t, some))); n > t.Total-t.n+t.Buffer+1+n/100 {
				return -6 // as many should be too many
			}
			return 0
		})
		if f.total() > best.total() {
			best, chosen = f, some
		}
	}
	best.shared += choice(tried)
	return best.saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf(why, strings.Join(chosen, " and "), words.Number(int64(len(when(t, chosen)))))}
	})
}

// beside merges some of the streams of an account.
func (t *track) beside(names []string) []time.Duration {
	return t.merged(names, func(s Stream) []time.Duration { return s.At })
}

// begun does that, with the times at which they had been sent.
func (t *track) begun(names []string) []time.Duration {
	return t.merged(names, func(s Stream) []time.Duration { return s.Begun })
}

func (t *track) merged(names []string, of func(Stream) []time.Duration) []time.Duration {
	var at []time.Duration
	for _, s := range t.Beside {
		if slices.Contains(names, s.What) {
			at = append(at, of(s)...)
		}
	}
	slices.Sort(at)
	return at
}

// sameAs scores that what is too many is as many as there are times, and came at these.
func (k *court) sameAs(t *track, at []time.Duration) float64 {
	n := int64(len(at))
	least, most := t.least, t.most
	if t.Killed != record.Never { // the kill took some of these as well
		most += n - upTo(at, t.Killed-k.Window-k.Interval/10)
	}
	off := max(0, least-n, n-most)
	if float64(off) > 1+0.01*float64(n) {
		return never
	}
	came := t.alongside(at)
	return -3*float64(off) + t.shaped(came.shape, func(b block, mean float64) float64 { return 0.02*max(0, mean) + came.chance(b) })
}

// company is how many of other requests a client has sent the counts of at each interval end, at
// least and at most, and the variance that is beside that.
type company struct{ early, due, variance []float64 }

func (c company) shape(j int) (early, due float64) {
	if j < 0 {
		return 0, 0
	}
	return c.early[j], c.due[j]
}

// chance is the variance of how many came in a block.
func (c company) chance(b block) float64 {
	if b.from < 0 {
		return c.variance[b.to]
	}
	return c.variance[b.from] + c.variance[b.to]
}

// alongside tells of how many requests that were answered at these times the counts have come. Where
// the twin says of how many of the account's own they have, it is the same part of the others that were
// answered since the client must have sent all.
func (t *track) alongside(at []time.Duration) company {
	var c company
	for j := range t.Ticks {
		early, due, variance := float64(upTo(at, t.leftBy[j])), float64(upTo(at, t.madeBy[j])), 0.0
		if first, last := upTo(t.Acked, t.leftBy[j]), upTo(t.Acked, t.madeBy[j]); t.exact && last > first {
			part := min(1, max(0, (float64(t.old[j])-float64(first))/float64(last-first)))
			variance = (due - early) * (part*(1-part) + 0.05)
			early += part * (due - early)
			due = early
		}
		c.early, c.due, c.variance = append(c.early, early), append(c.due, due), append(c.variance, variance)
	}
	return c
}

// probes: somebody asks each instance again and again whether it can serve, and that is
// counted: as many a second at each instance, however many requests it answers.
func probes(k *court, set, sound []int) fit {
	if !k.surplusOnly(set) {
		return impossible(set)
	}
	var extra, lived float64
	for _, i := range set {
		t := &k.tracks[i]
		extra, lived = extra+float64(t.wrong), lived+t.probed(t.end())
	}
	if lived <= 0 {
		return impossible(set)
	}
	rate := extra / lived
	f := fitEach(k, set, sound, func(t *track) float64 {
		expected := rate * t.probed(t.end())
		slack := 2 + 0.03*expected // of when probing begins and ends
		off := max(0, float64(t.least)-expected, expected-float64(t.most)) / slack
		shape := t.shaped(func(j int) (early, due float64) {
			return rate * t.probed(t.leftBy[j]), rate * t.probed(t.madeBy[j])
		}, func(_ block, mean float64) float64 { return 0.2 + 0.05*max(0, mean) })
		return choice(int64(2*slack)) - off*off + min(shape, t.probedWithin(rate, slack))
	}, func(t *track) float64 {
		if rate*t.probed(t.end()) > float64(3+t.most) {
			return -2.5 // all are asked
		}
		return 0
	})
	if f.shared < 0 {
		f.shared += somewhere
	}
	switch every := k.Probe.Seconds(); {
	case every > 0 && rate*every > 0.8 && rate*every < 1.1:
		f.shared += choice(5)
	case every > 0:
		f.shared += parameter(int64(extra)) - 1 // of somebody else's
	default:
		f.shared += parameter(int64(extra))
	}
	for j, i := range set { // a probe may be timed too
		f.each[j] += max(-8, k.tracks[i].twinIs(complete, 0))
	}
	return f.saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("%.1f a second, as at the other instances and however many requests came: whoever asks whether it can serve is counted", rate)}
	})
}

// probedWithin scores that a probe at such a rate keeps within what the curves leave at each
// interval end.
func (t *track) probedWithin(rate, slack float64) float64 {
	var worst float64
	for k := range t.untilKilled() {
		early, due := rate*t.probed(t.leftBy[k]), rate*t.probed(t.madeBy[k])
		worst = max(worst, t.low[k]-due-slack, early-t.high[k]-slack)
	}
	return max(contradicted, -2*worst)
}

// probed is for how many seconds of its life, up to at, an instance may have been asked. Whoever asks may stop before
// the record ends.
func (t *track) probed(at time.Duration) float64 {
	from := t.Life.Ready
	if from == record.Never {
		from = t.begin()
	}
	return max(0, (min(at, t.end(), t.lastCount) - from).Seconds())
}

// foreignLines: one of the metric's series has just as many: somebody else sends to the
// instance's address, with tags of its own.
func foreignLines(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		if n, found := t.foreign(); t.surplus && found {
			_ = n
			return choice(int64(len(t.Parts)))
		}
		return never
	}, func(t *track) float64 {
		if len(t.Parts) > 1 {
			return -1
		}
		return 0
	}).saying(k, func(t *track) clause {
		n, _ := t.foreign()
		return clause{why: fmt.Sprintf("one of its %d series of %s has just as many (%s): somebody else sends to its address", len(t.Parts), k.Metric, words.Number(n))}
	})
}

// foreign finds a series of the metric that has as many as were counted too much.
func (t *track) foreign() (n int64, found bool) {
	for _, n := range t.Parts {
		if len(t.Parts) > 1 && n > 0 && n >= t.least && n <= t.most {
			return n, true
		}
	}
	return 0, false
}

// windowTwice: what an instance sent last before it ended was sent again.
func windowTwice(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		at := t.ended()
		if !t.surplus || at == record.Never {
			return never
		}
		last := t.since(at - k.exitSpan())
		if t.least > last {
			return never
		}
		after := t.shaped(func(j int) (early, due float64) {
			switch {
			case j < 0 || t.Ticks[j] < at-k.Interval:
				return 0, 0
			case j == len(t.Ticks)-1:
				return float64(t.wrong), float64(t.wrong)
			}
			return 0, float64(t.wrong)
		}, certainly)
		if t.sentBefore(at) {
			after += contradicted
		}
		window := t.since(at - k.Window - k.longer)
		switch {
		case t.wrong <= window:
			return choice(window+1) + after
		case t.wrong == window+1:
			return choice(window+1) - 2 + after
		}
		return choice(last) - 3 + after
	}, func(t *track) float64 {
		if at := t.ended(); at != record.Never && t.since(at-max(k.Window, time.Second)) > 2 {
			return -1.5
		}
		return 0
	}).saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("they came after it got %s at %s: what had been sent was sent again", t.Life.Signal, words.Seconds(t.ended())), from: t.ended(), to: t.end()}
	})
}

// sentBefore tells whether more had been counted before an instance was told to end than can have been, had it held then what is
// too many now: what is sent twice is sent for the first time at the end, too.
func (t *track) sentBefore(at time.Duration) bool {
	for j := range t.Ticks {
		if t.Ticks[j] < at && t.Counted[j] > float64(t.n+t.Spare-t.least)+3*t.noise+0.5 {
			return true
		}
	}
	return false
}

// runningTotal: what is added grows with what there is.
func runningTotal(k *court, set, sound []int) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		if exact := t.Total == t.n*(t.n+1)/2; !t.surplus || !exact && (t.Total < 2*t.n || t.n < 3) {
			return never
		}
		// A kill takes the last of them, which are the largest.
		m := int64(math.Round((math.Sqrt(8*float64(t.Total)+1) - 1) / 2))
		score := 0.0
		if m < t.n-t.Buffer-1 || m > t.n+t.Spare+1 || m*(m+1)/2 != t.Total {
			score += parameter(t.n) - 3 // summed up by workers or by flushes
		}
		if t.Killed != record.Never && m < t.n {
			return score
		}
		wrong, n := float64(t.wrong), float64(t.n)
		return score + t.shaped(t.along(func(requests int64) float64 { x := float64(requests) / n; return wrong * x * x }),
			func(_ block, mean float64) float64 { return 0.003 * mean * mean })
	}, free).saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("what it adds grows with what it has: the running total is sent as a counter (%s requests would make %s)",
			words.Number(t.n), words.Number(t.n*(t.n+1)/2))}
	})
}

// double: each request is counted the same whole number of times.
func double(k *court, set, sound []int) fit {
	extra, n := k.poolOver(set)
	if !k.surplusOnly(set) || n == 0 {
		return impossible(set)
	}
	fold := int64(math.Round(float64(extra+n) / float64(n)))
	if fold < 2 {
		return impossible(set)
	}
	f := fitEach(k, set, sound, func(t *track) float64 {
		if t.n == 0 {
			return never
		}
		expected := (fold - 1) * t.n
		off := float64(max(0, t.least-(fold-1)*t.Spare-expected, expected-t.most-(fold-1)*t.Buffer)) / (0.5 + 0.002*float64(expected))
		return -off*off + t.scaled() + t.shaped(t.along(func(requests int64) float64 { return float64((fold - 1) * requests) }), certainly)
	}, func(t *track) float64 {
		if t.n > 5 {
			return -1 // it runs other code
		}
		return 0
	})
	if f.shared < 0 {
		f.shared += somewhere
	}
	f.shared += choice(4)
	return f.twins(k, set, complete, 0.3).saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("evenly, each is counted about %.0f times", float64(t.Total)/float64(t.n))}
	})
}

// scaled is what it costs a surplus of requests that the collector scaled lines up.
func (t *track) scaled() float64 {
	if t.Sampled >= 0 && t.Sampled < t.Total {
		return -8
	}
	return 0
}

// poolOver adds up what was too many, which may be more than there were requests.
func (k *court) poolOver(set []int) (extra, n int64) {
	for _, i := range set {
		extra, n = extra+max(0, k.tracks[i].wrong), n+k.tracks[i].n
	}
	return extra, n
}

// leastTwice is of how many requests it is no chance that each of them was counted again.
const leastTwice = 8

// twice: some requests are counted again, at every instance the same share. Where that is each of them, to the last, it is no
// share, but what counts is there twice.
func twice(k *court, set, sound []int) fit {
	extra, n := k.poolOver(set)
	if !k.surplusOnly(set) || n == 0 || extra > n || extra == n && n >= leastTwice {
		return impossible(set)
	}
	f := k.evenly(set, sound, manner{everybody: true, turns: 60}).twins(k, set, complete, 0.5)
	if 10*extra > 9*n {
		f.shared -= 7 // that is each of them
	}
	return f.saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("evenly, about %s is counted twice", oneIn(t.n, t.wrong))}
	})
}

// netTwice: datagrams come twice, with all that is in them.
func netTwice(k *court, set, sound []int) fit {
	extra, n := k.poolOver(set)
	if !k.surplusOnly(set) || n == 0 || extra > n+n/5 {
		return impossible(set)
	}
	f := k.evenly(set, sound, manner{})
	if g := k.evenly(set, sound, manner{clump: true}); g.total()-0.7 > f.total() {
		f = g
		f.shared -= 0.7
	}
	apart, packed := f.clone().twins(k, set, apartToo, 2), f.clone().twins(k, set, packedToo, 2)
	packed.shared -= 3
	f = apart.or(packed)
	if whole := double(k, set, sound); !math.IsInf(whole.shared, -1) { // all of them came twice
		for j, i := range set {
			whole.each[j] -= k.tracks[i].twinIs(complete, 0) - k.tracks[i].twinIs(lostToo, 0)
		}
		whole.shared -= 2
		f = f.or(whole)
	}
	return f.othersTwice(k, set).inDatagrams(k, set, func(t *track) float64 { return min(t.wholeDatagram(), t.cameAgain()) }).saying(k, func(t *track) clause {
		why := fmt.Sprintf("evenly, about %s came twice", oneIn(t.n, t.wrong))
		if t.Twin.Kind != "" {
			why = fmt.Sprintf("evenly, about %s is counted twice, and the %s of the same requests has as many too much (%s): datagrams came twice", oneIn(t.n, t.wrong), t.Twin.Kind, words.Number(t.Twin.N-t.n))
		}
		return clause{why: why}
	})
}
