package dogstatsd

import "bytes"

// Kind is what Next found.
type Kind uint8

// The kinds of lines.
const (
	Metric       Kind = iota + 1
	Bad               // Reason tells why
	Event             // _e{…}
	ServiceCheck      // _sc|…
)

// Scanner goes through the lines of one datagram after the other. The zero
// value is ready for Reset. It must not be used by two goroutines at once.
type Scanner struct {
	Line   Line      // of a Metric
	Event  EventLine // of an Event
	Check  CheckLine // of a ServiceCheck
	Raw    []byte    // the line as it came, without its newline
	Reason Reason    // of a Bad line
	// Part counts the Parts of one line, from 0: a line with several typed
	// samples ("a:1|ms:2|c") is a Metric for each, all with the same Raw.
	Part, Parts int

	rest   []byte
	values []Value
	name   []byte // of the line that more is of
	more   []byte // samples of the line that are still to come
}

// Reset begins with a new datagram, which the Scanner reads but never writes.
func (s *Scanner) Reset(datagram []byte) { s.rest, s.more = datagram, nil }

// Next reads the next line, or the next sample of a line with several, and tells
// what it is; 0 at the end. Empty lines (a trailing newline, say) are no lines. A
// carriage return before the newline is not part of the line.
func (s *Scanner) Next() Kind {
	if len(s.more) > 0 {
		s.Part++
		if s.sample() { // as it did before
			return Metric
		}
	}
	for len(s.rest) > 0 {
		line := s.rest
		if i := indexByte(line, '\n'); i >= 0 {
			line, s.rest = line[:i], line[i+1:]
		} else {
			s.rest = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) == 0 {
			continue
		}
		s.Raw, s.Part, s.Parts = line, 0, 1
		return s.line(line)
	}
	return 0
}

// line reads one line, whatever it is.
func (s *Scanner) line(line []byte) Kind {
	kind, reason, ok := Metric, Reason(0), false
	switch {
	case line[0] == '_' && bytes.HasPrefix(line, eventPrefix):
		kind, reason, ok = Event, BadEvent, s.event(line)
	case line[0] == '_' && bytes.HasPrefix(line, checkPrefix):
		kind, reason, ok = ServiceCheck, BadServiceCheck, s.check(line)
	case s.plain(line):
		ok = true
	default:
		reason, ok = s.parse(line)
	}
	if !ok {
		s.Reason = reason
		return Bad
	}
	return kind
}

var (
	eventPrefix       = []byte("_e{")
	checkPrefix       = []byte("_sc|")
	containerPrefix   = []byte("c:")
	externalPrefix    = []byte("e:")
	cardinalityPrefix = []byte("card:")
)

// plain reads what nearly all lines are: name:value|type, with one plain number, and
// perhaps fields; in a third of the time that parse takes for them. False: it is
// another line, or a bad one, of which parse has more to say.
func (s *Scanner) plain(line []byte) bool {
	bar := indexByte(line, '|')
	if bar < 0 {
		return false
	}
	colon := indexByte(line[:bar], ':')
	if colon <= 0 {
		return false
	}
	number, signed, ok := exactNumber(line[colon+1 : bar])
	if !ok {
		return false
	}
	kind, rest := plainType(line[bar+1:])
	if kind == 0 || kind == Set {
		return false
	}
	var tags []byte
	if len(rest) > 1 && rest[1] == '#' {
		tags, rest = rest[2:], nil
		if i := indexByte(tags, '|'); i >= 0 {
			tags, rest = tags[:i], tags[i:]
		}
	}
	// Field by field: to copy a Line that was just made is dearer than all that is above.
	s.values = append(s.values[:0], Value{})
	s.values[0].Number, s.values[0].Signed = number, signed
	l := &s.Line
	l.Name, l.Type, l.Values, l.Member, l.Rate, l.Tags = line[:colon], kind, s.values, nil, 1, tags
	l.Timestamp, l.Container, l.External, l.Cardinality = 0, nil, nil, nil
	if len(rest) == 0 {
		return true
	}
	_, ok = s.fields(rest[1:])
	return ok
}

// plainType cuts the type off the text after the first bar of a line; rest is empty or
// begins with a bar. 0: there is no type, or blanks about it.
func plainType(text []byte) (t Type, rest []byte) {
	n := 1
	switch {
	case len(text) == 0:
		return 0, nil
	case len(text) > 1 && text[1] != '|':
		n = 2
	}
	if len(text) > n && text[n] != '|' {
		return 0, nil
	}
	return typeOf(text[:n]), text[n:]
}

