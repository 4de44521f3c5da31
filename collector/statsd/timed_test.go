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

// stamp is a line with the time of the clock, moved by seconds.
func (b *bench) stamp(line string, seconds int) string {
	return fmt.Sprintf("%s|T%d", line, b.clock.now().Unix()+int64(seconds))
}

// points are the samples of name by second after the clock's begin.
func (m *memory) points(name string) []string {
	var out []string
	for _, s := range m.of(name, "") {
		out = append(out, fmt.Sprintf("%v: %s", s.At.Sub(newClock().t.Truncate(time.Second)), strings.TrimPrefix(written(s), name+" instance=web-1 ")))
	}
	return out
}

// TestTimestamps: lines go where they belong, whenever they come, and points
// come in order.
func TestTimestamps(t *testing.T) {
	b := newBench(t, Config{OutOfOrder: 3 * time.Second})
	l, _ := b.listen("web-1")
	b.feed(l, b.stamp("a:1|c", 0))
	b.tick() // 1 s
	b.feed(l, b.stamp("a:10|c", 0), "plain:1|c", "a:2|c", b.stamp("a:100|c", -1))
	b.tick() // 2 s
	b.tick() // 3 s
	b.feed(l, b.stamp("a:1000|c", -2), b.stamp("a:10000|c", 2), b.stamp("a:20000|c", 3))
	if got := balanceQuiet(t, b.Collector).Total; got.Held != 7 || got.Accepted != 1 || got.Timestamped != 0 {
		t.Errorf("%d lines held, %d accepted; want 7 and 1", got.Held, got.Accepted)
	}
	if got := b.sink.points("a_total"); got != nil {
		t.Errorf("a_total came too early: %v", got)
	}
	for range 8 {
		b.tick()
	}
	want := []string{"0s: = 0 (0)", "1s: = 101 (2)", "2s: = 1113 (3)", "3s: = 1113 (0)", "4s: = 1113 (0)", "5s: = 1113 (0)", "6s: = 11113 (1)",
		"7s: = 31113 (1)", "8s: = 31113 (0)"}
	if diff := cmp.Diff(want, b.sink.points("a_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := b.sink.points("plain_total"); len(got) != 11 || got[1] != "2s: = 1 (1)" {
		t.Errorf("a series without timestamps waited: %v", got)
	}
	got := balanceQuiet(t, b.Collector).Total
	if got.Held != 0 || got.Accepted != 8 || got.Timestamped != 6 || got.Values != 8 {
		t.Errorf("%d lines held, %d accepted, %d with a time; want 0, 8, 6", got.Held, got.Accepted, got.Timestamped)
	}
}

func TestLateAndEarly(t *testing.T) {
	b := newBench(t, Config{OutOfOrder: 2 * time.Second})
	l, _ := b.listen("web-1")
	b.feed(l, "old:1|c")
	b.tick()
	b.tick() // 2 s: intervals from 0 s on are open
	b.feed(l,
		b.stamp("a:1|c", -2), b.stamp("a:1|c", -3), // the second is late
		b.stamp("a:1|c", 2), b.stamp("a:1|c", 3), b.stamp("a:1|c", 1<<30), "a:1|c|T99999999999999999", // the last three are early
		b.stamp("old:1|c", -1), b.stamp("old:1|c", 0), // the first is late: old gave that point already
		"a:1|c|T1", "never:1|c|T1", "a:-1|c|T"+b.stamp("", 0)[2:], "old:-1|c")
	got := balanceQuiet(t, b.Collector).Total
	if diff := cmp.Diff(map[string]uint64{"late": 4, "early": 3}, got.Refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]uint64{"negative_count": 2}, got.Bad); diff != "" || got.Held != 3 || got.Series != 2 {
		t.Errorf("%d held, %d series; bad (-want +got):\n%s", got.Held, got.Series, diff)
	}
	for range 5 {
		b.tick()
	}
	want := []string{"0s: = 0 (0)", "1s: = 1 (1)", "2s: = 1 (0)", "3s: = 2 (1)", "4s: = 2 (0)", "5s: = 2 (0)"}
	if diff := cmp.Diff(want, b.sink.points("old_total")); diff != "" {
		t.Errorf("a series that got its first timestamp later (-want +got):\n%s", diff)
	}
	if got := b.sink.last(prefix+"refused_lines_total", "web-1"); got != 7 {
		t.Errorf("%srefused_lines_total is %v, want 7", prefix, got)
	}
}

