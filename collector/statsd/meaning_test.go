package statsd

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// TestGauges: what a sign means.
func TestGauges(t *testing.T) {
	for _, tt := range []struct {
		mode  Gauges
		lines string
		want  float64
	}{
		{Auto, "g:10|g\ng:-5|g", 5},
		{Auto, "g:10|g\ng:+5|g", 15},
		{Auto, "g:10|g\ng:-5|g|c:ci-abc", -5},
		{Auto, "g:10|g\ng:-5|g|e:pod", -5},
		{Auto, "g:10|g\ng:-5|g|card:low", -5},
		{Auto, "g:10|g\ng:-5|g|T%d", -5},
		{Auto, "g:10|g\ng:+5|g|c:abc", 15},
		{Auto, "g:10|g\ng:-0|g|c:abc", 0},
		{Auto, "g:10|g\ng:-5:+1|g|c:abc", -4},
		{Deltas, "g:10|g\ng:-5|g|c:abc", 5},
		{Absolute, "g:10|g\ng:-5|g", -5},
		{Absolute, "g:10|g\ng:+5|g", 5},
	} {
		b := newBench(t, Config{Gauges: tt.mode, OutOfOrder: -1})
		l, _ := b.listen("web-1")
		first, second, _ := strings.Cut(tt.lines, "\n")
		b.feed(l, first)
		b.tick()
		if line, stamped := strings.CutSuffix(second, "|T%d"); stamped {
			second = b.stamp(line, 0)
		}
		b.feed(l, second)
		b.tick()
		b.tick()
		if got := b.sink.last("g", "web-1"); got != tt.want {
			t.Errorf("mode %d, %q: %v, want %v", tt.mode, tt.lines, got, tt.want)
		}
	}
}

// TestSeveralSamples: each typed sample of a line is added up by itself, and
// counted as a line.
func TestSeveralSamples(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "akka.time:581632|ms:593920|ms:610304|ms", "jobs:1|c:2|c|@0.5", "box:5|g:1|c:-1|c", "bad:1|c:x|c")
	b.tick()
	if h := b.sink.of("akka_time", "web-1"); len(h) != 2 || h[1].Histogram.Count != 3 || h[1].Histogram.Sum != 1_785_856 {
		t.Errorf("three timers are %+v", h)
	}
	for name, want := range map[string]float64{"jobs_total": 5, "jobs_sampled_total": 3, "box": 5, "box_total": 1} {
		if got := b.sink.last(name, "web-1"); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	total := balance(t, b.Collector).Total
	if total.Lines != 9 || total.Accepted != 7 || total.Bad["negative_count"] != 1 || total.Bad["unknown_type"] != 1 {
		t.Errorf("the figures are %+v", total)
	}
}

// TestLargeSets: exact up to a limit, then within 2 %, which is said; and the
// next interval is exact again.
func TestLargeSets(t *testing.T) {
	b := newBench(t, Config{SetExact: 1000})
	l, _ := b.listen("web-1")
	fill := func(n int) {
		for i := range n {
			b.feed(l, fmt.Sprintf("s:member-%d|s", i), fmt.Sprintf("s:member-%d|s", i))
		}
	}
	fill(1000)
	at := b.tick()
	if diff := cmp.Diff([]string{"s instance=web-1 = 1000 (2000)"}, b.sink.at(at)); diff != "" {
		t.Errorf("at the limit (-want +got):\n%s", diff)
	}
	fill(20_000)
	at = b.tick()
	if got := b.sink.last("s", "web-1"); math.Abs(got-20_000) > 400 || got == 0 {
		t.Errorf("20,000 members are taken for %v", got)
	}
	if got := b.sink.of("s_estimated", "web-1"); len(got) != 1 || got[0].Value != 1 || !got[0].At.Equal(at) || got[0].Meta.Type != collector.Gauge {
		t.Errorf("that it was estimated is told as %+v", got)
	}
	fill(3)
	at = b.tick()
	if diff := cmp.Diff([]string{"s instance=web-1 = 3 (6)", "s_estimated instance=web-1 = 0 (6)"}, b.sink.at(at)); diff != "" {
		t.Errorf("the interval after (-want +got):\n%s", diff)
	}
	if n := b.shared.members.Load(); n != 0 {
		t.Errorf("%d members are counted between two intervals, want none", n)
	}
}

