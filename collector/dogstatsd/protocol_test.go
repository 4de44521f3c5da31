package dogstatsd

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// protocol is a row for every feature of DogStatsD's versions, of plain StatsD
// and of Graphite's names.
// Source: https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/ and
// https://github.com/statsd/statsd/blob/master/docs/metric_types.md
var protocol = []struct {
	version, feature string
	datagram         string
	want             []string
}{
	{"statsd", "no rate", "gorets:1|c", []string{"c gorets 1"}},
	{"statsd", "rate", "gorets:1|c|@0.1", []string{"c gorets 1 rate=0.1"}},
	{"statsd", "timing", "glork:320|ms|@0.1", []string{"ms glork 320 rate=0.1"}},
	{"statsd", "gauge", "gaugor:333|g", []string{"g gaugor 333"}},
	{"statsd", "gauge up", "gaugor:+4|g", []string{"g gaugor 4(signed)"}},
	{"statsd", "gauge down", "gaugor:-10|g", []string{"g gaugor -10(signed)"}},
	{"statsd", "gauge to below zero", "gaugor:0|g\ngaugor:-10|g", []string{"g gaugor 0", "g gaugor -10(signed)"}},
	{"statsd", "set", "uniques:765|s", []string{`s uniques "765"`}},
	{"statsd", "lines with a newline between", "gorets:1|c\nglork:320|ms\n", []string{"c gorets 1", "ms glork 320"}},
	{"statsd", "name with spaces and slashes", "a b/c\td:1|c", []string{"c a b/c\td 1"}},
	{"statsd", "several typed samples", "glork:320|ms|@0.1:1|c", []string{"ms glork 320 rate=0.1", "c glork 1"}},
	{"statsd", "blanks", "gorets: 1 | c |@0.1", []string{"c gorets 1 rate=0.1"}},
	{"graphite", "tags in the name", "disk.used;host=a;disk=sda:1|g", []string{"g disk.used;host=a;disk=sda 1"}},

	{"1.0", "count", "a:1|c", []string{"c a 1"}},
	{"1.0", "gauge", "a:0.5|g", []string{"g a 0.5"}},
	{"1.0", "timer", "a:320|ms", []string{"ms a 320"}},
	{"1.0", "histogram", "a:240|h", []string{"h a 240"}},
	{"1.0", "distribution", "a:240|d", []string{"d a 240"}},
	{"1.0", "set", "a:1234|s", []string{`s a "1234"`}},
	{"1.0", "rate of a count", "a:1|c|@0.5", []string{"c a 1 rate=0.5"}},
	{"1.0", "rate of a timer", "a:1|ms|@0.5", []string{"ms a 1 rate=0.5"}},
	{"1.0", "rate of a histogram", "a:1|h|@0.5", []string{"h a 1 rate=0.5"}},
	{"1.0", "rate of a distribution", "a:1|d|@0.5", []string{"d a 1 rate=0.5"}},
	{"1.0", "rate of a gauge is ignored", "a:1|g|@0.5", []string{"g a 1"}},
	{"1.0", "rate of a set is ignored", "a:1|s|@0.5", []string{`s a "1"`}},
	{"1.0", "but it has to be one", "a:1|g|@2\na:1|s|@x", []string{"bad bad_rate", "bad bad_rate"}},
	{"1.0", "tags", "a:1|c|#country:china,canary", []string{"c a 1 #country=china #canary"}},
	{"1.0", "event", "_e{5,4}:title|text", []string{`event "title" "text" normal info`}},
	{"1.0", "service check", "_sc|db|0", []string{`check "db" 0`}},
	{"1.1", "packed counts", "a:1:2:3|c", []string{"c a 1 2 3"}},
	{"1.1", "packed gauges", "a:1:-2:+3|g", []string{"g a 1 -2(signed) 3(signed)"}},
	{"1.1", "packed timers", "a:1:2.5|ms", []string{"ms a 1 2.5"}},
	{"1.1", "packed histograms", "a:1:2.5|h", []string{"h a 1 2.5"}},
	{"1.1", "packed distributions", "a:1:2.5|d", []string{"d a 1 2.5"}},
	{"1.1", "a set is not packed", "a:1:2|s", []string{`s a "1:2"`}},
	{"1.1", "packed, with a rate and tags", "a:1:2|ms|@0.5|#x:y", []string{"ms a 1 2 rate=0.5 #x=y"}},
	{"1.2", "container id", "a:1|c|c:83c0a99c0a54", []string{"c a 1 c=83c0a99c0a54"}},
	{"1.3", "timestamp", "a:15|c|T1656581400", []string{"c a 15 T=1656581400"}},
	{"1.3", "timestamp of a gauge", "a:15|g|T1656581400", []string{"g a 15 T=1656581400"}},
	{"1.4", "container id, marked", "a:1|c|c:ci-83c0a99c", []string{"c a 1 c=ci-83c0a99c"}},
	{"1.4", "inode", "a:1|c|c:in-4026531841", []string{"c a 1 c=in-4026531841"}},
	{"1.5", "external data", "a:1|c|e:it-false,cn-web,pu-1", []string{"c a 1 e=it-false,cn-web,pu-1"}},
	{"1.6", "cardinality", "a:1|c|card:orchestrator", []string{"c a 1 card=orchestrator"}},
	{"later", "a field nobody knows", "a:1|c|zz:1|#x:y", []string{"c a 1 #x=y"}},
}