// TestOlderGaugesDoNotOverride: the newest value of an interval stays, in
// whatever order they come.
func TestOlderGaugesDoNotOverride(t *testing.T) {
	b := newBenchIn(t, Config{}, collector.Intake{Interval: 10 * time.Second})
	l, _ := b.listen("web-1")
	b.clock.move(5 * time.Second)
	b.feed(l, "direct:5|g", b.stamp("direct:4|g", -1))
	b.feed(l, b.stamp("g:5|g", 0), b.stamp("g:4|g", -1), b.stamp("s:x|s", 0), b.stamp("h:3|ms", -1))
	b.clock.move(time.Second)
	b.feed(l, b.stamp("g:3|g", -3), "g:+1|g", b.stamp("g:-7|g", -4))
	for range 2 {
		b.tick()
	}
	for name, want := range map[string]string{"g": "10s: = 6 (5)", "direct": "10s: = 5 (2)", "s": "10s: = 1 (1)", "h": "10s: count=1 sum=3 (1)"} {
		got := b.sink.points(name)
		if len(got) == 0 || (got[0] != want && got[len(got)-1] != want) {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
	balanceQuiet(t, b.Collector)
}

func TestHeldLinesAreBounded(t *testing.T) {
	b := newBench(t, Config{MaxHeld: 10})
	l, _ := b.listen("web-1")
	for range 6 {
		b.feed(l, b.stamp("a:1:1|c", 0), "p:1|c")
	}
	got := balanceQuiet(t, b.Collector).Total
	if got.Held != 5 || got.Refused["held"] != 1 || got.Accepted != 6 || b.shared.held.Load() != 10 {
		t.Errorf("got %+v, want 5 held with 10 values, 1 refused, 6 accepted", got)
	}
	for range 12 {
		b.tick()
	}
	if got := b.sink.last("a_total", "web-1"); got != 10 || b.shared.held.Load() != 0 {
		t.Errorf("a_total is %v, want 10; %d values are still held", got, b.shared.held.Load())
	}
	// Together the instances have room for ten times as many.
	b = newBench(t, Config{MaxHeld: 2})
	for i := range 12 {
		l, _ := b.listen(fmt.Sprint("web-", i))
		b.feed(l, b.stamp("a:1:1|c", 0))
	}
	if got := balanceQuiet(t, b.Collector).Total; got.Held != 10 || got.Refused["held"] != 2 {
		t.Errorf("got %+v, want 10 held and 2 refused", got)
	}
}

// TestRetireGivesOutWhatIsHeld, in order, and the marks of the end after it.
func TestRetireGivesOutWhatIsHeld(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, b.stamp("a:1|c", 0), b.stamp("a:10|c", 2), b.stamp("a:100|c", -2), "b:1|c")
	must(t, b.Retire(context.Background(), "web-1"))
	for range 3 {
		b.tick()
	}
	want := []string{"-2s: = 0 (0)", "-1s: = 100 (1)", "1s: = 101 (1)", "3s: = 111 (1)", "4s: stale (0)"}
	if diff := cmp.Diff(want, b.sink.points("a_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0s: = 0 (0)", "1s: = 1 (1)", "2s: stale (0)"}, b.sink.points("b_total")); diff != "" {
		t.Errorf("a series without timestamps (-want +got):\n%s", diff)
	}
	if got := balanceQuiet(t, b.Collector).Total; got.Held != 0 || got.Accepted != 4 || b.shared.held.Load() != 0 || b.shared.series.Load() != 0 {
		t.Errorf("got %+v; %d held and %d series are counted still", got, b.shared.held.Load(), b.shared.series.Load())
	}
}

// TestEndGivesOutWhatIsHeld.
func TestEndGivesOutWhatIsHeld(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, b.stamp("a:1|c", 0), b.stamp("a:10|c", 2), b.stamp("a:100|c", -2))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	must(t, b.Run(ctx))
	want := []string{"-2s: = 0 (0)", "-1s: = 100 (1)", "1s: = 101 (1)", "3s: = 111 (1)"}
	if diff := cmp.Diff(want, b.sink.points("a_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := balanceQuiet(t, b.Collector).Total; got.Held != 0 || got.Accepted != 3 {
		t.Errorf("got %+v, want 3 accepted", got)
	}
}

// TestTheClockIsSetWhileLinesAreHeld: nothing is lost, and the series goes on.
func TestTheClockIsSetWhileLinesAreHeld(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, b.stamp("a:1|c", 0), b.stamp("a:10|c", 5), b.stamp("a:100|c", -2))
	cl := l.home.lane.client
	cl.mu.Lock()
	cl.step()
	cl.mu.Unlock()
	for range 12 {
		b.tick()
	}
	b.feed(l, b.stamp("a:1000|c", 0))
	for range 12 {
		b.tick()
	}
	got := b.sink.points("a_total")
	if len(got) < 4 || got[1] != "-1s: = 100 (1)" || got[2] != "1s: = 111 (2)" || b.sink.last("a_total", "web-1") != 1111 {
		t.Errorf("got %v", got)
	}
	balanceQuiet(t, b.Collector)
}

// TestALateFlushLosesNothingThatIsHeld: no points are made up for intervals in
// which nobody looked, but those that lines belong to are there.
func TestALateFlushLosesNothingThatIsHeld(t *testing.T) {
	b := newBench(t, Config{OutOfOrder: 2 * time.Second})
	l, _ := b.listen("web-1")
	b.feed(l, b.stamp("a:1|c", 0), b.stamp("a:10|c", 1))
	first := b.grid.After(b.clock.now())
	b.clock.move(first.Sub(b.clock.now()) + 20*time.Second)
	b.flush(first, b.clock.now())
	for range 4 {
		b.tick()
	}
	want := []string{"0s: = 0 (0)", "1s: = 1 (1)", "2s: = 11 (1)", "22s: = 11 (0)", "23s: = 11 (0)"}
	if diff := cmp.Diff(want, b.sink.points("a_total")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	balanceQuiet(t, b.Collector)
}
