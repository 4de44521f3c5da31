package statsd

import (
	"time"

	"throughline/collector"
	"throughline/collector/grid"
)

// prefix begins the names of the collector's own series.
const prefix = collector.OwnPrefix

// startName is a gauge that every flush gives a point of: its last one tells how far a
// collector came.
const startName = "start_time_seconds"

// row is a collector.Metric in a table.
type row collector.Metric

// Metrics implements collector.Source.
func (c *Collector) Metrics() []collector.Metric {
	const counter, gauge = collector.Counter, collector.Gauge
	var out []collector.Metric
	for _, r := range []row{
		{checkName, gauge, "", "the last status of a service check: 0 ok, 1 warning, 2 critical, 3 unknown", false},

		{prefix + "datagrams_total", counter, "", "payloads that came in: datagrams, or parts of a stream", false},
		{prefix + "sources_total", counter, "", "different sockets, by address and port, that the datagrams came from; it stops at 1,024 for an instance at a listener; absent where the socket does not tell: streams and Unix sockets", false},
		{prefix + "bytes_total", counter, "bytes", "their length", false},
		{prefix + "truncated_datagrams_total", counter, "", "payloads of which the end is missing, by length or because a connection broke off", true},
		{prefix + "lines_total", counter, "", "lines in them, without empty ones; each typed sample of a line with several is one", false},
		{prefix + "accepted_lines_total", counter, "", "lines that were added up", false},
		{prefix + "held_lines", gauge, "", "lines that wait for the time they brought with them", false},
		{prefix + "values_total", counter, "", "values in the accepted lines", false},
		{prefix + "timestamped_lines_total", counter, "", "accepted lines with a time of their own", false},
		{prefix + "events_total", counter, "", "events for the journal", false},
		{prefix + "service_checks_total", counter, "", "service checks for the journal", false},
		{prefix + "bad_lines_total", counter, "", "lines that make no sense, by reason", true},
		{prefix + "refused_lines_total", counter, "", "lines that a limit kept out, by reason", true},
		{prefix + "series", gauge, "", "series of the instance", false},
		{prefix + "held_values", gauge, "", "values in the instance's lines that wait for their time", false},

		{prefix + "kernel_drops_total", counter, "", "datagrams that the kernel threw away at the socket; absent where the system does not tell", true},
		{prefix + "listener_up", gauge, "", "1 while the socket is read; 0 when reading it failed: what comes in since is lost", false},
		{prefix + "receive_buffer_bytes", gauge, "bytes", "the socket's buffer, as the kernel granted it", false},
		{prefix + "connections_total", counter, "", "connections to a stream's listener", false},
		{prefix + "connections", gauge, "", "of those that are open", false},
		{prefix + "connections_refused_total", counter, "", "connections that were one too many", true},

		{prefix + "start_time_seconds", gauge, "seconds", "when the collector was started, since 1970", false},
		{prefix + "flush_lateness_seconds", gauge, "seconds", "from the end of the interval to its flush", false},
		{prefix + "flush_duration_seconds", gauge, "seconds", "how long the flush before took, with the store", false},
		{prefix + "intervals_skipped_total", counter, "", "intervals without a flush of their own", false},
		{prefix + "clock_steps_total", counter, "", "how often the wall clock was set by an interval or more", false},
		{prefix + "append_errors_total", counter, "", "flushes of which the store did not take everything", true},
		{prefix + "journal_errors_total", counter, "", "events and service checks that the journal did not take", true},
		{prefix + "origins", gauge, "", "unknown origins that are told apart", false},
		{prefix + "findings", gauge, "", "lines that a finding is about, by kind and metric", false},
		{prefix + "findings_left_out", gauge, "", "findings beyond those that are listed", false},
	} {
		out = append(out, collector.Metric(r))
	}
	return out
}

// meter writes samples of the collector's own series.
type meter struct {
	at, before time.Time // the end of the interval, and of the one before
	labels     collector.Labels
	stale      bool // the series end
	samples    []collector.Sample
}

// meterAt is a meter for points of a boundary. told is when the last ones were given,
// by this collector or the one before it. Where these are not over yet, what there is
// to say waits for another boundary, or, if this is the last one, is given for the
// first that is free.
func meterAt(boundary time.Time, g grid.Grid, told *time.Time, last bool) (meter, bool) {
	at := g.Free(boundary, *told)
	if !at.Equal(boundary) && !last {
		return meter{}, false
	}
	m := meter{at: at, before: g.Zero(at, *told)}
	*told = at
	return m, true
}

// The meanings of the collector's own series.
var (
	counterMeta = &collector.Meta{Type: collector.Counter}
	gaugeMeta   = &collector.Meta{Type: collector.Gauge}
	metas       = map[string]*collector.Meta{
		"bytes_total":            {Type: collector.Counter, Unit: "bytes"},
		"receive_buffer_bytes":   {Type: collector.Gauge, Unit: "bytes"},
		"start_time_seconds":     {Type: collector.Gauge, Unit: "seconds"},
		"flush_lateness_seconds": {Type: collector.Gauge, Unit: "seconds"},
		"flush_duration_seconds": {Type: collector.Gauge, Unit: "seconds"},
	}
)

func metaOf(name string, standard *collector.Meta) *collector.Meta {
	if m, ok := metas[name]; ok {
		return m
	}
	return standard
}

func (m *meter) gauge(name string, value float64) {
	m.samples = append(m.samples, collector.Sample{Name: prefix + name, Labels: m.labels, Meta: metaOf(name, gaugeMeta), At: m.at,
		Value: value, Observed: 1, Stale: m.stale})
}

// counter writes a cumulative value. The first of a series is preceded by a
// zero: rate() sees an increase only between two points.
// Source: https://github.com/prometheus/prometheus/issues/3886
func (m *meter) counter(name string, value uint64, first bool) {
	sample := collector.Sample{Name: prefix + name, Labels: m.labels, Meta: metaOf(name, counterMeta), At: m.before}
	if first && !m.stale {
		m.samples = append(m.samples, sample)
	}
	sample.At, sample.Value, sample.Observed, sample.Stale = m.at, float64(value), 1, m.stale
	m.samples = append(m.samples, sample)
}

// own appends the figures of a lane.
func (t *tally) own(m *meter, labels collector.Labels) {
	m.labels = labels
	if m.stale && !t.begun {
		return
	}
	for _, c := range []struct {
		name  string
		value uint64
	}{
		{"datagrams_total", t.Datagrams}, {"bytes_total", t.Bytes}, {"truncated_datagrams_total", t.Truncated},
		{"lines_total", t.Lines}, {"accepted_lines_total", t.Accepted}, {"values_total", t.Values},
		{"timestamped_lines_total", t.Timestamped}, {"events_total", t.Events}, {"service_checks_total", t.ServiceChecks},
	} {
		m.counter(c.name, c.value, !t.begun)
	}
	if t.sources != nil {
		m.counter("sources_total", t.Sources, !t.begun)
	}
	m.gauge("held_lines", float64(t.Held))
	t.begun = true
	for i, n := range t.lost {
		if n == 0 || m.stale && !t.born[i] {
			continue
		}
		name := "bad_lines_total"
		if fate(i) >= bads {
			name = "refused_lines_total"
		}
		m.labels = labels.With("reason", fate(i).String())
		m.counter(name, n, !t.born[i])
		t.born[i] = true
	}
}
