package dogstatsd

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// FuzzScanner holds for any input: every byte is in exactly one line or in a
// separator; metrics are well formed; numbers are what strconv reads; a line
// written down again reads the same; and the datagram is not written to.
//
// It begins with the datagrams of real clients and the lines of the tests;
// testdata/fuzz has what three minutes of fuzzing made of them that reached
// something new.
func FuzzScanner(f *testing.F) {
	for _, tt := range wire {
		f.Add([]byte(tt.datagram))
	}
	for _, tt := range told {
		f.Add([]byte(tt.datagram))
	}
	for _, tt := range protocol {
		f.Add([]byte(tt.datagram))
	}
	for _, tt := range odd {
		f.Add([]byte(tt.datagram))
	}
	for _, text := range clients(f) {
		for _, datagram := range datagrams(f, text) {
			f.Add([]byte(datagram))
		}
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		before := bytes.Clone(datagram)
		var s Scanner
		s.Reset(datagram)
		at := 0
		for kind := s.Next(); kind != 0; kind = s.Next() {
			if s.Part > 0 { // of the same line
				checkPart(t, &s, kind)
				checkWritten(t, &s, kind)
				continue
			}
			at += separators(before[at:])
			if len(s.Raw) == 0 || !bytes.HasPrefix(before[at:], s.Raw) || bytes.ContainsRune(s.Raw, '\n') {
				t.Fatalf("the line %q is not what %q has from byte %d on", s.Raw, before, at)
			}
			at += len(s.Raw)
			switch kind {
			case Metric:
				checkPart(t, &s, kind)
				checkPlain(t, s.Raw)
			case Bad:
				if s.Reason >= Reasons {
					t.Fatalf("%q is bad for reason %d, which is none", s.Raw, s.Reason)
				}
			}
			checkWritten(t, &s, kind)
		}
		if at += separators(before[at:]); at != len(before) {
			t.Fatalf("%q is in no line of %q", before[at:], before)
		}
		if !bytes.Equal(before, datagram) {
			t.Fatalf("the datagram %q was changed to %q", before, datagram)
		}
	})
}

// checkPlain: what plain reads of a line, parse reads too.
func checkPlain(t *testing.T, line []byte) {
	t.Helper()
	var fast, full Scanner
	if !fast.plain(line) {
		return
	}
	if reason, ok := full.parse(line); !ok {
		t.Fatalf("%q is %v, but plain takes it", line, reason)
	}
	if diff := cmp.Diff(full.Line, fast.Line, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("%q (-parse +plain):\n%s", line, diff)
	}
	if a, b := full.Line.Values[0].Number, fast.Line.Values[0].Number; math.Float64bits(a) != math.Float64bits(b) {
		t.Fatalf("%q is %v, but to plain %v", line, a, b)
	}
}

// separators is how many bytes b begins with that only end lines: newlines, and
// a carriage return before one or at the end.
func separators(b []byte) int {
	n := 0
	for n < len(b) && (b[n] == '\n' || b[n] == '\r' && (n+1 == len(b) || b[n+1] == '\n')) {
		n++
	}
	return n
}

// typed is a sample of a line with several, as etsy's StatsD reads them.
var typed = regexp.MustCompile(`^([^|]*)\|[^|:]*(?:\|[ \t]*@[^|:]*)?(?::|$)`)

// checkPart checks a metric that may be one of several of its line.
func checkPart(t *testing.T, s *Scanner, kind Kind) {
	if kind != Metric || s.Part >= s.Parts {
		t.Fatalf("%q: part %d of %d is of kind %d", s.Raw, s.Part, s.Parts, kind)
	}
	name, rest, _ := bytes.Cut(s.Raw, []byte(":"))
	if !bytes.Equal(name, s.Line.Name) {
		t.Fatalf("%q has the name %q", s.Raw, s.Line.Name)
	}
	if s.Parts > 1 {
		for range s.Part {
			rest = rest[len(typed.Find(rest)):]
		}
		found := typed.FindSubmatch(rest)
		if found == nil {
			t.Fatalf("%q has no sample %d", s.Raw, s.Part)
		}
		rest = found[1]
	} else {
		rest, _, _ = bytes.Cut(rest, []byte("|"))
	}
	checkLine(t, &s.Line, s.Raw, rest)
}

