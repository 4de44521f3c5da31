package check

import (
	"math"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// A client whose queue is full loses more when requests come faster; any other even
// loss takes the same share at the peaks and in the troughs.

// byChance is how likely an even loss may be to look like one of the peaks.
const byChance = 1e-5

// steeper is how many times the odds of being lost must be at the peaks what they
// are elsewhere: of many requests the least unevenness is more than chance.
const steeper = 1.5

// halves is the share that is lost in the slower and in the faster half of the
// intervals, by all instances that lost something; peaks tells whether the
// difference is more than chance, close whether it would be if the counts' delay
// were known better.
type halves struct {
	slow, fast   float64
	peaks, close bool
}

// divide finds the halves. What is under way is more at the peaks, and would look
// lost there, so the counts' delay is taken out; as it is not known to the
// millisecond, the peaks must show also where it is a little less or more.
func (b books) divide() halves {
	const unsure = 20 * time.Millisecond
	delay := b.delay()
	h := b.halvesAt(delay)
	less, more := b.halvesAt(max(0, delay-unsure)).peaks, b.halvesAt(delay+unsure).peaks
	h.close = h.peaks || less || more
	h.peaks = h.peaks && less && more
	return h
}

// halvesAt is divide's with counts that are under way for delay.
func (b books) halvesAt(delay time.Duration) halves {
	all := map[time.Duration]float64{} // answered by all instances, by the interval's end
	for i := range b.accounts {
		a := &b.accounts[i]
		for k := 1; k < len(a.ticks); k++ {
			all[a.ticks[k]] += a.ackedWithin(a.ticks[k-1]-delay, a.ticks[k]-delay)
		}
	}
	var few, many portion
	for i := range b.accounts {
		if a := &b.accounts[i]; int64(len(a.acked)) > a.total {
			f, m := a.byPace(delay, all)
			few, many = few.plus(f), many.plus(m)
		}
	}
	h := halves{slow: few.lost / max(1, few.acked), fast: many.lost / max(1, many.acked)}
	// If each request is as likely to be lost as any other, the slower half's part of
	// the losses is hypergeometric.
	lost, acked := few.lost+many.lost, max(2, few.acked+many.acked)
	part, share := few.acked/acked, lost/acked
	even := distuv.Normal{Mu: lost * part, Sigma: math.Sqrt(max(1, lost*part*(1-part)*(1-share)*acked/(acked-1)))}
	h.peaks = steeper*h.slow*(1-h.fast) < h.fast*(1-h.slow) && even.CDF(few.lost) < byChance
	return h
}

// portion is what was acknowledged and lost in some intervals.
type portion struct{ acked, lost float64 }

func (p portion) plus(q portion) portion { return portion{p.acked + q.acked, p.lost + q.lost} }

// byPace divides an instance's intervals into those with fewer and those with more
// requests than on average; counts are under way for delay. It goes by what the
// other instances answered in the interval, if there are any: requests that happen
// to be under way at an interval's end make it look both busier and lossier.
func (a *account) byPace(delay time.Duration, all map[time.Duration]float64) (few, many portion) {
	type interval struct {
		portion
		others float64
	}
	var intervals []interval
	var own, others float64
	for k := 1; k < len(a.ticks); k++ {
		before, end := a.ticks[k-1], a.ticks[k]
		acked := a.ackedWithin(before-delay, end-delay)
		if acked > 0 {
			v := interval{portion{acked, acked - a.counted.upTo(end) + a.counted.upTo(before)}, all[end] - acked}
			intervals = append(intervals, v)
			own, others = own+v.acked, others+v.others
		}
	}
	for _, v := range intervals {
		pace, mean := v.others, others/float64(len(intervals))
		if others == 0 {
			pace, mean = v.acked, own/float64(len(intervals))
		}
		if pace > mean {
			many = many.plus(v.portion)
		} else {
			few = few.plus(v.portion)
		}
	}
	return few, many
}

// ackedWithin counts the requests that were acknowledged after from and up to to.
func (a *account) ackedWithin(from, to time.Duration) float64 {
	return float64(countUpTo(a.acked, to) - countUpTo(a.acked, from))
}

// delay is how long counts are under way, as all instances' curves say: with it the
// share that is counted is most nearly the same in every interval. It is at most a
// little more than declared: what is later is late.
func (b books) delay() time.Duration {
	const coarse, fine = 50 * time.Millisecond, 5 * time.Millisecond
	longest := b.rule.ClientWindow + 100*time.Millisecond
	about := b.fittest(0, longest, coarse)
	return b.fittest(max(0, about-coarse), about+coarse, fine)
}

// fittest is the best delay between from and to, in steps.
func (b books) fittest(from, to, step time.Duration) time.Duration {
	best, least := from, math.Inf(1)
	for delay := from; delay <= to; delay += step {
		var off float64
		for i := range b.accounts {
			a := &b.accounts[i]
			share := float64(a.total) / float64(max(1, len(a.acked)))
			for k := 1; k < len(a.ticks); k++ {
				before, end := a.ticks[k-1], a.ticks[k]
				d := a.counted.upTo(end) - a.counted.upTo(before) - share*a.ackedWithin(before-delay, end-delay)
				off += d * d
			}
		}
		if off < least {
			best, least = delay, off
		}
	}
	return best
}
