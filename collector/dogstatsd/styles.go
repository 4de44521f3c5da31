package dogstatsd

import (
	"bytes"
	"fmt"
	"slices"
)

// Styles are ways to write tags into the name of a metric, beside Graphite's
// (SplitName). A name does not tell whose it is, so they are understood only where
// they are asked for.
// Source: https://github.com/prometheus/statsd_exporter#tagging-extensions
type Styles uint8

// The styles.
const (
	InfluxDB Styles = 1 << iota // name,tag=value,tag2=value2
	Librato                     // name#tag=value,tag2=value2
	SignalFx                    // name[tag=value,tag2=value2], anywhere in the name

	NoStyle   Styles = 0
	AllStyles        = InfluxDB | Librato | SignalFx
)

// StyleNames are the words of ParseStyles: those of statsd_exporter's flags
// (--statsd.parse-influxdb-tags). "dogstatsd" is none of the styles: DogStatsD's
// tags and Graphite's are understood in any case.
var StyleNames = []string{"dogstatsd", "influxdb", "librato", "signalfx", "all"}

var styleValues = []Styles{NoStyle, InfluxDB, Librato, SignalFx, AllStyles}

// ParseStyles reads one of StyleNames.
func ParseStyles(text string) (Styles, error) {
	if i := slices.Index(StyleNames, text); i >= 0 {
		return styleValues[i], nil
	}
	return NoStyle, fmt.Errorf("%q is no style of tags: want dogstatsd, influxdb, librato, signalfx or all", text)
}

// String is the word for a style.
func (s Styles) String() string {
	if i := slices.Index(styleValues, s); i >= 0 {
		return StyleNames[i]
	}
	return fmt.Sprintf("styles %#x", uint8(s))
}

// SplitName cuts the tags off a name that has them in one of the styles, and
// tells which; NextNameTag goes through them. A name is such a one only if the
// first of what would be its tags has an equals sign, and if something is left of
// it; any other stays whole. It allocates nothing unless a name goes on behind
// SignalFx's bracket.
func (s Styles) SplitName(name []byte) (base, tags []byte, style Styles) {
	if open := indexByte(name, '['); open >= 0 && s&SignalFx != 0 {
		if end := indexByte(name[open:], ']'); end > 0 && tagged(name[open+1:open+end]) && (open > 0 || end+1 < len(name)) {
			base, tags = name[:open], name[open+1:open+end]
			if rest := name[open+end+1:]; len(rest) > 0 {
				base = slices.Concat(base, rest)
			}
			return base, tags, SignalFx
		}
	}
	at := slices.IndexFunc(name, func(c byte) bool { return c == ',' && s&InfluxDB != 0 || c == '#' && s&Librato != 0 })
	if at > 0 && tagged(name[at+1:]) {
		style = InfluxDB
		if name[at] == '#' {
			style = Librato
		}
		return name[:at], name[at+1:], style
	}
	return name, nil, NoStyle
}

// tagged tells whether text begins with a tag that has a name and a value.
func tagged(text []byte) bool {
	first, _, _ := bytes.Cut(text, []byte{','})
	return indexByte(first, '=') > 0
}

// NextNameTag is NextTag for the tags of Styles.SplitName: k=v with commas between.
func NextNameTag(tags []byte) (name, value, rest []byte, ok bool) {
	return nextTag(tags, ',', '=')
}
