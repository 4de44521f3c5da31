package forward

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"throughline/collector"
)

// naming makes Graphite's paths. What is not allowed in one is written as in a
// URL, %20 for a space, so that no two series get one path.
type naming struct {
	format Format
	prefix string
}

// class is the part of the path that tells the types apart, as in etsy's StatsD.
func class(m *collector.Meta) string {
	if m != nil {
		switch m.Type {
		case collector.Counter:
			return "counters"
		case collector.Summary:
			return "timers"
		case collector.Set:
			return "sets"
		}
	}
	return "gauges"
}

// counterSuffix tells a counter from its companion that is not corrected by
// sample rates. They have one name over the wire.
func counterSuffix(s *collector.Sample) string {
	const sampled = "sampled"
	if s.Meta.Sent != "" && strings.Count(s.Name, sampled) > strings.Count(s.Meta.Sent, sampled) {
		return ".sampled_count"
	}
	return ".count"
}

// append appends the path of one of a sample's numbers.
func (n naming) append(to []byte, s *collector.Sample, suffix string) []byte {
	name := s.Name
	if s.Meta != nil && s.Meta.Sent != "" {
		name = s.Meta.Sent
	}
	to = appendPath(to, n.prefix, dots)
	to = append(to, '.')
	to = append(to, class(s.Meta)...)
	to = append(to, '.')
	to = appendPath(to, name, dots)
	if n.format == Path {
		for _, l := range s.Labels {
			if l.Value == "" {
				continue // the same as no label
			}
			to = append(to, '.')
			to = appendPath(to, l.Name, noDots)
			to = append(to, '.')
			to = appendPath(to, l.Value, noDots)
		}
		return append(to, suffix...)
	}
	to = append(to, suffix...)
	for _, l := range s.Labels {
		if l.Value == "" {
			continue
		}
		to = append(to, ';')
		to = appendTag(to, l.Name)
		to = append(to, '=')
		to = appendValue(to, l.Value)
	}
	return to
}

// dotted is what a dot is in a piece of a path.
type dotted bool

const (
	dots   dotted = true  // dots part the path
	noDots dotted = false // dots are written %2E
)

// appendPath appends a piece of a path. Dots that part nothing, which carbon
// would leave out, are written %2E, and slashes, which would part file names,
// %2F.
func appendPath(to []byte, text string, d dotted) []byte {
	return appendEscaped(to, text, func(i int, r rune) bool {
		switch r {
		case '.':
			return d == noDots || i == 0 || i == len(text)-1 || text[i-1] == '.'
		case '/':
			return true
		}
		return false
	})
}

// appendTag appends the name of a tag. The tag "name" is carbon's own.
func appendTag(to []byte, text string) []byte {
	if text == "name" {
		return append(to, "%6Eame"...)
	}
	return appendEscaped(to, text, func(_ int, r rune) bool { return strings.ContainsRune("!^=", r) })
}

// appendValue appends the value of a tag.
func appendValue(to []byte, text string) []byte {
	return appendEscaped(to, text, func(i int, r rune) bool { return i == 0 && r == '~' })
}

// appendEscaped appends text. Bytes that part the fields of a line anywhere, or
// that carbon does not read, are escaped besides those of which also says so:
// carbon splits at whatever Python takes for a space, takes {tag="value"} for
// tags and closes the connection at what is not UTF-8.
func appendEscaped(to []byte, text string, also func(i int, r rune) bool) []byte {
	for i, r := range text {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-' {
			to = append(to, byte(r))
			continue
		}
		size := utf8.RuneLen(r)
		bad := r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD")
		if bad {
			size = 1
		}
		piece := text[i : i+size]
		if !bad && !unicode.IsSpace(r) && !unicode.IsControl(r) && !strings.ContainsRune(`%;"{}`, r) && !also(i, r) {
			to = append(to, piece...)
			continue
		}
		for _, b := range []byte(piece) {
			to = fmt.Appendf(to, "%%%02X", b)
		}
	}
	return to
}
