package report

import (
	"math"
	"slices"
	"strconv"
	"time"

	"throughline/scenarios/record"
)

// mostBins bounds the size of a report: a longer run gets wider bins.
const mostBins = 3600

// values are the heights of one line, one per bin. NaN is a bin in which
// nothing was measured: null in JSON, and a hole in the line.
type values []float64

// MarshalJSON writes five significant digits, and null for what is no number.
func (v values) MarshalJSON() ([]byte, error) {
	out := []byte{'['}
	for i, x := range v {
		if i > 0 {
			out = append(out, ',')
		}
		if isFinite(x) {
			out = strconv.AppendFloat(out, x, 'g', 5, 64)
		} else {
			out = append(out, "null"...)
		}
	}
	return append(out, ']'), nil
}

// bins cuts the time of a run into equal stretches. Bin i covers
// (phase + i·width, phase + (i+1)·width], so that an interval of the collector
// is exactly one bin where width is its length.
type bins struct {
	width    time.Duration
	phase    time.Duration // at most 0
	interval time.Duration // the collector's; width is a multiple of it
	n        int           // at least 1
}

func newBins(h record.History, end time.Duration) bins {
	b := bins{interval: h.Run.Interval}
	if b.interval <= 0 {
		b.interval = time.Second
	}
	b.width = b.interval * (1 + end/b.interval/mostBins)
	b.phase = ticksPhase(h, b.width)
	b.n = math.MaxInt
	b.n = b.index(end) + 1
	return b
}

// ticksPhase is how far the collector's intervals are shifted against the
// start of the run, from the first point that an instance pushed.
func ticksPhase(h record.History, width time.Duration) time.Duration {
	for _, s := range h.Series {
		if s.Meta.StatsD != "" && len(s.Points) > 0 {
			if shift := s.Points[0].At % width; shift > 0 {
				return shift - width
			}
			return 0
		}
	}
	return 0
}

// index is the bin that t is in. What lies outside of the run is in the first or
// the last.
func (b bins) index(t time.Duration) int {
	return min(int(max(0, (t-b.phase-1)/b.width)), b.n-1)
}

// centers are the middles of the bins in seconds since the start of the run.
func (b bins) centers() []float64 {
	x := make([]float64, b.n)
	for i := range x {
		x[i] = (b.phase + time.Duration(i)*b.width + b.width/2).Seconds()
	}
	return x
}

// holes is a line with nothing else.
func (b bins) holes() values {
	v := make(values, b.n)
	for i := range v {
		v[i] = math.NaN()
	}
	return v
}

// perSecond counts requests that want holds for, by the bin of their outcome.
func (b bins) perSecond(requests []record.Request, want func(record.Request) bool) values {
	v := make(values, b.n)
	for i := range requests {
		if r := &requests[i]; want(*r) {
			v[b.index(r.Done)]++
		}
	}
	for i := range v {
		v[i] /= b.width.Seconds()
	}
	return v
}

// latencies gives the 50th and 99th percentile (nearest rank) in milliseconds
// of how long requests took from when they were due, by the bin in which they
// were due. A request of unknown outcome counts with the time until it was
// given up; one that was refused was not served, and does not count.
func (b bins) latencies(requests []record.Request) (p50, p99 values) {
	waits := make([][]float64, b.n)
	for i := range requests {
		if r := &requests[i]; r.Outcome != record.Refused {
			bin := b.index(r.Due)
			waits[bin] = append(waits[bin], float64(r.Done-r.Due)/float64(time.Millisecond))
		}
	}
	p50, p99 = b.holes(), b.holes()
	for i, w := range waits {
		if len(w) > 0 {
			slices.Sort(w)
			p50[i], p99[i] = nearestRank(w, 0.50), nearestRank(w, 0.99)
		}
	}
	return p50, p99
}

// nearestRank is the smallest of the sorted values that q of them do not exceed.
func nearestRank(sorted []float64, q float64) float64 {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// rate turns the points of a cumulative series into a height per bin.
//
// What came between two points is spread evenly over the time between them, if
// that is one interval; after a gap all of it stands in the last interval, and
// the gap stays a hole. A point that only carries the previous value forward
// (Observed is 0) is a gap too. A value that falls was reset to 0 in between.
func (b bins) rate(s record.Series) values {
	t := tally{bins: b, amount: make([]float64, b.n), covered: make([]time.Duration, b.n), missing: make([]time.Duration, b.n)}
	// What an instance pushes begins at 0; what is polled has a past.
	before, known := 0.0, s.Meta.StatsD != ""
	at, alive := time.Duration(0), false
	for _, p := range s.Points {
		if p.Stale {
			alive = false
			continue
		} else if !isFinite(p.Value) {
			continue
		}
		from := at
		if !alive {
			from = p.At - b.interval
		} else if p.At-at > b.interval*3/2 {
			from = p.At - b.interval
			t.miss(at, from)
		}
		if known && p.Observed > 0 {
			t.gain(from, p.At, grown(before, p.Value))
		} else if known {
			t.miss(from, p.At)
		}
		before, known, at, alive = p.Value, true, p.At, true
	}
	return t.heights()
}

// grown is what a cumulative counter gained from one value to the next.
func grown(before, value float64) float64 {
	if value < before {
		return value
	}
	return value - before
}

// tally collects per bin what a counter gained, for how long it was measured,
// and for how long it was not although it lived.
type tally struct {
	bins
	amount           []float64
	covered, missing []time.Duration
}

func (t tally) gain(from, to time.Duration, gained float64) {
	t.each(from, to, func(bin int, part time.Duration) {
		t.amount[bin] += gained * (float64(part) / float64(to-from))
		t.covered[bin] += part
	})
}

func (t tally) miss(from, to time.Duration) {
	t.each(from, to, func(bin int, part time.Duration) { t.missing[bin] += part })
}

// each calls do with every bin that (from, to] touches, and how much of it.
func (b bins) each(from, to time.Duration, do func(bin int, part time.Duration)) {
	for i := b.index(from + 1); i <= b.index(to); i++ {
		low := b.phase + time.Duration(i)*b.width
		if part := min(to, low+b.width) - max(from, low); part > 0 {
			do(i, part)
		}
	}
}

// heights are holes where nothing was measured, and where half an interval or
// more is missing.
func (t tally) heights() values {
	v := t.holes()
	for i := range v {
		if t.covered[i] > 0 && t.missing[i] < t.interval/2 {
			v[i] = t.amount[i] / t.covered[i].Seconds()
		}
	}
	return v
}

// sum adds lines up. A hole counts as nothing, unless all have it.
func (b bins) sum(lines []values) values {
	total := b.holes()
	for _, line := range lines {
		for i, x := range line {
			switch {
			case math.IsNaN(x):
			case math.IsNaN(total[i]):
				total[i] = x
			default:
				total[i] += x
			}
		}
	}
	return total
}

// gained is how much a cumulative series grew in the run.
func gained(s record.Series) float64 {
	var total, before float64
	known := s.Meta.StatsD != ""
	for _, p := range s.Points {
		if !p.HasNumber() {
			continue
		}
		if known {
			total += grown(before, p.Value)
		}
		before, known = p.Value, true
	}
	return total
}
