package series

import (
	"math"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"throughline/collector"
)

// metrics serves the present value of every series, for a Prometheus that
// scrapes the collector as it would scrape statsd_exporter.
func (s *Store) metrics(w http.ResponseWriter, r *http.Request) {
	s.expose(w, r, []string{`{__name__=~".+"}`}, false)
}

// federate serves the present value of the series that match[] selects, each
// with its time.
// Source: https://prometheus.io/docs/prometheus/latest/federation/
func (s *Store) federate(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "error parsing form values: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.expose(w, r, r.Form["match[]"], true)
}

// expose writes the newest sample of each series that any selector selects.
// Series that were marked stale are left out. Native histograms need the
// protobuf format, which Prometheus asks for when it wants them; in text they
// are reduced to their count and sum.
func (s *Store) expose(w http.ResponseWriter, r *http.Request, selectors []string, timestamps bool) {
	found := map[string]promql.Sample{}
	for _, selector := range selectors {
		if _, err := s.parser.ParseMetricSelector(selector); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.newest(r, selector, found); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	samples := make([]promql.Sample, 0, len(found))
	for _, sample := range found {
		samples = append(samples, sample)
	}
	slices.SortFunc(samples, func(a, b promql.Sample) int {
		if c := strings.Compare(a.Metric.Get(labels.MetricName), b.Metric.Get(labels.MetricName)); c != 0 {
			return c
		}
		return labels.Compare(a.Metric, b.Metric)
	})
	format := expfmt.Negotiate(r.Header)
	w.Header().Set("Content-Type", string(format))
	encoder := expfmt.NewEncoder(w, format)
	for _, family := range s.families(samples, timestamps) {
		if encoder.Encode(family) != nil {
			return // the client has gone
		}
	}
}

// newest adds the last sample of each series that selector selects to found. It
// asks for the timestamp of the samples too: a query by itself gives all the
// time of the query.
func (s *Store) newest(r *http.Request, selector string, found map[string]promql.Sample) error {
	now := s.opts.Now()
	q, err := s.engine.NewInstantQuery(r.Context(), s.db, nil, selector, now)
	if err != nil {
		return err
	}
	defer q.Close()
	values, err := q.Exec(r.Context()).Vector()
	if err != nil {
		return err
	}
	times, err := s.engine.NewInstantQuery(r.Context(), s.db, nil, "timestamp("+selector+")", now)
	if err != nil {
		return err
	}
	defer times.Close()
	at := map[string]int64{}
	stamps, err := times.Exec(r.Context()).Vector()
	if err != nil {
		return err
	}
	for _, sample := range stamps {
		at[sample.Metric.String()] = int64(math.Round(sample.F * 1000))
	}
	for _, sample := range values {
		sample.T = at[sample.Metric.DropReserved(func(name string) bool { return name == labels.MetricName }).String()]
		if sample.H != nil {
			sample.H = sample.H.Copy() // the query takes its memory back
		}
		found[sample.Metric.String()] = sample
	}
	return nil
}

// families groups samples, sorted by name, by metric.
func (s *Store) families(samples []promql.Sample, timestamps bool) []*dto.MetricFamily {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*dto.MetricFamily
	for _, sample := range samples {
		name := sample.Metric.Get(labels.MetricName)
		kind := s.family(name, sample.H != nil)
		if len(out) == 0 || out[len(out)-1].GetName() != name || out[len(out)-1].GetType() != kind {
			out = append(out, &dto.MetricFamily{Name: &name, Type: &kind})
			if metas := s.metas[name]; len(metas) > 0 && help(metas[0]) != "" {
				text := help(metas[0])
				out[len(out)-1].Help = &text
			}
		}
		family := out[len(out)-1]
		family.Metric = append(family.Metric, metric(sample, kind, timestamps))
	}
	return out
}

// family is the type of a metric; s.mu is held.
func (s *Store) family(name string, isHistogram bool) dto.MetricType {
	if isHistogram {
		return dto.MetricType_HISTOGRAM
	}
	if metas := s.metas[name]; len(metas) == 1 {
		switch metas[0].Type {
		case collector.Counter:
			return dto.MetricType_COUNTER
		case collector.Gauge, collector.Set:
			return dto.MetricType_GAUGE
		}
	}
	return dto.MetricType_UNTYPED
}

func metric(sample promql.Sample, kind dto.MetricType, timestamp bool) *dto.Metric {
	m := &dto.Metric{}
	sample.Metric.Range(func(l labels.Label) {
		if l.Name != labels.MetricName {
			m.Label = append(m.Label, &dto.LabelPair{Name: &l.Name, Value: &l.Value})
		}
	})
	if timestamp {
		m.TimestampMs = &sample.T
	}
	switch kind {
	case dto.MetricType_HISTOGRAM:
		m.Histogram = nativeHistogram(sample.H)
	case dto.MetricType_COUNTER:
		m.Counter = &dto.Counter{Value: &sample.F}
	case dto.MetricType_GAUGE:
		m.Gauge = &dto.Gauge{Value: &sample.F}
	default:
		m.Untyped = &dto.Untyped{Value: &sample.F}
	}
	return m
}

func nativeHistogram(h *histogram.FloatHistogram) *dto.Histogram {
	whole := uint64(math.Round(h.Count)) // for the text format
	return &dto.Histogram{
		SampleCount: &whole, SampleCountFloat: &h.Count, SampleSum: &h.Sum, Schema: &h.Schema,
		ZeroThreshold: &h.ZeroThreshold, ZeroCountFloat: &h.ZeroCount,
		PositiveSpan: spans(h.PositiveSpans), PositiveCount: h.PositiveBuckets,
		NegativeSpan: spans(h.NegativeSpans), NegativeCount: h.NegativeBuckets,
	}
}

func spans(in []histogram.Span) []*dto.BucketSpan {
	out := make([]*dto.BucketSpan, 0, len(in))
	for _, s := range in {
		out = append(out, &dto.BucketSpan{Offset: &s.Offset, Length: &s.Length})
	}
	return out
}
