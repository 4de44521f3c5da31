package statsd

import (
	"slices"
	"strings"

	"throughline/collector"
	"throughline/collector/dogstatsd"
)

// promName spells a StatsD name as Prometheus does: letters, digits, _ and :
// (which no StatsD name has), everything else an underscore.
// Source: https://prometheus.io/docs/concepts/data_model/
func promName(raw []byte) string {
	var b strings.Builder
	b.Grow(len(raw) + 1)
	if raw[0] >= '0' && raw[0] <= '9' {
		b.WriteByte('_')
	}
	for _, c := range raw {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			b.WriteByte(c)
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}

// exported marks a tag whose name is taken by a label of the collector's, or
// reserved for Prometheus' own use (__name__).
const exported = "exported_"

// tagLabels are the labels of a line: those of the listener and its tags. The
// package comment tells the rules.
func tagLabels(own collector.Labels, tags []byte) collector.Labels {
	values := map[string][]string{}
	for {
		rawName, rawValue, rest, ok := dogstatsd.NextTag(tags)
		if !ok {
			break
		}
		tags = rest
		if len(rawName) == 0 {
			rawName = []byte("_")
		}
		value := "true"
		if rawValue != nil {
			value = strings.ToValidUTF8(string(rawValue), "\uFFFD")
		}
		if value == "" {
			continue
		}
		name := promName(rawName)
		for own.Get(name) != "" || strings.HasPrefix(name, "__") {
			name = exported + name
		}
		if !slices.Contains(values[name], value) {
			values[name] = append(values[name], value)
		}
	}
	labels := own
	for name, all := range values {
		slices.Sort(all)
		labels = labels.With(name, strings.Join(all, ","))
	}
	return labels
}
