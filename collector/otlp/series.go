package otlp

import (
	"math"
	"time"

	"throughline/collector"
)

// series is one series, and what came in for it by one stream or several.
type series struct {
	name   string
	labels collector.Labels
	meta   *collector.Meta

	begun    bool      // it gave a point before, or goes on from before a restart
	resumed  time.Time // of its last point before a restart; it may be ahead of the clock
	claimed  bool      // a stream goes on where that was
	last     time.Time // of its last point
	observed uint64    // points in this interval
	value    float64   // of a counter or gauge
	newest   uint64    // of a gauge: the time of the newest point
	hist     *collector.Histogram
	before   amount // what it had come to before a restart
}

// heard notes that a point came.
func (s *series) heard() { s.observed++ }

// set takes in a gauge, of which a late point tells nothing new.
func (s *series) set(p point) fate {
	if p.at < s.newest {
		return late
	}
	s.value, s.newest = p.count, p.at
	s.heard()
	return accepted
}

// add takes in what came on top.
func (s *series) add(a amount, c *Collector) fate {
	if a.count > 0 {
		c.grown++
	}
	if s.hist == nil {
		value := s.value + a.count
		if math.IsInf(value, 0) {
			return badValue
		}
		s.value = value
		s.heard()
		return accepted
	}
	now := s.hist
	if a.count > 0 {
		now = sum(s.hist, a.hist)
	}
	grown := len(now.Positive) + len(now.Negative) - len(s.hist.Positive) - len(s.hist.Negative)
	switch {
	case math.IsInf(now.Sum, 0):
		return badValue
	case grown > 0 && c.size.buckets >= c.cfg.MaxSeriesTotal*bucketsPerSeries:
		return manyBuckets
	}
	c.size.buckets += grown
	s.hist = now
	s.heard()
	return accepted
}

// resume goes on where the series was before the collector was started anew.
func (s *series) resume(c *Collector) {
	if c.in.Resume == nil {
		return
	}
	last, ok := c.in.Resume.Last(s.name, s.labels)
	if !ok || last.Stale || s.hist != nil && last.Histogram == nil {
		return
	}
	if !c.setBack(last.At) {
		s.resumed = last.At
	}
	s.begun, s.value = true, last.Value
	s.before = amount{count: last.Value}
	if s.hist != nil {
		s.hist, s.value = last.Histogram, 0
		s.before = amount{last.Histogram.Count, last.Histogram}
		c.size.buckets += s.before.buckets()
	}
}

// resumes tells that what a point counts began before the collector did, which an earlier one may have counted.
func (s *series) resumes(p point, c *Collector) bool {
	return s.resumed != (time.Time{}) && p.start <= uint64(c.started.UnixNano())
}

// goOn is what an earlier collector had counted of a stream. Where the series had the sum of several, or of several lives,
// nobody knows; false: it is so here.
func (s *series) goOn(p point) (amount, bool) {
	switch {
	case !s.claimed && p.count >= s.before.count:
		s.claimed = true
		return s.before, true
	case p.start > uint64(s.resumed.UnixNano()):
		return amount{}, true // it began when nobody counted
	}
	return amount{}, false
}

// flush appends the points of the interval that ended at `at`, and begins the next. before is the end of the one before.
func (s *series) flush(out []collector.Sample, at, before time.Time) []collector.Sample {
	sample := collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: at, Value: s.value, Observed: s.observed, Histogram: s.hist}
	if !s.begun && before.After(s.resumed) && s.meta.Type != collector.Gauge {
		// rate() sees an increase only between two points.
		// Source: https://github.com/prometheus/prometheus/issues/3886
		zero := collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: before}
		if s.hist != nil {
			zero.Histogram = empty()
		}
		out = append(out, zero)
	}
	s.begun, s.observed, s.last = true, 0, at
	return append(out, sample)
}

// end appends the mark that the series is over.
func (s *series) end(out []collector.Sample, at time.Time) []collector.Sample {
	if s.last.IsZero() {
		return out
	}
	return append(out, collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: at, Stale: true})
}
