// Package prom says what Prometheus' data means in the collector's words: of which type a series is, by what is told of its family, and
// what a native histogram holds.
//
// It fetches and parses nothing. collector/scrape asks it of what instances expose, collector/readback of what a server has stored, so that
// the same series means the same whichever way it came.
package prom

import (
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"

	"throughline/collector"
)

// The endings of the series of a family.
var endings = []string{"_total", "_bucket", "_count", "_sum", "_created", "_gsum", "_gcount", "_info"}

// TypeOf is the type of a series of a name, and the family that it belongs to. types has the types of families by their names; native tells
// that its values are native histograms. Of one of no type the name decides, as with Prometheus, and with people.
func TypeOf(name string, types map[string]model.MetricType, native bool) (of collector.Type, family string) {
	family, ending := name, ""
	kind, known := types[name]
	for _, s := range endings {
		if of, has := strings.CutSuffix(name, s); has && !known {
			if kind, known = types[of]; known {
				family, ending = of, s
			}
		}
	}
	switch {
	case native:
		return collector.Summary, family
	case kind == model.MetricTypeCounter,
		(kind == model.MetricTypeHistogram || kind == model.MetricTypeSummary) && ending != "":
		return collector.Counter, family
	case (!known || kind == model.MetricTypeUnknown) && strings.HasSuffix(name, "_total"):
		return collector.Counter, family
	}
	return collector.Gauge, family
}

// Exponential is a native histogram as the collector has it; false: its buckets have bounds of their own.
func Exponential(h *histogram.FloatHistogram) (*collector.Histogram, bool) {
	if h.UsesCustomBuckets() {
		return nil, false
	}
	out := &collector.Histogram{Schema: h.Schema, ZeroThreshold: h.ZeroThreshold, ZeroCount: h.ZeroCount, Count: h.Count, Sum: h.Sum}
	for it := h.PositiveBucketIterator(); it.Next(); {
		if b := it.At(); b.Count != 0 {
			out.Positive = append(out.Positive, collector.Bucket{Index: b.Index, Count: b.Count})
		}
	}
	for it := h.NegativeBucketIterator(); it.Next(); {
		if b := it.At(); b.Count != 0 {
			out.Negative = append(out.Negative, collector.Bucket{Index: b.Index, Count: b.Count})
		}
	}
	slices.SortFunc(out.Negative, func(a, b collector.Bucket) int { return int(a.Index) - int(b.Index) })
	return out, !math.IsNaN(out.Count)
}
