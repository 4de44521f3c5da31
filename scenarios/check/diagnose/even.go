package diagnose

import (
	"fmt"
	"math"
	"slices"

	"throughline/scenarios/check/words"
)

// What is lost all the while, spread like the requests themselves.

// share is how an even loss, or surplus, may be distributed.
type share struct {
	p     float64
	every int64 // one in so many, in turn; 0: by chance
	clump bool  // what is lost at once is what a client sends at once
	// whole tells that what is lost at once are whole lines, or datagrams.
	whole bool
	// regular tells that it happens after so many requests, again and again.
	regular bool
}

// pool adds the wrong ones and the requests of some accounts up.
func (k *court) pool(of ...[]int) (wrong, n int64) {
	for _, set := range of {
		for _, i := range set {
			t := &k.tracks[i]
			wrong, n = wrong+min(max(0, t.wrong), t.n), n+t.n
		}
	}
	return wrong, n
}

// even scores an account that lost a share of its requests, spread like them.
func (t *track) even(s share) float64 {
	clump, irregular := 1.0, byChance
	if s.clump {
		clump = t.unit
	}
	if s.regular {
		irregular = atIntervals
	}
	if s.every > 0 {
		expected := float64(t.n) / float64(s.every)
		off := max(0, float64(t.least)-expected, expected-float64(t.most)) / 1.5
		return choice(3) - off*off + t.spreads(1, inTurn)
	}
	if s.whole && t.beat != nil {
		return binomial(t.n, t.least, t.most, s.p, clump, t.noise) + t.both(func(v *track) float64 {
			if v != t {
				return v.spreadsAlone(min(clump, v.unit), irregular)
			}
			return t.beat.together(t) + t.beat.irregular(t.share()) + t.beat.scattered(t)
		})
	}
	return binomial(t.n, t.least, t.most, s.p, clump, t.noise) + t.spreads(clump, irregular)
}

// How irregular events are: independent of each other, or each after the same number of
// others.
const (
	byChance    = 1.0
	atIntervals = 0.3 // when, but not how much
	inTurn      = 0.05
)

// somewhere is what it costs that only some instances have a defect of the code, which all run.
const somewhere = -2.5

// manner is what a hypothesis says of an even loss, or surplus.
type manner struct {
	everybody bool  // every instance has it
	clump     bool  // see share
	regular   bool  // see share
	whole     bool  // see share
	turns     int64 // it may be one in so many at most, in turn; 0: it is not in turn
}

// evenly fits one share to all accounts of the set, by chance or in turn, whatever is
// better. Where every instance should lose it, the sound ones count as well, unless only
// some run the code that does.
func (k *court) evenly(set, sound []int, m manner) fit {
	if m.everybody && len(sound) > 0 {
		all := k.evenlyOf(set, sound, m)
		m.everybody = false
		part := k.evenlyOf(set, sound, m)
		part.shared += somewhere
		return all.or(part)
	}
	return k.evenlyOf(set, sound, m)
}

func (k *court) evenlyOf(set, sound []int, m manner) fit {
	surplus := k.tracks[set[0]].surplus
	wrong, n := k.pool(set)
	if m.everybody {
		wrong, n = k.pool(set, sound)
	}
	if n == 0 || wrong == 0 || !surplus && k.mute(set) {
		return fit{each: make([]float64, len(set)), shared: never}
	}
	const mostLost = 0.98 // who counts none at all does not count a share
	with := func(s share, cost float64) fit {
		if !surplus {
			s.p = min(s.p, mostLost)
		}
		f := fitEach(k, set, sound, func(t *track) float64 {
			if t.surplus != surplus || t.n == 0 || !t.surplus && t.wrong > t.n {
				return never
			}
			if t.Total == 0 && t.n > 10 {
				return -6
			}
			return t.even(s)
		}, func(t *track) float64 {
			if m.everybody {
				return binomial(t.n, 0, max(0, t.most), s.p, 1, t.noise)
			}
			return max(-1, binomial(t.n, 0, max(0, t.most), s.p, 1, t.noise))
		})
		f.shared += cost
		return f
	}
	best := with(share{p: float64(wrong) / float64(n), clump: m.clump, regular: m.regular, whole: m.whole}, parameter(n))
	if every := int64(math.Round(float64(n) / float64(wrong))); m.turns > 0 && every >= 2 && every <= m.turns {
		best = best.or(with(share{p: 1 / float64(every), every: every}, choice(m.turns)))
	}
	return best
}

