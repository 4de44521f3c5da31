package statsd

import (
	"math"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/histogram"
)

// series is one series and what came in for it.
type series struct {
	name       string
	companions []string // names of the series beside it, which may begin later
	labels     collector.Labels
	meta       *collector.Meta
	check      bool     // it is of a service check
	clash      *finding // it only stands for lines that can never be taken in

	begun    bool      // it gave a point before, or goes on from before a restart
	resumed  time.Time // of its last point before a restart, unless the clock was set back; it may be ahead of the clock
	stale    bool      // it is marked stale
	last     time.Time // of its last point
	observed uint64    // values in this interval
	value    float64   // of a counter or gauge
	newest   int64     // of a gauge: ns since 1970 of the newest value

	plain       float64 // the counter as it came, not corrected by rates
	plainBefore float64 // at the end of the last interval
	beside      bool    // the companion is given: a line had a rate below 1, a set was estimated
	besideBegun bool
	besideMeta  *collector.Meta

	histogram *histogram.Histogram
	snapshot  *collector.Histogram // at the end of the last interval

	members members // in this interval

	timed bool  // lines wait for their time before they are added
	floor int64 // of a timed series: its points up to then were given before it was one; ns since 1970
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

func newSeries(t dogstatsd.Type, name []byte, labels collector.Labels) *series {
	s := &series{name: promName(name), labels: labels, meta: &collector.Meta{Type: family(t), Sent: valid(string(name))}}
	switch s.meta.Type {
	case collector.Counter:
		stem := strings.TrimSuffix(s.name, "_total")
		s.name, s.companions = stem+"_total", []string{stem + "_sampled_total"}
	case collector.Summary:
		s.histogram = &histogram.Histogram{}
		s.snapshot = s.histogram.Snapshot()
		if t == dogstatsd.Timing {
			s.meta.Unit = "milliseconds"
		}
	case collector.Set:
		s.companions = []string{s.name + "_estimated"}
	}
	return s
}

// names are all names that the series may give points under, its own first.
func (s *series) names() []string { return append([]string{s.name}, s.companions...) }

// same tells that lines of o belong to s.
func (s *series) same(o *series) bool {
	return s.name == o.name && s.check == o.check && s.meta.Type == o.meta.Type && s.meta.Sent == o.meta.Sent
}

// length is that of the name and the labels, in bytes.
func (s *series) length() int {
	n := len(s.name) + len(s.meta.Sent)
	for _, l := range s.labels {
		n += len(l.Name) + len(l.Value)
	}
	return n
}

// refusal is what becomes of every line of the series, if that is known.
func (s *series) refusal() fate {
	if s.clash == nil {
		return accepted
	}
	s.clash.lines.Add(1)
	return conflict
}

// resume goes on where the series was before the collector was started anew.
func (s *series) resume(shared *shared) {
	from := shared.cfg.Resume
	if from == nil {
		return
	}
	last, ok := from.Last(s.name, s.labels)
	if !ok || last.Stale {
		return
	}
	if !shared.cfg.setBack(last.At, shared.cfg.Now()) {
		s.resumed = last.At
	}
	switch s.meta.Type {
	case collector.Summary:
		if !s.histogram.Resume(last.Histogram) {
			return
		}
		shared.buckets.Add(int64(s.histogram.Size()))
		s.snapshot = s.histogram.Snapshot()
	case collector.Set:
		return // it begins anew with each interval
	default:
		s.value, s.plain, s.plainBefore = last.Value, last.Value, last.Value
	}
	s.begun = true
	if s.meta.Type != collector.Counter {
		return
	}
	if beside, ok := from.Last(s.companions[0], s.labels); ok && !beside.Stale {
		s.plain, s.plainBefore = beside.Value, beside.Value
		s.beside, s.besideBegun = true, true
	}
}

// measure is what one line says.
type measure struct {
	values  []dogstatsd.Value
	rate    float64
	member  uint64 // the hash of a set's member
	gauges  Gauges // how signs are read
	datadog bool   // only a Datadog client sends such a line
	at      int64  // the moment it stands for, in ns since 1970
	stamped bool   // which it brought itself
}

// count is how many values there are.
func (m *measure) count() int { return max(1, len(m.values)) }

// negative tells that one of the values is below 0.
func (m *measure) negative() bool {
	for _, v := range m.values {
		if v.Number < 0 {
			return true
		}
	}
	return false
}

// changes tells whether a value is a change of a gauge.
func (m *measure) changes(v dogstatsd.Value) bool {
	switch {
	case !v.Signed || m.gauges == Absolute:
		return false
	case m.gauges == Deltas:
		return true
	}
	return !(m.datadog && math.Signbit(v.Number))
}

// read takes over what a line says; now is when it was read, in ns since 1970. Field by
// field: to copy a measure that was just made is dearer than to make it.
func (m *measure) read(line *dogstatsd.Line, gauges Gauges, now int64) {
	m.values, m.rate, m.gauges, m.member = line.Values, line.Rate, gauges, 0
	m.at, m.stamped = now, line.Timestamp != 0
	m.datadog = m.stamped || len(line.Container) > 0 || len(line.External) > 0 || len(line.Cardinality) > 0
	if m.stamped {
		m.at = line.Timestamp * int64(time.Second)
	}
	if line.Type == dogstatsd.Set {
		m.member = hashMember(line.Member)
	}
}

// add takes a line in, whole or not at all.
func (s *series) add(m *measure, shared *shared) fate {
	f := accepted
	switch s.meta.Type {
	case collector.Counter:
		f = s.count(m)
	case collector.Gauge:
		f = s.set(m)
	case collector.Summary:
		f = s.observe(m, shared)
	case collector.Set:
		s.members.add(m.member, shared)
	}
	if f == accepted {
		s.observed += uint64(m.count())
		s.stale = false
	}
	return f
}

func (s *series) count(m *measure) fate {
	sum := 0.0
	for _, v := range m.values {
		if v.Number < 0 {
			return negativeCount
		}
		sum += v.Number
	}
	value := s.value + sum/m.rate
	if math.IsInf(value, 0) {
		return overflow
	}
	s.value = value
	s.plain += sum
	s.beside = s.beside || m.rate < 1
	return accepted
}

func (s *series) set(m *measure) fate {
	now := s.value
	for _, v := range m.values {
		switch {
		case m.changes(v):
			now += v.Number
		case !m.stamped || m.at >= s.newest:
			now = v.Number
		}
	}
	if math.IsInf(now, 0) {
		return overflow
	}
	s.value, s.newest = now, max(s.newest, m.at)
	return accepted
}

func (s *series) observe(m *measure, shared *shared) fate {
	h := s.histogram
	weight := 1 / m.rate
	sum, count := h.Sum, h.Count
	for _, v := range m.values {
		sum += v.Number * weight
		count += weight
	}
	// A sum of both infinities is no number at all.
	if math.IsInf(sum, 0) || math.IsNaN(sum) || math.IsInf(count, 0) {
		return overflow
	}
	if shared.buckets.Load() >= int64(shared.cfg.MaxSeriesTotal)*bucketsPerSeries && slices.ContainsFunc(m.values, func(v dogstatsd.Value) bool { return !h.Knows(shared.bounds, v.Number) }) {
		return manyBuckets
	}
	before := h.Size()
	for _, v := range m.values {
		h.Add(shared.bounds, v.Number, weight)
	}
	if grown := h.Size() - before; grown > 0 {
		shared.buckets.Add(int64(grown))
	}
	return accepted
}

// flush appends the series' points of the interval that ended at `at`, and
// begins the next.
func (s *series) flush(out []collector.Sample, at, before time.Time, shared *shared) []collector.Sample {
	sample := collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: at, Value: s.value, Observed: s.observed}
	zero := collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: before}
	estimated := false
	switch s.meta.Type {
	case collector.Summary:
		zero.Histogram = s.snapshot
		if s.observed > 0 {
			s.snapshot = s.histogram.Snapshot()
		}
		sample.Histogram = s.snapshot
	case collector.Set:
		sample.Value, estimated = s.members.number()
		s.beside = s.beside || estimated
		s.members.forget(shared)
	}
	if !s.begun && before.After(s.resumed) && (s.meta.Type == collector.Counter || s.meta.Type == collector.Summary) {
		// rate() sees an increase only between two points.
		// Source: https://github.com/prometheus/prometheus/issues/3886
		out = append(out, zero)
	}
	out = append(out, sample)
	if s.beside {
		out = s.flushBeside(out, sample, zero, estimated)
	}
	s.begun, s.observed, s.plainBefore, s.last = true, 0, s.plain, at
	return out
}

