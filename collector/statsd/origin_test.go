package statsd

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// by is a listener of nobody in particular that tells who sent a line.
func by(o Origin) Listener {
	l := udp("", "env", "test")
	l.Origin = o
	return l
}

// origins are Meta.Origin by instance, of the series of name.
func (m *memory) origins(name string) map[string]string {
	out := map[string]string{}
	for _, s := range m.of(name, "") {
		out[s.Labels.Get("instance")] = s.Meta.Origin
	}
	return out
}

func TestBySource(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.open(by(BySource))
	must(t, b.Assign("10.0.0.3", "web-1", collector.NewLabels("zone", "a")))
	b.feedFrom(l, "10.0.0.3", "a:1|c", "a:1|c|c:abc")
	b.feedFrom(l, "::ffff:10.0.0.3", "a:1|c")
	b.feedFrom(l, "10.0.0.4", "a:10|c")
	b.feedFrom(l, "fd00::1", "a:100|c")
	b.feedFrom(l, "", "a:1000|c")
	at := b.tick()
	want := []string{
		"a_total env=test = 1000 (1)", "a_total env=test instance=10.0.0.4 = 10 (1)",
		"a_total env=test instance=fd00::1 = 100 (1)", "a_total instance=web-1 zone=a = 3 (3)"}
	if diff := cmp.Diff(want, b.sink.at(at)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantOrigins := map[string]string{"": "", "10.0.0.4": "source", "fd00::1": "source", "web-1": "source"}
	if diff := cmp.Diff(wantOrigins, b.sink.origins("a_total")); diff != "" {
		t.Errorf("how the instance was found (-want +got):\n%s", diff)
	}
	figures := balanceQuiet(t, b.Collector)
	var names []string
	for _, i := range figures.Instances {
		names = append(names, fmt.Sprintf("%s %v %d/%d", i.Instance, i.Unknown, i.Datagrams, i.Lines))
	}
	if diff := cmp.Diff([]string{" false 1/1", "10.0.0.4 true 1/1", "fd00::1 true 1/1", "web-1 false 3/3"}, names); diff != "" {
		t.Errorf("instances of the figures (-want +got):\n%s", diff)
	}
	if got := figures.Listeners[0]; got.Lines != 6 || got.Origin != BySource {
		t.Errorf("the listener: %+v, want all 6 lines", got)
	}
}

func TestByContainer(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.open(by(ByContainer))
	must(t, b.Assign("ci-abc", "web-1", nil))
	must(t, b.Assign("10.0.0.9", "web-9", nil))
	b.feedFrom(l, "10.0.0.3", "a:1|c|c:ci-abc\na:2|c|c:abc\na:10|c|c:ci-def\na:20|c|c:def\na:100|c|c:in-77\na:1000|c\njunk")
	b.feedFrom(l, "10.0.0.9", "a:5|c\n_e{1,1}:t|x|c:abc")
	at := b.tick()
	want := []string{"a_total env=test instance=10.0.0.3 = 1000 (1)", "a_total env=test instance=def = 30 (2)",
		"a_total env=test instance=in-77 = 100 (1)", "a_total instance=web-1 = 3 (2)", "a_total instance=web-9 = 5 (1)"}
	if diff := cmp.Diff(want, b.sink.at(at)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wantOrigins := map[string]string{"10.0.0.3": "source", "def": "container", "in-77": "container", "web-1": "container", "web-9": "source"}
	if diff := cmp.Diff(wantOrigins, b.sink.origins("a_total")); diff != "" {
		t.Errorf("how the instance was found (-want +got):\n%s", diff)
	}
	for _, i := range balanceQuiet(t, b.Collector).Instances {
		if i.Instance == "web-1" && (i.Events != 1 || i.Lines != 3 || i.Datagrams != 0) {
			t.Errorf("web-1: %+v, want 3 lines, one of them an event, in datagrams of others", i)
		}
		if i.Instance == "10.0.0.3" && (i.BadLines() != 1 || i.Datagrams != 1) {
			t.Errorf("10.0.0.3: %+v, want the datagram and its bad line", i)
		}
	}
}

// TestAssignWhileItSends: what came until then stays where it was and ends, and
// goes on when the name is gone again.
func TestAssignWhileItSends(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.open(by(BySource))
	b.feedFrom(l, "10.0.0.3", "a:1|c")
	b.tick()
	b.feedFrom(l, "10.0.0.3", "a:1|c")
	must(t, b.Assign("10.0.0.3", "web-1", nil))
	b.feedFrom(l, "10.0.0.3", "a:10|c")
	steps := [][]string{
		{"a_total env=test instance=10.0.0.3 = 2 (1)", "a_total instance=web-1 = 10 (1)"},
		{"a_total env=test instance=10.0.0.3 stale (0)", "a_total instance=web-1 = 10 (0)"},
		{"a_total instance=web-1 = 10 (0)"},
	}
	for i, want := range steps {
		if diff := cmp.Diff(want, b.sink.at(b.tick())); diff != "" {
			t.Errorf("interval %d (-want +got):\n%s", i, diff)
		}
	}
	must(t, b.Retire(context.Background(), "web-1"))
	b.feedFrom(l, "10.0.0.3", "a:3|c") // a straggler
	want := []string{"a_total env=test instance=10.0.0.3 = 5 (1)", "a_total instance=web-1 = 10 (0)"}
	if diff := cmp.Diff(want, b.sink.at(b.tick())); diff != "" {
		t.Errorf("after web-1 was retired (-want +got):\n%s", diff)
	}
	must(t, b.Assign("10.0.0.3", "web-2", nil)) // the address is given out anew
	b.feedFrom(l, "10.0.0.3", "a:7|c")
	want = []string{"a_total env=test instance=10.0.0.3 stale (0)", "a_total instance=web-1 stale (0)", "a_total instance=web-2 = 7 (1)"}
	if diff := cmp.Diff(want, b.sink.at(b.tick())); diff != "" {
		t.Errorf("after the address was given to web-2 (-want +got):\n%s", diff)
	}
	balanceQuiet(t, b.Collector)
}

func TestAssignIsRefused(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.open(by(BySource))
	b.listen("web-1", "zone", "a")
	b.feedFrom(l, "10.0.0.7", "a:1|c")
	must(t, b.Assign("10.0.0.3", "web-1", collector.NewLabels("zone", "a")))
	for _, tt := range []struct{ origin, instance, want string }{
		{"", "web-2", `assign "" to "web-2": an origin and an instance have names`},
		{"10.0.0.4", "", `assign "10.0.0.4" to "": an origin and an instance have names`},
		{"10.0.0.3", "web-2", "assign 10.0.0.3 to web-2: it is assigned to web-1; retire that first"},
		{"10.0.0.4", "web-1", "assign 10.0.0.4 to web-1: it has the labels"},
		{"10.0.0.4", "10.0.0.7", "assign 10.0.0.4 to 10.0.0.7: an unknown origin of that name has sent already"},
	} {
		if err := b.Assign(tt.origin, tt.instance, nil); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("assign %q to %q: %v, want %s…", tt.origin, tt.instance, err, tt.want)
		}
	}
	if err := b.Retire(context.Background(), "10.0.0.7"); err == nil || !strings.Contains(err.Error(), "nobody assigned that origin") {
		t.Errorf("retire of an unknown origin: %v", err)
	}
	must(t, b.Retire(context.Background(), "web-1"))
	if err := b.Assign("10.0.0.5", "web-1", collector.NewLabels("zone", "a")); err == nil || !strings.Contains(err.Error(), "is being retired") {
		t.Errorf("assign to an instance that is going: %v", err)
	}
	b.tick()
	b.tick()
	if err := b.Assign("10.0.0.5", "web-1", nil); err == nil || !strings.Contains(err.Error(), "it was retired") {
		t.Errorf("assign to an instance that is gone: %v", err)
	}
}

// TestManyOrigins: those beyond the limit are refused, and those that are known
// go on.
func TestManyOrigins(t *testing.T) {
	b := newBench(t, Config{MaxOrigins: 3})
	l, _ := b.open(by(ByContainer))
	must(t, b.Assign("10.0.1.1", "web-1", nil))
	for i := range 10 {
		b.feedFrom(l, fmt.Sprintf("10.0.0.%d", i), "a:1|c\nb:1|c")
		b.feedFrom(l, "10.0.1.1", fmt.Sprintf("a:1|c\na:1|c|c:box-%d\na:1|c|c:%s", i, strings.Repeat("x", 600)))
	}
	figures := balanceQuiet(t, b.Collector)
	// Each round: 2 lines of a source, 1 of web-1, 1 of a box and 1 with an
	// id that is no id. The first sources and the first box are known.
	want := map[string]uint64{"origins": 8*2 + 9 + 10}
	if diff := cmp.Diff(want, figures.Total.Refused); diff != "" || len(b.strangers) != 3 {
		t.Errorf("refused (-want +got):\n%s%d origins are known, want 3", diff, len(b.strangers))
	}
	b.tick()
	if got := b.sink.last("a_total", "web-1"); got != 10 {
		t.Errorf("web-1: a_total is %v, want 10", got)
	}
	if got := b.sink.last(prefix+"origins", ""); got != 3 {
		t.Errorf("%sorigins is %v, want 3", prefix, got)
	}
}

// TestAnOriginCanNotTakeANamedInstancesPlace.
func TestAnOriginCanNotTakeANamedInstancesPlace(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.open(by(ByContainer))
	b.listen("web-1")
	b.feedFrom(l, "10.0.0.1", "a:1|c|c:web-1")
	if got := balanceQuiet(t, b.Collector).Total.Refused["origins"]; got != 1 {
		t.Errorf("%d lines refused, want 1: the container calls itself like an instance", got)
	}
}

// TestExpire: an origin that sends nothing is marked stale, and goes on where it
// was.
func TestExpire(t *testing.T) {
	b := newBench(t, Config{Expire: 3 * time.Second})
	l, _ := b.open(by(BySource))
	must(t, b.Assign("10.0.0.9", "web-1", nil))
	b.feedFrom(l, "10.0.0.3", "a:2|c|@0.5\ng:7|g\nh:1|h")
	b.feedFrom(l, "10.0.0.9", "a:1|c")
	for range 3 {
		b.tick()
	}
	at := b.tick()
	want := []string{"a_total env=test instance=10.0.0.3 stale (0)", "a_sampled_total env=test instance=10.0.0.3 stale (0)",
		"g env=test instance=10.0.0.3 stale (0)", "h env=test instance=10.0.0.3 stale (0)", "a_total instance=web-1 = 1 (0)"}
	if diff := cmp.Diff(want, b.sink.at(at)); diff != "" {
		t.Errorf("after 3 s of silence (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a_total instance=web-1 = 1 (0)"}, b.sink.at(b.tick())); diff != "" {
		t.Errorf("after that (-want +got):\n%s", diff)
	}
	b.feedFrom(l, "10.0.0.3", "a:1|c\nh:2|h")
	want = []string{"a_total env=test instance=10.0.0.3 = 5 (1)", "a_sampled_total env=test instance=10.0.0.3 = 3 (1)",
		"h env=test instance=10.0.0.3 count=2 sum=3 (1)", "a_total instance=web-1 = 1 (0)"}
	if diff := cmp.Diff(want, b.sink.at(b.tick())); diff != "" {
		t.Errorf("it is back (-want +got):\n%s", diff)
	}
	for _, s := range b.sink.of(prefix+"lines_total", "10.0.0.3") {
		if s.At.Equal(at) != s.Stale {
			t.Errorf("its own figures at %v: %+v; want it stale at %v alone", s.At, s, at)
		}
	}
	balanceQuiet(t, b.Collector)
}
