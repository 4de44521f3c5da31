package otlp

import (
	"fmt"
	"strings"
	"time"

	"throughline/collector"
)

// The series that it writes about itself.
const (
	prefix          = collector.OwnPrefix + "otlp_"
	ownRequests     = prefix + "requests_total"
	ownBytes        = prefix + "bytes_total"
	ownBad          = prefix + "bad_requests_total"
	ownBroken       = prefix + "broken_requests_total"
	ownOther        = prefix + "other_requests_total"
	ownPoints       = prefix + "points_total"
	ownAccepted     = prefix + "accepted_points_total"
	ownDuplicates   = prefix + "duplicate_points_total"
	ownLate         = prefix + "late_points_total"
	ownNoValue      = prefix + "no_value_points_total"
	ownRefused      = prefix + "refused_points_total"
	ownExemplars    = prefix + "ignored_exemplars_total"
	ownGaps         = prefix + "gaps_total"
	ownSeries       = prefix + "series"
	ownFindings     = prefix + "findings"
	ownFindingsLeft = prefix + "findings_left_out"
)

// Metrics implements collector.Source.
func (c *Collector) Metrics() []collector.Metric { return OwnMetrics() }

// OwnMetrics document the series of every such source.
func OwnMetrics() []collector.Metric {
	const counter, gauge = collector.Counter, collector.Gauge
	return []collector.Metric{
		{Name: ownRequests, Type: counter, Help: "requests that came, whatever became of them"},
		{Name: ownBytes, Type: counter, Unit: "bytes", Help: "length of those that were read, unpacked"},
		{Name: ownBad, Type: counter, Help: "requests that make no sense or are too long, by reason", Loss: true},
		{Name: ownBroken, Type: counter, Help: "requests that ended early: they were not answered, and who lives sends them again"},
		{Name: ownOther, Type: counter, Help: "requests for other things than metrics, such as traces and logs, which are not taken"},
		{Name: ownPoints, Type: counter, Help: "points in the requests: accepted, duplicate, late, without a value, or refused"},
		{Name: ownAccepted, Type: counter, Help: "points that were counted"},
		{Name: ownDuplicates, Type: counter, Help: "points that had come before, with the same start and time: a client tried again"},
		{Name: ownLate, Type: counter, Help: "points that were older than one before, which told as much"},
		{Name: ownNoValue, Type: counter, Help: "points that say that they have no value"},
		{Name: ownRefused, Type: counter, Help: "points that were not taken, by reason", Loss: true},
		{Name: ownExemplars, Type: counter, Help: "exemplars beside the points, which are not kept"},
		{Name: ownGaps, Type: counter, Help: "deltas that begin after the one before had ended: nothing happened in between, or a point was lost"},
		{Name: ownSeries, Type: gauge, Help: "series of the instance"},
		{Name: ownFindings, Type: gauge, Help: "points that a finding is about, by kind, metric and instance"},
		{Name: ownFindingsLeft, Type: gauge, Help: "findings beyond those that are listed"},
	}
}

// The meanings of the series.
var (
	counterMeta = &collector.Meta{Type: collector.Counter}
	bytesMeta   = &collector.Meta{Type: collector.Counter, Unit: "bytes"}
	gaugeMeta   = &collector.Meta{Type: collector.Gauge}
)

// figures are what came from a sender. points = accepted + the sums of aside and refused.
type figures struct {
	requests, bytes, points, accepted, exemplars, gaps uint64
	unread                                             [verdicts]uint64
	aside, refused                                     [fates]uint64
	begun                                              map[string]bool // of the series, those that gave a point
}

// meter writes samples of own series.
type meter struct {
	at, before time.Time
	stale      bool
	begun      map[string]bool // which series gave a point, by their keys
	samples    []collector.Sample
}

func (m *meter) gauge(name string, labels collector.Labels, value float64) {
	m.samples = append(m.samples, collector.Sample{Name: name, Labels: labels, Meta: gaugeMeta, At: m.at, Value: value, Observed: 1, Stale: m.stale})
	m.begun[labels.Key(name)] = true
}

// counter writes a cumulative value. The first of a series is preceded by a zero: rate() sees an increase only between two
// points.
// Source: https://github.com/prometheus/prometheus/issues/3886
func (m *meter) counter(name string, labels collector.Labels, value uint64) {
	key := labels.Key(name)
	s := collector.Sample{Name: name, Labels: labels, Meta: counterMeta, At: m.before}
	if name == ownBytes {
		s.Meta = bytesMeta
	}
	switch {
	case m.stale && !m.begun[key]:
		return
	case !m.begun[key]:
		m.samples = append(m.samples, s)
		m.begun[key] = true
	}
	s.At, s.Value, s.Observed, s.Stale = m.at, float64(value), 1, m.stale
	m.samples = append(m.samples, s)
}