// mute tells whether none of so many requests was counted that a share of them would have been.
func (k *court) mute(set []int) bool {
	const some = 10
	var n, counted int64
	for _, i := range set {
		n, counted = n+k.tracks[i].n, counted+k.tracks[i].Total
	}
	return counted == 0 && n > some
}

// lossOnly is never where something was counted too much.
func (k *court) lossOnly(set []int) bool {
	for _, i := range set {
		if k.tracks[i].surplus || k.tracks[i].n == 0 {
			return false
		}
	}
	return true
}

// impossible is the fit of what the record contradicts.
func impossible(set []int) fit {
	return fit{each: make([]float64, len(set)), shared: never, say: func(int) clause { return clause{} }}
}

// clone copies the scores of the accounts.
func (f fit) clone() fit {
	f.each = slices.Clone(f.each)
	return f
}

// twins adds what the twin should show to each account.
// Where no twin is known it costs once.
func (f fit) twins(k *court, set []int, r relation, unsure float64) fit {
	unknown := true
	for j, i := range set {
		f.each[j] += k.tracks[i].twinIs(r, 0)
		unknown = unknown && k.tracks[i].Twin.Kind == ""
	}
	if unknown {
		f.shared -= unsure
	}
	return f
}

// notCounted: a path through the code misses the counter, and the same share of all
// requests takes it at every instance. It is rarely the greater half.
func notCounted(k *court, set, sound []int) fit {
	if !k.lossOnly(set) {
		return impossible(set)
	}
	f := k.evenly(set, sound, manner{everybody: true, turns: 60}).twins(k, set, complete, 0.3)
	// Other counters may take the same path, such as a helper of all.
	alone, others := f.clone().othersComplete(k, set), f.clone().othersLost(k, set)
	others.shared -= 3
	f = alone.or(others)
	switch wrong, n := k.pool(set); {
	case 5*wrong > 3*n:
		f.shared -= 9
	case 20*wrong > 9*n:
		f.shared -= 4
	case 3*wrong > n:
		f.shared -= 2.5
	}
	f.shared += min(k.pace.penalty(), k.unsteadyShare(set))
	return f.saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("evenly, about %s is not counted: a path through the code misses the counter", oneIn(t.n, t.wrong))}
	})
}

// usual are the sample rates that people choose, of which they choose those of seldom less often.
var (
	usual  = []float64{0.5, 0.25, 0.2, 0.1, 0.05, 0.02, 0.01, 1.0 / 3, 0.3, 0.4}
	seldom = []float64{1.0 / 3, 0.3, 0.4}
)

// declaredRate is how much likelier it is that a client samples which is declared to, at that rate.
const declaredRate = 2

// rateNotSent: the client samples, every instance at one rate, and its lines do not say so.
func rateNotSent(k *court, set, sound []int) fit {
	wrong, n := k.pool(set, sound)
	if !k.lossOnly(set) || n == 0 || k.mute(set) {
		return impossible(set)
	}
	kept := 1 - float64(wrong)/float64(n)
	best := k.evenly(set, sound, manner{everybody: true})
	best.shared -= 4
	for _, rate := range usual {
		for _, every := range []int64{0, int64(math.Round(1 / rate))} {
			f := fitEach(k, set, sound, func(t *track) float64 { return t.keeping(rate, every) },
				func(t *track) float64 { return binomial(t.n, 0, max(0, t.most), 1-rate, 1, 0) })
			if rate == k.tracks[set[0]].Rate {
				f.shared += declaredRate
			} else {
				f.shared += choice(2 * int64(len(usual)))
				if slices.Contains(seldom, rate) {
					f.shared -= 2.0
				}
			}
			best = best.or(f)
		}
	}
	if kept > 0.58 {
		best.shared -= 6 // nobody samples most
	}
	best.shared += min(k.pace.penalty(), k.unsteadyShare(set))
	return best.twins(k, set, sampledToo, 0.3).saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("evenly, about %s is counted: the client samples and does not send its sample rate", oneIn(t.n, t.Total))}
	})
}

// keeping scores an account that counted a share of its requests, by chance or in turn.
func (t *track) keeping(rate float64, every int64) float64 {
	if t.Total == 0 && t.n > 10 {
		return -6
	}
	if every == 0 {
		return t.even(share{p: 1 - rate})
	}
	expected := float64(t.n) * (1 - 1/float64(every))
	off := max(0, float64(t.least)-expected, expected-float64(t.most)) / 1.5
	return choice(3) - off*off + t.spreads(1, inTurn)
}

