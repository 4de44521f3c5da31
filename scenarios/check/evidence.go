package check

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// forever is later than any offset in a record.
const forever = time.Duration(math.MaxInt64)

// evidence is a record, indexed once for all checks.
type evidence struct {
	history  record.History
	scenario script.Scenario
	// begin and end of the load; record.Never where the journal has none.
	flaws      []string // what shows that the record is not what was seen
	begin, end time.Duration
	interval   time.Duration
	lives      []record.Lifetime // of the web instances, in the order of birth
	strangers  []string          // instances that answered and of whose birth the journal knows nothing
	users      usersIndex
	traces     []trace                     // of the users' requests in the load balancer's log, by row; nil: there is none
	pushed     map[string][]*record.Series // what instances sent, by instance
	polled     map[string][]*record.Series // what was polled, by series name
	reloads    []handover                  // of the load balancer, see stitch
	unpolled   map[string]int64            // see notPolled; made when it is asked first
	freezes    []freeze                    // of instances, see indexStandstills
	throttled  map[string]curve            // of the instances that the host stopped: how long
	ticks      []time.Duration             // interval ends at which the collector stored points, in order
	pace       []pace                      // how late requests were sent, in the order of their due times
	longest    time.Duration               // the greatest lateness of all
	slowest    []time.Duration             // the greatest lateness of each paceBlock of pace
	store      *promStore                  // made by the first promql check
	times      map[rowKey][]float64        // see took
	sentAt     map[rowKey][]time.Duration  // of acknowledged requests, in order; made by the first who asks
	staysAt    map[rowKey][]stay           // see stays
}

// usersIndex is the users' ledger by instance and route.
type usersIndex struct {
	requests, attempts, acked, refused, unknown int64
	noAnswer                                    int64 // unknown rows without any answer
	ackedAt                                     map[rowKey][]time.Duration
	spans                                       []span // rows that may have been executed without being acknowledged, or more than once
	routes                                      []string
	latest                                      time.Duration // the most that a request was sent after it was due
	unattributed                                int64         // acknowledged rows that name no instance
}

type rowKey struct{ instance, route string }

// span is a row of the users' ledger that widens the upper bounds: it may have
// been executed up to unknown+replays times more than it was acknowledged.
type span struct {
	row              int // in History.Requests
	key              rowKey
	sent, done       time.Duration
	unknown, replays int64
	acked            bool   // acknowledged, but by nobody knows whom
	had              string // who alone can have executed it, by the load balancer's log; see attribute
	failed           bool   // an instance answered it, and not with 2xx
}

// pace is how late the load generator was for one request. indexPace widens
// late to what the machine may have been.
type pace struct{ due, sent, late time.Duration }

