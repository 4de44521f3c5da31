// Package metric says which series a scenario means by a metric: its name, the labels that
// they must have, and the way by which they came.
//
// It is pure, and knows neither scenarios nor records: scenarios/script reads a [Ref],
// scenarios/record asks the [Selection] that it stands for, and whoever judges or draws
// asks record.
package metric

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Ref is a metric as a scenario refers to it, in one line, which findings print as it is:
//
//	fullstack.insert
//	http.server.request.duration{http.response.status_code="2xx", http.route="/insert/{word}"} by otlp
//
// Two that mean the same are equal. The name of a metric that is none of a scenario's, and may have
// any characters in it, becomes one by [Named].
type Ref string

// Selection is what a Ref stands for.
type Selection struct {
	// Name is as the sender spells it, or else as Prometheus does: "http.server.request.duration" or
	// "http_server_request_duration_seconds".
	Name  string
	Way   string      // "statsd", "otlp" or "scrape"; "": whichever it is, if it is one
	Where []Condition // all of which a series must fulfil
}

// Condition is what a label of a series must be.
type Condition struct {
	Label  string   // as the sender spells it ("http.route"), or as Prometheus does ("http_route")
	Values []string // one of these; see [Condition.Holds]
}

// Any is the value of a condition that wants a label to be there, whatever it is.
const Any = "*"

// The signs between the parts of a Ref.
const (
	opens, closes, between, or, by = "{", "}", ", ", "|", " by "
)

// Named is the metric of a name, of whatever labels.
func Named(name string) Ref { return Selection{Name: name}.Ref() }

// Ref writes a selection in one line, the conditions in the order of their labels.
func (s Selection) Ref() Ref {
	var b strings.Builder
	b.WriteString(plainOrQuoted(s.Name))
	where := slices.Clone(s.Where)
	slices.SortFunc(where, func(a, b Condition) int { return strings.Compare(a.Label, b.Label) })
	sign := opens
	for _, c := range where {
		b.WriteString(sign + c.String())
		sign = between
	}
	if len(where) > 0 {
		b.WriteString(closes)
	}
	if s.Way != "" {
		b.WriteString(by + s.Way)
	}
	return Ref(b.String())
}

// String writes a condition: http.route="/"|"/about".
func (c Condition) String() string {
	var values []string
	for _, v := range c.Values {
		values = append(values, strconv.Quote(v))
	}
	return plainOrQuoted(c.Label) + "=" + strings.Join(values, or)
}

// plainOrQuoted writes a name so that nothing in it is taken for a sign between parts.
func plainOrQuoted(name string) string {
	if name == "" || strings.ContainsAny(name, "{}\"= |,\\") {
		return strconv.Quote(name)
	}
	return name
}

// Name is the name alone.
func (r Ref) Name() string { return r.Selection().Name }

// Selection reads a Ref. What is none is the name of a metric.
func (r Ref) Selection() Selection {
	p := parser{rest: string(r)}
	s := Selection{Name: p.name()}
	if p.takes(opens) {
		for more := true; more && !p.failed; more = p.takes(between) {
			c := Condition{Label: p.name()}
			p.failed = p.failed || !p.takes("=")
			for more := true; more && !p.failed; more = p.takes(or) {
				c.Values = append(c.Values, p.quoted())
			}
			s.Where = append(s.Where, c)
		}
		p.failed = p.failed || !p.takes(closes)
	}
	if p.takes(by) {
		s.Way, p.rest = p.rest, ""
	}
	if p.failed || p.rest != "" {
		return Selection{Name: string(r)}
	}
	return s
}

// parser reads what Ref and String write.
type parser struct {
	rest   string
	failed bool
}

func (p *parser) takes(sign string) bool {
	rest, there := strings.CutPrefix(p.rest, sign)
	if there && !p.failed {
		p.rest = rest
	}
	return there && !p.failed
}

func (p *parser) name() string {
	if strings.HasPrefix(p.rest, `"`) {
		return p.quoted()
	}
	end := strings.IndexAny(p.rest, "{}\"= |,\\")
	if end < 0 {
		end = len(p.rest)
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return name
}

func (p *parser) quoted() string {
	prefix, err := strconv.QuotedPrefix(p.rest)
	if err != nil || !strings.HasPrefix(prefix, `"`) {
		p.failed = true
		return ""
	}
	text, err := strconv.Unquote(prefix)
	p.failed = p.failed || err != nil
	p.rest = p.rest[len(prefix):]
	return text
}

// Is tells whether a series' label is the one that the condition is about: the collector keeps letters and digits of
// a tag's or an attribute's name, and makes an underscore of all else, so that http.route becomes http_route.
func (c Condition) Is(label string) bool { return label == c.Label || label == Label(c.Label) }

// Label spells the name of a tag, or of an attribute, as the collector spells the label that it becomes.
func Label(sent string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > unicode.MaxASCII && unicode.IsPrint(r) {
			return r
		}
		return '_'
	}, sent)
}

// Holds tells whether a label's value is one of those that are wanted. 2xx stands for itself, and for each status code of
// its class: 200 to 299; "*" for any that is not empty.
func (c Condition) Holds(value string) bool {
	return value != "" && slices.ContainsFunc(c.Values, func(want string) bool {
		return want == value || want == Any || isClass(want) && len(value) == len(want) && value[0] == want[0] && isDigit(value[1]) && isDigit(value[2])
	})
}

// isClass tells whether a wanted value is a class of status codes.
func isClass(want string) bool {
	return len(want) == 3 && want[0] >= '1' && want[0] <= '5' && want[1:] == "xx"
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
