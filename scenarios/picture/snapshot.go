package picture

import (
	"maps"
	"math"
	"slices"
	"time"

	"throughline/scenarios/record"
)

// Snapshot is a picture at one moment. It changes no more, and what its slices hold is
// not to be changed.
type Snapshot struct {
	Run    record.Run
	Counts Counts
	Events []record.Event // the journal so far
	// Forgotten is how many events there were beyond those that are kept.
	Forgotten int
	Over      bool          // the run has ended
	End       time.Duration // of the last thing that was seen
	Axis      Axis
	Bins      int // how many there are, at least 1
	// Whole is how many of them, from the first, are over: what instances counted in
	// them has come to the collector. Of a run that is over it is all.
	Whole     int
	Acked     []float64  // requests of the route that users had acknowledged, by bin
	Instances []Instance // in the order of their names
	Layers    []Layer
}

// Instance is what one web instance did, by bin.
type Instance struct {
	Name    string
	Acked   []float64 // requests of the route, as its users saw them
	Counted []float64 // of the metric, when it came to the collector
	Heard   []float64 // above 0: it did send something
	Late    []float64 // of Acked, what was so within the last moment of the bin
}

// Now gives the picture as it is.
func (p *Picture) Now() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(p.axis.Index(p.end)+1, MostBins)
	s := Snapshot{Run: p.run, Counts: p.counts, Events: p.events[:len(p.events):len(p.events)], Forgotten: p.forgotten,
		Over: p.over, End: p.end, Axis: p.axis, Bins: n, Whole: n, Acked: p.acked.all(n), Layers: p.layers(n)}
	if !p.over {
		s.Whole = min(n, p.axis.Index(p.measured+1))
	}
	for _, name := range slices.SortedFunc(maps.Keys(p.instances), record.CompareNames) {
		i := p.instances[name]
		s.Instances = append(s.Instances, Instance{name, i.acked.all(n), i.counted.all(n), i.heard.all(n), i.late.all(n)})
	}
	return s
}

// Owed is, at the end of each bin, how many requests had been acknowledged and were not
// counted yet; below 0: more were counted than were acknowledged.
func (s Snapshot) Owed() []float64 {
	counted := make([]float64, s.Bins)
	for _, i := range s.Instances {
		for b, n := range i.Counted {
			counted[b] += n
		}
	}
	return owed(s.Acked, counted)
}

// Owed is the same of one instance.
func (i Instance) Owed() []float64 { return owed(i.Acked, i.Counted) }

func owed(acked, counted []float64) []float64 {
	out := running(acked)
	for b, n := range running(counted) {
		out[b] -= n
	}
	return out
}

// Never tells of each bin how many of what was acknowledged in it never came, as far as
// is known at the end. A loss is a step of what is owed that never comes back, so that of
// what was acknowledged until a moment at most as many are lost as were owed at the best
// moment from then on. Some are always owed, though, and lost at the very end perhaps: as
// many as were on their way are not lost yet. What was, was acknowledged within a moment,
// or, where an instance sends only now and then, since it may have sent last.
func (i Instance) Never() []float64 {
	lost, owed, last := leastFrom(i.Owed()), i.Owed(), len(i.Acked)-1
	quiet := i.silences()
	acked, counted := running(i.Acked), running(i.Counted)
	most := 0.0
	for b := range lost {
		switch until := b + min(quiet.longest, 2*quiet.usual+1) + 1; {
		case b == last:
			most = max(most, owed[b])
		case quiet.usual == 0:
			most = max(most, owed[b]-i.Late[b])
		case until >= quiet.first:
			most = max(most, acked[b]-counted[min(until, last)])
		}
		lost[b] = min(lost[b], most)
	}
	return steps(lost)
}

// TooMany tells of each bin how many were counted in it that users had never been told
// of: a surplus that is never made up for by what is acknowledged later.
func (i Instance) TooMany() []float64 {
	surplus := i.Owed()
	for b := range surplus {
		surplus[b] = -surplus[b]
	}
	return steps(leastFrom(surplus))
}

