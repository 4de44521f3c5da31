package dogstatsd

import (
	"bytes"
	"strings"
)

// EventLine is one event line (_e{…}). Its strings are copies and may be kept;
// its slices point into the datagram and hold until the next call of Next.
// Nothing is checked for UTF-8.
type EventLine struct {
	Title    string // never empty; \n is a newline again, as in Text
	Text     string
	Key      string // k:, events of one key belong together
	Priority string // p:, normal or low
	Source   string // s:, what kind of thing sent it ("nagios")
	Alert    string // t:, error, warning, info or success
	Context
}

// Context is what events and service checks have in common.
type Context struct {
	Timestamp int64  // d:, seconds since 1970; 0 = none
	Host      string // h:

	Tags        []byte // as in a Line, like the three below
	Container   []byte
	External    []byte
	Cardinality []byte
}

// CheckLine is one service check line (_sc|…). As in an EventLine, its strings
// may be kept and its slices may not.
type CheckLine struct {
	Name    string // never empty
	Status  uint8  // 0 ok, 1 warning, 2 critical, 3 unknown
	Message string // m:, with \n and m\: put back to a newline and m:
	Context
}

// event reads _e{title length,text length}:title|text and the fields after it.
// The lengths are in bytes and alone tell where title and text end, so both may
// hold bars. Lengths that do not end at a bar were counted wrongly (in
// characters, say): such an event is bad, where Datadog's agent would cut its
// words elsewhere without a notice. A raw newline within the text ended the line
// before, so its event is bad too, as it is to the agent.
//
// Of the fields, those that make no sense are ignored and leave the default, as
// in the agent.
// Source: https://github.com/DataDog/datadog-agent, comp/dogstatsd/server/impl/parse_events.go
func (s *Scanner) event(line []byte) bool {
	titleLength, rest, ok := length(line[len(eventPrefix):], ',')
	if !ok || titleLength == 0 {
		return false
	}
	textLength, rest, ok := length(rest, '}')
	if !ok || len(rest) == 0 || rest[0] != ':' {
		return false
	}
	rest = rest[1:]
	if titleLength >= len(rest) || rest[titleLength] != '|' {
		return false
	}
	title, rest := rest[:titleLength], rest[titleLength+1:]
	if textLength > len(rest) || textLength < len(rest) && rest[textLength] != '|' {
		return false
	}
	text, rest := rest[:textLength], rest[textLength:]
	s.Event = EventLine{Title: eventText.Replace(string(title)), Text: eventText.Replace(string(text)),
		Priority: "normal", Alert: "info"}
	s.Event.fields(rest, s.Event.set)
	return true
}

// fields reads all fields, in any order. Those that are not in the Context go to
// more.
func (c *Context) fields(rest []byte, more func(key string, value []byte)) {
	for len(rest) > 0 {
		var field []byte
		field, rest = cutField(rest)
		c.take(field, more)
	}
}

// take keeps one field, or cuts it at its colon and gives it to more.
func (c *Context) take(field []byte, more func(key string, value []byte)) {
	if len(field) > 0 && field[0] == '#' {
		c.Tags = field[1:]
		return
	}
	key, value, ok := bytes.Cut(field, colon)
	if !ok {
		return
	}
	switch string(key) {
	case "d":
		if t, ok := seconds(value); ok {
			c.Timestamp = t
		}
	case "h":
		c.Host = string(value)
	case "c":
		c.Container = value
	case "e":
		c.External = value
	case "card":
		c.Cardinality = value
	default:
		more(string(key), value)
	}
}

// set keeps a field of events alone.
func (e *EventLine) set(key string, value []byte) {
	switch key {
	case "k":
		e.Key = string(value)
	case "p":
		switch p := string(value); p {
		case "normal", "low":
			e.Priority = p
		}
	case "s":
		e.Source = string(value)
	case "t":
		switch t := string(value); t {
		case "error", "warning", "info", "success":
			e.Alert = t
		}
	}
}

// check reads _sc|name|status and the fields after it. A message ends at the
// next bar, as in Datadog's agent: clients write c: and e: after it, so a bar
// within cannot be told from the next field. Unlike the agent, which passes the
// message on as it came, this undoes what clients do to newlines and m:.
// Source: https://github.com/DataDog/datadog-agent, comp/dogstatsd/server/impl/parse_service_checks.go,
// and appendEscapedServiceCheckText of https://github.com/DataDog/datadog-go, statsd/format.go
func (s *Scanner) check(line []byte) bool {
	name, rest := cutField(line[len(checkPrefix):])
	status, rest := cutField(rest)
	if len(name) == 0 || len(status) != 1 || status[0] < '0' || status[0] > '3' {
		return false
	}
	s.Check = CheckLine{Name: string(name), Status: status[0] - '0'}
	s.Check.fields(rest, s.Check.set)
	return true
}

// set keeps a field of service checks alone.
func (c *CheckLine) set(key string, value []byte) {
	if key == "m" {
		c.Message = checkMessage.Replace(string(value))
	}
}

var (
	colon        = []byte(":")
	eventText    = strings.NewReplacer(`\n`, "\n")
	checkMessage = strings.NewReplacer(`\n`, "\n", `m\:`, "m:")
)

// maxLengthDigits is how many digits a length may have: more than any datagram
// needs, and too few to overflow.
const maxLengthDigits = 9

// length reads a decimal length up to the byte end, and returns what follows.
func length(b []byte, end byte) (n int, rest []byte, ok bool) {
	i := indexByte(b, end)
	if i < 1 || i > maxLengthDigits {
		return 0, nil, false
	}
	for _, c := range b[:i] {
		if c < '0' || c > '9' {
			return 0, nil, false
		}
		n = n*10 + int(c-'0')
	}
	return n, b[i+1:], true
}