// parse reads name:value|type and the fields after it.
func (s *Scanner) parse(line []byte) (Reason, bool) {
	colon := indexByte(line, ':')
	// A colon after the first bar belongs to a tag, not to a value.
	bar := indexByte(line, '|')
	switch {
	case colon == 0 || bar == 0:
		return NoName, false
	case bar >= 0 && bar < colon:
		return BadName, false
	case colon < 0 || bar == colon+1 || colon == len(line)-1:
		return NoValue, false
	case bar < 0 || bar == len(line)-1:
		return NoType, false
	}
	s.Line = Line{Name: line[:colon], Rate: 1}
	raw := line[colon+1 : bar]
	kind, fields := cutField(line[bar+1:])
	if len(kind) == 0 {
		return NoType, false
	}
	if s.Line.Type = typeOf(kind); s.Line.Type == 0 {
		if s.Line.Type = typeOf(trim(kind)); s.Line.Type == 0 {
			return UnknownType, s.several(line[:colon], line[colon+1:])
		}
	}
	if s.Line.Type == Set {
		s.Line.Member = raw
	} else if !s.numbers(raw) {
		return BadValue, false
	}
	reason, ok := s.fields(fields)
	if reason == BadRate && !ok {
		ok = s.several(line[:colon], line[colon+1:])
	}
	return reason, ok
}

func typeOf(kind []byte) Type {
	switch string(kind) {
	case "c":
		return Count
	case "g":
		return Gauge
	case "ms":
		return Timing
	case "h":
		return Histogram
	case "d":
		return Distribution
	case "s":
		return Set
	}
	return 0
}

// numbers reads one value, or several with colons between them.
func (s *Scanner) numbers(raw []byte) bool {
	s.values = s.values[:0]
	for {
		i := indexByte(raw, ':')
		one := raw
		if i >= 0 {
			one = raw[:i]
		}
		n, ok := number(one)
		if !ok {
			one = trim(one)
			if n, ok = number(one); !ok {
				return false
			}
		}
		s.values = append(s.values, Value{Number: n, Signed: one[0] == '+' || one[0] == '-'})
		if i < 0 {
			s.Line.Values = s.values
			return true
		}
		raw = raw[i+1:]
	}
}

// fields reads what follows the type, in any order. Of a field that comes twice
// the last counts. Fields that are not known are ignored, as Datadog's agent
// does: the protocol grows by such fields, and the value is good without them.
func (s *Scanner) fields(rest []byte) (Reason, bool) {
	for len(rest) > 0 {
		var field []byte
		if field, rest = cutField(rest); len(field) == 0 {
			continue
		}
		if blank := field[0]; blank == ' ' || blank == '\t' {
			if field = trim(field); len(field) == 0 {
				continue
			}
		}
		switch field[0] {
		case '#':
			s.Line.Tags = field[1:]
		case '@':
			if !s.rate(field[1:]) {
				return BadRate, false
			}
		case 'T':
			t, ok := seconds(field[1:])
			if !ok {
				return BadTimestamp, false
			}
			s.Line.Timestamp = t
		case 'c', 'e':
			s.origin(field)
		}
	}
	if s.Line.Type == Gauge || s.Line.Type == Set {
		s.Line.Rate = 1
	}
	return 0, true
}

// rate reads a sample rate.
func (s *Scanner) rate(text []byte) bool {
	rate, ok := number(text)
	if !ok {
		rate, ok = number(trim(text))
	}
	if !ok || rate <= 0 || rate > 1 {
		return false
	}
	s.Line.Rate = rate
	return true
}

// origin keeps the fields by which Datadog's agent finds out who sent a line.
func (s *Scanner) origin(field []byte) {
	switch {
	case bytes.HasPrefix(field, containerPrefix):
		s.Line.Container = field[len(containerPrefix):]
	case bytes.HasPrefix(field, externalPrefix):
		s.Line.External = field[len(externalPrefix):]
	case bytes.HasPrefix(field, cardinalityPrefix):
		s.Line.Cardinality = field[len(cardinalityPrefix):]
	}
}

// cutField cuts rest at its first bar.
func cutField(rest []byte) (field, after []byte) {
	if i := indexByte(rest, '|'); i >= 0 {
		return rest[:i], rest[i+1:]
	}
	return rest, nil
}

func indexByte(b []byte, c byte) int { return bytes.IndexByte(b, c) }
