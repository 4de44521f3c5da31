// Package evidence is a record, laid out once for all rules: requests by instance and
// route, series by instance and by name, lifetimes, the journal's answers to when and
// how long, and how late the machine itself was.
//
// It has no opinion: what should have been is for the rules to say, and helpers that
// serve one rule are that rule's. [New] is called once for a record by scenarios/check,
// and the rules in honesty, signals and tiers, and package account, read the [Index].
package evidence

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Forever is later than any offset in a record.
const Forever = time.Duration(math.MaxInt64)

// Index is a record, indexed once for all checks. Nobody but this package changes it.
type Index struct {
	History    record.History
	Scenario   script.Scenario
	Tiers      record.Tiers  // that count the requests, each on its own
	Begin, End time.Duration // of the load; record.Never where the journal has none
	Interval   time.Duration
	Lives      []record.Lifetime // of the web instances, in the order of birth
	Strangers  []string          // instances that answered and of whose birth the journal knows nothing
	Users      Users
	Traces     []Trace                     // of the users' requests in the load balancer's log, by row; nil: there is none
	Pushed     map[string][]*record.Series // what instances sent, by instance
	Polled     map[string][]*record.Series // what was polled, by series name
	reloads    []handover                  // of the load balancer, see stitch
	unpolled   map[string]int64            // see NotPolled; made when it is asked first
	freezes    []freeze                    // of instances, see indexStandstills
	throttled  map[string]Curve            // of the instances that the host stopped: how long
	Ticks      []time.Duration             // interval ends at which the collector stored points, in order
	pace       []pace                      // how late requests were sent, in the order of their due times
	longest    time.Duration               // the greatest lateness of all
	slowest    []time.Duration             // the greatest lateness of each paceBlock of pace
	store      *promStore                  // made by the first promql check
	times      map[RowKey][]float64        // see Durations
	sentAt     map[RowKey][]time.Duration  // of acknowledged requests, in order; made by the first who asks
	staysAt    map[RowKey][]Stay           // see Stays
}

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

// pace is how late the load generator was for one request. indexPace widens
// late to what the machine may have been.
type pace struct{ due, sent, late time.Duration }

// New lays a record out. s is its scenario, or the scenario by whose checks it is to be
// judged. What takes long and few ask for is made when it is asked for first, so that an
// Index serves one goroutine.
func New(h record.History, s script.Scenario) *Index {
	e := &Index{History: h, Scenario: s, Tiers: record.AllTiers(), Begin: record.Never, End: record.Never, Interval: h.Run.Interval,
		Pushed: map[string][]*record.Series{}, Polled: map[string][]*record.Series{}}
	if e.Interval <= 0 {
		e.Interval = time.Second
	}
	for _, ev := range h.Events {
		switch ev.Kind {
		case record.LoadBegin:
			e.Begin = ev.At
		case record.LoadEnd:
			e.End = ev.At
		}
	}
	e.indexUsers()
	e.indexPace()
	e.indexLives()
	e.indexTraces()
	e.attribute()
	e.indexSeries()
	e.indexStandstills()
	e.stitch()
	return e
}

func (e *Index) indexUsers() {
	u := &e.Users
	u.AckedAt = map[RowKey][]time.Duration{}
	routes := map[string]bool{}
	e.pace = make([]pace, len(e.History.Requests))
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		key := RowKey{r.Instance, r.Route}
		e.pace[i] = pace{r.Due, r.Sent, r.Sent - r.Due}
		u.Latest = max(u.Latest, r.Sent-r.Due)
		routes[r.Route] = true
		u.Requests++
		u.Attempts += int64(r.Attempts)
		s := Span{row: i, Key: key, Sent: r.Sent, Done: r.Done, Replays: max(0, int64(r.Attempts)-1)}
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
	for _, at := range u.AckedAt {
		slices.Sort(at)
	}
	for route := range routes {
		u.Routes = append(u.Routes, route)
	}
	slices.Sort(u.Routes)
}

// Failed tells whether an instance answered a request in full, and not with 2xx.
func Failed(r *record.Request) bool {
	return r.Outcome == record.Unknown && r.Status != 0 && r.Instance != "" && r.Err == ""
}

func (e *Index) indexLives() {
	known := map[string]bool{}
	for _, l := range e.History.Lifetimes() {
		if l.Role == record.Web {
			e.Lives = append(e.Lives, l)
			known[l.Instance] = true
		}
	}
	for key := range e.Users.AckedAt {
		if !known[key.Instance] {
			known[key.Instance] = true
			e.Strangers = append(e.Strangers, key.Instance)
		}
	}
	slices.SortFunc(e.Strangers, record.CompareNames)
	for _, name := range e.Strangers {
		e.Lives = append(e.Lives, record.Lifetime{Instance: name, Role: record.Web, Birth: record.Never, Ready: record.Never,
			Serving: record.Never, Draining: record.Never, Signalled: record.Never, Death: record.Never})
	}
}

func (e *Index) indexSeries() {
	ticks := map[time.Duration]bool{}
	for i := range e.History.Series {
		s := &e.History.Series[i]
		if s.Meta.StatsD == "" {
			e.Polled[s.Name] = append(e.Polled[s.Name], s)
			continue
		}
		instance := s.Labels.Get("instance")
		e.Pushed[instance] = append(e.Pushed[instance], s)
		for _, p := range s.Points {
			if !p.Stale {
				ticks[p.At] = true
			}
		}
	}
	for t := range ticks {
		e.Ticks = append(e.Ticks, t)
	}
	slices.Sort(e.Ticks)
}