// TestSetsTogetherAreBounded: beyond a hundred times the limit all further sets
// are estimated.
func TestSetsTogetherAreBounded(t *testing.T) {
	b := newBench(t, Config{SetExact: 2})
	l, _ := b.listen("web-1")
	for i := range 150 {
		b.feed(l, fmt.Sprintf("s%d:a|s\ns%d:b|s", i, i))
	}
	if n := b.shared.members.Load(); n != 2*exactSets {
		t.Errorf("%d members are kept, want %d", n, 2*exactSets)
	}
	b.tick()
	if got := b.sink.last("s149", "web-1"); got != 2 {
		t.Errorf("a set beyond the limit has %v members, want (an estimate of) 2", got)
	}
	if got := b.sink.last("s149_estimated", "web-1"); got != 1 {
		t.Error("the estimate is not called one")
	}
}

func TestNamesOfAllScripts(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{"größe.новая", "größe_новая"}, {"件数", "件数"}, {"a b/c-d:e", "a_b_c_d_e"}, {"٣a", "_٣a"}, {"9", "_9"}, {"\xff\xfea", "__a"}, {"a😀", "a😀"}, {"हिन्दी", "हिन्दी"}, {"a\u00a0b\u200bc", "a_b_c"},
		{"", ""},
	} {
		if got := promName([]byte(tt.raw)); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.raw, got, tt.want)
		}
	}
}

func TestGraphiteTags(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "disk.used;host=a;disk=sda:1|g", "disk.used:2|g|#disk:sda,host:a", "disk.used;host=a:3|g|#disk:sdb", "x;instance=evil;;k=:4|g", ";a=b:5|g")
	want := []string{"disk_used disk=sda host=a instance=web-1 = 2 (2)", "disk_used disk=sdb host=a instance=web-1 = 3 (1)",
		"x exported_instance=evil instance=web-1 = 4 (1)", "_a_b instance=web-1 = 5 (1)"}
	if diff := cmp.Diff(want, b.sink.at(b.tick())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := b.sink.of("disk_used", "")[0].Meta.Sent; got != "disk.used" {
		t.Errorf("the name without its tags is said to be %q", got)
	}
}

// truth is a Resumer.
type truth map[string]collector.Sample

func (r truth) Last(name string, labels collector.Labels) (collector.Sample, bool) {
	s, ok := r[labels.Key(name)]
	return s, ok
}