// checkLine compares a line with the text of its values.
func checkLine(t *testing.T, l *Line, raw, text []byte) {
	if len(l.Name) == 0 || bytes.ContainsAny(l.Name, ":|\n") {
		t.Fatalf("%q has the name %q", raw, l.Name)
	}
	if base, _, _ := AllStyles.SplitName(l.Name); len(base) == 0 || len(base) > len(l.Name) {
		t.Fatalf("of the name %q is left %q", l.Name, base)
	}
	if !(l.Rate > 0 && l.Rate <= 1) || l.Timestamp < 0 {
		t.Fatalf("%q has rate %v and time %d", raw, l.Rate, l.Timestamp)
	}
	if (l.Type == Gauge || l.Type == Set) && l.Rate != 1 {
		t.Fatalf("%q has the rate %v, which has no meaning", raw, l.Rate)
	}
	if l.Type == Set {
		if len(l.Values) != 0 || len(l.Member) == 0 {
			t.Fatalf("%q is a set with the values %v and the member %q", raw, l.Values, l.Member)
		}
		return
	}
	parts := strings.Split(string(text), ":")
	if len(parts) != len(l.Values) {
		t.Fatalf("%q has %d values, got %v", raw, len(parts), l.Values)
	}
	for i, v := range l.Values {
		want, err := strconv.ParseFloat(strings.Trim(parts[i], " \t"), 64)
		if err != nil || math.Float64bits(want) != math.Float64bits(v.Number) {
			t.Fatalf("%q: value %q is %v, got %v (%v)", raw, parts[i], want, v.Number, err)
		}
	}
}

// checkWritten writes the present line of s down and reads it again.
func checkWritten(t *testing.T, s *Scanner, kind Kind) {
	var written []byte
	switch kind {
	case Metric:
		written = writeLine(&s.Line)
	case Event:
		written = writeEvent(&s.Event)
	case ServiceCheck:
		written = writeCheck(&s.Check)
	default:
		return
	}
	var again Scanner
	again.Reset(written)
	if got := again.Next(); got != kind || len(again.Raw) != len(written) {
		t.Fatalf("%q, written as %q, is of kind %d, was %d", s.Raw, written, got, kind)
	}
	diff := ""
	switch kind {
	case Metric:
		diff = cmp.Diff(s.Line, again.Line)
	case Event:
		diff = cmp.Diff(s.Event, again.Event)
	case ServiceCheck:
		diff = cmp.Diff(s.Check, again.Check)
	}
	if diff != "" {
		t.Fatalf("%q, written as %q, reads differently (-first +again):\n%s", s.Raw, written, diff)
	}
}

// writeLine writes a metric line. The bar at its end, as of the others, keeps a
// carriage return before it from being taken for the end of the line.
func writeLine(l *Line) []byte {
	out := append(bytes.Clone(l.Name), ':')
	if l.Type == Set {
		out = append(out, l.Member...)
	}
	for i, v := range l.Values {
		if i > 0 {
			out = append(out, ':')
		}
		if v.Signed && !math.Signbit(v.Number) {
			out = append(out, '+')
		}
		out = strconv.AppendFloat(out, v.Number, 'g', -1, 64)
	}
	out = append(append(out, '|'), l.Type.String()...)
	if l.Rate != 1 {
		out = strconv.AppendFloat(append(out, "|@"...), l.Rate, 'g', -1, 64)
	}
	if l.Timestamp != 0 {
		out = strconv.AppendInt(append(out, "|T"...), l.Timestamp, 10)
	}
	return writeOrigin(out, l.Tags, l.Container, l.External, l.Cardinality)
}

func writeEvent(e *EventLine) []byte {
	escape := strings.NewReplacer("\n", `\n`).Replace
	title, text := escape(e.Title), escape(e.Text)
	out := []byte("_e{" + strconv.Itoa(len(title)) + "," + strconv.Itoa(len(text)) + "}:" + title + "|" + text)
	out = writeWords(out, e.Timestamp, "h", e.Host, "k", e.Key, "s", e.Source, "p", e.Priority, "t", e.Alert)
	return writeOrigin(out, e.Tags, e.Container, e.External, e.Cardinality)
}

func writeCheck(c *CheckLine) []byte {
	message := strings.NewReplacer("\n", `\n`, "m:", `m\:`).Replace(c.Message)
	out := append([]byte("_sc|"+c.Name+"|"), '0'+c.Status)
	out = writeWords(out, c.Timestamp, "h", c.Host, "m", message)
	return writeOrigin(out, c.Tags, c.Container, c.External, c.Cardinality)
}

func writeWords(out []byte, timestamp int64, fields ...string) []byte {
	if timestamp != 0 {
		out = strconv.AppendInt(append(out, "|d:"...), timestamp, 10)
	}
	for i := 0; i < len(fields); i += 2 {
		out = append(out, "|"+fields[i]+":"+fields[i+1]...)
	}
	return out
}

func writeOrigin(out, tags, container, external, cardinality []byte) []byte {
	for _, f := range []struct {
		prefix string
		text   []byte
	}{{"#", tags}, {"c:", container}, {"e:", external}, {"card:", cardinality}} {
		if f.text != nil {
			out = append(append(append(out, '|'), f.prefix...), f.text...)
		}
	}
	return append(out, '|')
}
