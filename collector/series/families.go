package series

import (
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"throughline/collector"
)

// families groups samples, sorted by name, by metric, as a format has them. A
// name that has both floats and histograms makes two families; in text, where
// one name has one type, the histograms become a count and a sum.
func (s *Store) families(samples []promql.Sample, how exposition) []*dto.MetricFamily {
	names := newNaming(samples, how)
	var out []*dto.MetricFamily
	for len(samples) > 0 {
		name := samples[0].Metric.Get(model.MetricNameLabel)
		n := slices.IndexFunc(samples, func(x promql.Sample) bool { return x.Metric.Get(model.MetricNameLabel) != name })
		if n < 0 {
			n = len(samples)
		}
		floats, histograms := s.family(name, how), s.family(name, how)
		written := names.metrics[name]
		floats.Name, histograms.Name, histograms.Type = &written, &written, dto.MetricType_HISTOGRAM.Enum()
		for _, sample := range samples[:n] {
			family := floats
			if sample.H != nil {
				family = histograms
			}
			family.Metric = append(family.Metric, names.metric(sample, family.GetType(), how))
		}
		samples = samples[n:]
		switch {
		case len(histograms.Metric) == 0:
			out = append(out, floats)
		case how.federated && !how.native():
			if len(floats.Metric) > 0 {
				out = append(out, floats)
			}
		case len(floats.Metric) == 0:
			out = append(out, histograms)
		case how.native():
			out = append(out, floats, histograms)
		default:
			out = append(out, floats, part(histograms, "_count", (*dto.Histogram).GetSampleCountFloat), part(histograms, "_sum", (*dto.Histogram).GetSampleSum))
		}
	}
	if how.openMetrics() {
		declareOnce(out)
	}
	return out
}

// family is one without a name and metrics yet, of the type of its floats.
func (s *Store) family(name string, how exposition) *dto.MetricFamily {
	family := &dto.MetricFamily{Type: dto.MetricType_UNTYPED.Enum()}
	meanings := s.meanings.get(name)
	if how.federated || len(meanings) == 0 {
		return family
	}
	*family.Type = floatType(meanings)
	if text := help(meanings...); text != "" {
		family.Help = &text
	}
	// A unit is legal in OpenMetrics if the name ends in it, and if it is
	// one: of two, none is.
	unit := meanings[0].Unit
	for _, m := range meanings {
		if m.Unit != unit {
			return family
		}
	}
	if family.GetType() == dto.MetricType_COUNTER {
		name = strings.TrimSuffix(name, "_total")
	}
	if unit != "" && strings.HasSuffix(name, "_"+unit) {
		family.Unit = &unit
	}
	return family
}

// floatType is the type of a metric that is no histogram; untyped if its
// meanings differ in more than the way its instances were found.
func floatType(meanings []*collector.Meta) dto.MetricType {
	for _, m := range meanings {
		first := meanings[0]
		if m.Type != first.Type || m.Sent != first.Sent || m.Unit != first.Unit {
			return dto.MetricType_UNTYPED
		}
	}
	if len(meanings) > 0 {
		switch promType(meanings[0].Type) {
		case "counter":
			return dto.MetricType_COUNTER
		case "gauge":
			return dto.MetricType_GAUGE
		}
	}
	return dto.MetricType_UNTYPED
}

// declareOnce sees to it that no two families are declared by one name, which
// OpenMetrics forbids: the counter a_total is declared as a, so that it gives
// way to a metric that is called a.
func declareOnce(families []*dto.MetricFamily) {
	declared := map[string]bool{}
	for _, f := range families {
		if f.GetType() != dto.MetricType_COUNTER {
			declared[f.GetName()] = true
		}
	}
	for _, f := range families {
		if f.GetType() == dto.MetricType_COUNTER && declared[strings.TrimSuffix(f.GetName(), "_total")] {
			untype(f)
		}
	}
}

// untype makes an untyped family of counters.
func untype(f *dto.MetricFamily) {
	f.Type, f.Unit = dto.MetricType_UNTYPED.Enum(), nil
	for _, m := range f.Metric {
		m.Untyped, m.Counter = &dto.Untyped{Value: m.Counter.Value}, nil
	}
}

// part makes an untyped family of one number of histograms.
func part(histograms *dto.MetricFamily, suffix string, number func(*dto.Histogram) float64) *dto.MetricFamily {
	name := histograms.GetName() + suffix
	out := &dto.MetricFamily{Name: &name, Type: dto.MetricType_UNTYPED.Enum()}
	for _, m := range histograms.Metric {
		value := number(m.Histogram)
		out.Metric = append(out.Metric, &dto.Metric{Label: m.Label, Untyped: &dto.Untyped{Value: &value}})
	}
	return out
}

func (n naming) metric(sample promql.Sample, kind dto.MetricType, how exposition) *dto.Metric {
	m := &dto.Metric{}
	sample.Metric.Range(func(l labels.Label) {
		if l.Name == model.MetricNameLabel {
			return
		}
		name := n.labels[l.Name]
		if kind == dto.MetricType_HISTOGRAM && name == model.BucketLabel {
			// Histograms have one of their own, for which Prometheus refuses
			// the whole answer; version 2.42 also where they are native.
			name = model.ExportedLabelPrefix + name
		}
		m.Label = append(m.Label, &dto.LabelPair{Name: &name, Value: &l.Value})
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
	out := &dto.Histogram{
		SampleCountFloat: &h.Count, SampleSum: &h.Sum, Schema: &h.Schema,
		ZeroThreshold: &h.ZeroThreshold, ZeroCountFloat: &h.ZeroCount,
		PositiveSpan: spans(h.PositiveSpans), PositiveCount: h.PositiveBuckets,
		NegativeSpan: spans(h.NegativeSpans), NegativeCount: h.NegativeBuckets,
	}
	if len(out.PositiveSpan)+len(out.NegativeSpan) == 0 {
		// One without buckets is known as native by a span without any.
		// Source: https://github.com/prometheus/client_model, metrics.proto
		out.PositiveSpan = []*dto.BucketSpan{{Offset: new(int32), Length: new(uint32)}}
	}
	return out
}

func spans(in []histogram.Span) []*dto.BucketSpan {
	out := make([]*dto.BucketSpan, 0, len(in))
	for _, s := range in {
		out = append(out, &dto.BucketSpan{Offset: &s.Offset, Length: &s.Length})
	}
	return out
}
