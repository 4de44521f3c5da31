package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/record"
)

// LastOf is the last value of a series, and when it was read.
func LastOf(s *record.Series) (value float64, at time.Duration, ok bool) {
	for i := len(s.Points) - 1; i >= 0; i-- {
		if s.Points[i].HasNumber() {
			return s.Points[i].Value, s.Points[i].At, true
		}
	}
	return 0, 0, false
}

// growthOf is how much polled counters grew from the beginning of the load to the end of the
// record.
func (e *Index) growthOf(series []*record.Series) int64 {
	var sum float64
	for _, s := range series {
		sum += SumOf([]*record.Series{s}).Since(e.Begin)
	}
	return Whole(sum)
}

// serverGrowth is how much a field of an instance's servers grew under load.
func (e *Index) serverGrowth(instance, field string) int64 {
	return max(0, e.growthOf(e.PolledOf(record.ServerPrefix+field, instance)))
}

// RetriesOn is how often the load balancer may have sent a request to the
// instance again that it, or another one, had executed.
func (e *Index) RetriesOn(instance string) int64 {
	if e.Scenario.Stack.External != nil {
		return e.resentFrom(instance)
	}
	if !e.Scenario.Stack.RetryAll {
		return 0
	}
	return e.serverGrowth(instance, "wretr")
}

// Retries is how often it may have sent any request again: its wretr, if it repeats whatever
// failed. Else what it sends again had reached no server: nobody has executed
// it, and it is no excuse for anything.
func (e *Index) Retries() int64 {
	if e.Scenario.Stack.External != nil {
		var all int64
		for _, l := range e.Lives {
			all += e.resentFrom(l.Instance)
		}
		return all
	}
	if !e.Scenario.Stack.RetryAll {
		return 0
	}
	return max(0, e.growthOf(e.Polled[record.BackendPrefix+"wretr"]), e.growthOf(e.Polled[record.ServerPrefix+"wretr"]))
}

// resentFrom is how many requests a load balancer that nobody sees may have sent again that an instance had executed: those
// that were in flight when it died. When that was is known to lie between its last answer and the probe that found it gone, and
// whose they were then is not known, so that it is the most that were in flight in any one moment of that time. What such a load balancer
// sends again while an instance lives is no part of it.
func (e *Index) resentFrom(instance string) int64 {
	l, known := e.LifeOf(instance)
	if !known || l.Death == record.Never {
		return 0
	}
	if n, have := e.resent[instance]; have {
		return n
	}
	from := l.Death
	if l.Signalled != record.Never {
		from = l.Signalled
	}
	var steps []step
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if r.Outcome == record.Acked && r.Instance != instance && r.Sent <= l.Death && r.Done >= from {
			steps = append(steps, step{r.Sent, 1}, step{r.Done + clockStep, -1})
		}
	}
	n := newFlight(steps).most(from, l.Death)
	e.resent[instance] = n
	return n
}

// clockStep is by how much an offset in a record is rounded.
const clockStep = time.Microsecond

// Balancer is the proxies that carry the users' requests, in HAProxy's
// statistics.
type Balancer struct {
	Index    *Index
	Backends []string // of each role that users reach one, in the order of their names
	Frontend string
	Polled   time.Duration // the last poll
}

// NewBalancer finds the proxies: the backends are those whose servers are
// instances, and the frontend the one with the most requests: HAProxy may have
// others for its own statistics.
func NewBalancer(e *Index) (Balancer, bool) {
	b := Balancer{Index: e, Polled: record.Never}
	ours := map[string]bool{}
	for _, l := range e.Lives {
		ours[l.Instance] = true
	}
	for _, s := range e.Polled[record.ServerPrefix+"hrsp_2xx"] {
		if ours[s.Labels.Get("instance")] {
			b.Backends = append(b.Backends, s.Labels.Get("proxy"))
		}
	}
	slices.Sort(b.Backends)
	b.Backends = slices.Compact(b.Backends)
	most := -1.0
	for _, s := range e.Polled[record.FrontendPrefix+"req_tot"] {
		if n, at, ok := LastOf(s); ok && n > most {
			most, b.Frontend, b.Polled = n, s.Labels.Get("proxy"), at
		}
	}
	return b, most >= 0
}

// Carries tells whether a series is of one of the proxies.
func (b Balancer) Carries(s *record.Series) bool {
	proxy := s.Labels.Get("proxy")
	return proxy == b.Frontend || slices.Contains(b.Backends, proxy)
}

// fields are the series of a field of the proxies that a prefix is for.
func (b Balancer) fields(prefix, field string) (all []*record.Series) {
	for _, s := range b.Index.Polled[prefix+field] {
		proxy := s.Labels.Get("proxy")
		if prefix == record.FrontendPrefix && proxy == b.Frontend || prefix != record.FrontendPrefix && slices.Contains(b.Backends, proxy) {
			all = append(all, s)
		}
	}
	return all
}

// Last is the newest value of a field of a proxy; the sum over the backends for theirs, and over
// their servers for the server prefix.
func (b Balancer) Last(prefix, field string) (n int64, ok bool) {
	var sum float64
	for _, s := range b.fields(prefix, field) {
		if v, _, has := LastOf(s); has {
			sum += v
			ok = true
		}
	}
	return Whole(sum), ok
}

// Since is how much a field grew from the beginning of the load on, summed as Last does.
func (b Balancer) Since(prefix, field string) (int64, bool) {
	series := b.fields(prefix, field)
	return b.Index.growthOf(series), len(series) > 0
}

// SameAgain is how often a redispatch chose the server again that it was to give up, as it may where there are two: such a
// try is in the log, and among neither the redispatches nor the retries of the statistics. Of 456 tries again in the
// log, 455 redispatches and no retry, one was of this kind.
func (b Balancer) SameAgain() int64 {
	var again int64
	for i := range b.Index.History.Executions {
		again += int64(b.Index.History.Executions[i].Retries)
	}
	redispatches, _ := b.Last(record.BackendPrefix, "wredis")
	retries, _ := b.Last(record.BackendPrefix, "wretr")
	return max(0, again-redispatches-retries)
}

// OfServer is how much a field of the servers of an instance grew under load.
func (b Balancer) OfServer(instance, field string) int64 {
	return b.Index.serverGrowth(instance, field)
}
