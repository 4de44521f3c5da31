package script

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The defaults of the checks.
const (
	defaultMaxGap       = 2 * time.Second
	defaultClientWindow = 100 * time.Millisecond // how often datadog-go v5 flushes its buffer
	defaultMaxLag       = 2 * time.Second
	defaultConfidence   = 0.999
)

var (
	checkKinds = []string{"continuity", "conservation", "correlation", "promql",
		"identity", "nesting", "gauge", "shutdown", "hygiene", "alert", "audit", "failures", "two-views"}
	layers     = []string{"users", "lb", "web", "db"}
	metricName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,199}$`)
)

const wantMetric = "the StatsD name of a metric: a letter, then letters, digits, '.', '_' and '-', like fullstack.insert"

// promises reads `checks`. Stack, load and phases are known by now.
type promises struct {
	*reader
	s       *Scenario
	routes  map[string]string // what the conservation checks count: the route by the metric
	metrics []string          // in the order of the file
	sound   bool              // load and phases are what the author meant
}

func (r *reader) checks(v value, s *Scenario, sound bool) {
	p := &promises{reader: r, s: s, routes: map[string]string{}, sound: sound}
	var found []mapping
	for _, item := range v.list("a list of checks, like [{continuity: {metric: fullstack.insert}}]", "checks") {
		m, ok := item.mapping(checkKinds...)
		if !ok {
			continue
		}
		if len(m.keys) > 1 {
			m.failf("%d checks in one: begin each with a \"-\" of its own", len(m.keys))
			continue
		}
		s.Checks = append(s.Checks, Check{Name: plain(m.keys[0].node), Pos: m.at})
		found = append(found, m)
	}
	// The other checks take metric and route from the conservation checks, wherever in the file those are.
	for i := range s.Checks {
		if c := &s.Checks[i]; c.Name == "conservation" {
			what, _ := found[i].get(c.Name)
			what.name = c.Name
			c.Conservation = p.conservation(what)
		}
	}
	for i := range s.Checks {
		c := &s.Checks[i]
		what, _ := found[i].get(c.Name)
		what.name = c.Name
		switch c.Name {
		case "continuity":
			c.Continuity = p.continuity(what)
		case "correlation":
			c.Correlation = p.correlation(what)
		case "promql":
			c.PromQL = p.promql(what)
		case "identity":
			c.Identity = p.identity(what)
		case "nesting":
			c.Nesting = p.nesting(what)
		case "gauge":
			c.Gauge = p.gauge(what)
		case "shutdown":
			c.Shutdown = p.shutdown(what)
		case "hygiene":
			c.Hygiene = p.hygiene(what)
		case "alert":
			c.Alert = p.alert(what)
		case "audit":
			c.Audit = p.audit(what)
		case "failures":
			c.Failures = p.failures(what)
		case "two-views":
			c.TwoViews = p.twoViews(what)
		}
	}
}

func (p *promises) conservation(v value) *Conservation {
	c := &Conservation{}
	m, ok := v.mapping("metric", "route", "client_window", "max_lag", "sample_rate", "confidence", "status")
	if !ok {
		return c
	}
	m.require("metric")
	c.Metric = m.metric("metric")
	c.Route = p.route(m, c.Metric)
	p.alone(m, c.Metric, c.Route)
	c.ClientWindow = m.duration("client_window", 0, defaultClientWindow)
	c.MaxLag = m.duration("max_lag", 0, defaultMaxLag)
	c.SampleRate = m.fraction("sample_rate", true, 1)
	c.Confidence = m.fraction("confidence", false, defaultConfidence)
	if v, ok := m.get("status"); ok {
		c.Status = v.oneOf(Successes)
	}
	if v, ok := m.get("confidence"); ok && c.SampleRate == 1 {
		v.failf("says how sure a sampled count must be, but nothing is sampled: remove it, or give a sample_rate below 1")
	}
	if _, ok := p.routes[c.Metric]; !ok && c.Metric != "" {
		p.routes[c.Metric] = c.Route // "": what is wrong with it has been said
		p.metrics = append(p.metrics, c.Metric)
	}
	return c
}

// alone refuses a metric of the reference app that counts two routes of the mix: the check would compare it with the
// requests of one of them and find too many counts where nothing is wrong.
func (p *promises) alone(m mapping, metric, route string) {
	if !maps.Equal(p.s.Stack.Web.Routes, referenceRoutes()) {
		return // nobody but the author can know what a foreign app counts
	}
	for _, both := range sharedMetrics {
		if both.metric != metric || route != both.one && route != both.other {
			continue
		}
		_, one := p.s.Load.Mix[both.one]
		_, other := p.s.Load.Mix[both.other]
		if one && other {
			m.failf("%s counts the routes %s and %s, and load.mix has both: leave one of them out", metric, both.one, both.other)
		}
	}
}

// sharedMetrics are the counters and timers of the reference app that two of its routes share.
var sharedMetrics = []struct{ metric, one, other string }{
	{"fullstack.insert", "insert", "insert-get"},
	{"fullstack.get", "get", "list"},
	{"fullstack.insert.time", "insert", "insert-get"},
	{"fullstack.get.time", "get", "list"},
}

func (p *promises) continuity(v value) *Continuity {
	c := &Continuity{}
	m, ok := v.mapping("metric", "route", "max_gap")
	if !ok {
		return c
	}
	m.require("metric")
	c.Metric = m.metric("metric")
	c.Route = p.route(m, c.Metric)
	c.MaxGap = m.duration("max_gap", shortest, defaultMaxGap)
	return c
}

// metric reads the StatsD name that a key holds, "" where the key is absent.
func (m mapping) metric(key string) string {
	v, ok := m.get(key)
	if !ok {
		return ""
	}
	return v.matching(metricName, wantMetric)
}

// route reads a check's route, or finds it: the one that a conservation check of the same metric names, else the one
// that is called like the last part of the metric. It must be one that the load uses, or the check looks at nothing.
func (p *promises) route(m mapping, metric string) string {
	routes := p.s.Stack.Web.Routes
	v, ok := m.get("route")
	var name string
	switch {
	case len(routes) == 0:
		return ""
	case ok:
		if name = v.line("the name of a route"); name == "" {
			return ""
		}
		if _, ok := routes[name]; !ok {
			v.failf("no route %s: %s", quote(name), didYouMean(name, slices.Sorted(maps.Keys(routes))))
			return ""
		}
	case metric == "":
		return ""
	default:
		v = m.value
		if name, ok = p.routes[metric]; ok {
			return name // checked where it was named
		}
		name = metric[strings.LastIndex(metric, ".")+1:]
		if _, ok := routes[name]; !ok {
			name = p.only()
		}
		if name == "" {
			v.failf("which requests does %s count? add route: one of %s", shorten(metric), list(slices.Sorted(maps.Keys(routes))))
			return ""
		}
	}
	mix := p.s.Load.Mix
	if _, used := mix[name]; len(mix) > 0 && !used {
		v.failf("the load never uses the route %s: add it to load.mix, which has %s", quote(name), list(slices.Sorted(maps.Keys(mix))))
	}
	return name
}

// only is the route that gets all requests; "" where there are several.
func (p *promises) only() string {
	for name := range p.s.Load.Mix {
		if len(p.s.Load.Mix) == 1 {
			return name
		}
	}
	return ""
}

// theRoute reads a route that must be there, unless the load has a single one.
func (p *promises) theRoute(m mapping, metric string) string {
	if _, given := m.get("route"); !given && p.only() != "" {
		return p.only()
	}
	m.require("route")
	if _, given := m.get("route"); !given {
		return ""
	}
	return p.route(m, metric)
}

func (p *promises) correlation(v value) *Correlation {
	c := &Correlation{}
	m, ok := v.mapping("layers", "at_least", "max_lag", "metric")
	if !ok {
		return c
	}
	before := len(p.errs)
	m.require("layers", "at_least")
	if v, ok := m.get("layers"); ok {
		c.Layers = p.layers(v)
	}
	c.AtLeast = m.fraction("at_least", true, 0)
	c.MaxLag = m.duration("max_lag", 0, defaultMaxLag)
	c.Metric = m.metric("metric")
	if _, given := m.get("metric"); !given && slices.Contains(c.Layers, "web") {
		switch len(p.metrics) {
		case 1:
			c.Metric = p.metrics[0]
		case 0:
			m.failf("which metric stands for the layer web? add metric: fullstack.insert or the like, or a conservation check")
		default:
			m.failf("which metric stands for the layer web? add metric: one of %s", list(p.metrics))
		}
	}
	if len(p.errs) == before && !p.opts.Ran {
		p.comparable(m, c)
	}
	return c
}

func (p *promises) layers(v value) []string {
	var names []string
	items := v.list("a list of layers, like [users, lb, web, db]", v.name)
	for _, item := range items {
		name := item.oneOf(layers...)
		switch {
		case name == "":
			continue
		case slices.Contains(names, name):
			item.failf("%s is there twice: want each layer once", name)
		case name == "db" && p.s.Stack.Mongo == MongoNone:
			item.failf("there is no layer db with stack.mongo: none: remove one of the two")
		}
		names = append(names, name)
	}
	if len(items) == 1 {
		v.failf("want at least two layers to compare, got one")
	}
	return names
}

func (p *promises) promql(v value) *PromQL {
	q := &PromQL{}
	m, ok := v.mapping("expr", "throughout", "within", "never_seen")
	if !ok {
		return q
	}
	m.require("expr")
	if v, ok := m.get("expr"); ok {
		q.Expr = v.filled("a PromQL expression, like sum(rate(fullstack_insert_total[5s])) > 50")
	}
	q.NeverSeen = m.yes("never_seen")
	throughout, always := m.get("throughout")
	within, once := m.get("within")
	switch {
	case always && once:
		within.failf("there is throughout too: want one of the two")
	case always:
		q.Throughout = p.span(throughout)
	case once:
		q.Within = p.span(within)
	default:
		m.failf("the key \"throughout\" or \"within\" is missing: want the phase in which it must hold all the time, or once (%s)", p.spans())
	}
	return q
}

// span reads the name of a phase, or WholeRun.
func (p *promises) span(v value) string {
	name := v.line("the name of a phase")
	if name == "" || name == WholeRun {
		return name
	}
	names := []string{WholeRun}
	for _, phase := range p.s.Phases {
		if phase.Name == name {
			return name
		}
		names = append(names, phase.Name)
	}
	v.failf("no phase %s: %s", quote(name), didYouMean(name, names))
	return ""
}

func (p *promises) spans() string {
	names := []string{fmt.Sprintf("%q for the whole run", WholeRun)}
	for _, phase := range p.s.Phases {
		if phase.Name != "" {
			names = append(names, quote(phase.Name))
		}
	}
	return list(names)
}
