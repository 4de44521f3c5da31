package otlp

import (
	"strings"
	"unicode/utf8"

	"github.com/prometheus/otlptranslator"

	"throughline/collector"
)

// naming spells names as Prometheus does, for people's queries: letters, digits and underscores, and the unit at the end.
// Source: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus
var (
	naming    = otlptranslator.MetricNamer{WithMetricSuffixes: true}
	labelling otlptranslator.LabelNamer
	units     otlptranslator.UnitNamer
)

// seriesName is the name of a metric's series.
func seriesName(m metric) (string, error) {
	kinds := map[kind]otlptranslator.MetricType{gauge: otlptranslator.MetricTypeGauge, counter: otlptranslator.MetricTypeMonotonicCounter,
		counterDelta: otlptranslator.MetricTypeMonotonicCounter, upDown: otlptranslator.MetricTypeNonMonotonicCounter,
		upDownDelta: otlptranslator.MetricTypeNonMonotonicCounter, distribution: otlptranslator.MetricTypeHistogram, distributionDelta: otlptranslator.MetricTypeHistogram}
	return naming.Build(otlptranslator.Metric{Name: m.name, Unit: m.unit, Type: kinds[m.kind]})
}

// valid is text as Prometheus takes it.
func valid(text string) string { return strings.ToValidUTF8(text, string(utf8.RuneError)) }

// exported marks an attribute whose name is taken by a label of the collector's, or reserved for Prometheus' own use (__name__).
const exported = "exported_"

// labels are those of a point with attributes, which are in the order of their names.
func (c *Collector) labels(own collector.Labels, attributes []pair) (collector.Labels, fate) {
	if len(attributes) > c.cfg.MaxAttributes {
		return nil, manyAttributes
	}
	out := own
	for _, p := range attributes {
		switch {
		case len(p.name) > c.cfg.MaxName:
			return nil, longName
		case len(p.value) > c.cfg.MaxValue:
			return nil, longValue
		case p.value == "":
			continue
		}
		name, err := labelling.Build(p.name)
		if err != nil {
			name = "_"
		}
		for own.Get(name) != "" || strings.HasPrefix(name, "__") {
			name = exported + name
		}
		value := valid(p.value)
		if other := out.Get(name); other != "" { // two names that are spelled alike
			value = other + ";" + value
		}
		out = out.With(name, value)
	}
	return out, accepted
}
