package otlp

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"throughline/collector"
)

// kind is what a metric is, as far as counting goes. It is a part of a stream's key.
type kind byte

const (
	gauge             kind = 'g'
	counter           kind = 'c' // a monotonic sum, cumulative
	counterDelta      kind = 'd'
	upDown            kind = 'u' // another sum, cumulative: its value is the sum itself
	upDownDelta       kind = 'v'
	distribution      kind = 'h' // explicit or exponential, cumulative
	distributionDelta kind = 'i'
)

// family is the type of the series that streams of a kind make.
func (k kind) family() collector.Type {
	switch k {
	case counter, counterDelta:
		return collector.Counter
	case distribution, distributionDelta:
		return collector.Summary
	}
	return collector.Gauge
}

// metric is one metric of a scope of a resource, of whose streams points came.
type metric struct {
	from  [sha256.Size]byte // resource and scope
	name  string
	unit  string
	kind  kind
	where *sender
}

// point is one point of a stream.
type point struct {
	start, at uint64 // ns since 1970, by the sender's clock; start 0: not given
	amount
}

// scratch is what is used again for each point.
type scratch struct {
	key   []byte
	pairs []pair
}

// pair is an attribute.
type pair struct{ name, value string }

// take counts what is in a request, and says what was refused of it.
func (c *Collector) take(d *door, from string, length int, request pmetricotlp.ExportRequest) pmetricotlp.ExportResponse {
	response := pmetricotlp.NewExportResponse()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(c.cfg.Now())
	home := c.sender(d, from, "")
	home.figures.requests++
	home.figures.bytes += uint64(length)
	r := reader{collector: c, refused: map[fate]int64{}}
	resources := request.Metrics().ResourceMetrics()
	for i := range resources.Len() {
		r.resource(d, from, resources.At(i))
	}
	if total, why := r.rejected(); total > 0 {
		response.PartialSuccess().SetRejectedDataPoints(total)
		response.PartialSuccess().SetErrorMessage(why)
	}
	return response
}

// unread counts a request that could not be read.
func (c *Collector) unread(d *door, from string, why verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(c.cfg.Now())
	home := c.sender(d, from, "")
	home.figures.requests++
	home.figures.unread[why]++
}

// reader reads one request.
type reader struct {
	collector *Collector
	refused   map[fate]int64
}

func (r *reader) rejected() (total int64, why string) {
	var parts []string
	for f, n := range r.refused {
		total += n
		parts = append(parts, fmt.Sprintf("%s: %d", f, n))
	}
	slices.Sort(parts)
	return total, strings.Join(parts, "; ")
}

// instanceID is the attribute of a resource by which its replicas are told apart.
const instanceID = "service.instance.id"

func (r *reader) resource(d *door, from string, rm pmetric.ResourceMetrics) {
	c := r.collector
	id := ""
	if v, ok := rm.Resource().Attributes().Get(instanceID); ok {
		id = v.AsString()
	}
	s := c.sender(d, from, id)
	if s == nil {
		n := int64(points(rm))
		home := c.sender(d, from, "")
		home.figures.points += uint64(n)
		home.figures.refused[manyInstances] += uint64(n)
		r.refused[manyInstances] += n
		return
	}
	resource := c.hash(nil, rm.Resource().Attributes())
	c.registry.resource(resource, id, s, d)
	scopes := rm.ScopeMetrics()
	for i := range scopes.Len() {
		sm := scopes.At(i)
		scope := slices.Concat(resource[:], []byte(sm.Scope().Name()), []byte{0xff}, []byte(sm.Scope().Version()), []byte{0xff})
		m := metric{from: c.hash(scope, sm.Scope().Attributes()), where: s}
		metrics := sm.Metrics()
		for j := range metrics.Len() {
			r.metric(m, metrics.At(j))
		}
	}
}

// points counts the points of a resource.
func points(rm pmetric.ResourceMetrics) int {
	all := pmetric.NewMetrics()
	rm.CopyTo(all.ResourceMetrics().AppendEmpty())
	return all.DataPointCount()
}

