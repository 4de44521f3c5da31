package dogstatsd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// read writes down what a Scanner makes of a datagram, a string per line.
func read(datagram string) []string {
	var s Scanner
	s.Reset([]byte(datagram))
	var out []string
	for kind := s.Next(); kind != 0; kind = s.Next() {
		switch kind {
		case Metric:
			out = append(out, describe(&s.Line))
		case Bad:
			out = append(out, "bad "+s.Reason.String())
		case Event:
			out = append(out, describeEvent(&s.Event))
		case ServiceCheck:
			out = append(out, describeCheck(&s.Check))
		}
	}
	return out
}

func describe(l *Line) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", l.Type, l.Name)
	for _, v := range l.Values {
		fmt.Fprintf(&b, " %v", v.Number)
		if v.Signed {
			b.WriteString("(signed)")
		}
	}
	if l.Type == Set {
		fmt.Fprintf(&b, " %q", l.Member)
	}
	if l.Rate != 1 {
		fmt.Fprintf(&b, " rate=%v", l.Rate)
	}
	describeTags(&b, l.Tags)
	if l.Timestamp != 0 {
		fmt.Fprintf(&b, " T=%d", l.Timestamp)
	}
	describeOrigin(&b, l.Container, l.External, l.Cardinality)
	return b.String()
}

func describeTags(b *strings.Builder, tags []byte) {
	for name, value, rest, ok := NextTag(tags); ok; name, value, rest, ok = NextTag(rest) {
		if value == nil {
			fmt.Fprintf(b, " #%s", name)
		} else {
			fmt.Fprintf(b, " #%s=%s", name, value)
		}
	}
}

func describeOrigin(b *strings.Builder, container, external, cardinality []byte) {
	for _, f := range []struct {
		name string
		text []byte
	}{{"c", container}, {"e", external}, {"card", cardinality}} {
		if f.text != nil {
			fmt.Fprintf(b, " %s=%s", f.name, f.text)
		}
	}
}

func describeEvent(e *EventLine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "event %q %q %s %s", e.Title, e.Text, e.Priority, e.Alert)
	describeWords(&b, e.Timestamp, "h", e.Host, "k", e.Key, "s", e.Source)
	describeTags(&b, e.Tags)
	describeOrigin(&b, e.Container, e.External, e.Cardinality)
	return b.String()
}

func describeCheck(c *CheckLine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "check %q %d", c.Name, c.Status)
	describeWords(&b, c.Timestamp, "h", c.Host, "m", c.Message)
	describeTags(&b, c.Tags)
	describeOrigin(&b, c.Container, c.External, c.Cardinality)
	return b.String()
}

// describeWords writes down the fields that are there: a name and a text each.
func describeWords(b *strings.Builder, timestamp int64, fields ...string) {
	if timestamp != 0 {
		fmt.Fprintf(b, " d=%d", timestamp)
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i+1] != "" {
			fmt.Fprintf(b, " %s=%q", fields[i], fields[i+1])
		}
	}
}