func TestProtocolVersions(t *testing.T) {
	for _, tt := range protocol {
		t.Run(tt.version+"/"+tt.feature, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, read(tt.datagram)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", tt.datagram, diff)
			}
		})
	}
}

// permutations calls f with every order of fields.
func permutations(fields []string, f func([]string)) {
	var put func(int)
	put = func(n int) {
		if n == len(fields) {
			f(fields)
			return
		}
		for i := n; i < len(fields); i++ {
			fields[n], fields[i] = fields[i], fields[n]
			put(n + 1)
			fields[n], fields[i] = fields[i], fields[n]
		}
	}
	put(0)
}

func TestFieldsComeInAnyOrder(t *testing.T) {
	for _, tt := range []struct {
		start  string
		fields []string
		want   string
	}{
		{"a:1:2|ms", []string{"@0.5", "#x:y,z", "c:ci-1", "e:it-1", "T1656581400", "card:low"},
			"ms a 1 2 rate=0.5 #x=y #z T=1656581400 c=ci-1 e=it-1 card=low"},
		{"_e{1,1}:a|b", []string{"d:5", "h:x", "k:y", "p:low", "s:z", "t:error", "#u:v"},
			`event "a" "b" low error d=5 h="x" k="y" s="z" #u=v`},
		{"_sc|a|1", []string{"d:5", "h:x", "#u:v", "m:y", "c:ci-1", "e:it-1", "card:low"},
			`check "a" 1 d=5 h="x" m="y" #u=v c=ci-1 e=it-1 card=low`},
	} {
		orders := 0
		permutations(tt.fields, func(fields []string) {
			orders++
			line := tt.start + "|" + strings.Join(fields, "|")
			if got := read(line); len(got) != 1 || got[0] != tt.want {
				t.Fatalf("%s\n is %v\nwant %s", line, got, tt.want)
			}
		})
		if orders < 720 {
			t.Errorf("%s was tried in %d orders, want all of %d fields", tt.start, orders, len(tt.fields))
		}
	}
}

// odd lines are legal, or nearly so, and seldom.
var odd = []struct {
	datagram string
	want     []string
}{
	// Tags.
	{"a:1|c|#x:1,x:1,x:2", []string{"c a 1 #x=1 #x=1 #x=2"}},
	{"a:1|c|#x::y:z:", []string{"c a 1 #x=:y:z:"}},
	{"a:1|c|#:x", []string{"c a 1 #=x"}},
	{"a:1|c|#:", []string{"c a 1 #="}},
	{"a:1|c|#,", []string{"c a 1"}},
	{"a:1|c|#,,x,,y:,,", []string{"c a 1 #x #y="}},
	{"a:1|c|# x : y , z ", []string{"c a 1 # x = y  # z "}},
	{"a:1|c|##x", []string{"c a 1 ##x"}},
	{"a:1|c|#x|#y", []string{"c a 1 #y"}},
	// Text that is not ASCII, and text that is none.
	{"größe.文字:1|c|#stadt:köln,🙂", []string{"c größe.文字 1 #stadt=köln #🙂"}},
	{"a\xff\xfe:1|c|#\xc3:\x28,b:\x80", []string{"c a\xff\xfe 1 #\xc3=\x28 #b=\x80"}},
	{"a\x00b:1|c|#x\x00:\x00y", []string{"c a\x00b 1 #x\x00=\x00y"}},
	{"\x00:1|c", []string{"c \x00 1"}},
	{"a:\x001|c", []string{"bad bad_value"}},
	{"a:1\x00|c", []string{"bad bad_value"}},
	{"a:1|c\x00", []string{"bad unknown_type"}},
	{"a:\x00\xff|s", []string{`s a "\x00\xff"`}},
	{"a:1|c\x00\nb:2|c", []string{"bad unknown_type", "c b 2"}},
	// Sets.
	{"a::|s", []string{`s a ":"`}},
	{"a: |s", []string{`s a " "`}},
	{"a:|s", []string{"bad no_value"}},
	{"a:+1|s", []string{`s a "+1"`}},
	// Ends of lines.
	{"a:1|c\r\nb:2|g|#x:y\r\n", []string{"c a 1", "g b 2 #x=y"}},
	{"a:1|c\r", []string{"c a 1"}},
	{"\r\r\n", []string{"bad no_value"}},
	{"a:1|c\r\r\n", []string{"bad unknown_type"}},
	{"a:1|c\n\rb:2|c", []string{"c a 1", "c \rb 2"}},
	{" a:1|c", []string{"c  a 1"}},
	{"a:1|c ", []string{"c a 1"}},
	// Fields.
	{"a:1|c|@0.5|@0.25", []string{"c a 1 rate=0.25"}},
	{"a:1|c|@0.5|@2", []string{"bad bad_rate"}},
	{"a:1|c|c:|e:|card:", []string{"c a 1 c= e= card="}},
	{"a:1|c|cx|ex|carx", []string{"c a 1"}},
	{"a:1|c|T12.5", []string{"bad bad_timestamp"}},
	{"a:1|c|T+12", []string{"bad bad_timestamp"}},
	{"a:1|c|T1e9", []string{"bad bad_timestamp"}},
	{"a:1|c|T 12", []string{"bad bad_timestamp"}},
	{"a:1|c|T0012", []string{"c a 1 T=12"}},
	{"a:1|c|T999999999999999999", []string{"c a 1 T=999999999999999999"}},
	// Names.
	{"|:1|c", []string{"bad no_name"}},
	{"a|b:1|c", []string{"bad bad_name"}},
	{"_e:1|c|#x", []string{"c _e 1 #x"}},
	{"#a:1|c", []string{"c #a 1"}},
	{"@:1|c", []string{"c @ 1"}},
}

