package script

import (
	"regexp"
	"slices"
	"time"
)

// defaultSlack is how much longer than its callers a layer may measure: two processes do not stop their clocks in the
// order in which they are done, by as much as a scheduler takes.
const defaultSlack = 2 * time.Millisecond

const maxSeries = 20_000 // of one instance: the collector takes no more

var tagName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,99}$`)

// Identity promises that each instance that serves has one series of a metric, of its own, for its own lifetime.
type Identity struct {
	Metric Metric   // of whatever type
	Route  string   // whose requests make the series appear; "" = any
	Tags   []string // beside instance: each series has all of them, and no others
}

// Kind implements [Promise].
func (Identity) Kind() string { return "identity" }

// Metrics implements [Promise].
func (c Identity) Metrics() []Metric { return []Metric{c.Metric} }

// Late implements [Promise].
func (Identity) Late() time.Duration { return 0 }

func (p *promises) identity(v value) Identity {
	c := Identity{}
	m, ok := v.mapping(selects("metric", "route", "tags")...)
	if !ok {
		return c
	}
	m.require("metric")
	c.Metric = m.metric("metric")
	c.Route = p.routeIfAny(m, c.Metric)
	v, ok = m.get("tags")
	if !ok {
		return c
	}
	for _, item := range v.list("a list of tags, like [zone, version]", v.name) {
		name := item.matching(tagName, "the name of a tag: a letter, then letters, digits, '.', '_' and '-'")
		switch {
		case name == "":
		case name == "instance":
			item.failf("instance is always expected: leave it out")
		case slices.Contains(c.Tags, name):
			item.failf("%s is there twice: want each tag once", name)
		default:
			c.Tags = append(c.Tags, name)
		}
	}
	return c
}

// routeIfAny is route for checks that can do without one: "" stands for all requests.
func (p *promises) routeIfAny(m mapping, metric Metric) string {
	if _, given := m.get("route"); given {
		return p.route(m, metric)
	}
	if name, ok := p.routes[metric]; ok {
		return name
	}
	name := lastPart(metric)
	if _, used := p.s.Load.Mix[name]; used && p.has(name) {
		return name
	}
	return ""
}

// Gauge promises that a gauge of the requests in flight tells the truth and comes back to rest.
type Gauge struct {
	Metric       Metric
	AtRest       int  // its value while nothing is in flight
	Unqueued     bool // the application takes up every request as it comes
	ClientWindow time.Duration
}

// Kind implements [Promise].
func (Gauge) Kind() string { return "gauge" }

// Metrics implements [Promise].
func (c Gauge) Metrics() []Metric { return []Metric{c.Metric} }

// Late implements [Promise].
func (c Gauge) Late() time.Duration { return c.ClientWindow }

func (p *promises) gauge(v value) Gauge {
	c := Gauge{}
	m, ok := v.mapping(selects("metric", "at_rest", "unqueued", "client_window")...)
	if !ok {
		return c
	}
	m.require("metric", "at_rest")
	c.Metric = m.metric("metric")
	if v, ok := m.get("at_rest"); ok {
		c.AtRest = v.count(0, 1_000_000)
	}
	c.Unqueued = m.yes("unqueued")
	c.ClientWindow = m.duration("client_window", 0, p.s.Stack.windowOf(anyRole, c.Metric))
	return c
}

// AnyGrowth is the [Hygiene.Growth] of a scenario that does not limit it.
const AnyGrowth = -1

// Hygiene promises well-formed lines and a budget of series.
type Hygiene struct {
	MaxSeries int // of one instance; 0 = any number
	Growth    int // how many more series a later instance may have than any before it; AnyGrowth
}

// Kind implements [Promise].
func (Hygiene) Kind() string { return "hygiene" }

// Metrics implements [Promise].
func (Hygiene) Metrics() []Metric { return nil }

// Late implements [Promise].
func (Hygiene) Late() time.Duration { return 0 }

func (p *promises) hygiene(v value) Hygiene {
	c := Hygiene{Growth: AnyGrowth}
	m, ok := v.mapping("max_series", "growth")
	if !ok {
		return c
	}
	if v, ok := m.get("max_series"); ok {
		c.MaxSeries = v.count(1, maxSeries)
	}
	if v, ok := m.get("growth"); ok {
		c.Growth = v.count(0, maxSeries)
	}
	return c
}

// Nesting promises that users wait longer than the application works, and the application longer than the database.
type Nesting struct {
	Web          Metric        // the timer around a request
	DB           Metric        // the timer around a call of the database; "" = none
	Route        string        // whose requests Web measures
	Unit         time.Duration // of values whose type does not tell it (h and d)
	Slack        time.Duration // how much longer than outside a time may be inside
	ClientWindow time.Duration // how long the StatsD client buffers
}

// Kind implements [Promise].
func (Nesting) Kind() string { return "nesting" }

// Metrics implements [Promise].
func (c Nesting) Metrics() []Metric { return []Metric{c.Web, c.DB} }

// Late implements [Promise].
func (c Nesting) Late() time.Duration { return c.ClientWindow }

func (p *promises) nesting(v value) Nesting {
	c := Nesting{}
	m, ok := v.mapping("web", "db", "route", "unit", "slack", "client_window")
	if !ok {
		return c
	}
	m.require("web")
	c.Web, c.DB = m.several("web"), m.several("db")
	if v, ok := m.get("db"); ok && c.DB != "" && c.DB == c.Web {
		v.failf("is the metric of web as well: want the timer of the database's calls")
	}
	c.Route = p.theRoute(m, c.Web)
	p.alone(m, c.Web, c.Route)
	c.Unit = time.Millisecond
	if v, ok := m.get("unit"); ok {
		c.Unit = timeUnits[v.oneOf("s", "ms", "us", "ns")]
	}
	c.Slack = m.duration("slack", 0, defaultSlack)
	c.ClientWindow = m.duration("client_window", 0, p.s.Stack.windowOf(p.s.Stack.OwnerOf(c.Route), c.Web))
	return c
}

var timeUnits = map[string]time.Duration{"s": time.Second, "ms": time.Millisecond, "us": time.Microsecond, "ns": time.Nanosecond}

// Shutdown promises that an instance that is asked to end loses nothing, and one that is killed no more than its client
// held.
type Shutdown struct {
	Metric       Metric
	Route        string
	ClientWindow time.Duration
}

// Kind implements [Promise].
func (Shutdown) Kind() string { return "shutdown" }

// Metrics implements [Promise].
func (c Shutdown) Metrics() []Metric { return []Metric{c.Metric} }

// Late implements [Promise].
func (c Shutdown) Late() time.Duration { return c.ClientWindow }

func (p *promises) shutdown(v value) Shutdown {
	c := Shutdown{}
	m, ok := v.mapping(selects("metric", "route", "client_window")...)
	if !ok {
		return c
	}
	m.require("metric")
	c.Metric = m.metric("metric")
	c.Route = p.route(m, c.Metric)
	p.alone(m, c.Metric, c.Route)
	owner := p.s.Stack.OwnerOf(c.Route)
	if _, scraped := p.s.Stack.Scraped(owner, c.Metric); scraped && exposedCount.MatchString(c.Metric.Name()) {
		m.failf("%s is scraped, and what is counted after the last scrape is lost however an instance ends: nothing can be promised of its shutdown. "+
			"Leave this check out: conservation tells how much was lost so, and fails on more", c.Metric)
	}
	c.ClientWindow = m.duration("client_window", 0, p.s.WindowOf(owner, c.Metric))
	return c
}

// Audit promises that each document gained what users had acknowledged for its word.
type Audit struct{ Route string }

// Kind implements [Promise].
func (Audit) Kind() string { return "audit" }

// Metrics implements [Promise].
func (Audit) Metrics() []Metric { return nil }

// Late implements [Promise].
func (Audit) Late() time.Duration { return 0 }

func (p *promises) audit(v value) Audit {
	c := Audit{}
	m, ok := v.options("route")
	if !ok {
		return c
	}
	if given, ok := m.get("route"); ok {
		v = given
		c.Route = p.route(m, "")
	} else if c.Route = p.onlyWrite(); c.Route == "" {
		m.require("route")
	}
	switch {
	case c.Route == "":
	case p.s.Stack.Mongo == MongoNone && p.s.Stack.External == nil: // else it is refused for that
		v.failf("there are no documents to compare with, with stack.mongo: none: remove one of the two")
	case !p.s.Stack.Routes()[c.Route].Writes:
		v.failf("the route %s writes nothing: want one that does", quote(c.Route))
	}
	return c
}

// onlyWrite is the one route of the load that writes; "" where none does, or several.
func (p *promises) onlyWrite() string {
	var only string
	for name := range p.s.Load.Mix {
		switch {
		case !p.s.Stack.Routes()[name].Writes:
		case only != "":
			return ""
		default:
			only = name
		}
	}
	return only
}

// Failures promises that instances answered no more than a few requests with 5xx.
type Failures struct {
	Route  string // "" = any
	AtMost int
}

// Kind implements [Promise].
func (Failures) Kind() string { return "failures" }

// Metrics implements [Promise].
func (Failures) Metrics() []Metric { return nil }

// Late implements [Promise].
func (Failures) Late() time.Duration { return 0 }

func (p *promises) failures(v value) Failures {
	c := Failures{}
	m, ok := v.mapping("route", "at_most")
	if !ok {
		return c
	}
	m.require("at_most")
	if _, given := m.get("route"); given {
		c.Route = p.route(m, "")
	}
	if v, ok := m.get("at_most"); ok {
		c.AtMost = v.count(0, 1_000_000)
	}
	return c
}
