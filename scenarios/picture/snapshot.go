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
		s.Instances = append(s.Instances, Instance{name, i.acked.all(n), i.counted.all(n), i.heard.all(n)})
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
	out := make([]float64, len(acked))
	var sum float64
	for i := range out {
		sum += acked[i] - counted[i]
		out[i] = sum
	}
	return out
}

// Never tells of each bin how many of what was acknowledged in it never came, as far as
// is known at the end. A loss is a step of what is owed that never comes back, so that of
// what was acknowledged until a moment at most as many are lost as were owed at the best
// moment from then on; and at least as many as had not come when all that was on its way
// then must have come, which is as much later as the instance was ever silent.
func (i Instance) Never() []float64 { return i.never(1) }

// TooMany tells of each bin, in the same way, how many were counted in it that users had
// never been told of.
func (i Instance) TooMany() []float64 { return i.never(-1) }

// never is Never of what is owed times sign.
func (i Instance) never(sign float64) []float64 {
	n := len(i.Acked)
	owed, out := i.Owed(), make([]float64, n)
	least := math.Inf(1)
	for b := n - 1; b >= 0; b-- {
		least = min(least, max(0, sign*owed[b]))
		out[b] = least
	}
	var acked, counted, most float64
	late := i.lateness()
	for b := range min(late, n) {
		counted += i.Counted[b]
	}
	for b := range n {
		acked += i.Acked[b]
		if b+late < n {
			counted += i.Counted[b+late]
		}
		if sign > 0 {
			most = max(most, acked-counted)
			out[b] = min(out[b], most)
		}
	}
	for b := n - 1; b > 0; b-- {
		out[b] -= out[b-1]
	}
	return out
}

// lateness is in how many bins what is acknowledged has come to the collector, if it
// comes: in as many as it was ever silent between two things that it sent, and one.
func (i Instance) lateness() int {
	longest, last := 0, -1
	for b := range i.Heard {
		if i.Heard[b] > 0 {
			if last >= 0 {
				longest = max(longest, b-last-1)
			}
			last = b
		}
	}
	return longest + 1
}

// until is the instance as it was n bins after the first began.
func (i Instance) until(n int) Instance {
	return Instance{i.Name, i.Acked[:n], i.Counted[:n], i.Heard[:n]}
}

// Net are, by bin, what never came of all instances together, and what was too many. What
// one lost and another counted twice is neither: the sum does not show it.
func (s Snapshot) Net() (never, tooMany []float64) {
	never, tooMany = make([]float64, s.Bins), make([]float64, s.Bins)
	for _, i := range s.Instances {
		i, settled := i.until(s.Whole), s.Whole
		if !s.Over {
			settled -= i.lateness() // what is missing later may be on its way
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