// meter begins with the points of a boundary of figures that have points up to given. Where those are not over yet, what there is
// to say waits for another boundary, or, if this is the last one, is given for the first that is free.
func (c *Collector) meter(boundary time.Time, given *time.Time, begun map[string]bool, last bool) (meter, bool) {
	at := c.grid.Free(boundary, *given)
	if !at.Equal(boundary) && !last {
		return meter{}, false
	}
	m := meter{at: at, before: c.grid.Zero(at, *given), begun: begun, samples: c.ready}
	*given = at
	return m, true
}

// tell appends the figures of a sender, once it has sent anything.
func (s *sender) tell(at time.Time, last bool) {
	f := &s.figures
	if f.requests == 0 {
		return
	}
	if f.begun == nil {
		f.begun = map[string]bool{}
	}
	m, ok := s.collector.meter(at, &s.given, f.begun, last)
	if !ok {
		return
	}
	s.write(&m)
	s.collector.ready = m.samples
}

// endFigures appends the marks that the figures of a sender end.
func (s *sender) endFigures(at time.Time) {
	if s.figures.begun == nil {
		return
	}
	m, _ := s.collector.meter(at, &s.given, s.figures.begun, true)
	m.stale = true
	s.write(&m)
	s.collector.ready = m.samples
}

func (s *sender) write(m *meter) {
	f := &s.figures
	for _, x := range []struct {
		name  string
		value uint64
	}{
		{ownRequests, f.requests}, {ownBytes, f.bytes}, {ownBroken, f.unread[brokenOff]}, {ownOther, f.unread[elsewhere]}, {ownPoints, f.points},
		{ownAccepted, f.accepted}, {ownDuplicates, f.aside[duplicate]}, {ownLate, f.aside[late]}, {ownNoValue, f.aside[noValue]},
		{ownExemplars, f.exemplars}, {ownGaps, f.gaps},
	} {
		m.counter(x.name, s.told, x.value)
	}
	for _, v := range []verdict{badEncoding, tooLong} {
		if n := f.unread[v]; n > 0 {
			m.counter(ownBad, s.told.With("reason", v.String()), n)
		}
	}
	for x, n := range f.refused {
		if n > 0 {
			m.counter(ownRefused, s.told.With("reason", fate(x).String()), n)
		}
	}
	m.gauge(ownSeries, s.told, float64(len(s.series)))
}

// own appends what there is to say of nobody in particular. c.mu is held.
func (c *Collector) own(last bool) {
	if len(c.doors) == 0 {
		return
	}
	m, ok := c.meter(c.end, &c.given, map[string]bool{}, last)
	if !ok {
		return
	}
	for _, f := range c.registry.list() {
		m.gauge(ownFindings, collector.NewLabels("kind", f.Kind, "metric", f.Metric, "other", f.Other, "instance", f.Instance), float64(f.Points))
	}
	m.gauge(ownFindingsLeft, nil, float64(c.registry.left))
	c.ready = m.samples
}

// reserved tells that a name is for the collector's own series.
func reserved(name string) bool { return strings.HasPrefix(name, collector.OwnPrefix) }

// Tables implements collector.Tabler: what came in by OTLP, and what was found.
func (c *Collector) Tables() []collector.Table {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.doors) == 0 {
		return nil
	}
	number := func(n uint64) collector.Cell { return collector.Cell{Text: fmt.Sprint(n), Number: true} }
	loss := func(n uint64) collector.Cell { return collector.Cell{Text: fmt.Sprint(n), Number: true, Loss: n > 0} }
	came := collector.Table{Title: "What came in by OTLP", Head: []string{"instance", "requests", "points", "counted", "again", "late", "refused", "bad requests", "series"}}
	for _, s := range c.inOrder() {
		f := &s.figures
		var refused uint64
		for _, n := range f.refused {
			refused += n
		}
		came.Rows = append(came.Rows, []collector.Cell{{Text: s.instance}, number(f.requests), number(f.points), number(f.accepted), number(f.aside[duplicate]),
			number(f.aside[late]), loss(refused), loss(f.unread[badEncoding] + f.unread[tooLong]), number(uint64(len(s.series)))})
	}
	tables := []collector.Table{came}
	if list := c.registry.list(); len(list) > 0 {
		t := collector.Table{Title: "Findings of OTLP", Head: []string{"since", "what", "metric", "other", "instance", "points"}}
		for _, f := range list {
			t.Rows = append(t.Rows, []collector.Cell{{Text: f.At.UTC().Format(time.DateTime)}, {Text: f.Kind}, {Text: f.Metric}, {Text: f.Other}, {Text: f.Instance}, number(f.Points)})
		}
		tables = append(tables, t)
	}
	return tables
}
