package dogstatsd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// told are events and service checks. What it says of odd ones is what Datadog's
// agent makes of them, unless a comment says else.
var told = []struct {
	datagram string
	want     []string
}{
	// Events.
	{"_e{5,4}:title|text", []string{`event "title" "text" normal info`}},
	{"_e{5,4}:title|text|t:warning|#a:b\na:1|c", []string{`event "title" "text" normal warning #a=b`, "c a 1"}},
	{"_e{5,4}:title|text|d:1656581400|h:db-1|k:deploys|p:low|s:ci|t:success|#a:b,c|c:ci-1|e:it-1|card:low",
		[]string{`event "title" "text" low success d=1656581400 h="db-1" k="deploys" s="ci" #a=b #c c=ci-1 e=it-1 card=low`}},
	{"_e{5,4}:title|text|card:low|e:it-1|#a:b,c|c:ci-1|t:success|s:ci|p:low|k:deploys|h:db-1|d:1656581400",
		[]string{`event "title" "text" low success d=1656581400 h="db-1" k="deploys" s="ci" #a=b #c c=ci-1 e=it-1 card=low`}},
	{"_e{5,4}:title|text|p:normal|t:error", []string{`event "title" "text" normal error`}},
	{"_e{5,4}:title|text|t:info|h:a:b", []string{`event "title" "text" normal info h="a:b"`}},
	// The lengths tell where words end.
	{"_e{3,8}:a|b|x|y|#z:1|k:1", []string{`event "a|b" "x|y|#z:1" normal info k="1"`}},
	{"_e{5,0}:title|", []string{`event "title" "" normal info`}},
	{"_e{5,0}:title||t:error", []string{`event "title" "" normal error`}},
	{"_e{05,004}:title|text", []string{`event "title" "text" normal info`}},
	{"_e{6,3}:käse|fü", []string{"bad bad_event"}},
	{"_e{5,3}:käse|fü", []string{`event "käse" "fü" normal info`}},
	{`_e{6,24}:ti\ntl|test\line1\nline2\nline3`, []string{`event "ti\ntl" "test\\line1\nline2\nline3" normal info`}},
	{"_e{2,2}:\xff\x00|\x00\xfe", []string{`event "\xff\x00" "\x00\xfe" normal info`}},
	// A newline of its own ends the line; what follows is a line as well.
	{"_e{5,9}:title|one\ntwo:2|c", []string{"bad bad_event", "c two 2"}},
	{"_e{5,4}:title|text\r\na:1|c", []string{`event "title" "text" normal info`, "c a 1"}},
	// Fields that make no sense leave the default; of two the last counts.
	{"_e{5,4}:title|text|p:urgent|t:fatal|d:abc|x:1|q||", []string{`event "title" "text" normal info`}},
	{"_e{5,4}:title|text|p:low|p:urgent|t:error|t:Info|d:5|d:-1", []string{`event "title" "text" low error d=5`}},
	{"_e{5,4}:title|text|h:a|h:b|#a|#b", []string{`event "title" "text" normal info h="b" #b`}},
	// Bad ones.
	{"_e{}:title|text", []string{"bad bad_event"}},
	{"_e{,}:title|text", []string{"bad bad_event"}},
	{"_e{5,}:title|text", []string{"bad bad_event"}},
	{"_e{,4}:title|text", []string{"bad bad_event"}},
	{"_e{5}:title|text", []string{"bad bad_event"}},
	{"_e{5:title|text", []string{"bad bad_event"}},
	{"_e{5,4:title|text", []string{"bad bad_event"}},
	{"_e{5,4}title|text", []string{"bad bad_event"}},
	{"_e{5,4};title|text", []string{"bad bad_event"}},
	{"_e{5,4}", []string{"bad bad_event"}},
	{"_e{5,4}:", []string{"bad bad_event"}},
	{"_e{a,4}:title|text", []string{"bad bad_event"}},
	{"_e{5,0x4}:title|text", []string{"bad bad_event"}},
	{"_e{-5,4}:title|text", []string{"bad bad_event"}},
	{"_e{5,-4}:title|text", []string{"bad bad_event"}},
	{"_e{0,4}:|text", []string{"bad bad_event"}},
	{"_e{5,40}:title|text", []string{"bad bad_event"}},
	{"_e{10,10}:title|text", []string{"bad bad_event"}},
	{"_e{5,0}:title", []string{"bad bad_event"}},
	{"_e{18446744073709551615,18446744073709551615}:title|text", []string{"bad bad_event"}},
	{"_e{9223372036854775807,1}:title|text", []string{"bad bad_event"}},
	// Bad, where the agent takes them with their words cut elsewhere.
	{"_e{4,4}:title|text", []string{"bad bad_event"}},
	{"_e{4,5}:title|text", []string{"bad bad_event"}},
	{"_e{5,4}:title text", []string{"bad bad_event"}},
	{"_e{5,3}:title|text", []string{"bad bad_event"}},
	{"_e{5,3}:title|text|t:error", []string{"bad bad_event"}},
	{"_e{+5,4}:title|text", []string{"bad bad_event"}},
	{"_e{5,4]:title|text", []string{"bad bad_event"}},

	// Service checks.
	{"_sc|db|0", []string{`check "db" 0`}},
	{"_sc|db can connect|2|#env:dev|m:it failed", []string{`check "db can connect" 2 m="it failed" #env=dev`}},
	{"_sc|db|1|d:1656581400|h:db-1|#a:b,c|m:slow|c:ci-1|e:it-1|card:low",
		[]string{`check "db" 1 d=1656581400 h="db-1" m="slow" #a=b #c c=ci-1 e=it-1 card=low`}},
	{"_sc|db|3|card:low|e:it-1|c:ci-1|m:slow|#a:b,c|h:db-1|d:1656581400",
		[]string{`check "db" 3 d=1656581400 h="db-1" m="slow" #a=b #c c=ci-1 e=it-1 card=low`}},
	{"_sc|db|0|m:", []string{`check "db" 0`}},
	{"_sc|a:b|0", []string{`check "a:b" 0`}},
	// Unlike the agent, a message is what its sender had in mind.
	{`_sc|db|0|m:one\ntwo: m\:three m:four`, []string{`check "db" 0 m="one\ntwo: m:three m:four"`}},
	{`_sc|db|0|m:a\b\m:`, []string{`check "db" 0 m="a\\b\\m:"`}},
	{"_sc|db|0|m:a|b|c:ci-1", []string{`check "db" 0 m="a" c=ci-1`}},
	{"_sc|db|0|m:\xff\x00", []string{`check "db" 0 m="\xff\x00"`}},
	{"_sc|db|0|m:one\ntwo:2|c", []string{`check "db" 0 m="one"`, "c two 2"}},
	// Fields that make no sense, and twice the same.
	{"_sc|db|0|d:soon|x:1||", []string{`check "db" 0`}},
	{"_sc|db|0|d:21|h:a|h:b|d:22|m:a|m:b", []string{`check "db" 0 d=22 h="b" m="b"`}},
	// Bad ones.
	{"_sc|", []string{"bad bad_service_check"}},
	{"_sc||", []string{"bad bad_service_check"}},
	{"_sc||0", []string{"bad bad_service_check"}},
	{"_sc|db", []string{"bad bad_service_check"}},
	{"_sc|db|", []string{"bad bad_service_check"}},
	{"_sc|db|OK", []string{"bad bad_service_check"}},
	{"_sc|db|4", []string{"bad bad_service_check"}},
	{"_sc|db|-1", []string{"bad bad_service_check"}},
	{"_sc|db|00", []string{"bad bad_service_check"}},
	{"_sc|db|21", []string{"bad bad_service_check"}},
	{"_sc|db|#a:b|0", []string{"bad bad_service_check"}},
}