// conditional: a share that is steady at each instance, and its own: what is counted hangs
// on something that instances do not have alike, such as a cache. One sample rate, or one
// path through the code, cannot do that.
func conditional(k *court, set, sound []int) fit {
	if !k.lossOnly(set) || k.mute(set) {
		return impossible(set)
	}
	wrong, n := k.pool(set)
	mean := min(0.99, max(0.01, float64(wrong)/float64(max(1, n))))
	best := impossible(set)
	spreads := []float64{3, 10} // the fewer, the more shares differ
	for _, spread := range spreads {
		f := fitEach(k, set, sound, func(t *track) float64 {
			score := betaBinomial(t.n, t.least, t.most, mean*spread, (1-mean)*spread) + t.spreads(1, byChance)
			if t.Total == 0 {
				score -= 6
			}
			return score + t.twinIs(complete, 0) + t.kinComplete()
		}, every(-1))
		f.shared += parameter(n) + choice(int64(len(spreads)))
		best = best.or(f)
	}
	f := best
	f.shared += min(k.pace.penalty(), k.unsteadyShare(set)/3) // what is cached differs with time
	return f.saying(k, func(t *track) clause {
		return clause{why: fmt.Sprintf("evenly, about %s is counted, and other shares at other instances: no sample rate does that, only a condition does", oneIn(t.n, t.Total))}
	})
}

// mostly is what it costs what happens now and then that it took the greater part.
func (k *court) mostly(set []int) float64 {
	switch wrong, n := k.pool(set); {
	case 5*wrong > 4*n:
		return -10
	case 2*wrong > n:
		return -6
	case 3*wrong > n:
		return -4
	case 5*wrong > n:
		return -2
	}
	return 0
}

// netLost: datagrams are lost, with all that is in them.
func netLost(k *court, set, sound []int) fit {
	if !k.lossOnly(set) {
		return impossible(set)
	}
	f := k.evenly(set, sound, manner{whole: true})
	if g := k.evenly(set, sound, manner{clump: true, whole: true}); g.total()-0.7 > f.total() {
		f = g
		f.shared -= 0.7
	}
	f.shared += k.pace.penalty()/2 + k.mostly(set) + k.allAtOnce(set)
	unsure := 2.0
	if g := fitEach(k, set, sound, (*track).inAStretch, every(-0.5)); g.total()-3*float64(len(set)) > f.total() {
		f, unsure = g, 5
		if others := float64(len(set) - 1); others > 0 {
			f.shared -= severalAtOnce + 3*(others-1)
		}
	}
	// A client that does not add counts up packs a request's lines into one datagram.
	f = f.othersLost(k, set).inDatagrams(k, set, (*track).wholeDatagram)
	apart, packed := f.clone().twins(k, set, apartToo, unsure), f.clone().twins(k, set, packedToo, unsure)
	packed.shared -= 3 + k.apart(set)
	f = apart.or(packed)
	return f.saying(k, func(t *track) clause {
		if t.Twin.Kind == "" {
			return clause{why: fmt.Sprintf("evenly, about %s is missing: datagrams are lost", oneIn(t.n, t.wrong))}
		}
		return clause{why: fmt.Sprintf("evenly, about %s is missing, and the %s of the same requests lacks as many (%s): what is lost are datagrams, not counts",
			oneIn(t.n, t.wrong), t.Twin.Kind, words.Number(t.n-t.Twin.N))}
	})
}

// severalAtOnce is what it costs that the ways of several instances were cut at a time, and
// not the way to the collector.
const severalAtOnce = 6.0

// apart is what it costs to think that a request's lines share a datagram, where more of
// them came than requests were answered.
func (k *court) apart(set []int) float64 {
	var datagrams, requests int64
	for _, i := range set {
		t := &k.tracks[i]
		datagrams, requests = datagrams+t.Datagrams, requests+t.Total
		for _, s := range t.Beside {
			requests += int64(len(s.At))
		}
	}
	if 4*datagrams > 5*requests+20 {
		return 8
	}
	return 0
}

// oneIn writes a share of all as "1 in 25", or "95 %" where one in one would be nearest.
func oneIn(all, some int64) string {
	if some <= 0 {
		return "none"
	}
	if 3*some > 2*all {
		return fmt.Sprintf("%.0f %%", 100*float64(some)/float64(all))
	}
	return fmt.Sprintf("1 in %s", words.Number(int64(math.Round(float64(all)/float64(some)))))
}
