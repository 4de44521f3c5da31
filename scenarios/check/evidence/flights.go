package evidence

import (
	"slices"
	"sort"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// flight is how many requests were in flight over time, at most: n[k] from at[k] on.
type flight struct {
	at []time.Duration
	n  []int64
}

// Flights are what users had in flight at each instance, and what may have been at any.
type Flights struct {
	at map[string]flight // at each instance
	// anybody's are the requests of which nobody knows who had them, each
	// from when it was sent on.
	anybody flight
	retries int64 // how often the load balancer sent a request again
	checks  int64 // health checks that may be in flight beside the users' requests
}

// Flights lays out what was in flight when. Each request is taken to last for window longer
// than its user saw: a client that holds so long tells its end as late.
func (e *Index) Flights(window time.Duration) Flights {
	changes := map[string][]step{}
	var anybody []step
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		n := int64(max(1, r.Attempts))
		switch {
		case r.Outcome == record.Refused:
		case r.Instance == "" || n > 1:
			anybody = append(anybody, step{r.Sent, n})
		default:
			if changes[r.Instance] == nil {
				changes[r.Instance] = make([]step, 0, 2*len(e.Acked(r.Instance, r.Route)))
			}
			changes[r.Instance] = append(changes[r.Instance], step{r.Sent, n}, step{r.Done + window, -n})
		}
	}
	out := Flights{at: map[string]flight{}, anybody: newFlight(anybody), retries: e.Retries()}
	for instance, steps := range changes {
		out.at[instance] = newFlight(steps)
	}
	if e.Scenario.Stack.External != nil || slices.ContainsFunc(e.Scenario.Webs(), func(web script.Web) bool { return web.Image != "" || len(web.Command) > 0 }) {
		// The load balancer's and the platform's probe: a foreign
		// application may count them. The reference app does not.
		out.checks = 2
	}
	return out
}

// Most is the most that an instance can have had in flight at any moment between from and to.
func (f Flights) Most(instance string, from, to time.Duration) int64 {
	return f.at[instance].most(from, to) + f.anybody.most(from, to) + f.retries + f.checks
}

// MostOfAll is the most that the instances together can have had: a request that may have
// been anybody's was in flight once.
func (f Flights) MostOfAll(instances []record.Lifetime, from, to time.Duration) int64 {
	most := f.anybody.most(from, to) + f.retries
	for _, l := range instances {
		most += f.at[l.Instance].most(from, to) + f.checks
	}
	return most
}

// step is a change of the number of requests in flight.
type step struct {
	at time.Duration
	by int64
}

func newFlight(steps []step) flight {
	slices.SortFunc(steps, func(a, b step) int { return CompareTimes(a.at, b.at) })
	f := flight{at: make([]time.Duration, len(steps)), n: make([]int64, len(steps))}
	var n int64
	for i, s := range steps {
		n += s.by
		f.at[i], f.n[i] = s.at, n
	}
	return f
}

// most is the greatest number between from and to.
func (f flight) most(from, to time.Duration) int64 {
	i := sort.Search(len(f.at), func(i int) bool { return f.at[i] > from })
	var top int64
	if i > 0 {
		top = f.n[i-1]
	}
	for ; i < len(f.at) && f.at[i] <= to; i++ {
		top = max(top, f.n[i])
	}
	return top
}