// flushBeside appends the points of the companion, which are otherwise like
// those of the series.
func (s *series) flushBeside(out []collector.Sample, sample, zero collector.Sample, estimated bool) []collector.Sample {
	isSet := s.meta.Type == collector.Set
	if s.besideMeta == nil {
		s.besideMeta = s.meta
		if isSet {
			s.besideMeta = &collector.Meta{Type: collector.Gauge, Sent: s.meta.Sent, Origin: s.meta.Origin}
		}
	}
	if !s.besideBegun && !isSet {
		zero.Name, zero.Value = s.companions[0], s.plainBefore
		out = append(out, zero)
	}
	s.besideBegun = true
	sample.Name, sample.Meta, sample.Value = s.companions[0], s.besideMeta, s.plain
	if isSet {
		sample.Value = 0
		if estimated {
			sample.Value = 1
		}
	}
	return append(out, sample)
}

// end appends the marks that the series is over.
func (s *series) end(out []collector.Sample, at time.Time) []collector.Sample {
	if s.last.IsZero() {
		return out
	}
	out = append(out, collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: at, Stale: true})
	if s.besideMeta != nil {
		out = append(out, collector.Sample{Name: s.companions[0], Labels: s.labels, Meta: s.besideMeta, At: at, Stale: true})
	}
	return out
}
