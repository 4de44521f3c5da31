package forward

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/prometheus/prompb"

	"throughline/collector"
)

// Field numbers of prompb.WriteRequest, each with its wire type, which is
// "length-delimited".
// Source: https://github.com/prometheus/prometheus/blob/v0.313.0/prompb/remote.proto
const (
	seriesField   = 1<<3 | 2
	metadataField = 3<<3 | 2
)

// staleNaN marks the end of a series.
// Source: https://prometheus.io/docs/specs/prw/remote_write_spec/#stale-markers
const staleNaN = 0x7ff0000000000002

// nameLabel is the label that has the name of the metric.
const nameLabel = "__name__"

// encoder writes samples as fields of a prompb.WriteRequest. Its memory is used
// again and again.
type encoder struct {
	item   []byte
	series prompb.TimeSeries
}

// message is what the generated code of prompb has.
type message interface {
	Size() int
	MarshalToSizedBuffer([]byte) (int, error)
}

// field appends a message to the item.
func (e *encoder) field(tag byte, m message) error {
	size := m.Size()
	e.item = append(e.item, tag)
	e.item = binary.AppendUvarint(e.item, uint64(size))
	begin := len(e.item)
	e.item = slices.Grow(e.item, size)[:begin+size]
	_, err := m.MarshalToSizedBuffer(e.item[begin:])
	return err
}

// sample appends a sample, as a series of its own.
func (e *encoder) sample(s *collector.Sample) error {
	t := &e.series
	t.Samples, t.Histograms = t.Samples[:0], t.Histograms[:0]
	if err := e.labels(s); err != nil {
		return err
	}
	at := s.At
	if s.Stale {
		at = at.Add(time.Millisecond)
	}
	isHistogram := s.Histogram != nil || s.Meta != nil && s.Meta.Type == collector.Summary
	switch {
	case isHistogram && s.Stale:
		t.Histograms = append(t.Histograms, toHistogram(&collector.Histogram{Sum: math.Float64frombits(staleNaN)}, at))
	case isHistogram && s.Histogram == nil:
		return errors.New("a histogram without a histogram; set Sample.Histogram")
	case isHistogram:
		t.Histograms = append(t.Histograms, toHistogram(s.Histogram, at))
	default:
		t.Samples = append(t.Samples, prompb.Sample{Value: value(s), Timestamp: at.UnixMilli()})
	}
	return e.field(seriesField, t)
}

// value is the sample's, or the mark of the end.
func value(s *collector.Sample) float64 {
	switch {
	case s.Stale:
		return math.Float64frombits(staleNaN)
	case math.IsNaN(s.Value): // of any kind, for one of them is the mark of the end
		return math.NaN()
	}
	return s.Value
}

// labels sets the labels of the series, sorted and without empty ones, as the
// protocol wants them.
func (e *encoder) labels(s *collector.Sample) error {
	if s.Name == "" || !utf8.ValidString(s.Name) {
		return fmt.Errorf("%q is no name of a metric", s.Name)
	}
	e.series.Labels = append(e.series.Labels[:0], prompb.Label{Name: nameLabel, Value: s.Name})
	for _, l := range s.Labels {
		switch {
		case l.Name == "" || l.Name == nameLabel || !utf8.ValidString(l.Name):
			return fmt.Errorf("%q is no name of a label", l.Name)
		case !utf8.ValidString(l.Value):
			return fmt.Errorf("the value %q of the label %s is not UTF-8", l.Value, l.Name)
		case l.Value != "": // which is the same as no label
			e.series.Labels = append(e.series.Labels, prompb.Label{Name: l.Name, Value: l.Value})
		}
	}
	slices.SortFunc(e.series.Labels, func(a, b prompb.Label) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// describe appends the meaning of the sample's metric.
func (e *encoder) describe(s *collector.Sample) {
	m := &prompb.MetricMetadata{MetricFamilyName: s.Name, Unit: s.Meta.Unit, Type: prompb.MetricMetadata_GAUGE}
	switch s.Meta.Type {
	case collector.Counter:
		m.Type = prompb.MetricMetadata_COUNTER
	case collector.Summary:
		m.Type = prompb.MetricMetadata_HISTOGRAM
	}
	if s.Meta.Sent != "" {
		m.Help = "StatsD " + s.Meta.Sent
	}
	if e.field(metadataField, m) != nil {
		e.item = e.item[:0] // a sample without its meaning is worth as much
	}
}

func toHistogram(h *collector.Histogram, at time.Time) prompb.Histogram {
	out := prompb.Histogram{
		Count: &prompb.Histogram_CountFloat{CountFloat: h.Count}, Sum: h.Sum,
		Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: &prompb.Histogram_ZeroCountFloat{ZeroCountFloat: h.ZeroCount},
		Timestamp: at.UnixMilli(),
	}
	out.PositiveSpans, out.PositiveCounts = toSpans(h.Positive)
	out.NegativeSpans, out.NegativeCounts = toSpans(h.Negative)
	return out
}

// toSpans writes buckets as Prometheus does: the counts, and runs of indexes
// without a gap, each with its distance from the end of the one before.
func toSpans(buckets []collector.Bucket) (spans []prompb.BucketSpan, counts []float64) {
	next := int32(0)
	for i, b := range buckets {
		if i == 0 || b.Index != next {
			spans = append(spans, prompb.BucketSpan{Offset: b.Index - next})
		}
		spans[len(spans)-1].Length++
		counts = append(counts, b.Count)
		next = b.Index + 1
	}
	return spans, counts
}
