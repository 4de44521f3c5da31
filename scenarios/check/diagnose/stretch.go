package diagnose

import (
	"fmt"
	"maps"
	"math"
	"slices"
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
	some := max(0.5, 0.05*whole, min(0.3*whole, t.clump))
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

// inAStretch scores a loss, or a surplus, of one stretch of an instance's life: the mean
// over all stretches, of which those count with which the curves agree. Where the curves are
// vague many do, and where they are sharp one does.
func (t *track) inAStretch() float64 { return t.both((*track).inAStretchAlone) }

func (t *track) inAStretchAlone() float64 {
	if t.stretched != 0 {
		return t.stretched
	}
	t.stretched = -6
	if t.n == 0 || len(t.block) < 2 {
		return t.stretched
	}
	var sum, pairs float64
	last := len(t.block) - 1 // what is lost first or last has names of its own
	for last > 0 && t.block[last].acked == 0 {
		last--
	}
	const atAnEnd = 0.05
	for i := 0; i <= last; i++ {
		var m float64
		for j := i; j <= last; j++ {
			pairs++
			m += t.block[j].acked
			if n := float64(t.n); j > i && m > max(0.7*n, float64(t.wrong)) || !t.surplus && m < 0.9*float64(t.wrong)-1 {
				continue
			}
			weight := t.nearlyAll(m - t.block[i].acked - t.block[j].acked)
			if i == 0 || j == last {
				weight *= atAnEnd
			}
			sum += weight * math.Exp(t.stretchedOver(i, j)) / (max(m, float64(t.wrong)) + 1)
		}
	}
	t.stretched = math.Log(max(1e-30, sum/max(1, pairs)))
	return t.stretched
}

// nearlyAll weighs a stretch within which so many requests were certainly answered: what strikes
// a stretch strikes most of them, and what strikes a few here and there is no stretch.
func (t *track) nearlyAll(within float64) float64 {
	const most = 0.5
	struck := min(1, float64(t.wrong)/max(1, most*within))
	return struck * struck
}

// stretchedOver scores a stretch that begins somewhere in block i and ends in block j.
func (t *track) stretchedOver(i, j int) float64 {
	middle := func(b block) float64 { return t.acked(b.from) + b.acked/2 }
	from, to := middle(t.block[i]), middle(t.block[j])
	if i == j {
		from, to = t.acked(t.block[i].from), t.acked(t.block[i].to)
	}
	whole, m := float64(t.wrong), max(1, to-from)
	share := whole / m
	return t.shaped(t.along(func(requests int64) float64 {
		return whole * min(1, max(0, (float64(requests)-from)/m))
	}), func(b block, mean float64) float64 {
		switch {
		case i == j || b.to < t.block[i].to || b.to > t.block[j].to:
			return 0
		case b.to == t.block[i].to || b.to == t.block[j].to:
			return share * share * b.acked * b.acked / 12
		}
		return max(0, mean) * min(1, math.Abs(1-share))
	})
}

// acked is about how many requests had been acknowledged at an interval end.
func (t *track) acked(k int) float64 {
	early, due := t.requestsAt(k)
	return float64(early+due) / 2
}

// burst: one stretch of an instance's life, whatever happened in it.
func burst(k *court, set, sound []int) fit {
	f := fitEach(k, set, sound, func(t *track) float64 {
		if at := t.ended(); at != record.Never && t.stepped().from >= at-k.exitSpan() {
			return t.inAStretch() - 8 // the end of a life is no stretch like others
		}
		return t.inAStretch()
	}, every(-0.3))
	if c := k.common(set); len(set) > 1 && c.to > 0 {
		for _, i := range set[1:] { // where one was, the others are expected
			t := &k.tracks[i]
			part := max(float64(c.to-c.from)/float64(max(1, t.span)), 2/float64(len(t.block)*len(t.block)+1))
			f.shared += max(0, -0.8*math.Log(part))
		}
	}
	return f.twins(k, set, complete, 0).saying(k, func(t *track) clause {
		if t.n == 0 {
			return clause{why: "it acknowledged none"}
		}
		s := t.stepped()
		if t.surplus {
			return clause{why: "they came in a burst", from: s.from, to: s.to}
		}
		return clause{why: "they are neither the first nor the last of its life, nor spread over it", from: s.from, to: s.to}
	})
}

// common is the stretch that the accounts of a set share; to is 0 where they share none.
// Those that were born or ended in it tell nothing of how long it was.
func (k *court) common(set []int) stretch {
	var c stretch
	narrow := func(wholly bool) {
		for _, i := range set {
			t := &k.tracks[i]
			s := t.stepped()
			if wholly && (t.Life.Death != record.Never && t.Life.Death < s.to+k.Interval || t.begin() > s.from-k.Interval) {
				continue
			}
			if c.to == 0 {
				c = s
			}
			c.from, c.to = max(c.from, s.from), min(c.to, s.to)
		}
	}
	if narrow(true); c.to == 0 {
		narrow(false)
	}
	if c.from >= c.to {
		return stretch{}
	}
	return c
}

// commonOfTwins is the stretch that their twins share, which often say better when it was; to is 0
// where not all have one that lacks some.
func (k *court) commonOfTwins(set []int) stretch {
	c := stretch{to: forever}
	for _, i := range set {
		v := k.tracks[i].timed
		if v == nil || v.wrong <= 0 || v.surplus {
			return stretch{}
		}
		s := v.stepped()
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
	best := impossible(set)
	if !k.lossOnly(set) {
		return best
	}
	for _, c := range slices.Concat(k.silences(), k.absences(), []stretch{k.common(set), k.commonOfTwins(set)}) {
		if c.to == 0 {
			continue
		}
		best = best.or(k.awayIn(c, set, sound))
	}
	return best
}

// silences are the stretches in which no count arrived from anybody, nor any other value, for
// longer than an interval.
func (k *court) silences() []stretch {
	heard := k.heard
	ticks := slices.Sorted(maps.Keys(heard))
	var out []stretch
	for j := 1; j < len(ticks)-1; j++ {
		from := j
		for j < len(ticks)-1 && !heard[ticks[j]] {
			j++
		}
		if j > from && ticks[j]-ticks[from-1] > k.Interval && j < len(ticks)-1 {
			out = append(out, stretch{from: ticks[from-1], to: ticks[j]})
		}
	}
	return out
}

// listen tells of each interval end whether anything had arrived in the interval.
func (k *court) listen() map[time.Duration]bool {
	heard := map[time.Duration]bool{}
	for i := range k.tracks {
		t := &k.tracks[i]
		for j := 1; j < len(t.Ticks); j++ {
			heard[t.Ticks[j]] = heard[t.Ticks[j]] || j < len(t.Spoke) && t.Spoke[j] || t.Counted[j] > t.Counted[j-1]
		}
	}
	return heard
}

// awayIn scores that it was in one stretch.
func (k *court) awayIn(c stretch, set, sound []int) fit {
	unattended := k.unattended(c)
	// How long nobody received anything, at least: what is lost beyond what the client sends at
	// once; and how long there was silence from all.
	var needed time.Duration
	var lost, pace float64
	for _, i := range set {
		t := &k.tracks[i]
		lost, pace = lost+float64(t.wrong), pace+t.paceIn(c)
		sure := float64(t.wrong) - math.Sqrt(float64(t.wrong)) // requests come by chance
		needed = max(needed, time.Duration(sure/t.paceIn(c)*float64(time.Second))-k.Window-k.longer)
	}
	away := lost / pace                                     // seconds, as the instances say together
	if !unattended && k.silence(c) <= needed-2*k.Interval { // one that ends within an interval leaves no silence there
		return impossible(set)
	}
	f := k.awayWithin(c, away, set, sound)
	if !k.declared(c) { // else nobody had to choose when it began and ended
		f.shared += 2 * choice(int64(len(k.tracks[set[0]].Ticks)))
	}
	switch last := k.tracks[set[0]].Ticks; {
	case !unattended && !k.heardFrom(c.to):
		f.shared += contradicted // it ended its intervals, and is not seen to have come back
	case c.to >= last[len(last)-1]-k.Interval:
		f.shared -= 8 // it never came back
	}
	if !slices.ContainsFunc(k.tracks, func(t track) bool { return t.Others }) {
		f.shared -= 2 // nothing else could have arrived
	}
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

// heardFrom tells whether anything arrived from anybody in an interval that ended then or later.
func (k *court) heardFrom(at time.Duration) bool {
	for end, heard := range k.heard {
		if heard && end >= at {
			return true
		}
	}
	return false
}

// awayWithin scores that what was answered for so many seconds is lost, which begin somewhere around
// the stretch: what a client held when it began is lost too.
func (k *court) awayWithin(c stretch, away float64, set, sound []int) fit {
	const begins = 6
	held := k.Window + k.longer
	long := time.Duration(away * float64(time.Second))
	first := c.from - k.Interval - held
	last := max(c.from, c.to-long)
	best := k.awayFrom(c, away, set, sound, (*track).lostAlong)
	for b := range time.Duration(begins) {
		from := first + b*(last-first)/(begins-1)
		best = best.or(k.awayFrom(c, away, set, sound, func(t *track, _ stretch) func(int64) float64 {
			return t.lostBetween(from, from+long, held)
		}))
	}
	best.shared += choice(begins)
	return best
}

// lostAlong is the shape of a loss that is spread evenly over a stretch.
func (t *track) lostAlong(c stretch) func(requests int64) float64 {
	from, to := upTo(t.Acked, c.from), max(upTo(t.Acked, c.from)+1, upTo(t.Acked, c.to))
	return func(requests int64) float64 {
		return float64(t.wrong) * float64(min(max(0, requests-from), to-from)) / float64(to-from)
	}
}

// lostBetween is the shape of a loss of all that was answered between two times, of clients which
// sent what they held at any moment of so long.
func (t *track) lostBetween(from, to, held time.Duration) func(requests int64) float64 {
	begun := func(at, since time.Duration) float64 {
		if held <= 0 {
			return min(1, max(0, float64(at-since)))
		}
		return min(1, max(0, float64(at-since)/float64(held)))
	}
	lost := make([]float64, t.n+1)
	for i, at := range t.Acked {
		lost[i+1] = lost[i] + begun(at, from-held/2) - begun(at, to-held/2)
	}
	scale := float64(t.wrong) / max(1, lost[t.n])
	return func(requests int64) float64 { return scale * lost[min(t.n, max(0, requests))] }
}

// awayFrom scores that all accounts lost what they answered in so many seconds, in some shape.
func (k *court) awayFrom(c stretch, away float64, set, sound []int, lost func(*track, stretch) func(int64) float64) fit {
	return fitEach(k, set, sound, func(t *track) float64 {
		expected := away * t.paceIn(c)
		off := max(0, float64(t.least)-expected, expected-float64(t.most))
		shape := t.both(func(t *track) float64 {
			return t.shaped(t.along(lost(t, c)), func(_ block, mean float64) float64 { return mean*mean/12 + mean*t.unit })
		})
		return max(contradicted, normal(off, expected+t.clump*t.clump/6)) + shape
	}, func(t *track) float64 {
		if t.Life.Death != record.Never && t.Life.Death < c.to || t.begin() > c.from {
			return 0
		}
		expected := away * t.paceIn(c)
		return max(contradicted, k.missedBy(t, away), normal(max(0, expected-float64(t.most)), expected+t.clump*t.clump/6))
	}).twins(k, set, alike, 1).othersLostIn(k, set, func(t *track) (from, to time.Duration) { return t.lostWithin(c) })
}

// missedBy scores that a client which sends all that it holds at once sent nothing in so many
// seconds: one that sends each 5 s loses nothing to an absence of 1 s in four of five runs.
func (k *court) missedBy(t *track, away float64) float64 {
	held := (k.Window + k.longer).Seconds()
	if 2*t.unit < t.clump || away >= held {
		return never
	}
	return math.Log(1 - away/held)
}

// lostWithin is about when what is lost in a stretch was answered: in the middle of it.
func (t *track) lostWithin(c stretch) (from, to time.Duration) {
	half := time.Duration(float64(t.wrong) / t.paceIn(c) / 2 * float64(time.Second))
	middle := c.from + (c.to-c.from)/2
	return middle - half, middle + half
}

// paceIn is how many requests a second an instance answered in a stretch.
func (t *track) paceIn(c stretch) float64 {
	return max(0.5, float64(upTo(t.Acked, c.to)-upTo(t.Acked, c.from))) / max(0.01, (c.to-c.from).Seconds())
}

// silence is for how long nothing arrived from any instance within a stretch, at most.
func (k *court) silence(c stretch) time.Duration {
	heard := maps.Clone(k.heard)
	maps.DeleteFunc(heard, func(at time.Duration, _ bool) bool { return at < c.from || at > c.to+k.Interval })
	var longest, since time.Duration
	for j, at := range slices.Sorted(maps.Keys(heard)) {
		if heard[at] || j == 0 {
			since = at
		}
		longest = max(longest, at-since)
	}
	return longest
}

// absences are the stretches in which the collector was away, as it says itself.
func (k *court) absences() []stretch {
	var out []stretch
	for _, o := range k.Outages {
		out = append(out, stretch{from: o.From - k.Interval, to: o.To + k.Interval})
	}
	return out
}

// declared tells whether the collector says itself that it was away in a stretch, give or take an interval.
func (k *court) declared(c stretch) bool {
	return slices.ContainsFunc(k.absences(), func(o stretch) bool { return o.from <= c.from && c.to <= o.to })
}

// absent tells whether an absence of the collector that is known may have cost what some
// accounts lost, or more: then no other cause is needed.
func (k *court) absent(set []int) bool {
	var away, lost float64
	for _, o := range k.Outages {
		for _, i := range set {
			t := &k.tracks[i]
			away += float64(upTo(t.Acked, o.To) - upTo(t.Acked, o.From-k.Window-k.longer))
		}
	}
	for _, i := range set {
		if t := &k.tracks[i]; !t.surplus {
			lost += float64(t.wrong)
		}
	}
	return away > 0 && lost > 0 && lost <= 1.5*away
}

// unattended tells whether the collector was away within a stretch: it says so, or ended no
// interval for a while.
func (k *court) unattended(c stretch) bool {
	for _, o := range k.Outages {
		if o.From >= c.from && o.To <= c.to {
			return true
		}
	}
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
