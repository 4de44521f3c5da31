package statsd

import (
	"math"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
)

// series is one series and what came in for it.
type series struct {
	name   string
	labels collector.Labels
	meta   *collector.Meta

	begun    bool    // it gave a sample before
	observed uint64  // values in this interval
	value    float64 // of a counter or gauge

	plain       float64 // the counter as it came, not corrected by rates
	plainBefore float64 // at the end of the last interval
	sampledName string
	sampled     bool // a line had a rate below 1
	sampledOut  bool // the companion has begun

	histogram *histogram
	snapshot  *collector.Histogram // at the end of the last interval

	members map[string]struct{} // in this interval
}

// family is what lines of a type are added up to.
func family(t dogstatsd.Type) collector.Type {
	switch t {
	case dogstatsd.Count:
		return collector.Counter
	case dogstatsd.Gauge:
		return collector.Gauge
	case dogstatsd.Set:
		return collector.Set
	}
	return collector.Summary
}

func newSeries(line *dogstatsd.Line, labels collector.Labels) *series {
	s := &series{name: promName(line.Name), labels: labels,
		meta: &collector.Meta{Type: family(line.Type), StatsD: strings.ToValidUTF8(string(line.Name), "\uFFFD")}}
	switch s.meta.Type {
	case collector.Counter:
		stem := strings.TrimSuffix(s.name, "_total")
		s.name, s.sampledName = stem+"_total", stem+"_sampled_total"
	case collector.Summary:
		s.histogram = &histogram{}
		s.snapshot = s.histogram.snapshot()
		if line.Type == dogstatsd.Timing {
			s.meta.Unit = "milliseconds"
		}
	case collector.Set:
		s.members = map[string]struct{}{}
	}
	return s
}

// add takes a line in, whole or not at all; ok is false when it can not be
// added, for reason.
func (s *series) add(line *dogstatsd.Line, b *bounds) (reason dogstatsd.Reason, ok bool) {
	switch s.meta.Type {
	case collector.Counter:
		reason, ok = s.count(line)
	case collector.Gauge:
		reason, ok = s.set(line.Values)
	case collector.Summary:
		reason, ok = s.observe(line, b)
	case collector.Set:
		if _, known := s.members[string(line.Member)]; !known {
			s.members[string(line.Member)] = struct{}{}
		}
		s.observed++
		return 0, true
	}
	if ok {
		s.observed += uint64(len(line.Values))
	}
	return reason, ok
}

func (s *series) count(line *dogstatsd.Line) (dogstatsd.Reason, bool) {
	sum := 0.0
	for _, v := range line.Values {
		if v.Number < 0 {
			return negativeCount, false
		}
		sum += v.Number
	}
	value := s.value + sum/line.Rate
	if math.IsInf(value, 0) {
		return overflow, false
	}
	s.value = value
	s.plain += sum
	s.sampled = s.sampled || line.Rate < 1
	return 0, true
}

func (s *series) set(values []dogstatsd.Value) (dogstatsd.Reason, bool) {
	now := s.value
	for _, v := range values {
		if v.Signed {
			now += v.Number
		} else {
			now = v.Number
		}
	}
	if math.IsInf(now, 0) {
		return overflow, false
	}
	s.value = now
	return 0, true
}

func (s *series) observe(line *dogstatsd.Line, b *bounds) (dogstatsd.Reason, bool) {
	h := s.histogram
	weight := 1 / line.Rate
	sum, count := h.sum, h.count
	for _, v := range line.Values {
		sum += v.Number * weight
		count += weight
	}
	// A sum of both infinities is no number at all.
	if math.IsInf(sum, 0) || math.IsNaN(sum) || math.IsInf(count, 0) {
		return overflow, false
	}
	for _, v := range line.Values {
		h.add(b, v.Number, weight)
	}
	return 0, true
}

// flush appends the series' samples of the interval that ended at `at`, and
// begins the next.
func (s *series) flush(out []collector.Sample, at, before time.Time) []collector.Sample {
	sample := collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: at, Value: s.value, Observed: s.observed}
	zero := collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: before}
	switch s.meta.Type {
	case collector.Summary:
		zero.Histogram = s.snapshot
		if s.observed > 0 {
			s.snapshot = s.histogram.snapshot()
		}
		sample.Histogram = s.snapshot
	case collector.Set:
		sample.Value = float64(len(s.members))
		clear(s.members)
	}
	if !s.begun && (s.meta.Type == collector.Counter || s.meta.Type == collector.Summary) {
		// rate() sees an increase only between two points.
		// Source: https://github.com/prometheus/prometheus/issues/3886
		out = append(out, zero)
	}
	out = append(out, sample)
	if s.sampled {
		if !s.sampledOut {
			zero.Name, zero.Value = s.sampledName, s.plainBefore
			out = append(out, zero)
			s.sampledOut = true
		}
		sample.Name, sample.Value = s.sampledName, s.plain
		out = append(out, sample)
	}
	s.begun, s.observed, s.plainBefore = true, 0, s.plain
	return out
}

// end appends the marks that the series is over.
func (s *series) end(out []collector.Sample, at time.Time) []collector.Sample {
	if !s.begun {
		return out
	}
	out = append(out, collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: at, Stale: true})
	if s.sampledOut {
		out = append(out, collector.Sample{Name: s.sampledName, Labels: s.labels, Meta: s.meta, At: at, Stale: true})
	}
	return out
}
