package diagnose

import (
	"math"
	"time"
)

// A client whose queue is full loses more when requests come faster; any other even loss
// takes the same share at the peaks and in the troughs.

// paces is the share that is lost in the slower and in the faster half of the intervals, by
// all instances that lost something.
type paces struct {
	slow, fast float64
	// steep is by how many standard deviations more is lost at the peaks than elsewhere.
	steep float64
}

// newPaces finds the halves. What is under way is more at the peaks, and would look lost
// there, so the counts' delay is taken out; as it is not known to the millisecond, the least
// steep of three delays counts.
func newPaces(k *court) *paces {
	const unsure = 20 * time.Millisecond
	delay := k.delay()
	p := k.halves(delay)
	for _, d := range []time.Duration{max(0, delay-unsure), delay + unsure} {
		if q := k.halves(d); q.steep < p.steep {
			p.steep = q.steep
		}
	}
	return &p
}

// penalty is what it costs a loss of an even share that the peaks lost more.
func (p *paces) penalty() float64 {
	if p.steep < 2 {
		return 0
	}
	return max(contradicted, 1-p.steep*p.steep/2)
}

// portion is what was acknowledged and lost in some intervals.
type portion struct{ acked, lost float64 }

func (p *portion) add(acked, lost float64) {
	p.acked, p.lost = p.acked+acked, p.lost+lost
}

// halves compares intervals with fewer and with more requests than on average, of counts that
// are under way for delay. It goes by what other instances answered in the interval, if there
// are any: requests that happen to be under way at an interval's end make it look both busier
// and lossier.
func (k *court) halves(delay time.Duration) paces {
	all := map[time.Duration]float64{} // answered by all, by the interval's end
	for i := range k.tracks {
		t := &k.tracks[i]
		for j := 1; j < len(t.Ticks); j++ {
			all[t.Ticks[j]] += t.within(t.Ticks[j-1]-delay, t.Ticks[j]-delay)
		}
	}
	var few, many portion
	var unsettled float64
	for i := range k.tracks {
		if t := &k.tracks[i]; t.Open > 0 && !t.surplus {
			unsettled += t.byPace(delay, k.Window, all, &few, &many)
		}
	}
	p := paces{slow: few.lost / max(1, few.acked), fast: many.lost / max(1, many.acked)}
	lost, acked := few.lost+many.lost, max(2, few.acked+many.acked)
	part, share := few.acked/acked, min(1, max(0, lost/acked))
	// If each request is as likely to be lost as any other, the slower half's part of the
	// losses is hypergeometric; what the client happens to hold at interval ends comes to it.
	variance := max(1, lost*part*(1-part)*(1-share)) + unsettled
	const steeper = 1.5 // of many requests the least unevenness is more than chance
	if steeper*p.slow*(1-p.fast) < p.fast*(1-p.slow) {
		p.steep = (lost*part - few.lost) / math.Sqrt(variance)
	}
	return p
}

// byPace divides an instance's intervals, and gives the variance that comes of what the client
// holds where a fast interval follows a slow one.
func (t *track) byPace(delay, window time.Duration, all map[time.Duration]float64, few, many *portion) (unsettled float64) {
	type interval struct{ acked, lost, others float64 }
	var intervals []interval
	var own, others float64
	for j := 1; j < len(t.Ticks); j++ {
		acked := t.within(t.Ticks[j-1]-delay, t.Ticks[j]-delay)
		if acked > 0 {
			v := interval{acked, acked - t.Counted[j] + t.Counted[j-1], all[t.Ticks[j]] - acked}
			intervals = append(intervals, v)
			own, others = own+v.acked, others+v.others
		}
	}
	held := t.rate() * window.Seconds()
	was := false
	for j, v := range intervals {
		pace, mean := v.others, others/float64(len(intervals))
		if others == 0 {
			pace, mean = v.acked, own/float64(len(intervals))
		}
		fast := pace > mean
		if fast {
			many.add(v.acked, v.lost)
		} else {
			few.add(v.acked, v.lost)
		}
		if j > 0 && fast != was {
			unsettled += held * held / 12
		}
		was = fast
	}
	return unsettled
}

// within counts the requests that were acknowledged after from and up to to.
func (t *track) within(from, to time.Duration) float64 {
	return float64(upTo(t.Acked, to) - upTo(t.Acked, from))
}

// delay is how long counts are under way, as all instances' curves say: with it the share
// that is counted is most nearly the same in every interval. It is at most a little more
// than declared: what is later is late.
func (k *court) delay() time.Duration {
	longest := k.Window + 100*time.Millisecond
	coarse, fine := max(longest/8, 25*time.Millisecond), max(longest/64, 5*time.Millisecond)
	about := k.fittest(0, longest, coarse)
	return k.fittest(max(0, about-coarse), about+coarse, fine)
}

// fittest is the best delay between from and to, in steps.
func (k *court) fittest(from, to, step time.Duration) time.Duration {
	best, least := from, math.Inf(1)
	for delay := from; delay <= to; delay += step {
		var off float64
		for i := range k.tracks {
			off += k.tracks[i].unsteady(delay)
		}
		if off < least {
			best, least = delay, off
		}
	}
	return best
}

// unsteady sums up by how much, squared, other shares come in the intervals than on average, of
// counts that are under way for delay.
func (t *track) unsteady(delay time.Duration) (off float64) {
	share := float64(t.Total) / float64(max(1, t.n))
	for j := 1; j < len(t.Ticks); j++ {
		d := t.Counted[j] - t.Counted[j-1] - share*t.within(t.Ticks[j-1]-delay, t.Ticks[j]-delay)
		off += d * d
	}
	return off
}
