package series

import (
	"fmt"

	jsoniter "github.com/json-iterator/go"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/jsonutil"
)

// The encodings of this file are those of Prometheus' web/api/v1/json_codec.go:
// the MarshalJSON methods of promql's types write numbers below 1e-6 and from
// 1e21 on differently, and take six times as long.

// newStream is where an answer is written to, in memory. A list in it ends in
// errTooMuch where it gets longer than an allowance has; nil: never.
func newStream(a *allowance) *jsoniter.Stream {
	out := jsoniter.NewStream(jsoniter.ConfigCompatibleWithStandardLibrary, nil, 1<<10)
	if a != nil {
		out.Attachment = a.answer
	}
	return out
}

// writeResult writes the value of a query.
func writeResult(out *jsoniter.Stream, result any) {
	switch v := result.(type) {
	case promql.Vector:
		writeArray(out, v, writeSample)
	case promql.Matrix:
		writeArray(out, v, writeSeries)
	default: // a scalar or a string
		out.WriteVal(v)
	}
}

func writeArray[E any](out *jsoniter.Stream, list []E, write func(*jsoniter.Stream, E)) {
	out.WriteArrayStart()
	for i, e := range list {
		if i > 0 {
			out.WriteMore()
		}
		write(out, e)
		if most, ok := out.Attachment.(int); ok && out.Buffered() > most && out.Error == nil {
			out.Error = fmt.Errorf("the answer is too long: %w", errTooMuch)
		}
		if out.Error != nil {
			return
		}
	}
	out.WriteArrayEnd()
}

func writeSample(out *jsoniter.Stream, s promql.Sample) {
	out.WriteObjectStart()
	out.WriteObjectField("metric")
	writeLabels(out, s.Metric)
	out.WriteMore()
	if s.H == nil {
		out.WriteObjectField("value")
		writeFloat(out, promql.FPoint{T: s.T, F: s.F})
	} else {
		out.WriteObjectField("histogram")
		writeHistogram(out, promql.HPoint{T: s.T, H: s.H})
	}
	out.WriteObjectEnd()
}

func writeSeries(out *jsoniter.Stream, s promql.Series) {
	out.WriteObjectStart()
	out.WriteObjectField("metric")
	writeLabels(out, s.Metric)
	if len(s.Floats) > 0 {
		out.WriteMore()
		out.WriteObjectField("values")
		writeArray(out, s.Floats, writeFloat)
	}
	if len(s.Histograms) > 0 {
		out.WriteMore()
		out.WriteObjectField("histograms")
		writeArray(out, s.Histograms, writeHistogram)
	}
	out.WriteObjectEnd()
}

func writeFloat(out *jsoniter.Stream, p promql.FPoint) {
	out.WriteArrayStart()
	jsonutil.MarshalTimestamp(p.T, out)
	out.WriteMore()
	jsonutil.MarshalFloat(p.F, out)
	out.WriteArrayEnd()
}

func writeHistogram(out *jsoniter.Stream, p promql.HPoint) {
	out.WriteArrayStart()
	jsonutil.MarshalTimestamp(p.T, out)
	out.WriteMore()
	jsonutil.MarshalHistogram(p.H, out)
	out.WriteArrayEnd()
}

func writeLabels(out *jsoniter.Stream, all labels.Labels) {
	out.WriteObjectStart()
	first := true
	all.Range(func(l labels.Label) {
		if !first {
			out.WriteMore()
		}
		first = false
		out.WriteObjectField(l.Name)
		out.WriteString(l.Value)
	})
	out.WriteObjectEnd()
}
