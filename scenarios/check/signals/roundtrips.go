package signals

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// roundTrip is a request from when its user sent it to when its user had the answer.
type roundTrip struct{ Sent, Done time.Duration }

// roundTrips are the acknowledged requests of a route by the instance that answered, in
// the order of their ends.
func roundTrips(e *evidence.Index, route string) map[string][]roundTrip {
	by := evidence.AckedBy(e, route, func(r *record.Request) roundTrip { return roundTrip{r.Sent, r.Done} })
	for _, trips := range by {
		slices.SortFunc(trips, func(a, b roundTrip) int { return cmp.Or(cmp.Compare(a.Done, b.Done), cmp.Compare(a.Sent, b.Sent)) })
	}
	return by
}

// workOf stands for what an instance does that nobody asks for: one piece that ends in each interval, from when it is ready
// until its end is begun, or the load's. What it counts in a first interval that it was there for in part may have come
// in the next.
func workOf(e *evidence.Index, l record.Lifetime) (all []roundTrip) {
	if l.Ready == record.Never || e.Begin == record.Never || e.End == record.Never {
		return nil
	}
	until := e.End
	for _, t := range []time.Duration{l.Signalled, l.Death} {
		if t != record.Never {
			until = min(until, t)
		}
	}
	for t := max(l.Ready, e.Begin) + e.Interval; t <= until; t += e.Interval {
		all = append(all, roundTrip{t - e.Interval, t})
	}
	return all
}

// doneUpTo tells how many round trips, in the order of their ends, were over at t.
func doneUpTo(trips []roundTrip, t time.Duration) int {
	return sort.Search(len(trips), func(i int) bool { return trips[i].Done > t })
}
