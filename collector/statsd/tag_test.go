package statsd

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One port for all, and a tag that says who sent a line: also where lines of several come in one datagram, from one address. What has
// no such tag is nobody's in particular, and who was assigned no name is called by the tag's value.
func TestByTag(t *testing.T) {
	b := newBench(t, Config{})
	way := by(ByTag)
	way.Tag = "host"
	l, _ := b.open(way)
	must(t, b.Assign("web-1", "web-1", nil))
	must(t, b.Assign("box", "web-2", nil))
	b.feedFrom(l, "10.0.0.1", "a:1|c|#host:web-1\na:2|c|#zone:b,host:box\na:4|c|#host:stray,x\na:8|c\na:16|c|#host\na:32|c|#host:web-1|c:abc")
	b.feedFrom(l, "10.0.0.2", "a:64|c|#host:web-1")
	balanceQuiet(t, b.Collector)
	at := b.tick()
	want := []string{"a_total env=test = 8 (1)", "a_total env=test host=true = 16 (1)", "a_total env=test host=stray instance=stray x=true = 4 (1)",
		"a_total host=web-1 instance=web-1 = 97 (3)", "a_total host=box instance=web-2 zone=b = 2 (1)"}
	if diff := cmp.Diff(want, b.sink.at(at)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, b.Retire(t.Context(), "web-1"))
	b.feedFrom(l, "10.0.0.1", "a:1|c|#host:web-1")
	if got := balanceQuiet(t, b.Collector).Total.Refused["origins"]; got != 1 {
		t.Errorf("%d lines refused, want 1: who is gone sends nothing", got)
	}
}
