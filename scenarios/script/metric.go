package script

import (
	"regexp"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"throughline/scenarios/metric"
)

// Metric is a metric as checks refer to it; "" stands for none.
type Metric = metric.Ref

// The ways by which metrics come, as `by` has them.
const (
	ByStatsD = "statsd"
	ByOTLP   = "otlp"
	ByScrape = "scrape"
)

var (
	metricName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_./-]{0,254}$`)
	labelName  = regexp.MustCompile(`^[\pL_][\pL\pN_./-]{0,99}$`)
)

const (
	wantMetric = "the name of a metric: a letter, then letters, digits, '.', '_', '-' and '/', like fullstack.insert"
	wantLabel  = "the name of a tag, an attribute or a label: a letter, then letters, digits, '.', '_', '-' and '/', like http.route"
	wantWhere  = "what labels are to be, like {http.route: /about, http.response.status_code: 2xx}"
	wantValue  = "a value, like 2xx, or a list of values"
)

// selects are the keys of a mapping that says which series are meant.
func selects(others ...string) []string {
	return slices.Concat(others[:1], []string{"where", "by"}, others[1:])
}

// metric reads the metric that a key names by a text, beside which `where` and `by` may stand; "" where the key is absent.
func (m mapping) metric(key string) Metric {
	s := metric.Selection{Where: m.where(), Way: m.by()}
	if v, ok := m.get(key); ok {
		s.Name = v.matching(metricName, wantMetric)
	}
	if s.Name == "" {
		return ""
	}
	return s.Ref()
}

// several reads the metric of a key that is one of several such keys: a name, or a mapping of its own that says which of
// its series are meant.
func (m mapping) several(key string) Metric {
	if v, ok := m.get(key); ok {
		return v.metric()
	}
	return ""
}

// metric reads a name, or a mapping that says which series of a name are meant.
func (v value) metric() Metric {
	if _, keyed := v.node.(*ast.MappingNode); !keyed {
		if name := v.matching(metricName, wantMetric); name != "" {
			return metric.Named(name)
		}
		return ""
	}
	m, ok := v.mapping(selects("metric")...)
	if !ok {
		return ""
	}
	m.require("metric")
	return m.metric("metric")
}

// by reads the way by which a metric comes.
func (m mapping) by() string {
	if v, ok := m.get("by"); ok {
		return v.oneOf(ByStatsD, ByOTLP, ByScrape)
	}
	return ""
}

// where reads what the labels of a metric's series are to be.
func (m mapping) where() (all []metric.Condition) {
	v, ok := m.get("where")
	if !ok {
		return nil
	}
	labels, ok := v.open(wantWhere)
	if !ok {
		return nil
	}
	for i, key := range labels.keys {
		c := metric.Condition{Label: plain(key.node), Values: labels.entries[i].wanted()}
		twice := slices.ContainsFunc(all, func(other metric.Condition) bool { return metric.Label(other.Label) == metric.Label(c.Label) })
		switch {
		case !labelName.MatchString(c.Label):
			key.failf("%s is not %s", quote(c.Label), wantLabel)
		case c.Label == "instance":
			key.failf("each instance is looked at by itself: leave instance out")
		case c.Label == "way":
			key.failf("want by: otlp or the like, beside where: leave way out")
		case twice:
			key.failf("%s is there twice, as it is sent and as Prometheus spells it: want it once", metric.Label(c.Label))
		default:
			all = append(all, c)
		}
	}
	return all
}

// wanted reads the value that a label is to have, or several of which it is to have one.
func (v value) wanted() (values []string) {
	items := []value{v}
	if _, several := v.node.(*ast.SequenceNode); several {
		items = v.list("a list of values", v.name)
	}
	for _, item := range items {
		text := ""
		if b, truth := item.node.(*ast.BoolNode); truth {
			text = plain(b)
		} else if text = item.argument(); text == "" {
			if item.isEmpty() {
				item.failf("is empty: want %s", wantValue)
			}
			continue
		}
		if slices.Contains(values, text) {
			item.failf("%s is there twice: want each value once", quote(text))
			continue
		}
		values = append(values, text)
	}
	return values
}

// isEmpty tells whether a value is an empty text.
func (v value) isEmpty() bool {
	s, text := v.node.(*ast.StringNode)
	return text && s.Value == ""
}

// countsSuccesses tells whether a metric is one of requests that were answered with 2xx and no others, as its labels say.
func countsSuccesses(m Metric) bool {
	return slices.ContainsFunc(m.Selection().Where, func(c metric.Condition) bool {
		return len(c.Values) == 1 && c.Values[0] == Successes
	})
}

// aboutNothing complains about `where` and `by` where no metric is named that they are about.
func (m mapping) aboutNothing() {
	for _, key := range []string{"where", "by"} {
		if v, ok := m.get(key); ok {
			v.failf("there is no metric whose series it tells apart: add metric")
		}
	}
}

// texts are metrics as errors write them.
func texts(all []Metric) (out []string) {
	for _, m := range all {
		out = append(out, string(m))
	}
	return out
}
