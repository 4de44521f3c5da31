package picture

import (
	"time"

	"throughline/collector"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
)

// Agent is what tells of the CPU of instances from inside, to be held against what the hypervisor tells.
type Agent struct {
	Metric metric.Ref    // a counter of CPU time, as instances send it
	Unit   time.Duration // that it counts
}

// ViewsLayer is the ID of the layer that shows the CPU of web instances by two sources: what CloudWatch tells of it, and an
// agent inside.
const ViewsLayer = "views"

// The lines of that layer.
const (
	byHypervisor = "hypervisor, as CloudWatch tells"
	byAgent      = "agent inside"
)

// monitored is how CloudWatch tells of an instance, and since when that lives.
type monitored struct {
	record.Monitoring
	birth time.Duration
}

// monitor takes a birth.
func (p *Picture) monitor(e record.Event) {
	if e.Cloud != nil && e.Cloud.Monitoring != nil && len(p.monitored) < mostInstances {
		p.monitored[e.Instance] = monitored{*e.Cloud.Monitoring, e.At}
	}
}

// ofViews tells whether a sample is one of the two.
func (p *Picture) ofViews(s *collector.Sample) bool {
	return s.Name == record.HypervisorCPU || s.Histogram == nil && is(p.agent, s)
}

// view takes a sample of one of the two. A point of CloudWatch is of the period that begins at its time; of the one in
// which an instance was born, a part is not known.
func (p *Picture) view(at time.Duration, s *collector.Sample) {
	if s.Stale || s.Observed == 0 {
		return
	}
	if s.Name == record.HypervisorCPU {
		if by, known := p.monitored[s.Labels.Get("instance")]; known && at >= by.birth {
			p.at(at + by.Period)
			p.spread(p.line(ViewsLayer, byHypervisor), s.Value/100*float64(by.CPUs)*by.Period.Seconds(), at, at+by.Period)
		}
		return
	}
	c := p.counter(s)
	if c == nil {
		return
	}
	if gained, since, ok := c.gain(at, s.Value, false); ok {
		p.spread(p.line(ViewsLayer, byAgent), gained*p.counts.Agent.Unit.Seconds(), since, at)
	}
}

// line finds or makes a line of a layer.
func (p *Picture) line(layer, name string) *gauge {
	key := layer + "/" + name
	g := p.gauged[key]
	if g == nil {
		g = &gauge{amount: p.newBins(), seen: p.newBins()}
		p.gauged[key] = g
	}
	return g
}
