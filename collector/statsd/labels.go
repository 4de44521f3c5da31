package statsd

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"throughline/collector"
	"throughline/collector/dogstatsd"
)

// promName spells a StatsD name for Prometheus: letters, digits and underscores
// stay, and whatever else can be printed beyond ASCII; the rest becomes an
// underscore. A name does not begin with a digit, so that queries need no quotes
// around those in ASCII.
// Source: https://prometheus.io/docs/concepts/data_model/
func promName(raw []byte) string {
	var b strings.Builder
	b.Grow(len(raw) + 1)
	for i, c := range string(raw) { // a byte that is no UTF-8 is an U+FFFD, which is no letter
		digit := unicode.IsDigit(c)
		if i == 0 && digit {
			b.WriteByte('_')
		}
		if digit || unicode.IsLetter(c) || c > unicode.MaxASCII && c != utf8.RuneError && unicode.IsPrint(c) {
			b.WriteRune(c)
		} else {
			b.WriteByte('_')
		}
	}
	return b.String()
}

// valid is text as Prometheus takes it.
func valid(text string) string { return strings.ToValidUTF8(text, string(utf8.RuneError)) }

// exported marks a tag whose name is taken by a label of the collector's, or
// reserved for Prometheus' own use (__name__).
const exported = "exported_"

// tagger gathers the tags of a line.
type tagger struct {
	client *client
	own    collector.Labels
	count  int
	values map[string][]string // by label
}

// wireTags are the tags of a line as they came: DogStatsD's, Graphite's, and those
// in its name in one of Config.Tags.
type wireTags struct{ dog, graphite, inName []byte }

// tags are the labels of a line: the own ones, and those of its tags. The package
// comment tells the rules.
func (cl *client) tags(own collector.Labels, tags wireTags) (collector.Labels, fate) {
	if len(tags.dog) == 0 && len(tags.graphite) == 0 && len(tags.inName) == 0 {
		return own, accepted
	}
	t := tagger{client: cl, own: own, values: map[string][]string{}}
	for _, source := range []struct {
		raw  []byte
		next func([]byte) (name, value, rest []byte, ok bool)
	}{{tags.dog, dogstatsd.NextTag}, {tags.graphite, dogstatsd.NextGraphiteTag}, {tags.inName, dogstatsd.NextNameTag}} {
		for name, value, rest, ok := source.next(source.raw); ok; name, value, rest, ok = source.next(rest) {
			if f := t.add(name, value); f != accepted {
				return nil, f
			}
		}
	}
	labels := own
	for name, all := range t.values {
		slices.Sort(all)
		labels = labels.With(name, strings.Join(all, ","))
	}
	return labels, accepted
}

// add takes a tag in; raw is nil if it has no value.
func (t *tagger) add(name, raw []byte) fate {
	cfg := &t.client.shared.cfg
	t.count++
	switch {
	case t.count > cfg.MaxTags:
		return manyTags
	case len(name) > cfg.MaxName:
		return longName
	case len(raw) > cfg.MaxTagValue:
		return longTagValue
	}
	value := "true"
	if raw != nil {
		value = valid(string(raw))
	}
	if value == "" {
		return accepted
	}
	label := promName(name)
	if label == "" {
		label = "_"
	}
	for t.own.Get(label) != "" || strings.HasPrefix(label, "__") {
		label = exported + label
	}
	if !slices.Contains(t.values[label], value) {
		t.values[label] = append(t.values[label], value)
	}
	return accepted
}
