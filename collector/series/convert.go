package series

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"

	"throughline/collector"
)

func toLabels(sample *collector.Sample) (labels.Labels, error) {
	if !model.UTF8Validation.IsValidMetricName(sample.Name) {
		return labels.EmptyLabels(), fmt.Errorf("%q is no name of a metric", sample.Name)
	}
	b := labels.NewScratchBuilder(len(sample.Labels) + 1)
	b.Add(model.MetricNameLabel, sample.Name)
	for _, l := range sample.Labels {
		if l.Name == model.MetricNameLabel || !model.UTF8Validation.IsValidLabelName(l.Name) {
			return labels.EmptyLabels(), fmt.Errorf("%q is no name of a label", l.Name)
		}
		if !utf8.ValidString(l.Value) {
			return labels.EmptyLabels(), fmt.Errorf("the value %q of the label %s is not UTF-8", l.Value, l.Name)
		}
		if l.Value != "" { // which is the same as no label
			b.Add(l.Name, l.Value)
		}
	}
	b.Sort()
	all := b.Labels()
	if name, twice := all.HasDuplicateLabelNames(); twice {
		return labels.EmptyLabels(), fmt.Errorf("the label %q is there twice", name)
	}
	return all, nil
}

func seriesText(s *collector.Sample) string {
	var b strings.Builder
	b.WriteString(s.Name)
	for i, l := range s.Labels {
		if i == 0 {
			b.WriteByte('{')
		} else {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s=%q", l.Name, l.Value)
	}
	if len(s.Labels) > 0 {
		b.WriteByte('}')
	}
	return b.String()
}

func toFloatHistogram(h *collector.Histogram) *histogram.FloatHistogram {
	out := &histogram.FloatHistogram{Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, Count: h.Count, Sum: h.Sum}
	out.PositiveSpans, out.PositiveBuckets = toSpans(h.Positive)
	out.NegativeSpans, out.NegativeBuckets = toSpans(h.Negative)
	return out
}

// toSpans writes buckets as Prometheus does: the counts, and runs of indexes
// without a gap, each with its distance from the end of the one before.
func toSpans(buckets []collector.Bucket) (spans []histogram.Span, counts []float64) {
	next := int32(0)
	if len(buckets) > 0 {
		counts = make([]float64, 0, len(buckets))
	}
	for i, b := range buckets {
		if i == 0 || b.Index != next {
			spans = append(spans, histogram.Span{Offset: b.Index - next})
		}
		spans[len(spans)-1].Length++
		counts = append(counts, b.Count)
		next = b.Index + 1
	}
	return spans, counts
}

// fromFloatHistogram is nil for histograms with bounds of their own, which do
// not come from a collector.
func fromFloatHistogram(h *histogram.FloatHistogram) (*collector.Histogram, error) {
	if h.UsesCustomBuckets() {
		return nil, errors.New("the result has histograms with custom buckets, which this tool does not have")
	}
	return &collector.Histogram{Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, Count: h.Count, Sum: h.Sum,
		Positive: fromSpans(h.PositiveSpans, h.PositiveBuckets), Negative: fromSpans(h.NegativeSpans, h.NegativeBuckets)}, nil
}

func fromSpans(spans []histogram.Span, counts []float64) []collector.Bucket {
	var out []collector.Bucket
	next := int32(0)
	for _, span := range spans {
		next += span.Offset
		for range span.Length {
			if n := len(out); n < len(counts) {
				out = append(out, collector.Bucket{Index: next, Count: counts[n]})
			}
			next++
		}
	}
	return slices.DeleteFunc(out, func(b collector.Bucket) bool { return b.Count == 0 })
}

func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
