package look

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"throughline/collector/dogstatsd"
)

// Found is what is proposed.
type Found struct {
	Counters []Counter
	Timers   []Timer
	Gauges   []Gauge
	// Remarks say of each other metric why nothing is proposed of it, and what is odd, a line each.
	Remarks []string
}

// Counter grew with the requests of a route, by exactly their number.
type Counter struct {
	Metric, Route string
	Requests      int
	Successes     bool          // it counted those answered with 2xx, and there were others
	Lag           time.Duration // the longest that one of any metric was on its way, from the answer
	SampleRate    float64       // of a sampled one; 0: every request was counted
}

// Timer has as many values as a route had requests.
type Timer struct {
	Metric, Route string
	Typed         bool // its type says that it is in milliseconds
	Lag           time.Duration
}

// Gauge was at rest before and after, and never told more than the one request that was in flight.
type Gauge struct {
	Metric string
	AtRest int
}

// ofClients are the beginnings of names with which clients tell of themselves.
var ofClients = []string{"datadog.dogstatsd.client.", "statsd."}

// Propose says what goes with what.
func (s Seen) Propose() Found {
	var f Found
	for _, r := range s.Routes {
		switch {
		case r.Failed != nil:
			f.remark("%s (%s %s): a request had no answer: %v", r.Name, r.Method, r.Path, r.Failed)
		case len(r.Ends) == 0:
			f.remark("%s (%s %s): none of %d requests was answered with 2xx: %s", r.Name, r.Method, r.Path, r.Responses, statuses(r.Others))
		}
	}
	for _, m := range s.Metrics {
		if slices.ContainsFunc(ofClients, func(of string) bool { return strings.HasPrefix(m.Name, of) }) {
			continue
		}
		switch m.Type {
		case dogstatsd.Count:
			s.counter(&f, m)
		case dogstatsd.Timing, dogstatsd.Histogram, dogstatsd.Distribution:
			s.timer(&f, m)
		case dogstatsd.Gauge:
			s.gauge(&f, m)
		default:
			f.remark("%s (%v): no check is for this type", m.Name, m.Type)
		}
	}
	f.share()
	if s.Bad > 0 {
		f.remark("%d lines were not understood, the first: %q", s.Bad, s.BadLine)
	}
	return f
}

// Lag is the longest time that a value of any metric was on its way; 0 where none is known.
func (f Found) Lag() (longest time.Duration) {
	for _, c := range f.Counters {
		longest = max(longest, c.Lag)
	}
	for _, t := range f.Timers {
		longest = max(longest, t.Lag)
	}
	return longest
}

// share gives that to all: they are of one client, whose window few of them meet.
func (f *Found) share() {
	longest := f.Lag()
	for i := range f.Counters {
		f.Counters[i].Lag = longest
	}
	for i := range f.Timers {
		f.Timers[i].Lag = longest
	}
}

func (f *Found) remark(format string, args ...any) {
	f.Remarks = append(f.Remarks, fmt.Sprintf(format, args...))
}

func statuses(of map[int]int) string {
	var all []string
	for status, n := range of {
		all = append(all, fmt.Sprintf("%d × %d", n, status))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// counter finds the one route with as many requests as it counted.
func (s Seen) counter(f *Found, m Metric) {
	sum, sampled := 0.0, 1.0
	for _, p := range m.Points {
		sum, sampled = sum+p.Value, min(sampled, p.Rate)
	}
	if sampled < 1 {
		f.remark("%s (counter): it is sampled at %v, so a few requests do not tell whose it counts; a check conservation takes sample_rate: %v", m.Name, sampled, sampled)
		return
	}
	var routes []Counter
	for _, r := range s.Routes {
		if n := len(r.Ends); n > 0 && float64(n) == sum {
			routes = append(routes, Counter{Metric: m.Name, Route: r.Name, Requests: n, Successes: r.Responses > n, Lag: m.lag(r.Ends)})
		} else if r.Responses > n && float64(r.Responses) == sum && n > 0 {
			routes = append(routes, Counter{Metric: m.Name, Route: r.Name, Requests: r.Responses})
		}
	}
	switch len(routes) {
	case 1:
		f.Counters = append(f.Counters, routes[0])
	case 0:
		f.remark("%s (counter): it grew by %s, which is the number of requests of no route (%s)", m.Name, count(sum), s.asked())
	default:
		f.remark("%s (counter): it grew by %s, which is the number of requests of several routes", m.Name, count(sum))
	}
}

// asked says how often each route was.
func (s Seen) asked() string {
	var all []string
	for _, r := range s.Routes {
		all = append(all, fmt.Sprintf("%s %d", r.Name, len(r.Ends)))
	}
	return strings.Join(all, ", ")
}

func count(f float64) string {
	if f == math.Trunc(f) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3g", f)
}

// lag is the longest that a count was on its way, where counts come in the order of the requests: the k-th request is
// counted when the sum comes to k.
func (m Metric) lag(ends []time.Time) (longest time.Duration) {
	sum, k := 0.0, 0
	for _, p := range m.Points {
		for sum += p.Value; k < len(ends) && float64(k+1) <= sum; k++ {
			longest = max(longest, p.At.Sub(ends[k]))
		}
	}
	return longest
}

// timer finds the one route with as many requests as it has values.
func (s Seen) timer(f *Found, m Metric) {
	sampled := slices.ContainsFunc(m.Points, func(p Point) bool { return p.Rate < 1 })
	var routes []Timer
	for _, r := range s.Routes {
		if n := len(r.Ends); n > 0 && n == len(m.Points) {
			ones := Metric{Points: slices.Clone(m.Points)}
			for i := range ones.Points {
				ones.Points[i].Value = 1
			}
			routes = append(routes, Timer{Metric: m.Name, Route: r.Name, Typed: m.Type == dogstatsd.Timing, Lag: ones.lag(r.Ends)})
		}
	}
	switch {
	case sampled:
		f.remark("%s (%v): it is sampled, so a few requests do not tell whose it measures", m.Name, m.Type)
	case len(routes) == 1:
		f.Timers = append(f.Timers, routes[0])
	default:
		f.remark("%s (%v): it has %d values, which is the number of requests of no single route (%s)", m.Name, m.Type, len(m.Points), s.asked())
	}
}

// gauge takes one for that of the requests in flight which was 1 with a request and 0 without, and nothing else.
func (s Seen) gauge(f *Found, m Metric) {
	value, one, other := 0.0, false, false
	for _, p := range m.Points {
		if value = p.Value + map[bool]float64{true: value}[p.Signed]; value == 1 {
			one = true
		} else if value != 0 {
			other = true
		}
	}
	switch {
	case other:
		f.remark("%s (gauge): it was not 0 or 1 all the while, as one of the requests in flight would be here; a check promql can be asked of it", m.Name)
	case !one || value != 0:
		f.remark("%s (gauge): it was not seen to be 1 with a request and 0 after it; if it is of the requests in flight, add gauge: {metric: %s, at_rest: 0}", m.Name, m.Name)
	default:
		f.Gauges = append(f.Gauges, Gauge{Metric: m.Name})
	}
}

// windows are those that are declared: what clients flush by, with room.
var windows = []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}

// Window is what is to be declared for a client by whom a count was on its way for so long: the next of the usual ones,
// with a tenth of room. What a client does at most only its documentation says.
func Window(lag time.Duration) time.Duration {
	for _, w := range windows {
		if lag+lag/10 <= w {
			return w
		}
	}
	return lag.Round(time.Second) + time.Second
}
