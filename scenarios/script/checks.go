package script

import (
	"cmp"
	"fmt"
	"maps"
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

// Check is one promise about the run.
type Check struct {
	Promise
	Pos Pos
}

// Promise is what a check promises: a value of one of the types that [CheckKinds] names.
type Promise interface {
	// Kind is the check's key in the file, like "continuity".
	Kind() string
	// Metrics are what it looks at instance by instance; "" among them stands for nothing.
	Metrics() []Metric
	// Late is how long after a request what it looks at may still arrive. So long the end of a run waits.
	Late() time.Duration
}

// Promised gives the scenario's promises of one type, in the order of the file.
func Promised[P Promise](s Scenario) []P {
	var all []P
	for _, c := range s.Checks {
		if p, ok := c.Promise.(P); ok {
			all = append(all, p)
		}
	}
	return all
}

// checkKind is how one kind of check is read.
type checkKind struct {
	name string
	read func(p *promises, v value) Promise
}

// checkOf is the kind of check that a reader of one type of promise makes.
func checkOf[P Promise](read func(*promises, value) P) checkKind {
	var zero P
	return checkKind{zero.Kind(), func(p *promises, v value) Promise { return read(p, v) }}
}

// checkKinds are the kinds of checks, in the order in which errors list them.
var checkKinds = []checkKind{
	checkOf((*promises).continuity),
	checkOf((*promises).conservation),
	checkOf((*promises).correlation),
	checkOf((*promises).promql),
	checkOf((*promises).identity),
	checkOf((*promises).nesting),
	checkOf((*promises).gauge),
	checkOf((*promises).shutdown),
	checkOf((*promises).hygiene),
	checkOf((*promises).alert),
	checkOf((*promises).audit),
	checkOf((*promises).failures),
	checkOf((*promises).beacons),
	checkOf((*promises).twoViews),
	checkOf((*promises).scaling),
	checkOf((*promises).parity),
	checkOf((*promises).latency),
	checkOf((*promises).availability),
}

// CheckKinds names all kinds of checks.
func CheckKinds() []string {
	var names []string
	for _, k := range checkKinds {
		names = append(names, k.name)
	}
	return names
}

var layers = []string{"users", "lb", "httpd", "web", "db", BeaconLayer}

// promises reads `checks`. Stack, load and phases are known by now.
type promises struct {
	*reader
	s       *Scenario
	routes  map[Metric]string // what the conservation checks count: the route by the metric
	metrics []Metric          // in the order of the file
	sound   bool              // load and phases are what the author meant
}

func (r *reader) checks(v value, s *Scenario, sound bool) {
	p := &promises{reader: r, s: s, routes: map[Metric]string{}, sound: sound}
	var found []mapping
	for _, item := range v.list("a list of checks, like [{continuity: {metric: fullstack.insert}}]", "checks") {
		m, ok := item.mapping(CheckKinds()...)
		if !ok {
			continue
		}
		if len(m.keys) > 1 {
			m.failf("%d checks in one: begin each with a \"-\" of its own", len(m.keys))
			continue
		}
		s.Checks = append(s.Checks, Check{Promise: unread(plain(m.keys[0].node)), Pos: m.at})
		found = append(found, m)
	}
	// The other checks take metric and route from the conservation checks, wherever in the file those are.
	first := Conservation{}.Kind()
	p.read(found, func(kind string) bool { return kind == first })
	p.read(found, func(kind string) bool { return kind != first })
}

// unread stands for a promise that has not been read yet, or is of a kind that does not exist, which has been refused.
type unread string

func (k unread) Kind() string      { return string(k) }
func (unread) Metrics() []Metric   { return nil }
func (unread) Late() time.Duration { return 0 }

// read reads those of the scenario's checks whose kind is wanted.
func (p *promises) read(found []mapping, wanted func(kind string) bool) {
	for i, m := range found {
		name := plain(m.keys[0].node)
		for _, k := range checkKinds {
			if k.name == name && wanted(name) {
				what, _ := m.get(name)
				what.name = name
				p.s.Checks[i].Promise = k.read(p, what)
			}
		}
	}
}

// Conservation promises that users and metric count the same requests, each once.
type Conservation struct {
	Metric       Metric        // a counter, or a timer, which counts by its values
	Route        string        // whose requests the metric counts
	ClientWindow time.Duration // how long counts are with the instance alone: what a kill may lose
	MaxLag       time.Duration // how late a count may arrive beyond interval and client window
	SampleRate   float64       // what the client was told, in (0, 1]
	Confidence   float64       // two-sided, of the binomial interval where SampleRate < 1
	Status       string        // Successes: the metric counts no failures; "": it may count them or not
}

// Kind implements [Promise].
func (Conservation) Kind() string { return "conservation" }

// Metrics implements [Promise].
func (c Conservation) Metrics() []Metric { return []Metric{c.Metric} }

// Late implements [Promise].
func (c Conservation) Late() time.Duration { return c.ClientWindow + c.MaxLag }

// Successes is the [Conservation.Status] of a metric that counts requests answered with 2xx and no others.
const Successes = "2xx"

func (p *promises) conservation(v value) Conservation {
	c := Conservation{}
	m, ok := v.mapping(selects("metric", "route", "client_window", "max_lag", "sample_rate", "confidence", "status")...)
	if !ok {
		return c
	}
	m.require("metric")
	c.Metric = m.metric("metric")
	c.Route = p.route(m, c.Metric)
	p.alone(m, c.Metric, c.Route)
	c.ClientWindow = m.duration("client_window", 0, p.s.Stack.windowOf(p.s.Stack.OwnerOf(c.Route), c.Metric))
	c.MaxLag = m.duration("max_lag", 0, defaultMaxLag)
	c.SampleRate = m.fraction("sample_rate", true, 1)
	c.Confidence = m.fraction("confidence", false, defaultConfidence)
	if v, ok := m.get("status"); ok {
		c.Status = v.oneOf(Successes)
	} else if countsSuccesses(c.Metric) {
		c.Status = Successes
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
func (p *promises) alone(m mapping, metric Metric, route string) {
	if !maps.Equal(p.s.Stack.Routes(), referenceRoutes()) {
		return // nobody but the author can know what a foreign app counts
	}
	for _, both := range sharedMetrics {
		if both.metric != string(metric) || route != both.one && route != both.other {
			continue
		}
		_, one := p.s.Load.Mix[both.one]
		_, other := p.s.Load.Mix[both.other]
		if one && other && p.s.Stack.OwnerOf(both.one) == p.s.Stack.OwnerOf(both.other) {
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

// atWork reads the role of a check of what is counted without users' requests; "" where the check names none.
func (p *promises) atWork(m mapping) string {
	v, ok := m.get("role")
	if !ok {
		return ""
	}
	name := v.line("the name of a role, like worker")
	role, known := p.s.Stack.Role(name)
	switch {
	case name == "":
	case !known:
		var have []string
		for _, w := range p.s.Stack.Roles() {
			have = append(have, w.RoleName())
		}
		v.failf("no role %s: %s", quote(name), didYouMean(name, have))
	case role.WithUsers():
		v.failf("users' requests come to %s, so what it counts follows from them: remove role, and give route (%s)", name, list(slices.Sorted(maps.Keys(role.Routes))))
	default:
		if v, both := m.get("route"); both {
			v.failf("no users' requests come to %s: remove route, or role", name)
		}
	}
	return name
}

// Continuity promises that a counter has a point in every interval in which its route had traffic; of a Source, that it
// has one for every whole period of every instance.
type Continuity struct {
	Metric Metric // a counter, or a timer, which counts by its values
	Route  string // whose traffic the metric counts; "" with a Role
	// Role is one to which no users' requests come, and whose instances are to count something all the time; "": the metric
	// counts requests.
	Role   string
	MaxGap time.Duration
	Source string     // FromCloudWatch, with neither metric nor route; "": instances send the metric
	Told   CloudWatch // how the source tells; its zero: there is no source
}

// FromCloudWatch is the [Continuity.Source] that tells what the hypervisor counts.
const FromCloudWatch = "cloudwatch"

// Kind implements [Promise].
func (Continuity) Kind() string { return "continuity" }

// Metrics implements [Promise].
func (c Continuity) Metrics() []Metric { return []Metric{c.Metric} }

// Late implements [Promise].
func (c Continuity) Late() time.Duration { return c.Told.late() }

func (p *promises) continuity(v value) Continuity {
	c := Continuity{}
	m, ok := v.mapping(selects("metric", "route", "role", "max_gap", "source")...)
	if !ok {
		return c
	}
	if source, ok := m.get("source"); ok {
		return p.periods(m, source)
	}
	m.require("metric")
	c.Metric = m.metric("metric")
	if c.Role = p.atWork(m); c.Role == "" {
		c.Route = p.route(m, c.Metric)
	}
	c.MaxGap = m.duration("max_gap", shortest, p.s.Stack.gapOf(cmp.Or(c.Role, p.s.Stack.OwnerOf(c.Route)), c.Metric))
	return c
}

// route reads a check's route, or finds it: the one that a conservation check of the same metric names, else the one
// that is called like the last part of the metric. It must be one that the load uses, or the check looks at nothing.
func (p *promises) route(m mapping, metric Metric) string {
	routes := p.s.Stack.Routes()
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
		if name = lastPart(metric); !p.has(name) {
			name = p.only()
		}
		if name == "" {
			v.failf("which requests does %s count? add route: one of %s", shorten(string(metric)), list(slices.Sorted(maps.Keys(routes))))
			return ""
		}
	}
	mix := p.s.Load.Mix
	if _, used := mix[name]; len(mix) > 0 && !used {
		v.failf("the load never uses the route %s: add it to load.mix, which has %s", quote(name), list(slices.Sorted(maps.Keys(mix))))
	}
	return name
}

// lastPart is what stands behind the last dot of a metric's name.
func lastPart(m Metric) string {
	name := m.Name()
	return name[strings.LastIndex(name, ".")+1:]
}

// has tells whether there is a route of that name.
func (p *promises) has(route string) bool {
	_, there := p.s.Stack.Routes()[route]
	return there
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
func (p *promises) theRoute(m mapping, metric Metric) string {
	if _, given := m.get("route"); !given && p.only() != "" {
		return p.only()
	}
	m.require("route")
	if _, given := m.get("route"); !given {
		return ""
	}
	return p.route(m, metric)
}

// BeaconLayer is what [Correlation] calls the beacons of the users' pages, as the collector counted them. They are no tier: a share of
// the pages has none.
const BeaconLayer = "beacons"

// Correlation promises that the layers' curves have one shape.
type Correlation struct {
	Layers  []string      // at least two of users, lb, httpd, web, db, and BeaconLayer
	AtLeast float64       // Pearson's r, in (0, 1]
	MaxLag  time.Duration // how far one curve may be shifted against another
	Metric  Metric        // what stands for the layer web; "" where web is not among the layers
}

// Kind implements [Promise].
func (Correlation) Kind() string { return "correlation" }

// Metrics implements [Promise].
func (Correlation) Metrics() []Metric { return nil }

// Late implements [Promise].
func (Correlation) Late() time.Duration { return 0 }

func (p *promises) correlation(v value) Correlation {
	c := Correlation{}
	m, ok := v.mapping(append(selects("metric"), "layers", "at_least", "max_lag")...)
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
	if _, given := m.get("metric"); !given {
		m.aboutNothing()
	}
	if _, given := m.get("metric"); !given && slices.Contains(c.Layers, "web") {
		switch len(p.metrics) {
		case 1:
			c.Metric = p.metrics[0]
		case 0:
			m.failf("which metric stands for the layer web? add metric: fullstack.insert or the like, or a conservation check")
		default:
			m.failf("which metric stands for the layer web? add metric: one of %s", list(texts(p.metrics)))
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
		case p.s.Stack.External != nil: // what is not seen there is refused for that
		case name == "httpd" && !p.s.Stack.HTTPD && !p.opts.Ran:
			item.failf("there is no layer httpd without stack.httpd: yes: add it, or remove the layer")
		case name == BeaconLayer && !p.s.Load.Beacons.Any() && !p.opts.Ran:
			item.failf("no user sends any beacons: say so in load, like beacons: {share: 0.9}, or remove the layer")
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

// WholeRun is the phase name that stands for all phases together in [PromQL].
const WholeRun = "run"

// PromQL promises that an expression holds: that its value is a vector with an element or a scalar that is not zero.
// Exactly one of Throughout and Within is set; it names a phase, or WholeRun.
type PromQL struct {
	Expr       string
	Throughout string // the phase in which every evaluation must hold
	Within     string // the phase in which one evaluation must hold
	NeverSeen  bool   // it may ask for series that never were
}

// Kind implements [Promise].
func (PromQL) Kind() string { return "promql" }

// Metrics implements [Promise].
func (PromQL) Metrics() []Metric { return nil }

// Late implements [Promise].
func (PromQL) Late() time.Duration { return 0 }

func (p *promises) promql(v value) PromQL {
	q := PromQL{}
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