var wire = []struct {
	datagram string
	want     []string
}{
	// The six types.
	{"page.views:1|c", []string{"c page.views 1"}},
	{"fuel.level:0.5|g", []string{"g fuel.level 0.5"}},
	{"fullstack.insert.time:320|ms", []string{"ms fullstack.insert.time 320"}},
	{"song.length:240|h", []string{"h song.length 240"}},
	{"song.length:240|d", []string{"d song.length 240"}},
	{"users.uniques:1234|s", []string{`s users.uniques "1234"`}},
	{"users.uniques:alice:bob|s", []string{`s users.uniques "alice:bob"`}},
	// Numbers.
	{"a:-3|c", []string{"c a -3(signed)"}},
	{"a:+3|g", []string{"g a 3(signed)"}},
	{"a:-0.25|g", []string{"g a -0.25(signed)"}},
	{"a:1e3|g", []string{"g a 1000"}},
	{"a:1.5E-3|ms", []string{"ms a 0.0015"}},
	{"a:.5|g", []string{"g a 0.5"}},
	{"a:5.|g", []string{"g a 5"}},
	{"a:0.1234567890123456789|g", []string{"g a 0.12345678901234568"}},
	{"a:9007199254740993|c", []string{"c a 9.007199254740992e+15"}},
	// Rates.
	{"a:1|c|@0.1", []string{"c a 1 rate=0.1"}},
	{"a:1|c|@1", []string{"c a 1"}},
	{"a:1|c|@1e-2", []string{"c a 1 rate=0.01"}},
	{"a:1|c|@0", []string{"bad bad_rate"}},
	{"a:1|c|@1.5", []string{"bad bad_rate"}},
	{"a:1|c|@-0.5", []string{"bad bad_rate"}},
	{"a:1|c|@", []string{"bad bad_rate"}},
	{"a:1|c|@0,5", []string{"bad bad_rate"}},
	{"a:1|c|@nan", []string{"bad bad_rate"}},
	// Tags.
	{"a:1|c|#country:china,environment:production", []string{"c a 1 #country=china #environment=production"}},
	{"a:1|c|#canary,zone:b", []string{"c a 1 #canary #zone=b"}},
	{"a:1|c|#url:http://x/y", []string{"c a 1 #url=http://x/y"}},
	{"a:1|c|#,,a:1,", []string{"c a 1 #a=1"}},
	{"a:1|c|#a:", []string{"c a 1 #a="}},
	{"a:1|c|#", []string{"c a 1"}},
	// Fields in any order, known or not.
	{"a:1|c|#x:y|@0.5", []string{"c a 1 rate=0.5 #x=y"}},
	{"a:1|c|c:83c0a99c|#x:y|@0.5", []string{"c a 1 rate=0.5 #x=y c=83c0a99c"}},
	{"a:1|c|#x:y|c:in-4026531841", []string{"c a 1 #x=y c=in-4026531841"}},
	{"a:15|c|#x:y|T1656581400", []string{"c a 15 #x=y T=1656581400"}},
	{"a:1|c|card:low|e:it-false,cn-nginx,pu-1|T1656581400|c:ci-1|#x:y|@0.5",
		[]string{"c a 1 rate=0.5 #x=y T=1656581400 c=ci-1 e=it-false,cn-nginx,pu-1 card=low"}},
	{"a:1|c|z:later|#x:y", []string{"c a 1 #x=y"}},
	{"a:1|c||#x:y|", []string{"c a 1 #x=y"}},
	{"a:1|c|T", []string{"bad bad_timestamp"}},
	{"a:1|c|T-5", []string{"bad bad_timestamp"}},
	{"a:1|c|T0", []string{"bad bad_timestamp"}},
	{"a:1|c|T99999999999999999999", []string{"bad bad_timestamp"}},
	// Packed values share everything else.
	{"a:1:2:3.5|h|@0.5|#x:y", []string{"h a 1 2 3.5 rate=0.5 #x=y"}},
	{"a:5:+1:-2|g", []string{"g a 5 1(signed) -2(signed)"}},
	{"a:1::3|c", []string{"bad bad_value"}},
	{"a:1:2:|c", []string{"bad bad_value"}},
	{"a:1:x|c", []string{"bad bad_value"}},
	// Many lines; junk does not stop the rest.
	{"a:1|c\nb:2|g\n", []string{"c a 1", "g b 2"}},
	{"\n\na:1|c\r\n\r\nb:2|g", []string{"c a 1", "g b 2"}},
	{"a:1|c\njunk\nb:2|g\n:1|c\n|\nc:3|c", []string{"c a 1", "bad no_value", "g b 2", "bad no_name", "bad no_name", "c c 3"}},
	// Bad lines.
	{"", nil},
	{"\n", nil},
	{"a", []string{"bad no_value"}},
	{"a:", []string{"bad no_value"}},
	{"a:|c", []string{"bad no_value"}},
	{"a|c", []string{"bad no_value"}},
	{"a|c|#x:1", []string{"bad bad_name"}},
	{":1|c", []string{"bad no_name"}},
	{"a:1", []string{"bad no_type"}},
	{"a:1|", []string{"bad no_type"}},
	{"a:1||#x:y", []string{"bad no_type"}},
	{"a:1|q", []string{"bad unknown_type"}},
	{"a:1|C", []string{"bad unknown_type"}},
	{"a:1|mss", []string{"bad unknown_type"}},
	{"a:nan|g", []string{"bad bad_value"}},
	{"a:NaN|c", []string{"bad bad_value"}},
	{"a:inf|g", []string{"bad bad_value"}},
	{"a:+Inf|g", []string{"bad bad_value"}},
	{"a:1e999|g", []string{"bad bad_value"}},
	{"a:0x10|c", []string{"bad bad_value"}},
	{"a:1_000|c", []string{"bad bad_value"}},
	{"a:1,5|g", []string{"bad bad_value"}},
	{"a:--1|g", []string{"bad bad_value"}},
	{"a:-|g", []string{"bad bad_value"}},
	{"a:.|g", []string{"bad bad_value"}},
	{"a:1 2|g", []string{"bad bad_value"}},
	{"a: |g", []string{"bad bad_value"}},
	{"a:1| ", []string{"bad unknown_type"}},
	// Blanks around a value, a type and a rate; those in a set's member and in tags are part of it.
	{"a: 1|g", []string{"g a 1"}},
	{"a:\t-12.5 |g", []string{"g a -12.5(signed)"}},
	{"a: 1 : 2 | ms | @0.5 ", []string{"ms a 1 2 rate=0.5"}},
	{"a:1|c |@ 0.5", []string{"c a 1 rate=0.5"}},
	{"a:1|c| |#x:y z", []string{"c a 1 #x=y z"}},
	{"a:1|c\t| #x:y", []string{"c a 1 #x=y"}},
	{"a: x |s", []string{`s a " x "`}},
	// Several typed samples, as Kamon's client and etsy's StatsD have them. Each has its own rate.
	{"akka.time:581632|ms:593920|ms:610304|ms", []string{"ms akka.time 581632", "ms akka.time 593920", "ms akka.time 610304"}},
	{"akka.box:5664|ms:6240|ms|@0.5", []string{"ms akka.box 5664", "ms akka.box 6240 rate=0.5"}},
	{"a:1|c|@0.5:2|c", []string{"c a 1 rate=0.5", "c a 2"}},
	{"a:1|g|@0.5:2|g|@0.1", []string{"g a 1", "g a 2"}},
	{"a:1|c:2|ms:-3|g:x|s:4|h:5|d\nb:1|c", []string{"c a 1", "ms a 2", "g a -3(signed)", `s a "x"`, "h a 4", "d a 5", "c b 1"}},
	{"a:1:2|ms:3|c", []string{"ms a 1 2", "c a 3"}},
	{"a: 1 | ms : 2 | c | @0.5 \r\n", []string{"ms a 1", "c a 2 rate=0.5"}},
	// One that is bad spoils the line, whichever it is.
	{"a:1|c:x|c", []string{"bad unknown_type"}},
	{"a:1|c:2|q", []string{"bad unknown_type"}},
	{"a:1|c:2", []string{"bad unknown_type"}},
	{"a:1|c:", []string{"bad unknown_type"}},
	{"a:1|c:2|c:", []string{"bad unknown_type"}},
	{"a:1|c:|c", []string{"bad unknown_type"}},
	{"a:1|c|@0.5:", []string{"bad bad_rate"}},
	{"a:1|c|@0.5:2|c|@7", []string{"bad bad_rate"}},
	{"a:x|c:2|c", []string{"bad unknown_type"}},
	// DogStatsD's fields have colons of their own.
	{"a:1|c:2|c|#x:y", []string{"bad unknown_type"}},
	{"a:1|c:2|c|c:ci-1", []string{"bad unknown_type"}},
	{"a:1|c|c:2|c", []string{"c a 1 c=2"}},
	// What only looks like an event or a service check.
	{"_e:1|c", []string{"c _e 1"}},
	{"_score:1|c", []string{"c _score 1"}},
	{"_sc:1|c", []string{"c _sc 1"}},
	{"__e{:1|c", []string{"c __e{ 1"}},
}

func TestWireLines(t *testing.T) {
	for _, tt := range wire {
		if diff := cmp.Diff(tt.want, read(tt.datagram)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.datagram, diff)
		}
	}
}

func TestEveryReasonAndTypeHasItsName(t *testing.T) {
	seen := map[string]bool{"unknown": true}
	for r := Reason(0); r < Reasons; r++ {
		if seen[r.String()] {
			t.Errorf("reason %d is called %q like another", r, r)
		}
		seen[r.String()] = true
	}
	if got := Reasons.String(); got != "unknown" {
		t.Errorf("a reason that is none is called %q", got)
	}
	for _, name := range []string{"c", "g", "ms", "h", "d", "s"} {
		if got := typeOf([]byte(name)).String(); got != name {
			t.Errorf("type %s is called %s", name, got)
		}
	}
}
