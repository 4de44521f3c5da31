package series

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// metrics serves the present value of every series, for a Prometheus that
// scrapes the collector as it would scrape statsd_exporter.
func (s *Store) metrics(w http.ResponseWriter, r *http.Request) {
	s.expose(w, r, [][]*labels.Matcher{{labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".+")}}, exposition{})
}

// federate serves the present value of the series that match[] selects, each
// with its time. As in Prometheus, types are left out, native histograms are
// left out of the text format, and a series without an instance gets an empty
// one, lest the scraping Prometheus adds its own.
// Source: https://prometheus.io/docs/prometheus/latest/federation/
func (s *Store) federate(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, "error parsing form values: "+err.Error(), http.StatusBadRequest)
		return
	}
	selectors, err := s.parser.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.expose(w, r, selectors, exposition{federated: true})
}

// exposition is how to write samples.
type exposition struct {
	federated bool
	text      bool // in a format that has no native histograms
}

// expose writes the newest sample of each series that any selector selects.
// Series that were marked stale are left out. Native histograms need the
// protobuf format, which Prometheus asks for when it wants them; in text they
// are reduced to their count and sum.
func (s *Store) expose(w http.ResponseWriter, r *http.Request, selectors [][]*labels.Matcher, how exposition) {
	samples, err := s.present(r.Context(), selectors)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	format := expfmt.Negotiate(r.Header)
	how.text = format.FormatType() == expfmt.TypeTextPlain
	w.Header().Set("Content-Type", string(format))
	encoder := expfmt.NewEncoder(w, format)
	for _, family := range s.families(samples, how) {
		if encoder.Encode(family) != nil {
			return // the client has gone
		}
	}
}

// present is the newest sample, not older than Options.Lookback, of each series
// that any selector selects, ordered by labels. Series that have ended are left
// out.
func (s *Store) present(ctx context.Context, selectors [][]*labels.Matcher) ([]promql.Sample, error) {
	now := s.opts.Now()
	hints := &storage.SelectHints{Start: now.Add(-s.opts.Lookback).UnixMilli(), End: now.UnixMilli()}
	querier, err := s.db.Querier(hints.Start, hints.End)
	if err != nil {
		return nil, err
	}
	defer querier.Close()
	var sets []storage.SeriesSet
	for _, selector := range selectors {
		sets = append(sets, querier.Select(ctx, true, hints, selector...))
	}
	set := storage.NewMergeSeriesSet(sets, 0, storage.ChainedSeriesMerge)
	var out []promql.Sample
	var samples chunkenc.Iterator
	for set.Next() {
		samples = set.At().Iterator(samples)
		last := promql.Sample{F: math.Float64frombits(value.StaleNaN)}
		for kind := samples.Next(); kind != chunkenc.ValNone; kind = samples.Next() {
			last = promql.Sample{Metric: set.At().Labels()}
			if kind == chunkenc.ValFloat {
				last.T, last.F = samples.At()
			} else {
				last.T, last.H = samples.AtFloatHistogram(nil)
			}
		}
		if err := samples.Err(); err != nil {
			return nil, err
		}
		if !value.IsStaleNaN(last.F) && (last.H == nil || !value.IsStaleNaN(last.H.Sum)) {
			out = append(out, last)
		}
	}
	slices.SortFunc(out, func(a, b promql.Sample) int {
		byName := strings.Compare(a.Metric.Get(model.MetricNameLabel), b.Metric.Get(model.MetricNameLabel))
		return cmp.Or(byName, labels.Compare(a.Metric, b.Metric))
	})
	return out, set.Err()
}

// families groups samples, sorted by name, by metric.
func (s *Store) families(samples []promql.Sample, how exposition) []*dto.MetricFamily {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*dto.MetricFamily
	for _, sample := range samples {
		name := sample.Metric.Get(model.MetricNameLabel)
		kind := s.family(name, sample.H != nil)
		switch {
		case how.federated && how.text && sample.H != nil:
			continue
		case how.federated && sample.H == nil:
			kind = dto.MetricType_UNTYPED
		}
		if len(out) == 0 || out[len(out)-1].GetName() != name || out[len(out)-1].GetType() != kind {
			out = append(out, &dto.MetricFamily{Name: &name, Type: &kind})
			if metas := s.metas[name]; !how.federated && len(metas) > 0 && help(metas[0]) != "" {
				text := help(metas[0])
				out[len(out)-1].Help = &text
			}
		}
		family := out[len(out)-1]
		family.Metric = append(family.Metric, metric(sample, kind, how))
	}
	return out
}

// family is the type of a metric; s.mu is held.
func (s *Store) family(name string, isHistogram bool) dto.MetricType {
	if isHistogram {
		return dto.MetricType_HISTOGRAM
	}
	if metas := s.metas[name]; len(metas) == 1 {
		switch promType(metas[0].Type) {
		case "counter":
			return dto.MetricType_COUNTER
		case "gauge":
			return dto.MetricType_GAUGE
		}
	}
	return dto.MetricType_UNTYPED
}

func metric(sample promql.Sample, kind dto.MetricType, how exposition) *dto.Metric {
	m := &dto.Metric{}
	sample.Metric.Range(func(l labels.Label) {
		if l.Name != model.MetricNameLabel {
			m.Label = append(m.Label, &dto.LabelPair{Name: &l.Name, Value: &l.Value})
		}
	})
	if how.federated {
		m.TimestampMs = &sample.T
		if !sample.Metric.Has(model.InstanceLabel) {
			m.Label = append(m.Label, &dto.LabelPair{Name: new(model.InstanceLabel), Value: new("")})
		}
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
	return &dto.Histogram{
		SampleCountFloat: &h.Count, SampleSum: &h.Sum, Schema: &h.Schema,
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
