package evidence

import (
	"maps"
	"slices"
	"strings"

	"throughline/collector"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// chosen are the series that a metric means, by instance.
type chosen struct {
	of      metric.Selection
	series  map[string][]*record.Series // of all types, also those beside sampled counters
	member  map[string]*record.Series   // by name and labels
	called  []*record.Series            // of all instances, that have the name and came by the way, whatever their labels
	several map[string][]collector.Way
	timed   bool                        // nobody has a counter of it, but timers: these count by their values
	counts  map[string][]*record.Series // see Counts
	honored *honored                    // nil: not asked yet
}

// chosen finds the series that a metric means. An instance's are those that are called so by their sender, or else those
// that Prometheus calls so. Of several ways by which an instance sends it, where none is wanted, the first in this order
// is taken: what counts one thing twice is not added up. [Index.Unclear] tells of it.
func (e *Index) chosen(m metric.Ref) *chosen {
	if c, known := e.selected[m]; known {
		return c
	}
	c := &chosen{of: m.Selection(), series: map[string][]*record.Series{}, member: map[string]*record.Series{}, several: map[string][]collector.Way{},
		counts: map[string][]*record.Series{}}
	counters, timers := false, false
	scraped := slices.ContainsFunc(e.Scenario.Stack.Roles(), func(w script.Web) bool {
		_, is := e.Scenario.Stack.Scraped(w.RoleName(), m)
		return is
	})
	for instance, pushed := range e.Pushed {
		called := calledSo(pushed, c.of, scraped)
		c.called = append(c.called, called...)
		own := slices.DeleteFunc(slices.Clone(called), func(s *record.Series) bool { return !s.Fulfils(c.of) })
		if ways := waysOf(own); len(ways) > 1 {
			c.several[instance] = ways
			own = slices.DeleteFunc(own, func(s *record.Series) bool { return s.Meta.CameBy() != ways[0] })
		}
		for _, s := range own {
			c.member[s.Labels.Key(s.Name)] = s
			counters = counters || s.IsCounter()
			timers = timers || s.Meta.Type == collector.Summary
		}
		if len(own) > 0 {
			c.series[instance] = own
		}
	}
	c.timed = timers && !counters
	if e.selected == nil {
		e.selected = map[metric.Ref]*chosen{}
	}
	e.selected[m] = c
	return c
}

// calledSo are the series of a selection's name that came by its way. Where the scenario has it scraped, a series of StatsD is not meant
// that Prometheus would call alike: it would stand in for what no scrape brought.
func calledSo(pushed []*record.Series, of metric.Selection, scraped bool) []*record.Series {
	var by [record.BySender + 1][]*record.Series
	for _, s := range pushed {
		if s.Came(of) {
			how := s.Called(of.Name)
			if scraped && how == record.ByPrometheus && s.Meta.CameBy() == collector.ByStatsD {
				continue
			}
			by[how] = append(by[how], s)
		}
	}
	if len(by[record.BySender]) > 0 {
		return by[record.BySender]
	}
	return by[record.ByPrometheus]
}

// waysOf are the ways by which series came, in one order.
func waysOf(series []*record.Series) []collector.Way {
	var ways []collector.Way
	for _, way := range []collector.Way{collector.ByStatsD, collector.ByOTLP, collector.ByScrape} {
		if slices.ContainsFunc(series, func(s *record.Series) bool { return s.Meta.CameBy() == way }) {
			ways = append(ways, way)
		}
	}
	return ways
}

// SeriesOf are the series of an instance that a metric means, of all types.
func (e *Index) SeriesOf(instance string, m metric.Ref) []*record.Series {
	if m == "" {
		return nil
	}
	return e.chosen(m).series[instance]
}

// Is tells whether a series of the record, or a copy of it, is one that a metric means.
func (e *Index) Is(s *record.Series, m metric.Ref) bool {
	if m == "" || s.Meta.Sent == "" {
		return false
	}
	own, known := e.chosen(m).member[s.Labels.Key(s.Name)]
	return known && own.Meta == s.Meta
}

// Counters gives the counters of an instance that a metric means.
func (e *Index) Counters(instance string, m metric.Ref) []*record.Series {
	return where(e.SeriesOf(instance, m), (*record.Series).IsCounter)
}

// Timers gives an instance's timers, or histograms, that a metric means.
func (e *Index) Timers(instance string, m metric.Ref) []*record.Series {
	return where(e.SeriesOf(instance, m), func(s *record.Series) bool { return s.Meta.Type == collector.Summary })
}

// Gauges gives an instance's gauges that a metric means.
func (e *Index) Gauges(instance string, m metric.Ref) []*record.Series {
	return where(e.SeriesOf(instance, m), func(s *record.Series) bool { return s.Meta.Type == collector.Gauge })
}

// Counts gives the series in which an instance counts what a metric means: its counters, or, if no instance of the run has
// a counter of it, how many values its timers had.
func (e *Index) Counts(instance string, m metric.Ref) []*record.Series {
	if !e.Timed(m) {
		return e.Counters(instance, m)
	}
	c := e.chosen(m)
	if _, known := c.counts[instance]; !known {
		c.counts[instance] = e.TimerCounts(instance, m)
	}
	return c.counts[instance]
}

// Timed tells whether a metric counts by the values of timers: no instance of the run has a counter of it.
func (e *Index) Timed(m metric.Ref) bool { return m != "" && e.chosen(m).timed }

// TimerCounts gives how many values an instance's timers had, as if each were a counter.
func (e *Index) TimerCounts(instance string, m metric.Ref) (out []*record.Series) {
	for _, s := range e.Timers(instance, m) {
		counts := &record.Series{Name: s.Name + record.TotalSuffix, Labels: s.Labels, Meta: collector.Meta{Type: collector.Counter, Sent: s.Meta.Sent, Way: s.Meta.Way}}
		for _, p := range s.Points {
			if p.Histogram != nil || p.Stale {
				counts.Points = append(counts.Points, record.Point{At: p.At, Value: Cumulated(p), Observed: p.Observed, Stale: p.Stale})
			}
		}
		out = append(out, counts)
	}
	return out
}

// OnStatsD tells whether a metric came by StatsD, as far as is known: one that never came, and of which nobody says how it
// should, may have been lost on that way.
func (e *Index) OnStatsD(m metric.Ref) bool {
	c := e.chosen(m)
	if c.of.Way != "" {
		return c.of.Way == string(collector.ByStatsD)
	}
	return len(c.called) == 0 || slices.ContainsFunc(c.called, func(s *record.Series) bool { return s.Meta.CameBy() == collector.ByStatsD })
}

// DroppedOf is [Index.Dropped] of what a metric's measurements were sent in: what did not come by StatsD was in no datagram.
func (e *Index) DroppedOf(instance string, m metric.Ref) bool {
	return e.Dropped(instance) && e.OnStatsD(m)
}

// SentAs is how those spell a metric who send it, whatever the labels.
func (e *Index) SentAs(m metric.Ref) []string {
	if m == "" {
		return nil
	}
	names := []string{m.Name()}
	for _, s := range e.chosen(m).called {
		if !slices.Contains(names, s.Meta.Sent) {
			names = append(names, s.Meta.Sent)
		}
	}
	return names
}

// Seen tells whether any instance sent anything that a metric means.
func (e *Index) Seen(m metric.Ref) bool { return len(e.chosen(m).series) > 0 }

func where(series []*record.Series, is func(*record.Series) bool) (out []*record.Series) {
	for _, s := range series {
		if is(s) {
			out = append(out, s)
		}
	}
	return out
}

// sentNames are all names of metrics that instances sent, as they spell them.
func (e *Index) sentNames() []string {
	names := map[string]bool{}
	for _, pushed := range e.Pushed {
		for _, s := range pushed {
			names[s.Meta.Sent] = true
		}
	}
	return slices.SortedFunc(maps.Keys(names), strings.Compare)
}
