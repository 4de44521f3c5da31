package picture

import (
	"math"
	"slices"

	"throughline/scenarios/record"
)

// Never tells of each bin how many of what was acknowledged in it never came, as far as
// is known at the end. A loss is a step of what is owed that never comes back, so that of
// what was acknowledged until a moment at most as many are lost as were owed at the best
// moment from then on. Some are always owed, though, and lost at the very end perhaps: as
// many as were on their way are not lost yet. What was, was acknowledged within a moment,
// and is at most that share of it; or, where an instance sends only now and then, since it
// may have sent last.
func (i Instance) Never(share float64) []float64 {
	lost, owed, last := leastFrom(i.Owed()), i.Owed(), len(i.Acked)-1
	quiet := i.silences()
	acked, counted := Running(i.Acked), Running(i.Counted)
	most := 0.0
	for b := range lost {
		switch until := b + min(quiet.longest, 2*quiet.usual+1) + 1; {
		case b == last:
			most = max(most, owed[b])
		case quiet.usual == 0:
			most = max(most, owed[b]-share*i.Late[b])
		case until >= quiet.first:
			most = max(most, acked[b]-counted[min(until, last)])
		}
		lost[b] = min(lost[b], most)
	}
	return steps(lost)
}

// onTheWay is which share of what was acknowledged within the last moment of a bin was on
// its way then, on average and as much again, as far as it came: of what never came nobody
// knows whether it was.
func (s Snapshot) onTheWay() float64 {
	var came, late float64
	for _, i := range s.Instances {
		i = i.Until(s.Whole)
		owed := i.Owed()
		for b, lost := range leastFrom(i.Owed()) {
			if i.Late[b] > 0 {
				came, late = came+max(0, owed[b])-lost, late+i.Late[b]
			}
		}
	}
	if late == 0 {
		return 1
	}
	return min(1, 2*came/late)
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

// beyond is what is left of steps when so many of the first are taken away.
func beyond(steps []float64, n float64) []float64 {
	for b := range steps {
		taken := min(n, steps[b])
		steps[b], n = steps[b]-taken, n-taken
	}
	return steps
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

// Running is the sum up to each.
func Running(v []float64) []float64 {
	out := make([]float64, len(v))
	var sum float64
	for b, x := range v {
		sum += x
		out[b] = sum
	}
	return out
}

// silences are how many bins passed between two things that an instance sent: at most,
// and usually; and in which bin it sent its first. Of one that sent once alone it is how
// long it took to.
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
	switch begun := slices.IndexFunc(i.Acked, func(n float64) bool { return n > 0 }); {
	case gaps > 0:
		out.usual = (2*silent + gaps) / (2 * gaps) // rounded
	case last >= 0 && begun >= 0: // it sent once, after it had something to tell
		out.usual = max(0, last-begun)
		out.longest = out.usual
	}
	return out
}

// Until is the instance as it was n bins after the first began.
func (i Instance) Until(n int) Instance {
	return Instance{i.Name, i.Acked[:n], i.Counted[:n], i.Heard[:n], i.Late[:n]}
}

// Net are, by bin, what never came of all instances together, and what was too many. What
// one lost and another counted twice is neither: the sum does not show it. Nor is it too
// many, what may be requests of unknown outcome.
func (s Snapshot) Net() (never, tooMany []float64) {
	never, tooMany = make([]float64, s.Bins), make([]float64, s.Bins)
	if s.Counts.Metric == "" {
		return never, tooMany // nobody counts
	}
	share, ended := s.onTheWay(), map[string]bool{}
	for _, e := range s.Events {
		ended[e.Instance] = ended[e.Instance] || e.Kind == record.Death
	}
	for _, i := range s.Instances {
		i, settled := i.Until(s.Whole), s.Whole
		if !s.Over {
			settled -= i.silences().longest + 1 // what is missing later may be on its way
		}
		onWay := share
		if ended[i.Name] {
			onWay = 1 // it may have taken all that was on its way
		}
		lost, extra := i.Never(onWay), i.TooMany()
		if !s.Over && !ended[i.Name] && len(i.Late) > 0 {
			lost = beyond(lost, slices.Max(i.Late)) // so many may be on their way at any time, and each time others
		}
		for b := range settled {
			never[b] += lost[b]
			tooMany[b] += extra[b]
		}
	}
	lost, extra := sum(never), sum(tooMany)
	if extra-lost <= float64(s.Unknown) {
		tooMany = make([]float64, s.Bins)
	}
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
