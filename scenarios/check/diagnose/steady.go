package diagnose

import (
	"math"
	"slices"
	"time"
)

// Who draws lots, or leaves one path of several uncounted, takes the same share at each load: of an
// interval with 70 requests as of one with 20, and what is counted of either differs from that by no
// more than chance. What a queue takes, a batch that begins anew, or a cache that fills, has a mean
// share as well, but not in each interval.

const (
	// worstOf is of so many intervals one that is left out: a client's timer may fire just before an
	// interval's end or just after.
	worstOf = 6
	// usualSquare and spreadOfSquares are the mean and the standard deviation of the squares of what is
	// normally distributed, without the greatest sixth.
	usualSquare, spreadOfSquares = 0.41, 0.6
	// byChanceAlone is how many standard deviations chance may do to squares, and slopeByChance to a
	// trend, of which the delay is chosen that makes it least.
	byChanceAlone, slopeByChance = 3, 2
	// atMostLumps bounds what scatter tells where it may be lumps.
	atMostLumps = 4.0
	// fewestIntervals is of how many intervals it can be told.
	fewestIntervals = 6
)

// unsteadyShare is what it costs an even loss that the share which is counted is not the same in each
// interval, however long counts are under way: it differs by more than chance, or falls as requests
// become more.
func (k *court) unsteadyShare(set []int) float64 {
	held := k.Window + k.longer
	if k.longer > 0 || held > 3*k.Interval/2 { // it is guessed, or intervals are no parts of it
		return 0
	}
	var square, trend, intervals, accounts float64
	for _, i := range set {
		if k.tracks[i].Total < leastEach*int64(fewestIntervals) || 20*k.tracks[i].Total < k.tracks[i].n {
			continue // too few are counted to tell
		}
		if u := k.unevenAt(i); u.intervals >= fewestIntervals {
			square, intervals = square+u.square, intervals+u.intervals
			trend, accounts = trend+u.trend, accounts+1
		}
	}
	if accounts == 0 {
		return 0
	}
	usual, known := k.usualSquares(set)
	scattered := max(0, square-usual*intervals-byChanceAlone*spreadOfSquares*math.Sqrt(intervals))
	if held > k.Interval/4 && !known { // counts may come in lumps, of which intervals have now more, now fewer
		scattered = min(scattered, atMostLumps)
	}
	steep := max(0, math.Abs(trend)/math.Sqrt(accounts)-slopeByChance)
	return max(3*contradicted, -max(scattered, steep*steep/2+steep))
}

// usualSquares is the mean square where nothing is wrong: that of the normal distribution, or of the instances that
// lost nothing, whose counts come in the same lumps. Known tells whether there are such.
func (k *court) usualSquares(set []int) (mean float64, known bool) {
	mean = usualSquare
	for i := range k.tracks {
		t := &k.tracks[i]
		if slices.Contains(set, i) || t.wrong != 0 || t.Total < leastEach*int64(fewestIntervals) {
			continue
		}
		if u := k.unevenAt(i); u.intervals >= fewestIntervals {
			mean, known = max(mean, u.square/u.intervals), true
		}
	}
	return mean, known
}

// unevenness is how what was counted in intervals differs from the mean share of the requests.
type unevenness struct {
	intervals float64
	// square is the sum of squares of the differences, in variances of lots, without the worst.
	square float64
	// trend is by how many standard deviations they hang on how many requests there were.
	trend float64
}

// unevenAt is leastUneven of an account, with what was declared that its client holds. Several hypotheses ask for it, about
// every set of accounts.
func (k *court) unevenAt(i int) unevenness {
	known, ok := k.uneven[i]
	if !ok {
		if k.uneven == nil {
			k.uneven = map[int]unevenness{}
		}
		known = k.tracks[i].leastUneven(k.Window)
		k.uneven[i] = known
	}
	return known
}

// leastUneven is that with the delay that makes each least: of one that sends for all, or of
// workers of which each has a beat of its own.
func (t *track) leastUneven(held time.Duration) unevenness {
	last := min(t.untilKilled(), len(t.Ticks)-1) // what comes at an end comes at once
	if t.surplus || t.noise > 0 || t.n == 0 || last < 2 || t.skips(last) {
		return unevenness{}
	}
	best := unevenness{square: math.Inf(1), trend: math.Inf(1)}
	try := func(belong func(j int) float64) {
		u := t.uneven(last, belong)
		best.intervals = max(best.intervals, u.intervals)
		best.square = min(best.square, u.square)
		if math.Abs(u.trend) < math.Abs(best.trend) {
			best.trend = u.trend
		}
	}
	step := max(held/32, 5*time.Millisecond)
	for delay := time.Duration(0); delay <= held+step; delay += step {
		try(func(j int) float64 { return t.within(t.Ticks[j-1]-delay, t.Ticks[j]-delay) })
	}
	const parts = 8
	for _, longest := range []time.Duration{held / 2, held} {
		try(func(j int) (sum float64) {
			for p := range time.Duration(parts) {
				delay := longest * (2*p + 1) / (2 * parts)
				sum += t.within(t.Ticks[j-1]-delay, t.Ticks[j]-delay) / parts
			}
			return sum
		})
	}
	return best
}

// skips tells whether nothing at all was counted in an interval amid its life: the client's timer fires
// at interval ends, and in one interval twice.
func (t *track) skips(last int) bool {
	for j := 1; j < last; j++ {
		if t.Ticks[j-1] > t.Acked[0] && t.Ticks[j] < t.lastCount && t.Counted[j] == t.Counted[j-1] &&
			t.within(t.Ticks[j-1], t.Ticks[j])*float64(t.Total) > 5*float64(t.n) && t.linesBeside(j) {
			return true
		}
	}
	return false
}

// linesBeside tells whether two lines came in the interval before or after one without any, as they do
// where one of them was due in it; also where nobody knows.
func (t *track) linesBeside(j int) bool {
	if len(t.LinesAt) != len(t.Ticks) || j < 2 {
		return true
	}
	return t.LinesAt[j-1]-t.LinesAt[j-2] > 1 || t.LinesAt[j+1]-t.LinesAt[j] > 1
}

// uneven is that where so many requests belong to each interval.
func (t *track) uneven(last int, belong func(j int) float64) unevenness {
	const jitter = 30 * time.Millisecond // of a timer
	var acked, counted []float64
	for j := 1; j < last; j++ {
		// The first interval with anything is a part of one, of which nobody knows the length.
		a := belong(j)
		if a > 0 && t.Ticks[j-1] > t.Acked[0] {
			acked, counted = append(acked, a), append(counted, t.Counted[j]-t.Counted[j-1])
		}
	}
	whole, n := sumOf(acked), float64(len(acked))
	if whole == 0 {
		return unevenness{}
	}
	p := min(1, sumOf(counted)/whole)
	moved := p * t.rate() * jitter.Seconds()
	squares := make([]float64, len(acked))
	var along, variance, residual, width float64
	for j, a := range acked {
		off, lots := counted[j]-p*a, p*(1-p)*a+moved*moved+someCounts
		squares[j] = off * off / lots
		lean := a - whole/n
		along, variance = along+lean*off, variance+lean*lean*lots
		residual, width = residual+off*off, width+lean*lean
	}
	slices.Sort(squares)
	squares = squares[:len(squares)-(len(squares)+worstOf-1)/worstOf]
	u := unevenness{intervals: n, square: sumOf(squares)}
	if width > 0 && n > 2 { // beside the trend
		residual = max(0, residual-along*along/width) / (n - 2)
		u.trend = along / math.Sqrt(max(variance, residual*width))
	}
	return u
}
