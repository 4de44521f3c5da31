package rum

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"throughline/collector"
	"throughline/collector/histogram"
)

// The series that it writes about itself.
const (
	own                 = collector.OwnPrefix + "rum_"
	ownRequests         = own + "requests_total"
	ownBeacons          = own + "beacons_total"
	ownBad              = own + "bad_beacons_total"
	ownPreflights       = own + "preflights_total"
	ownRefusedPreflight = own + "refused_preflights_total"
)

// The meanings of all series.
var (
	counterMeta = &collector.Meta{Type: collector.Counter}
	timerMeta   = &collector.Meta{Type: collector.Summary, Unit: "milliseconds"}
)

// Metrics implements collector.Source.
func (c *Collector) Metrics() []collector.Metric { return OwnMetrics() }

// OwnMetrics document the series of every such source.
func OwnMetrics() []collector.Metric {
	return []collector.Metric{
		{Name: ownRequests, Type: collector.Counter, Help: "requests to " + Path + " that were no preflights"},
		{Name: ownBeacons, Type: collector.Counter, Help: "of those, beacons that were counted"},
		{Name: ownBad, Type: collector.Counter, Help: "the others, by reason", Loss: true},
		{Name: ownPreflights, Type: collector.Counter, Help: "preflights that were granted"},
		{Name: ownRefusedPreflight, Type: collector.Counter, Help: "preflights that were not: the beacons that they asked for never come", Loss: true},
	}
}

// mostAhead is how far the last points of a collector before this one may be ahead of the
// clock, where it ended within an interval.
const mostAhead = time.Minute

// ahead is the time of a point that came before, unless the clock was set back since.
func (c *Collector) ahead(last collector.Sample) time.Time {
	if last.At.Sub(c.cfg.Now()) > max(mostAhead, c.in.Interval) {
		return time.Time{}
	}
	return last.At
}

// newRoute begins the series of a page, or goes on where they were.
func (c *Collector) newRoute(name string) *route {
	r := &route{labels: collector.NewLabels("route", name)}
	if c.in.Resume != nil {
		if last, ok := c.in.Resume.Last(Views, r.labels); ok && !last.Stale {
			r.views, r.resumedAt = uint64(last.Value), c.ahead(last)
		}
		if last, ok := c.in.Resume.Last(Latency, r.labels); ok && !last.Stale {
			r.times.Resume(last.Histogram)
		}
	}
	empty := histogram.Histogram{}
	r.snapshot = empty.Snapshot()
	return r
}

// flush gives the points of the interval that ends at a time; last tells that there will
// be no others.
func (c *Collector) flush(at time.Time, last bool) []collector.Sample {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last {
		c.state = over
	}
	var out []collector.Sample
	for _, name := range slices.Sorted(maps.Keys(c.routes)) {
		out = c.routes[name].flush(out, c.in, at, last)
	}
	at, ok := free(c.in, at, c.given, last)
	if !ok {
		return out
	}
	f := &c.figures
	out = c.own(out, at, ownRequests, nil, f.Requests)
	out = c.own(out, at, ownBeacons, nil, f.Beacons)
	out = c.own(out, at, ownPreflights, nil, f.Preflight)
	out = c.own(out, at, ownRefusedPreflight, nil, f.Refused)
	for _, reason := range slices.Sorted(maps.Keys(f.Bad)) {
		out = c.own(out, at, ownBad, collector.NewLabels("reason", reason), f.Bad[reason])
	}
	return out
}

// free is the end of the first interval from at on for which there is no point yet. Who
// gives not the last points waits for it.
func free(in collector.Intake, at, given time.Time, last bool) (time.Time, bool) {
	switch {
	case at.After(given):
		return at, true
	case last:
		return in.IntervalEnd(given), true
	}
	return at, false
}

// own appends a point of a counter of its own work. The first is preceded by a zero:
// rate() sees an increase only between two points.
// Source: https://github.com/prometheus/prometheus/issues/3886
func (c *Collector) own(out []collector.Sample, at time.Time, name string, labels collector.Labels, value uint64) []collector.Sample {
	s := collector.Sample{Name: name, Labels: labels, Meta: counterMeta, At: at.Add(-c.in.Interval)}
	if key := labels.Key(name); !c.born[key] {
		c.born[key] = true
		if s.At.After(c.given) {
			out = append(out, s)
		}
	}
	s.At, s.Value, s.Observed = at, float64(value), 1
	return append(out, s)
}

// flush appends the points of a page, and begins the next interval.
func (r *route) flush(out []collector.Sample, in collector.Intake, at time.Time, last bool) []collector.Sample {
	at, ok := free(in, at, r.resumedAt, last)
	if !ok {
		return out
	}
	views := collector.Sample{Name: Views, Labels: r.labels, Meta: counterMeta, At: at.Add(-in.Interval)}
	times := collector.Sample{Name: Latency, Labels: r.labels, Meta: timerMeta, At: views.At, Histogram: r.snapshot}
	if !r.begun && r.resumedAt.IsZero() {
		out = append(out, views, times)
	}
	if r.observed > 0 {
		r.snapshot = r.times.Snapshot()
	}
	views.At, views.Value, views.Observed = at, float64(r.views), r.observed
	times.At, times.Histogram, times.Observed = at, r.snapshot, r.observed
	r.begun, r.observed = true, 0
	return append(out, views, times)
}

// Tables implements collector.Tabler.
func (c *Collector) Tables() []collector.Table {
	f := c.Figures()
	count := func(n uint64, loss bool) collector.Cell {
		return collector.Cell{Text: fmt.Sprint(n), Number: true, Loss: loss && n > 0}
	}
	t := collector.Table{Title: "Beacons of pages", Head: []string{"", "number"}, Rows: [][]collector.Cell{
		{{Text: "counted"}, count(f.Beacons, false)},
		{{Text: "preflights granted"}, count(f.Preflight, false)},
		{{Text: "preflights refused"}, count(f.Refused, true)},
	}}
	for _, reason := range slices.Sorted(maps.Keys(f.Bad)) {
		t.Rows = append(t.Rows, []collector.Cell{{Text: "bad: " + reason}, count(f.Bad[reason], true)})
	}
	return []collector.Table{t}
}