func newEvidence(h record.History, s script.Scenario) *evidence {
	e := &evidence{history: h, scenario: s, begin: record.Never, end: record.Never, interval: h.Run.Interval,
		pushed: map[string][]*record.Series{}, polled: map[string][]*record.Series{}}
	if e.interval <= 0 {
		e.interval = time.Second
	}
	for _, ev := range h.Events {
		switch ev.Kind {
		case record.LoadBegin:
			e.begin = ev.At
		case record.LoadEnd:
			e.end = ev.At
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
	e.flaws = e.findFlaws()
	return e
}

func (e *evidence) indexUsers() {
	u := &e.users
	u.ackedAt = map[rowKey][]time.Duration{}
	routes := map[string]bool{}
	e.pace = make([]pace, len(e.history.Requests))
	for i := range e.history.Requests {
		r := &e.history.Requests[i]
		key := rowKey{r.Instance, r.Route}
		e.pace[i] = pace{r.Due, r.Sent, r.Sent - r.Due}
		u.latest = max(u.latest, r.Sent-r.Due)
		routes[r.Route] = true
		u.requests++
		u.attempts += int64(r.Attempts)
		s := span{row: i, key: key, sent: r.Sent, done: r.Done, replays: max(0, int64(r.Attempts)-1)}
		switch r.Outcome {
		case record.Acked:
			u.acked++
			if r.Instance == "" {
				u.unattributed++
				s.unknown, s.acked = 1, true
			} else {
				u.ackedAt[key] = append(u.ackedAt[key], r.Done)
			}
		case record.Refused:
			u.refused++
		default:
			u.unknown++
			s.unknown = 1
			s.failed = failed(r)
			if r.Status == 0 {
				u.noAnswer++
			}
		}
		if s.unknown+s.replays > 0 {
			u.spans = append(u.spans, s)
		}
	}
	for _, at := range u.ackedAt {
		slices.Sort(at)
	}
	for route := range routes {
		u.routes = append(u.routes, route)
	}
	slices.Sort(u.routes)
}

// failed tells whether an instance answered a request in full, and not with 2xx.
func failed(r *record.Request) bool {
	return r.Outcome == record.Unknown && r.Status != 0 && r.Instance != "" && r.Err == ""
}

func (e *evidence) indexLives() {
	known := map[string]bool{}
	for _, l := range e.history.Lifetimes() {
		if l.Role == record.Web {
			e.lives = append(e.lives, l)
			known[l.Instance] = true
		}
	}
	for key := range e.users.ackedAt {
		if !known[key.instance] {
			known[key.instance] = true
			e.strangers = append(e.strangers, key.instance)
		}
	}
	slices.SortFunc(e.strangers, verdict.CompareNames)
	for _, name := range e.strangers {
		e.lives = append(e.lives, record.Lifetime{Instance: name, Role: record.Web, Birth: record.Never, Ready: record.Never,
			Serving: record.Never, Draining: record.Never, Signalled: record.Never, Death: record.Never})
	}
}

func (e *evidence) indexSeries() {
	ticks := map[time.Duration]bool{}
	for i := range e.history.Series {
		s := &e.history.Series[i]
		if s.Meta.StatsD == "" {
			e.polled[s.Name] = append(e.polled[s.Name], s)
			continue
		}
		instance := s.Labels.Get("instance")
		e.pushed[instance] = append(e.pushed[instance], s)
		for _, p := range s.Points {
			if !p.Stale {
				ticks[p.At] = true
			}
		}
	}
	for t := range ticks {
		e.ticks = append(e.ticks, t)
	}
	slices.Sort(e.ticks)
}

// lastTick is the last interval end of the record; 0 without any.
func (e *evidence) lastTick() time.Duration {
	if len(e.ticks) == 0 {
		return 0
	}
	return e.ticks[len(e.ticks)-1]
}

// acked gives the times at which requests of the routes that instance answered
// were acknowledged, in order. Without routes: of all.
func (e *evidence) acked(instance string, routes ...string) []time.Duration {
	if len(routes) == 0 {
		routes = e.users.routes
	}
	if len(routes) == 1 {
		return e.users.ackedAt[rowKey{instance, routes[0]}]
	}
	var all []time.Duration
	for _, route := range routes {
		all = append(all, e.users.ackedAt[rowKey{instance, route}]...)
	}
	slices.Sort(all)
	return all
}

// stay is a request's time in flight.
type stay struct{ sent, done time.Duration }

// stays are the acknowledged requests of a route that instance answered, in the order of
// their ends.
func (e *evidence) stays(instance, route string) []stay {
	if e.staysAt == nil {
		e.staysAt = map[rowKey][]stay{}
		for i := range e.history.Requests {
			r := &e.history.Requests[i]
			if r.Outcome != record.Acked || r.Instance == "" {
				continue
			}
			key := rowKey{r.Instance, r.Route}
			if e.staysAt[key] == nil {
				e.staysAt[key] = make([]stay, 0, len(e.users.ackedAt[key]))
			}
			e.staysAt[key] = append(e.staysAt[key], stay{r.Sent, r.Done})
		}
		for _, s := range e.staysAt {
			slices.SortFunc(s, func(a, b stay) int { return cmp.Or(cmp.Compare(a.done, b.done), cmp.Compare(a.sent, b.sent)) })
		}
	}
	return e.staysAt[rowKey{instance, route}]
}

// ackedTotal counts the acknowledged requests of the routes, also those that
// name no instance. Without routes: of all.
func (e *evidence) ackedTotal(routes ...string) int64 {
	var n int64
	for key, at := range e.users.ackedAt {
		if wanted(routes, key.route) {
			n += int64(len(at))
		}
	}
	for _, s := range e.users.spans {
		if s.acked && wanted(routes, s.key.route) {
			n++
		}
	}
	return n
}

func wanted(routes []string, route string) bool {
	return len(routes) == 0 || slices.Contains(routes, route)
}

// stall is the longest that the machine let a runnable process wait between
// from and to, as far as the load generator felt it: how late it was for a
// request that was waiting then.
func (e *evidence) stall(from, to time.Duration) time.Duration {
	// Whoever was waiting at from was due at most the longest delay before.
	earliest := from - e.longest
	i, _ := slices.BinarySearchFunc(e.pace, earliest, func(p pace, t time.Duration) int { return compareTimes(p.due, t) })
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

// noticed is from which delay on a request is taken for delayed by a stall, and
// not by a scheduler's everyday work.
const noticed = 10 * time.Millisecond

// indexPace orders the requests by their due times. A stall began somewhere
// between the last request that was on time and the first that was not: it is
// taken to have begun as early as it can.
func (e *evidence) indexPace() {
	if !slices.IsSortedFunc(e.pace, func(a, b pace) int { return compareTimes(a.due, b.due) }) {
		slices.SortFunc(e.pace, func(a, b pace) int { return cmp.Or(compareTimes(a.due, b.due), compareTimes(a.late, b.late)) })
	}
	lastOnTime := time.Duration(0)
	for i := range e.pace {
		p := &e.pace[i]
		if p.late < noticed {
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

// greatest is the greatest value that the polled or self-measured series name had
// between from and to; 0 where it has none.
func (e *evidence) greatest(name string, from, to time.Duration) float64 {
	var top float64
	for _, s := range e.polled[name] {
		for _, p := range s.Points {
			if !p.Stale && p.At >= from && p.At <= to {
				top = max(top, p.Value)
			}
		}
	}
	return top
}

// counters gives the series of instance that count metric.
func (e *evidence) counters(instance, metric string) []*record.Series {
	var out []*record.Series
	for _, s := range e.pushed[instance] {
		if s.Meta.StatsD == metric && isCounter(s) {
			out = append(out, s)
		}
	}
	return out
}

// The collector gives a counter the suffix _total. Beside a sampled one it
// keeps how many measurements really came, as _sampled_total.
const (
	totalSuffix   = "_total"
	sampledSuffix = "_sampled_total"
)

func isCounter(s *record.Series) bool {
	return s.Meta.Type == collector.Counter && strings.HasSuffix(s.Name, totalSuffix) && !strings.HasSuffix(s.Name, sampledSuffix)
}