func (r *reader) metric(m metric, of pmetric.Metric) {
	m.name, m.unit = of.Name(), of.Unit()
	switch of.Type() {
	case pmetric.MetricTypeGauge:
		m.kind = gauge
		r.numbers(m, of.Gauge().DataPoints(), accepted)
	case pmetric.MetricTypeSum:
		k, f := temporal(of.Sum().AggregationTemporality(), upDown, upDownDelta)
		if of.Sum().IsMonotonic() {
			k, f = temporal(of.Sum().AggregationTemporality(), counter, counterDelta)
		}
		m.kind = k
		r.numbers(m, of.Sum().DataPoints(), f)
	case pmetric.MetricTypeHistogram:
		k, f := temporal(of.Histogram().AggregationTemporality(), distribution, distributionDelta)
		m.kind = k
		all := of.Histogram().DataPoints()
		for i := range all.Len() {
			p := all.At(i)
			h, g := explicit(p)
			r.point(m, p.Attributes(), point{uint64(p.StartTimestamp()), uint64(p.Timestamp()), amount{float64(p.Count()), h}}, p.Exemplars().Len(), cmp.Or(f, unless(p.Flags(), g)))
		}
	case pmetric.MetricTypeExponentialHistogram:
		k, f := temporal(of.ExponentialHistogram().AggregationTemporality(), distribution, distributionDelta)
		m.kind = k
		all := of.ExponentialHistogram().DataPoints()
		for i := range all.Len() {
			p := all.At(i)
			h, g := exponential(p)
			r.point(m, p.Attributes(), point{uint64(p.StartTimestamp()), uint64(p.Timestamp()), amount{float64(p.Count()), h}}, p.Exemplars().Len(), cmp.Or(f, unless(p.Flags(), g)))
		}
	case pmetric.MetricTypeSummary:
		all := of.Summary().DataPoints()
		for range all.Len() {
			r.book(m.where, 0, isSummary)
		}
	}
}

// temporal picks a kind by temporality.
func temporal(t pmetric.AggregationTemporality, cumulative, delta kind) (kind, fate) {
	switch t {
	case pmetric.AggregationTemporalityCumulative:
		return cumulative, accepted
	case pmetric.AggregationTemporalityDelta:
		return delta, accepted
	}
	return cumulative, noTemporality
}

// unless is the fate of a point, unless it says itself that it has no value.
func unless(flags pmetric.DataPointFlags, f fate) fate {
	if flags.NoRecordedValue() {
		return noValue
	}
	return f
}

func (r *reader) numbers(m metric, all pmetric.NumberDataPointSlice, f fate) {
	for i := range all.Len() {
		p := all.At(i)
		v := p.DoubleValue()
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			v = float64(p.IntValue())
		}
		g := accepted
		switch {
		case math.IsNaN(v), math.IsInf(v, 0), p.ValueType() == pmetric.NumberDataPointValueTypeEmpty:
			g = badValue
		case v < 0 && m.kind.family() == collector.Counter:
			g = negative
		}
		r.point(m, p.Attributes(), point{uint64(p.StartTimestamp()), uint64(p.Timestamp()), amount{count: v}}, p.Exemplars().Len(), cmp.Or(f, unless(p.Flags(), g)))
	}
}

// point counts one point, unless its fate is known already.
func (r *reader) point(m metric, attributes pcommon.Map, p point, exemplars int, f fate) {
	var to *stream
	if f == accepted {
		to, f = r.collector.stream(m, attributes)
	}
	if f == accepted {
		f = to.count(p, m.where)
	}
	r.book(m.where, exemplars, f)
}

// book counts what became of a point.
func (r *reader) book(s *sender, exemplars int, f fate) {
	s.figures.points++
	s.figures.exemplars += uint64(exemplars)
	switch f {
	case accepted:
		s.figures.accepted++
	case duplicate, late, noValue:
		s.figures.aside[f]++
	default:
		s.figures.refused[f]++
		r.refused[f]++
	}
}

// hash tells sets of attributes apart, with what stands before them.
func (c *Collector) hash(key []byte, of pcommon.Map) [sha256.Size]byte {
	for _, p := range c.sorted(of) {
		key = p.append(key)
	}
	return sha256.Sum256(key)
}

// append appends the pair to a key. Neither byte is in UTF-8, so no value looks like the next name.
func (p pair) append(key []byte) []byte {
	key = append(append(key, 0xff), p.name...)
	return append(append(key, 0xfe), p.value...)
}

// sorted are attributes as text, in the order of their names. The slice is used again.
func (c *Collector) sorted(of pcommon.Map) []pair {
	pairs := c.scratch.pairs[:0]
	for name, v := range of.All() {
		pairs = append(pairs, pair{name, v.AsString()})
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	c.scratch.pairs = pairs
	return pairs
}
