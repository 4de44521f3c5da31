package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/record"
)

// Users is the users' ledger by instance and route.
type Users struct {
	Requests, Attempts, Acked, Refused, Unknown int64
	NoAnswer                                    int64 // unknown rows without any answer
	AckedAt                                     map[RowKey][]time.Duration
	Spans                                       []Span // rows that may have been executed without being acknowledged, or more than once
	Routes                                      []string
	Latest                                      time.Duration // the most that a request was sent after it was due
	Unattributed                                int64         // acknowledged rows that name no instance
}

// RowKey is an instance and a route, by which rows of the users' ledger are kept.
type RowKey struct{ Instance, Route string }

// Span is a row of the users' ledger that widens the upper bounds: it may have
// been executed up to unknown+replays times more than it was acknowledged.
type Span struct {
	row              int // in History.Requests
	Key              RowKey
	Sent, Done       time.Duration
	Unknown, Replays int64
	Acked            bool   // acknowledged, but by nobody knows whom
	Had              string // who alone can have executed it, by the load balancer's log; see attribute
	Failed           bool   // an instance answered it, and not with 2xx
}

func (e *Index) indexUsers() {
	u := &e.Users
	u.AckedAt = map[RowKey][]time.Duration{}
	routes := map[string]bool{}
	e.pace = make([]pace, len(e.History.Requests))
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		e.pace[i] = pace{r.Due, r.Sent, r.Sent - r.Due}
		routes[r.Route] = true
		u.add(i, r)
	}
	for _, at := range u.AckedAt {
		slices.Sort(at)
	}
	for route := range routes {
		u.Routes = append(u.Routes, route)
	}
	slices.Sort(u.Routes)
}

// add counts one row of the users' ledger.
func (u *Users) add(row int, r *record.Request) {
	u.Latest = max(u.Latest, r.Sent-r.Due)
	u.Requests++
	u.Attempts += int64(r.Attempts)
	key := RowKey{r.Instance, r.Route}
	s := Span{row: row, Key: key, Sent: r.Sent, Done: r.Done, Replays: max(0, int64(r.Attempts)-1)}
	switch r.Outcome {
	case record.Acked:
		u.Acked++
		if r.Instance == "" {
			u.Unattributed++
			s.Unknown, s.Acked = 1, true
		} else {
			u.AckedAt[key] = append(u.AckedAt[key], r.Done)
		}
	case record.Refused:
		u.Refused++
	default:
		u.Unknown++
		s.Unknown = 1
		s.Failed = Failed(r)
		if r.Status == 0 {
			u.NoAnswer++
		}
	}
	if s.Unknown+s.Replays > 0 {
		u.Spans = append(u.Spans, s)
	}
}

// Failed tells whether an instance answered a request in full, and not with 2xx.
func Failed(r *record.Request) bool {
	return r.Outcome == record.Unknown && r.Status != 0 && r.Instance != "" && r.Err == ""
}

// Acked gives the times at which requests of the routes that instance answered
// were acknowledged, in order. Without routes: of all.
func (e *Index) Acked(instance string, routes ...string) []time.Duration {
	if len(routes) == 0 {
		routes = e.Users.Routes
	}
	if len(routes) == 1 {
		return e.Users.AckedAt[RowKey{instance, routes[0]}]
	}
	var all []time.Duration
	for _, route := range routes {
		all = append(all, e.Users.AckedAt[RowKey{instance, route}]...)
	}
	slices.Sort(all)
	return all
}

// Wanted tells whether a route is among the routes; without routes, all are.
func Wanted(routes []string, route string) bool {
	return len(routes) == 0 || slices.Contains(routes, route)
}

// SentUpTo counts the acknowledged requests of an instance that had been sent
// by t: more cannot have been counted by then.
func (e *Index) SentUpTo(instance, route string, t time.Duration) int64 {
	if e.sentAt == nil {
		e.sentAt = map[string]map[string][]time.Duration{}
	}
	if e.sentAt[route] == nil {
		e.sentAt[route] = AckedBy(e, route, func(r *record.Request) time.Duration { return r.Sent })
		for _, at := range e.sentAt[route] {
			slices.Sort(at)
		}
	}
	return CountUpTo(e.sentAt[route][instance], t+e.apart)
}

// AckedBy gives something of each acknowledged request of a route, by the instance that
// answered, in the order of the users' ledger.
func AckedBy[T any](e *Index, route string, what func(*record.Request) T) map[string][]T {
	by := map[string][]T{}
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if r.Outcome != record.Acked || r.Instance == "" || r.Route != route {
			continue
		}
		if by[r.Instance] == nil {
			by[r.Instance] = make([]T, 0, len(e.Users.AckedAt[RowKey{r.Instance, route}]))
		}
		by[r.Instance] = append(by[r.Instance], what(r))
	}
	return by
}