// TestResume: after a restart all goes on where it was, without a zero.
func TestResume(t *testing.T) {
	first := newBench(t, Config{})
	l, _ := first.listen("web-1")
	work := "c:2|c\nsampled:1|c|@0.1\ng:5|g\nh:10:20:0:-3|ms\nu:x|s\nlater:3|c"
	first.feed(l, work)
	first.tick()
	last := truth{}
	for _, s := range first.sink.samples {
		last[s.Labels.Key(s.Name)] = s
	}
	odd := last[collector.NewLabels("instance", "web-1").Key("h")]
	odd.Histogram = &collector.Histogram{Schema: 2, Count: 1}
	last[collector.NewLabels("instance", "web-2").Key("h")] = odd
	b := newBenchIn(t, Config{}, collector.Intake{Resume: last})
	b.clock.move(time.Second)
	l, _ = b.listen("web-1")
	b.feed(l, "c:1|c\nsampled:1|c|@0.1\ng:+1|g\nh:10|ms\nu:y|s\nlater:1|c|@0.5\nnew:1|c")
	at := b.tick()
	want := []string{"c_total instance=web-1 = 3 (1)", "sampled_total instance=web-1 = 20 (1)", "sampled_sampled_total instance=web-1 = 2 (1)",
		"g instance=web-1 = 6 (1)", "h instance=web-1 count=5 sum=37 (1)", "u instance=web-1 = 1 (1)",
		"later_total instance=web-1 = 5 (1)", "later_sampled_total instance=web-1 = 4 (1)", "new_total instance=web-1 = 1 (1)"}
	if diff := cmp.Diff(want, b.sink.at(at)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = []string{"later_sampled_total instance=web-1 = 3 (0)", "new_total instance=web-1 = 0 (0)"}
	if diff := cmp.Diff(want, b.sink.at(at.Add(-time.Second))); diff != "" {
		t.Errorf("before it (-want +got):\n%s", diff)
	}
	points := b.sink.of("h", "web-1")
	if h := points[0].Histogram; h.ZeroCount != 1 || len(h.Positive) != 2 || h.Positive[0].Count != 2 || len(h.Negative) != 1 {
		t.Errorf("the histogram's buckets did not go on: %+v", h)
	}
	// A histogram of another kind can not go on.
	other, _ := b.listen("web-2")
	b.feed(other, "h:1|ms")
	b.tick()
	if points := b.sink.of("h", "web-2"); len(points) != 2 || points[0].Histogram.Count != 0 || points[1].Histogram.Count != 1 {
		t.Errorf("got %+v, want a histogram that begins anew", points)
	}
}

// TestReplacedWithinAnInterval: of collectors that take each other's place within
// one interval nothing is lost, and no series gets two points for one time.
func TestReplacedWithinAnInterval(t *testing.T) {
	clock, all, last := newClock(), &memory{}, truth{}
	for k := range 3 {
		b := newBenchIn(t, Config{OutOfOrder: 3 * time.Second}, collector.Intake{Resume: last})
		b.clock.move(time.Duration(k) * 100 * time.Millisecond)
		l, _ := b.listen("web-1")
		if k != 1 {
			quiet, _ := b.listen("web-2")
			b.feed(quiet, "c:1|c")
		}
		b.feed(l, "c:2|c\ng:+5|g\nh:10|ms\nu:x|s\nbad", b.stamp("timed:1|c", 0), b.stamp("timed:10|c", -1), b.stamp("ahead:1|c", 3), "ahead:1|c")
		for range 8 * (k / 2) { // the last one runs on
			b.tick()
		}
		if err := b.finish(); err != nil {
			t.Fatal(err)
		}
		want := []uint64{9, 8, 9}[k]
		if got := balanceQuiet(t, b.Collector).Total; got.Accepted != want {
			t.Errorf("collector %d accepted %d of %d lines: %+v", k, got.Accepted, want, got)
		}
		for _, s := range b.sink.samples {
			last[s.Labels.Key(s.Name)] = s
		}
		all.samples = append(all.samples, b.sink.samples...)
	}
	newest := map[string]time.Time{}
	for _, s := range all.samples {
		if s.Labels.Get("listener") != "" {
			continue // each has another port
		}
		if key := s.Labels.Key(s.Name); !s.At.After(newest[key]) {
			t.Errorf("%s is given for %v, after %v", s.Name, s.At.Sub(clock.t), newest[key].Sub(clock.t))
		} else {
			newest[key] = s.At
		}
	}
	for name, want := range map[string]float64{"c_total": 6, "g": 15, "timed_total": 33, "ahead_total": 6} {
		if got := all.last(name, "web-1"); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	// Who sends nothing to one of them is not held up by it: no interval is without a point.
	got := []string{}
	for _, s := range all.of("c_total", "web-2")[:3] {
		got = append(got, fmt.Sprintf("%v: %v", s.At.Sub(clock.t.Truncate(time.Second)), s.Value))
	}
	if diff := cmp.Diff([]string{"0s: 0", "1s: 1", "2s: 2"}, got); diff != "" {
		t.Errorf("web-2 (-want +got):\n%s", diff)
	}
	if points := all.of("h", "web-1"); points[len(points)-1].Histogram.Count != 3 {
		t.Errorf("h has %v values, want 3", points[len(points)-1].Histogram.Count)
	}
}

// TestAClockSetBackHoldsNothingUp: points that are far ahead are no reason to wait
// for their time.
func TestAClockSetBackHoldsNothingUp(t *testing.T) {
	ahead := newClock().t.Add(time.Hour)
	b := newBenchIn(t, Config{}, collector.Intake{Resume: truth{
		prefix + startName: {At: ahead}, collector.NewLabels("instance", "web-1").Key("c_total"): {At: ahead, Value: 3}}})
	l, _ := b.listen("web-1")
	b.feed(l, "c:1|c")
	at := b.tick()
	if want := newClock().t.Truncate(time.Second).Add(time.Second); !at.Equal(want) {
		t.Errorf("the first interval ends at %v, want %v", at, want)
	}
	if diff := cmp.Diff([]string{"c_total instance=web-1 = 4 (1)"}, b.sink.at(at)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
