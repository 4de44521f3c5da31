package series

import (
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

// naming is how the names of metrics and labels are written for somebody who
// may not know names in UTF-8, as a Prometheus before version 3 does not. It
// follows the escaping that was negotiated, underscores by default, except where
// two names would become one ("größe" and "grüße"): that is written in
// Prometheus' reversible way ("U__gr_fc__df_e"), lest one series cover another
// or a label be there twice, for which Prometheus refuses the whole answer.
type naming struct{ metrics, labels map[string]string }

func newNaming(samples []promql.Sample, how exposition) naming {
	metrics, names := map[string]bool{}, map[string]bool{}
	var last string
	for _, sample := range samples {
		sample.Metric.Range(func(l labels.Label) {
			if l.Name != model.MetricNameLabel {
				names[l.Name] = true
			} else if l.Value != last {
				last = l.Value
				metrics[last] = true
			}
		})
	}
	scheme := how.format.ToEscapingScheme()
	label := func(scheme model.EscapingScheme) func(string) string {
		return func(name string) string {
			// The encoders take names of labels for those of metrics, which
			// may have colons, and write them without quotes.
			colon := strings.Contains(name, ":") && (!how.native() || scheme != model.NoEscaping)
			if name = escaped(scheme)(name); colon {
				return strings.ReplaceAll(name, ":", "_")
			}
			return name
		}
	}
	return naming{
		metrics: spell(metrics, escaped(scheme), escaped(model.ValueEncodingEscaping)),
		labels:  spell(names, label(scheme), label(model.ValueEncodingEscaping)),
	}
}

// escaped leaves names alone that need no escaping, as the encoders do.
func escaped(scheme model.EscapingScheme) func(string) string {
	return func(name string) string {
		if model.LegacyValidation.IsValidMetricName(name) {
			return name
		}
		return model.EscapeName(name, scheme)
	}
}

// spell writes names in the first way, or in the second where the first is taken.
// A name that needs no other spelling keeps its own.
func spell(names map[string]bool, first, second func(string) string) map[string]string {
	out, taken := make(map[string]string, len(names)), map[string]bool{}
	var others []string
	for name := range names {
		if first(name) != name {
			others = append(others, name)
			continue
		}
		out[name], taken[name] = name, true
	}
	slices.Sort(others)
	for _, name := range others {
		written := first(name)
		if taken[written] {
			written = second(name)
		}
		for taken[written] {
			written += "_"
		}
		out[name], taken[written] = written, true
	}
	return out
}
