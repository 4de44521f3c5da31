package autoscale

import (
	"math"
	"slices"
	"time"
)

// Scaler decides by a policy, one decision after the other, and remembers what its windows and paces need. The times
// that it is given are offsets of one clock, and never go back.
type Scaler struct {
	policy    Policy
	seeded    bool       // the size that there was at the first decision is among the proposals, or was
	proposals []Proposal // as the formula made them, before stabilisation; oldest first
	changes   []change   // oldest first
}

// change is a change of the fleet that a decision made.
type change struct {
	at time.Duration
	by int // above 0: so many were added
}

// New makes a scaler that has decided nothing yet.
func New(p Policy) *Scaler { return &Scaler{policy: p} }

// Propose comes to a decision at the offset at, without changing the scaler: what it would decide is not remembered.
func (s *Scaler) Propose(at time.Duration, r Reading) Decision {
	d := Decision{
		At: at, Samples: slices.Clone(r.Samples), Error: r.Error,
		Had: r.Had, Ready: slices.Clone(r.Ready), Unready: slices.Clone(r.Unready),
	}
	s.policy.propose(&d)
	d.Stabilised, d.Wanted = d.Had, d.Had
	switch d.Because {
	case OutOfBounds:
		d.Wanted = s.policy.within(d.Had)
		return d
	case NoMetric:
		return d
	}
	d.Window, d.Stabilised = s.stabilise(at, d.Had, d.Proposed)
	if d.Stabilised != d.Proposed {
		d.Because = Stabilised
	}
	d.Wanted = s.paced(at, d.Had, d.Stabilised)
	if d.Wanted != d.Stabilised {
		d.Because = Paced
	}
	switch {
	case d.Wanted < s.policy.Min:
		d.Wanted, d.Because = s.policy.Min, AtMin
	case d.Wanted > s.policy.Max:
		d.Wanted, d.Because = s.policy.Max, AtMax
	}
	return d
}

// Accept notes what was proposed at an offset, for the stabilisation windows (NoProposal: nothing was), and that the
// fleet was changed from had to wanted, for the paces.
func (s *Scaler) Accept(at time.Duration, proposed, had, wanted int) {
	s.proposals, s.seeded = s.memory(at, had), true
	if proposed != NoProposal {
		s.proposals = append(s.proposals, Proposal{at, proposed})
	}
	if wanted != had {
		s.changes = append(s.changes, change{at, wanted - had})
	}
	p := s.policy
	window, period := max(p.Up.After, p.Down.After), max(p.Up.Per, p.Down.Per)
	s.proposals = slices.DeleteFunc(s.proposals, func(x Proposal) bool { return !recent(x.At, at, window) })
	s.changes = slices.DeleteFunc(s.changes, func(c change) bool { return !recent(c.at, at, period) })
}

// Decide proposes and accepts: what the autoscaler of a run does at each of its moments. Given the same offsets and
// readings again, in the same order, another scaler of the same policy comes to the same decisions.
func (s *Scaler) Decide(at time.Duration, r Reading) Decision {
	d := s.Propose(at, r)
	s.Accept(at, d.Proposed, d.Had, d.Wanted)
	return d
}

// recent tells whether something at an offset is less than a time ago. What is just as old as that is over.
func recent(at, now, within time.Duration) bool { return at > now-within }

// memory are the proposals that there are at an offset, in a slice of their own. The first decision finds the size
// that the fleet had then.
func (s *Scaler) memory(at time.Duration, had int) []Proposal {
	if !s.seeded {
		return []Proposal{{at, had}}
	}
	return slices.Clone(s.proposals)
}

// stabilise is stabilizeRecommendationWithBehaviors: it gives the proposals before this one that it looked at, and
// what they leave of it.
func (s *Scaler) stabilise(at time.Duration, had, proposed int) (window []Proposal, stabilised int) {
	up, down := proposed, proposed
	for _, old := range s.memory(at, had) {
		inUp, inDown := recent(old.At, at, s.policy.Up.After), recent(old.At, at, s.policy.Down.After)
		if inUp {
			up = min(up, old.Proposed)
		}
		if inDown {
			down = max(down, old.Proposed)
		}
		if inUp || inDown {
			window = append(window, old)
		}
	}
	return window, min(max(had, up), down)
}

// paced is convertDesiredReplicasWithBehaviorRate without min and max.
func (s *Scaler) paced(at time.Duration, had, wanted int) int {
	switch {
	case wanted > had:
		if limit, bounded := s.limit(at, had, s.policy.Up, +1); bounded {
			return min(wanted, max(limit, had))
		}
	case wanted < had:
		if limit, bounded := s.limit(at, had, s.policy.Down, -1); bounded {
			return max(wanted, min(limit, had))
		}
	}
	return wanted
}

// limit is how far the bounds of one direction let a fleet go, from the size that it had a period ago. Of several the
// one that goes furthest holds.
func (s *Scaler) limit(at time.Duration, had int, pace Pace, direction int) (limit int, bounded bool) {
	began := had
	for _, c := range s.changes {
		if recent(c.at, at, pace.Per) {
			began -= c.by
		}
	}
	for i, b := range pace.AtMost {
		to := b.from(began, direction)
		if i == 0 || (to-limit)*direction > 0 {
			limit = to
		}
	}
	return limit, len(pace.AtMost) > 0
}

// from is where a bound ends that begins at a size. What a share leaves is rounded up on the way up, and cut off on the
// way down: so even one instance may be added, or taken away.
func (b Bound) from(began, direction int) int {
	if b.Percent == 0 {
		return began + direction*b.Count
	}
	share := float64(b.Percent) / 100
	if direction > 0 {
		return int(math.Ceil(min(float64(began)*(1+share), most)))
	}
	return int(max(float64(began)*(1-share), -most))
}
