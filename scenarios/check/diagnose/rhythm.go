package diagnose

import (
	"math"
	"time"
)

// What came from a client is seen not only in what was counted but in how many lines, or
// datagrams, brought it. A client that adds up sends a line each time its timer fires,
// however many requests it stands for: 10 a second, say. Where one of these is lost on the
// way, a line lacks, and with it what one stands for. Where requests are not counted, all
// lines come, and stand for less.

// rhythm is what an account's counts came in, in each block: lines that add up several
// counts, or datagrams that pack several lines.
type rhythm struct {
	came []float64 // how many in each block
	// due is how many should have come in each block, if as many are lost as the account
	// lost counts, and are spread like the time.
	due []float64
	// each is how many requests one stands for in each block.
	each []float64
}

// leastEach is how many counts must come in one, so that it tells anything.
const leastEach = 3

// leastBlocks is of how many blocks a rhythm can be heard: the first and the last tell little.
const leastBlocks = 5

// newRhythm finds what the account's counts came in; nil where each came alone, or nothing
// can be told of it.
func (t *track) newRhythm() *rhythm {
	at := t.LinesAt
	if t.Lines == 0 || t.Total < leastEach*t.Lines {
		at = t.DatagramsAt
		if t.Datagrams == 0 || t.Total < leastEach*t.Datagrams {
			return nil
		}
	}
	if len(at) != len(t.Ticks) || len(t.block) < leastBlocks || t.noise > 0 || t.surplus || t.Total == 0 || t.wrong >= t.n {
		return nil
	}
	var came []float64
	before := 0.0
	for _, b := range t.block {
		came = append(came, at[b.to]-before)
		before = at[b.to]
	}
	// A timer makes as many in each second, a full datagram as many for each request.
	requests := make([]float64, len(t.block))
	for i, b := range t.block {
		requests[i] = b.acked
	}
	timed, filled := t.rhythmOf(came, t.served()), t.rhythmOf(came, requests)
	if filled.regular() > timed.regular() {
		return filled
	}
	return timed
}

// rhythmOf lays out what should have come in each block, in proportion to something.
func (t *track) rhythmOf(came, in []float64) *rhythm {
	r := &rhythm{came: came}
	var whole float64
	for i, b := range t.block {
		if in[i] > 0 {
			whole += b.acked * came[i] / in[i]
		}
	}
	per := whole / float64(t.n-t.wrong)
	for i, b := range t.block {
		due := per * in[i]
		r.due = append(r.due, due)
		if due > 0 {
			r.each = append(r.each, b.acked/due)
		} else {
			r.each = append(r.each, 0)
		}
	}
	return r
}

// served is for how many seconds of each block the account answered requests.
func (t *track) served() []float64 {
	var out []float64
	for _, b := range t.block {
		from := time.Duration(0)
		if b.from >= 0 {
			from = t.Ticks[b.from]
		}
		from, to := max(from, t.Acked[0]), min(t.Ticks[b.to], t.Acked[t.n-1])
		out = append(out, max(0, (to-from).Seconds()))
	}
	return out
}

// atBoundary is the variance of how many come in a block, in squares of what one stands for:
// the timer of the client fires just before the end of the block, or just after.
const atBoundary = 0.3

// together scores that counts lack where lines, or datagrams, do.
func (r *rhythm) together(t *track) float64 {
	lost := map[int]float64{-1: 0}
	var sum float64
	variance := map[int]float64{}
	for i, b := range t.block {
		away := r.due[i] - r.came[i]
		sum += r.each[i] * away
		lost[b.to] = sum
		variance[b.to] = max(0, away)*r.each[i] + atBoundary*r.each[i]*r.each[i]
	}
	return t.shaped(func(k int) (early, due float64) { return lost[k], lost[k] },
		func(b block, _ float64) float64 { return variance[b.to] })
}

// scattered scores that what lacks lacks by chance: a few in some blocks and none in others,
// and not all in one, where somebody was away, nor at the end of a life, where what was held
// is lost.
func (r *rhythm) scattered(t *track) float64 {
	p := t.share()
	var squares, blocks, most, due, whole float64
	for i := range t.block {
		if r.due[i] == 0 {
			continue
		}
		away := r.due[i] - r.came[i]
		off := away - p*r.due[i]
		square := off * off / (p*(1-p)*r.due[i] + atBoundary)
		squares, blocks = squares+square, blocks+1
		whole += max(0, away)
		if away > most {
			most, due = away, r.due[i]
		}
	}
	if blocks < 3 || whole == 0 {
		return 0
	}
	clustered := max(0, squares-blocks-2*math.Sqrt(2*blocks)) / 2
	// Where few lack, all of them in one block is a coincidence too.
	return max(contradicted, min(-clustered, few(whole, most, due/sumOf(r.due))))
}

// few is the logarithm of how likely it is that so many of all lack in a part.
func few(all, some, part float64) float64 {
	n := int64(max(1, math.Round(all)))
	k := min(n, int64(math.Round(some)))
	if float64(k) <= part*float64(n)+1 {
		return 0
	}
	return binomial(n, k, n, part, 1, 0)
}

func sumOf(all []float64) (sum float64) {
	for _, n := range all {
		sum += n
	}
	return sum
}

// irregular scores that of all that should have come such a share lacks by chance, rather
// than that all come on the beat: it is the logarithm of how much likelier the numbers of the
// blocks are. Numbers on a beat differ at the boundaries of blocks, and what lacks in one
// block comes in the next; numbers that lack by chance lack for good. It is 0 where none came
// in the midst of a life.
func (r *rhythm) irregular(share float64) float64 {
	regular := r.regular()
	if math.IsInf(regular, -1) { // none came but at its ends: nothing can be told
		return 0
	}
	return min(mostIrregular, r.likely(share)-regular)
}

// mostIrregular bounds how much it tells that lines lack: a client whose lines come neither by
// the clock nor by the number of requests is irregular by itself.
const mostIrregular = 3.0

// regular is the logarithm of how likely the numbers are if all come on the beat.
func (r *rhythm) regular() float64 { return max(r.likely(0.003), r.likely(0.02)) }

// likely is the logarithm of how likely the numbers are if such a share lacks by chance.
func (r *rhythm) likely(share float64) float64 {
	first, last := 1, len(r.came)-1 // a life begins and ends between two beats
	var came, due float64
	for i := first; i < last; i++ {
		came, due = came+r.came[i], due+r.due[i]
	}
	if came == 0 || due == 0 {
		return math.Inf(-1)
	}
	best := math.Inf(-1)
	for _, boundary := range []float64{0.02, 0.15, 0.5, 2} {
		best = max(best, r.innovations(first, last, came/due, boundary, share*came/due))
	}
	return best
}

// innovations is the logarithm of how likely the numbers of the blocks are, around a mean:
// each has chance of its own, in proportion to what is due, and what moves over a boundary
// between two blocks. It is the likelihood of a moving average of order one.
// Source: Brockwell and Davis, Introduction to Time Series and Forecasting, 2.5.4.
func (r *rhythm) innovations(first, last int, mean, boundary, perDue float64) float64 {
	var score, off, variance float64
	for i := first; i < last; i++ {
		own := perDue*r.due[i] + 2*boundary
		if i == first {
			off, variance = r.came[i]-mean*r.due[i], own
		} else {
			theta := -boundary / variance
			off, variance = r.came[i]-mean*r.due[i]-theta*off, own-theta*theta*variance
		}
		score -= 0.5*math.Log(variance) + off*off/(2*variance)
	}
	return score
}
