// Package picture is what is drawn of a run: what users had acknowledged and what each
// instance counted of it, how fast each layer worked, and the journal, in bins of time.
// It is gathered while the run goes on, from what a record's Observer sees, or from a
// whole record through the same door, so that the page of a run that goes on and the
// report of one that is over show the same.
//
// It keeps nothing of a single request, and its size is bounded whatever the run: when
// there are more than [MostBins] bins, pairs of them become one. It judges nothing: that
// something was not counted is a difference of two sums here, not a finding.
//
// scenarios/picture/draw draws it; scenarios/report makes pages of that. Whoever runs a
// scenario has the record tell a Picture of it.
package picture

import (
	"strings"
	"sync"
	"time"

	"throughline/collector"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
)

// The bounds of a picture.
const (
	// MostBins is into how many bins time is cut at most.
	MostBins = 600
	// mostInstances have bins of their own; what further ones did is that of Others.
	mostInstances = 1000
	// mostSeries are followed from point to point.
	mostSeries = 4 * mostInstances
	// mostEvents of the journal are kept.
	mostEvents = 20_000
)

// Others is the name that all instances beyond the most that are kept apart go by.
const Others = "other instances"

// Counts say which metric is held against whose requests.
type Counts struct {
	// Metric is a counter, or a timer, which counts by its values; empty: nothing that instances
	// count is drawn.
	Metric metric.Ref
	Route  string // whose requests it counts; empty: all
	// Role is the one whose instances count them: others may count something else under the name. Empty: all do.
	Role  record.Role
	Fleet *Fleet // what the size of the fleet is held against; nil: nothing
	Agent *Agent // what tells of CPU beside the hypervisor; nil: nobody
}

// Picture gathers what is drawn of a run. It is a record.Observer, and its methods may be
// called by several goroutines at once.
type Picture struct {
	mu     sync.Mutex
	run    record.Run
	counts Counts
	of     metric.Selection // Counts.Metric
	agent  metric.Selection // that of Counts.Agent
	axis   Axis
	lines  []*bins // all there are, to become coarser together

	events    []record.Event // only ever appended to
	forgotten int            // events that were not kept
	over      bool
	end       time.Duration // of the last thing seen
	measured  time.Duration // of the last point of any series

	acked     *bins // of the route
	arrived   *bins // requests of Counts.Fleet, when they were sent
	unknown   int   // of the route
	instances map[string]*instance
	roles     map[string]record.Role // by instance
	users     users
	gauged    map[string]*gauge   // lines of layers, by layer and name
	counters  map[string]*counter // by series
	monitored map[string]monitored
	untimed   bool // somebody sent a counter of the metric
}

// instance is what is gathered of one web instance.
type instance struct {
	acked *bins
	late  *bins // acknowledged within the last moment of a bin
	// What it counted, and when it was heard of: by counters, and by the values of timers.
	byCounter, byTimer tally
}

// tally is what was counted in a bin, and whether anything was heard.
type tally struct{ counted, heard *bins }

func (p *Picture) newTally() tally { return tally{p.newBins(), p.newBins()} }

// tally is what an instance counted. Where anybody has a counter of the metric, timers that are called so count nothing.
func (p *Picture) tally(i *instance) tally {
	if p.untimed {
		return i.byCounter
	}
	return i.byTimer
}

// moment is how long a count usually takes to the collector, at most: a client's window,
// and the way.
const moment = 200 * time.Millisecond

// New makes the picture of a run that begins.
func New(run record.Run, counts Counts) *Picture {
	p := &Picture{run: run, counts: counts, of: counts.Metric.Selection(), axis: newAxis(run),
		instances: map[string]*instance{}, roles: map[string]record.Role{}, gauged: map[string]*gauge{}, counters: map[string]*counter{}, monitored: map[string]monitored{}}
	if counts.Agent != nil {
		p.agent = counts.Agent.Metric.Selection()
	}
	p.acked, p.arrived = p.newBins(), p.newBins()
	p.users = users{of: map[string]*bins{}}
	return p
}

// newBins makes bins that become coarser with all others.
func (p *Picture) newBins() *bins {
	b := &bins{}
	p.lines = append(p.lines, b)
	return b
}

// at gives the bin of a moment, and sees to it that there is one. What lies outside of
// any run, as a damaged record may have it, is at its border.
func (p *Picture) at(t time.Duration) int {
	t = min(max(t, 0), longestRun)
	p.end = max(p.end, t)
	for p.axis.Index(t) >= MostBins {
		p.axis.Width *= 2
		for _, b := range p.lines {
			b.merge()
		}
		p.users.merge()
	}
	return p.axis.Index(t)
}