func TestEventsAndServiceChecks(t *testing.T) {
	for _, tt := range told {
		if diff := cmp.Diff(tt.want, read(tt.datagram)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.datagram, diff)
		}
	}
}

// TestNothingIsLeftOfTheLineBefore: a field that only the first of two lines has
// is not in the second.
func TestNothingIsLeftOfTheLineBefore(t *testing.T) {
	const all = "|@0.5|#a:b|T5|d:5|h:x|k:x|p:low|s:x|t:error|m:x|c:x|e:x|card:low\n"
	for _, line := range []string{"a:1|c", "a:x|s", "_e{1,1}:a|b", "_sc|a|0"} {
		var s, plain Scanner
		s.Reset([]byte(line + all + line))
		plain.Reset([]byte(line))
		kind := plain.Next()
		if got := s.Next(); got != kind {
			t.Fatalf("%s with fields is of kind %d, without of kind %d", line, got, kind)
		}
		s.Next()
		for _, pair := range [][2]string{
			{describe(&s.Line), describe(&plain.Line)},
			{describeEvent(&s.Event), describeEvent(&plain.Event)},
			{describeCheck(&s.Check), describeCheck(&plain.Check)},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s after one with fields is %s, want %s", line, pair[0], pair[1])
			}
		}
	}
}

// TestWordsMayBeKept: the strings of an event and a service check are not
// changed by what the next datagram writes into the same memory.
func TestWordsMayBeKept(t *testing.T) {
	datagram := []byte("_e{5,4}:title|text|h:host|k:key|s:source\n_sc|name|0|h:host|m:message")
	var s Scanner
	s.Reset(datagram)
	if s.Next() != Event || s.Next() != ServiceCheck {
		t.Fatalf("%q is not an event and a service check", datagram)
	}
	event, check := describeEvent(&s.Event), describeCheck(&s.Check)
	clear(datagram)
	if got := describeEvent(&s.Event); got != event {
		t.Errorf("the event became %s, was %s", got, event)
	}
	if got := describeCheck(&s.Check); got != check {
		t.Errorf("the service check became %s, was %s", got, check)
	}
}