func TestOddLines(t *testing.T) {
	for _, tt := range odd {
		if diff := cmp.Diff(tt.want, read(tt.datagram)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.datagram, diff)
		}
	}
}

// TestLongLines: a line may fill the greatest datagram there is.
func TestLongLines(t *testing.T) {
	const long = 65_000
	var s Scanner
	next := func(line string) Kind {
		s.Reset([]byte(line + "\nb:2|c"))
		kind := s.Next()
		if len(s.Raw) != len(line) || s.Next() != Metric || string(s.Line.Name) != "b" {
			t.Fatalf("a line of %d bytes did not end where it ends", len(line))
		}
		// Next has gone on to b; go back.
		s.Reset([]byte(line))
		s.Next()
		return kind
	}
	text := strings.Repeat("x", long)
	if kind := next(text + ":1|c"); kind != Metric || len(s.Line.Name) != long {
		t.Errorf("a long name: kind %d, %d bytes", kind, len(s.Line.Name))
	}
	if kind := next("a:" + text + "|s"); kind != Metric || len(s.Line.Member) != long {
		t.Errorf("a long member: kind %d, %d bytes", kind, len(s.Line.Member))
	}
	if kind := next("a:1|c|#" + strings.Repeat("x:y,", long/4)); kind != Metric {
		t.Errorf("many tags: kind %d", kind)
	}
	n := 0
	for _, _, rest, ok := NextTag(s.Line.Tags); ok; _, _, rest, ok = NextTag(rest) {
		n++
	}
	if n != long/4 {
		t.Errorf("of %d tags came %d", long/4, n)
	}
	if kind := next("a:1" + strings.Repeat(":1", long/2) + "|h"); kind != Metric || len(s.Line.Values) != long/2+1 {
		t.Errorf("many values: kind %d, %d values", kind, len(s.Line.Values))
	}
	if kind := next("a:" + strings.Repeat("1", long) + "|c"); kind != Bad || s.Reason != BadValue {
		t.Errorf("a number of %d digits is beyond a float64, got kind %d", long, kind)
	}
	if kind := next("a:0." + strings.Repeat("3", long) + "|c"); kind != Metric || s.Line.Values[0].Number != 1.0/3 {
		t.Errorf("a third in %d digits: kind %d, %v", long, kind, s.Line.Values)
	}
	if kind := next(fmt.Sprintf("_e{5,%d}:title|%s", long, text)); kind != Event || len(s.Event.Text) != long {
		t.Errorf("a long event: kind %d, %d bytes", kind, len(s.Event.Text))
	}
	if kind := next("_sc|db|0|m:" + text); kind != ServiceCheck || len(s.Check.Message) != long {
		t.Errorf("a long service check: kind %d, %d bytes", kind, len(s.Check.Message))
	}
}

func TestGraphiteNames(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"disk.used", "disk.used"},
		{"disk.used;host=a;disk=sda", "disk.used #host=a #disk=sda"},
		{"a;b", "a #b"},
		{"a;b=", "a #b="},
		{"a;=b", "a #=b"},
		{"a;b=c=d", "a #b=c=d"},
		{"a;;b=c;;", "a #b=c"},
		{"a;", "a"},
		{"a;stadt=köln;\xff=\x00", "a #stadt=köln #\xff=\x00"},
		{"a;x=1;x=1", "a #x=1 #x=1"},
		{";b=c", ";b=c"},
		{";", ";"},
	} {
		base, tags := SplitName([]byte(tt.name))
		got := string(base)
		for name, value, rest, ok := NextGraphiteTag(tags); ok; name, value, rest, ok = NextGraphiteTag(rest) {
			got += " #" + string(name)
			if value != nil {
				got += "=" + string(value)
			}
		}
		if got != tt.want {
			t.Errorf("%q is %q, want %q", tt.name, got, tt.want)
		}
	}
	// A name without tags is told from one whose tags are empty.
	if _, tags := SplitName([]byte("a")); tags != nil {
		t.Errorf("a has the tags %q, want none", tags)
	}
	if _, tags := SplitName([]byte("a;")); tags == nil || !bytes.Equal(tags, nil) {
		t.Errorf("a; has the tags %q, want empty ones", tags)
	}
}