// longestRun is where time ends at the latest; what a damaged record says happened later
// stands at its end.
const longestRun = 10 * 365 * 24 * time.Hour

// instance finds or makes what is gathered of an instance.
func (p *Picture) instance(name string) *instance {
	i, known := p.instances[name]
	if !known && len(p.instances) >= mostInstances && name != Others {
		return p.instance(Others)
	}
	if !known {
		i = &instance{acked: p.newBins(), late: p.newBins(), byCounter: p.newTally(), byTimer: p.newTally()}
		i.late.later = true
		p.instances[strings.Clone(name)] = i
	}
	return i
}

// Event implements record.Observer.
func (p *Picture) Event(e record.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at(e.At)
	if e.Kind == record.RunBegin && e.Run != nil && p.run.ID == "" {
		p.run = *e.Run
	}
	p.over = p.over || e.Kind == record.RunEnd
	if e.Kind == record.Birth && len(p.roles) < mostSeries {
		p.roles[e.Instance] = e.Role
		p.monitor(e)
	}
	if len(p.events) >= mostEvents {
		p.forgotten++
		return
	}
	p.events = append(p.events, e)
}

// Request implements record.Observer.
func (p *Picture) Request(r record.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.arrive(r)
	due := p.at(r.Due)
	done := p.at(r.Done)
	if p.axis.Index(min(max(r.Due, 0), longestRun)) != due {
		due = p.axis.Index(min(max(r.Due, 0), longestRun)) // the second has made bins wider
	}
	p.users.take(p, r, due, done)
	if p.counts.Route != "" && r.Route != p.counts.Route {
		return
	}
	if r.Outcome == record.Unknown && r.Answered() == "" {
		p.unknown++
	}
	if r.Outcome != record.Acked {
		return
	}
	p.acked.add(done, 1)
	if r.Instance != "" {
		i := p.instance(r.Instance)
		i.acked.add(done, 1)
		if p.axis.Until(done)-r.Done < moment {
			i.late.add(done, 1)
		}
	}
}

// Sample implements record.Observer.
func (p *Picture) Sample(at time.Duration, s *collector.Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at(at)
	p.measured = max(p.measured, min(at, longestRun))
	if is(p.of, s) {
		if role, known := p.roles[s.Labels.Get("instance")]; p.counts.Role == "" || !known || role == p.counts.Role {
			p.web(at, s)
		}
		return
	}
	if p.ofViews(s) {
		p.view(at, s)
		return
	}
	if of := layerOf(s.Name); of != nil {
		p.layer(of, at, s)
	}
}

// is tells whether a sample is of a counter, or of a timer, that a metric means.
func is(of metric.Selection, s *collector.Sample) bool {
	if of.Name == "" {
		return false
	}
	if s.Meta == nil {
		return s.Name == of.Name
	}
	if s.Meta.Sent == "" {
		return s.Name == of.Name && s.Meta.Type == collector.Counter
	}
	series := record.Series{Name: s.Name, Labels: s.Labels, Meta: *s.Meta}
	return (series.IsCounter() || s.Meta.Type == collector.Summary) && series.Called(of.Name) != record.NotCalled && series.Came(of) && series.Fulfils(of)
}

// web takes a point of the metric that is held against the users' ledger. It began at 0
// when its instance did.
func (p *Picture) web(at time.Duration, s *collector.Sample) {
	c := p.counter(s)
	if c == nil || s.Stale {
		return
	}
	value, timed := s.Value, s.Histogram != nil
	if timed {
		value = s.Histogram.Count
	}
	p.untimed = p.untimed || !timed
	gained, _, ok := c.gain(at, value, true)
	if !ok {
		return
	}
	// The point is of the interval that ended at its time. That time and the axis come of
	// two clocks, which are a little apart, so that it may be beyond the end of its bin.
	bin := p.at(at - p.interval()/10)
	i := p.instance(nameOf(s.Labels.Get("instance")))
	to := i.byCounter
	if timed {
		to = i.byTimer
	}
	to.counted.add(bin, gained)
	if s.Observed > 0 {
		to.heard.add(bin, 1)
	}
}

// interval is the collector's.
func (p *Picture) interval() time.Duration { return newAxis(p.run).Width }

// nameOf is how what no instance is known to have sent is called.
func nameOf(instance string) string {
	if instance == "" {
		return "no instance"
	}
	return instance
}

// counter follows a cumulative series; nil: there are too many.
func (p *Picture) counter(s *collector.Sample) *counter {
	key := s.Labels.Key(s.Name)
	c, known := p.counters[key]
	if !known && len(p.counters) < mostSeries {
		c = &counter{}
		p.counters[key] = c
	}
	return c
}