// leastFrom is the least that there is from each bin on, and nothing below 0.
func leastFrom(v []float64) []float64 {
	out := make([]float64, len(v))
	least := math.Inf(1)
	for b := len(v) - 1; b >= 0; b-- {
		least = min(least, max(0, v[b]))
		out[b] = least
	}
	return out
}

// steps are by how much each is more than the one before.
func steps(v []float64) []float64 {
	for b := len(v) - 1; b > 0; b-- {
		v[b] -= v[b-1]
	}
	return v
}

// running is the sum up to each.
func running(v []float64) []float64 {
	out := make([]float64, len(v))
	var sum float64
	for b, x := range v {
		sum += x
		out[b] = sum
	}
	return out
}

// silences are how many bins passed between two things that an instance sent: at most,
// and usually; and in which bin it sent its first.
type silences struct{ longest, usual, first int }

func (i Instance) silences() silences {
	out := silences{first: len(i.Heard)}
	last, gaps, silent := -1, 0, 0
	for b := range i.Heard {
		if i.Heard[b] == 0 {
			continue
		}
		if last >= 0 {
			gaps, silent = gaps+1, silent+b-last-1
			out.longest = max(out.longest, b-last-1)
		} else {
			out.first = b
		}
		last = b
	}
	if gaps > 0 {
		out.usual = (2*silent + gaps) / (2 * gaps) // rounded
	}
	return out
}

// Until is the instance as it was n bins after the first began.
func (i Instance) Until(n int) Instance {
	return Instance{i.Name, i.Acked[:n], i.Counted[:n], i.Heard[:n], i.Late[:n]}
}

// Net are, by bin, what never came of all instances together, and what was too many. What
// one lost and another counted twice is neither: the sum does not show it.
func (s Snapshot) Net() (never, tooMany []float64) {
	never, tooMany = make([]float64, s.Bins), make([]float64, s.Bins)
	for _, i := range s.Instances {
		i, settled := i.Until(s.Whole), s.Whole
		if !s.Over {
			settled -= i.silences().longest + 1 // what is missing later may be on its way
		}
		lost, extra := i.Never(), i.TooMany()
		for b := range settled {
			never[b] += lost[b]
			tooMany[b] += extra[b]
		}
	}
	lost, extra := sum(never), sum(tooMany)
	for b := range never {
		if lost > 0 {
			never[b] *= max(0, lost-extra) / lost
		}
		if extra > 0 {
			tooMany[b] *= max(0, extra-lost) / extra
		}
	}
	return never, tooMany
}

// Spread is what the instance counted, where what came after a silence is not where it
// came, but where it was due: in the bins of the silence as well, by how many requests
// were acknowledged in each. late tells which bins were silent and are made up for so.
func (i Instance) Spread() (counted []float64, late []bool) {
	counted, late = slices.Clone(i.Counted), make([]bool, len(i.Counted))
	silent := 0 // where the silence began
	for b := range counted {
		if i.Heard[b] == 0 {
			continue
		}
		var acked float64
		for _, n := range i.Acked[silent : b+1] {
			acked += n
		}
		if b > silent && acked > 0 && counted[b] > 0 {
			came := counted[b]
			for k := silent; k <= b; k++ {
				counted[k] = came * i.Acked[k] / acked
				late[k] = k < b && i.Acked[k] > 0
			}
		}
		silent = b + 1
	}
	return counted, late
}

// Silent tells in which bins before the last it sent nothing, although users had requests
// of it acknowledged.
func (i Instance) Silent() []bool {
	out := make([]bool, len(i.Heard))
	for b := range out {
		out[b] = i.Heard[b] == 0 && i.Acked[b] > 0
	}
	return out
}

// Total adds amounts up.
func Total(v []float64) float64 { return sum(v) }

// Any tells whether a line has anything but zeros and holes.
func (l Line) Any() bool {
	return slices.ContainsFunc(l.Values, func(x float64) bool { return x > 0 })
}
