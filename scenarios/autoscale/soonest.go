package autoscale

import (
	"math"
	"time"
)

// Never is what Soonest gives where the policy does not get there at all.
const Never time.Duration = math.MaxInt64

// Soonest is the least time that a policy takes, with a metric that is never late, from a moment in which a fleet that
// long had from instances is proposed another number, until so many are wanted: what the stabilisation windows, the paces,
// and the time between two decisions cost. The change is taken to come just before a decision, which is the best case,
// and each number that is wanted to be there at the next decision. A number outside min and max is as the bound.
func (p Policy) Soonest(from, to int) time.Duration {
	from, to = p.within(from), p.within(to)
	every := max(p.Every, time.Millisecond)
	s := New(p)
	s.Accept(-every, from, from, from)
	for at, had := time.Duration(0), from; ; {
		_, wanted := s.stabilise(at, had, to)
		wanted = s.paced(at, had, wanted)
		if wanted == to {
			return at
		}
		s.Accept(at, to, had, wanted)
		if wanted != had {
			at, had = at+every, wanted
			continue
		}
		next, ok := s.forgets(at, to)
		if !ok {
			return Never
		}
		at += (next - at + every - 1) / every * every
	}
}

// forgets is when the scaler next forgets something that holds it from wanting a number.
func (s *Scaler) forgets(at time.Duration, wanted int) (next time.Duration, ok bool) {
	next = Never
	sooner := func(t time.Duration) {
		if t > at {
			next = min(next, t)
		}
	}
	for _, x := range s.proposals {
		if x.Proposed != wanted {
			sooner(x.At + s.policy.Up.After)
			sooner(x.At + s.policy.Down.After)
		}
	}
	for _, c := range s.changes {
		sooner(c.at + s.policy.Up.Per)
		sooner(c.at + s.policy.Down.Per)
	}
	return next, next != Never
}
