package otlp

import (
	"cmp"
	"slices"

	"throughline/collector"
)

// amount is what a point says: a number, or a histogram and how many values are in it.
type amount struct {
	count float64
	hist  *collector.Histogram
}

// stream is what OTLP calls one, and what was heard of it.
//
// A cumulative stream has a life for each start. An honest sender has one at a time: a start that was not there before is
// another life, which began at zero. What a point adds is the difference to the one before of its own life, so that
// the sum is right also where two writers alternate in one stream, which a store that knows no starts takes for a reset at each
// point, and which is a finding.
//
// A delta stream has windows. They abut, or there is a gap where nothing happened or a point was lost: a sender need not
// export what did not change.
type stream struct {
	metric  string // its name, as it was sent
	kind    kind
	series  *series
	lives   []life   // of a cumulative stream, in the order of their starts
	windows []window // of a delta one, the newest last
	// How often in succession a start was another than that of the point before, which had one point only: with a value that
	// did not fall, and at the time of that point.
	moved, abut int
}

// life is what came of one start.
type life struct {
	start, at uint64
	amount
	points int
}

// window is a delta that was counted.
type window struct {
	start, at uint64
	count     float64
}

const (
	// mostLives is how many starts of a stream are remembered: workers of a server that export as one have as many.
	mostLives = 16
	// mostWindows is how many deltas are remembered, against duplicates. A client that tries again does so before it sends
	// anything else, unless it has a queue with several consumers.
	mostWindows = 16
	// abutFew and movesMany are after how many such starts in succession one is known to move with every point.
	abutFew, movesMany = 2, 4
)

// count takes a point in.
func (s *stream) count(p point, of *sender) fate {
	switch s.kind {
	case gauge, upDown:
		return s.series.set(p)
	case counter, distribution:
		return s.cumulative(p, of)
	}
	return s.delta(p, of)
}

// cumulative takes in a point of a sum that grows.
func (s *stream) cumulative(p point, of *sender) fate {
	at, known := slices.BinarySearchFunc(s.lives, p.start, func(l life, start uint64) int { return cmp.Compare(l.start, start) })
	if known {
		s.moved, s.abut = 0, 0
		if at < len(s.lives)-1 && p.at > s.lives[len(s.lives)-1].start {
			of.find(twoWriters, s.metric, "") // an older start comes back after a newer one began
		}
		return s.further(&s.lives[at], p, of)
	}
	l := life{start: p.start}
	fresh := len(s.lives) == 0
	switch {
	case p.start == 0 || p.start >= p.at:
		of.find(startMissing, s.metric, "")
		// What it counted before is unknown, and no increment.
		s.begin(at, life{start: p.start, at: p.at, amount: p.amount, points: 1}, of)
		s.series.heard()
		return accepted
	case fresh && s.series.resumes(p, of.collector):
		before, ok := s.series.goOn(p)
		if !ok {
			of.find(unresumed, s.metric, "")
			before = p.amount
		}
		l.amount = before
	case at < len(s.lives) && p.at > s.lives[len(s.lives)-1].start:
		of.find(twoWriters, s.metric, "")
	case at == len(s.lives) && !fresh:
		s.moves(p, of)
	}
	return s.further(s.begin(at, l, of), p, of)
}

// moves looks at a start that is later than all before. A life of a single point is rare; several in succession, each
// with at least what the one before had, or from the very nanosecond at which that ended, are a start that moves with each point.
func (s *stream) moves(p point, of *sender) {
	last := s.lives[len(s.lives)-1]
	switch {
	case last.points > 1:
		s.moved, s.abut = 0, 0
	case p.count < last.count:
		s.moved = 0 // as it is after a true reset
	default:
		s.moved++
	}
	if p.start == last.at {
		s.abut++
	} else {
		s.abut = 0
	}
	switch {
	case s.abut >= abutFew:
		of.find(wrongTemporality, s.metric, "cumulative")
	case s.moved >= movesMany:
		of.find(startMoves, s.metric, "")
	}
}

// begin remembers a life. Of too many the one that was heard longest ago is forgotten.
func (s *stream) begin(at int, l life, of *sender) *life {
	if len(s.lives) >= mostLives {
		oldest := 0
		for i := range s.lives {
			if s.lives[i].at < s.lives[oldest].at {
				oldest = i
			}
		}
		of.collector.size.buckets -= s.lives[oldest].buckets()
		s.lives = slices.Delete(s.lives, oldest, oldest+1)
		if at > oldest {
			at--
		}
	}
	of.collector.size.buckets += l.buckets()
	s.lives = slices.Insert(s.lives, at, l)
	return &s.lives[at]
}

// further takes in another point of a life.
func (s *stream) further(l *life, p point, of *sender) fate {
	same := p.at == l.at && l.points > 0
	switch {
	case same && p.count == l.count:
		return duplicate
	case same:
		of.find(otherValue, s.metric, "")
		return duplicate
	case p.at < l.at && p.count <= l.count:
		return late
	}
	grown, ok := p.amount, true
	if p.count < l.count {
		of.find(valueFell, s.metric, "")
	} else if grown, ok = p.less(l.amount); !ok {
		of.find(bucketsFell, s.metric, "")
	}
	if f := s.series.add(grown, of.collector); f != accepted {
		return f
	}
	of.collector.size.buckets += p.buckets() - l.buckets()
	l.at, l.amount = max(l.at, p.at), p.amount
	l.points++
	return accepted
}

// delta takes in what came within a window.
func (s *stream) delta(p point, of *sender) fate {
	for _, w := range s.windows {
		if w.start == p.start && w.at == p.at {
			if w.count != p.count {
				of.find(otherValue, s.metric, "")
			}
			return duplicate
		}
	}
	if p.start == 0 || p.start >= p.at {
		of.find(startMissing, s.metric, "")
	} else if n := len(s.windows); n > 0 && p.at > s.windows[n-1].at {
		switch last := s.windows[n-1]; {
		case p.start == last.start:
			of.find(wrongTemporality, s.metric, "delta")
		case p.start < last.at:
			of.find(windowsOverlap, s.metric, "")
		case p.start > last.at:
			of.figures.gaps++
		}
	}
	if f := s.series.add(p.amount, of.collector); f != accepted {
		return f
	}
	if len(s.windows) == mostWindows {
		s.windows = slices.Delete(s.windows, 0, 1)
	}
	// Late ones are put before the newest, with which the next is compared.
	at := len(s.windows)
	for at > 0 && s.windows[at-1].at > p.at {
		at--
	}
	s.windows = slices.Insert(s.windows, at, window{p.start, p.at, p.count})
	return accepted
}

// buckets is how many the amount has.
func (a amount) buckets() int {
	if a.hist == nil {
		return 0
	}
	return len(a.hist.Positive) + len(a.hist.Negative)
}

// less is what came since before; false where buckets have less than they had, though there are more values.
func (a amount) less(before amount) (amount, bool) {
	out := amount{count: a.count - before.count}
	if a.hist == nil {
		return out, true
	}
	grown, ok := difference(a.hist, before.hist)
	out.hist = grown
	return out, ok
}