// LastTick is the last interval end of the record; 0 without any.
func (e *Index) LastTick() time.Duration {
	if len(e.Ticks) == 0 {
		return 0
	}
	return e.Ticks[len(e.Ticks)-1]
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

// Stay is a request's time in flight.
type Stay struct{ Sent, Done time.Duration }

// Stays are the acknowledged requests of a route that instance answered, in the order of
// their ends.
func (e *Index) Stays(instance, route string) []Stay {
	if e.staysAt == nil {
		e.staysAt = map[RowKey][]Stay{}
		for i := range e.History.Requests {
			r := &e.History.Requests[i]
			if r.Outcome != record.Acked || r.Instance == "" {
				continue
			}
			key := RowKey{r.Instance, r.Route}
			if e.staysAt[key] == nil {
				e.staysAt[key] = make([]Stay, 0, len(e.Users.AckedAt[key]))
			}
			e.staysAt[key] = append(e.staysAt[key], Stay{r.Sent, r.Done})
		}
		for _, s := range e.staysAt {
			slices.SortFunc(s, func(a, b Stay) int { return cmp.Or(cmp.Compare(a.Done, b.Done), cmp.Compare(a.Sent, b.Sent)) })
		}
	}
	return e.staysAt[RowKey{instance, route}]
}

// AckedTotal counts the acknowledged requests of the routes, also those that
// name no instance. Without routes: of all.
func (e *Index) AckedTotal(routes ...string) int64 {
	var n int64
	for key, at := range e.Users.AckedAt {
		if Wanted(routes, key.Route) {
			n += int64(len(at))
		}
	}
	for _, s := range e.Users.Spans {
		if s.Acked && Wanted(routes, s.Key.Route) {
			n++
		}
	}
	return n
}

// Wanted tells whether a route is among the routes; without routes, all are.
func Wanted(routes []string, route string) bool {
	return len(routes) == 0 || slices.Contains(routes, route)
}

// Stall is the longest that the machine let a runnable process wait between
// from and to, as far as the load generator felt it: how late it was for a
// request that was waiting then.
func (e *Index) Stall(from, to time.Duration) time.Duration {
	// Whoever was waiting at from was due at most the longest delay before.
	earliest := from - e.longest
	i, _ := slices.BinarySearchFunc(e.pace, earliest, func(p pace, t time.Duration) int { return CompareTimes(p.due, t) })
	var longest time.Duration
	for i < len(e.pace) && e.pace[i].due <= to {
		if i%paceBlock == 0 && i+paceBlock <= len(e.pace) && e.pace[i].due >= from && e.pace[i+paceBlock-1].due <= to {
			longest = max(longest, e.slowest[i/paceBlock])
			i += paceBlock
			continue
		}
		if p := e.pace[i]; p.sent >= from {
			longest = max(longest, p.late)
		}
		i++
	}
	return longest
}

// paceBlock is how many requests share one entry of evidence.slowest.
const paceBlock = 1024

// LeastStall is from which delay on a request is taken for delayed by a stall, and
// not by a scheduler's everyday work.
const LeastStall = 10 * time.Millisecond

// indexPace orders the requests by their due times. A stall began somewhere
// between the last request that was on time and the first that was not: it is
// taken to have begun as early as it can.
func (e *Index) indexPace() {
	if !slices.IsSortedFunc(e.pace, func(a, b pace) int { return CompareTimes(a.due, b.due) }) {
		slices.SortFunc(e.pace, func(a, b pace) int { return cmp.Or(CompareTimes(a.due, b.due), CompareTimes(a.late, b.late)) })
	}
	lastOnTime := time.Duration(0)
	for i := range e.pace {
		p := &e.pace[i]
		if p.late < LeastStall {
			lastOnTime = p.sent
			continue
		}
		p.late = max(p.late, min(p.sent-lastOnTime, p.late+mostGap))
	}
	for block := range slices.Chunk(e.pace, paceBlock) {
		var top time.Duration
		for _, p := range block {
			top = max(top, p.late)
		}
		e.slowest = append(e.slowest, top)
		e.longest = max(e.longest, top)
	}
}

// mostGap is how much earlier than the first late request a stall can be taken
// to have begun: where requests are rarer than that, they tell nothing.
const mostGap = 250 * time.Millisecond

// Greatest is the greatest value that the polled or self-measured series name had
// between from and to; 0 where it has none.
func (e *Index) Greatest(name string, from, to time.Duration) float64 {
	var top float64
	for _, s := range e.Polled[name] {
		for _, p := range s.Points {
			if !p.Stale && p.At >= from && p.At <= to {
				top = max(top, p.Value)
			}
		}
	}
	return top
}

// Counters gives the series of instance that count metric.
func (e *Index) Counters(instance, metric string) []*record.Series {
	var out []*record.Series
	for _, s := range e.Pushed[instance] {
		if s.Meta.StatsD == metric && IsCounter(s) {
			out = append(out, s)
		}
	}
	return out
}

// The collector gives a counter the suffix _total. Beside a sampled one it
// keeps how many measurements really came, as _sampled_total.
const (
	TotalSuffix   = "_total"
	SampledSuffix = "_sampled_total"
)

// IsCounter tells whether a series is the count itself, not that of measurements beside it.
func IsCounter(s *record.Series) bool {
	return s.Meta.Type == collector.Counter && strings.HasSuffix(s.Name, TotalSuffix) && !strings.HasSuffix(s.Name, SampledSuffix)
}
