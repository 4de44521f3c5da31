package picture

import (
	"maps"
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
	Unknown   int        // requests of the route of which nobody knows whether they were executed
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
		Over: p.over, End: p.end, Axis: p.axis, Bins: n, Whole: n, Acked: p.acked.all(n), Unknown: p.unknown, Layers: p.layers(n)}
	if !p.over {
		s.Whole = min(n, p.axis.Index(p.measured+p.interval()/10))
	}
	for _, name := range slices.SortedFunc(maps.Keys(p.instances), record.CompareNames) {
		i := p.instances[name]
		of := p.tally(i)
		s.Instances = append(s.Instances, Instance{name, i.acked.all(n), of.counted.all(n), of.heard.all(n), i.late.all(n)})
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
	out := Running(acked)
	for b, n := range Running(counted) {
		out[b] -= n
	}
	return out
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
