package statsd

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// written is a sample without its time, for comparison.
func written(s collector.Sample) string {
	var b strings.Builder
	b.WriteString(s.Name)
	for _, l := range s.Labels {
		fmt.Fprintf(&b, " %s=%s", l.Name, l.Value)
	}
	switch {
	case s.Stale:
		b.WriteString(" stale")
	case s.Histogram != nil:
		fmt.Fprintf(&b, " count=%v sum=%v", s.Histogram.Count, s.Histogram.Sum)
	default:
		fmt.Fprintf(&b, " = %v", s.Value)
	}
	fmt.Fprintf(&b, " (%d)", s.Observed)
	return b.String()
}

// since are the samples after the first n, at one time, without the
// collector's own.
func (m *memory) at(t time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, s := range m.samples {
		if s.At.Equal(t) && !strings.HasPrefix(s.Name, prefix) {
			out = append(out, written(s))
		}
	}
	return out
}

// TestOneInterval: what datagrams become at the end of the interval, and what
// they put at the end of the one before.
func TestOneInterval(t *testing.T) {
	tests := []struct {
		name      string
		datagrams []string
		before    []string
		want      []string
	}{
		{"counter", []string{"fullstack.insert:1|c\nfullstack.insert:2|c"},
			[]string{"fullstack_insert_total instance=web-1 = 0 (0)"},
			[]string{"fullstack_insert_total instance=web-1 = 3 (2)"}},
		{"packed counter", []string{"a:1:2:3|c"},
			[]string{"a_total instance=web-1 = 0 (0)"}, []string{"a_total instance=web-1 = 6 (3)"}},
		{"a counter that is called total", []string{"a.total:1|c"},
			[]string{"a_total instance=web-1 = 0 (0)"}, []string{"a_total instance=web-1 = 1 (1)"}},
		{"sampled counter", []string{"a:1|c|@0.1", "a:1|c"},
			[]string{"a_total instance=web-1 = 0 (0)", "a_sampled_total instance=web-1 = 0 (0)"},
			[]string{"a_total instance=web-1 = 11 (2)", "a_sampled_total instance=web-1 = 2 (2)"}},
		{"gauge", []string{"a:5|g\na:7|g"}, nil, []string{"a instance=web-1 = 7 (2)"}},
		{"gauge deltas", []string{"a:5|g\na:+3|g\na:-1|g"}, nil, []string{"a instance=web-1 = 7 (3)"}},
		{"packed gauge", []string{"a:5:+3:-1|g"}, nil, []string{"a instance=web-1 = 7 (3)"}},
		{"gauge that begins with a delta", []string{"a:-2|g"}, nil, []string{"a instance=web-1 = -2 (1)"}},
		{"a rate means nothing to a gauge", []string{"a:5|g|@0.5"}, nil, []string{"a instance=web-1 = 5 (1)"}},
		{"timer, histogram and distribution are one", []string{"a:10|ms\na:20|h", "a:30|d"},
			[]string{"a instance=web-1 count=0 sum=0 (0)"}, []string{"a instance=web-1 count=3 sum=60 (3)"}},
		{"sampled timer", []string{"a:10|ms|@0.25"},
			[]string{"a instance=web-1 count=0 sum=0 (0)"}, []string{"a instance=web-1 count=4 sum=40 (1)"}},
		{"set", []string{"a:x|s\na:y|s\na:x|s"}, nil, []string{"a instance=web-1 = 2 (3)"}},
		{"tags", []string{"a:1|g|#zone:b,role:web"}, nil, []string{"a instance=web-1 role=web zone=b = 1 (1)"}},
		{"order of tags", []string{"a:1|g|#zone:b,role:web\na:2|g|#role:web,zone:b"}, nil, []string{"a instance=web-1 role=web zone=b = 2 (2)"}},
		{"tag without a value", []string{"a:1|g|#canary"}, nil, []string{"a canary=true instance=web-1 = 1 (1)"}},
		{"tag with an empty value", []string{"a:1|g|#zone:"}, nil, []string{"a instance=web-1 = 1 (1)"}},
		{"tag that comes twice", []string{"a:1|g|#t:y,t:x,t:y"}, nil, []string{"a instance=web-1 t=x,y = 1 (1)"}},
		{"the listener's label wins", []string{"a:1|g|#instance:evil"}, nil, []string{"a exported_instance=evil instance=web-1 = 1 (1)"}},
		{"also over the mark of that", []string{"a:1|g|#exported_instance:x,instance:y"}, nil, []string{"a exported_instance=x,y instance=web-1 = 1 (1)"}},
		{"the name can not be a tag", []string{"a:1|g|#__name__:b"}, nil, []string{"a exported___name__=b instance=web-1 = 1 (1)"}},
		{"names", []string{"1a.b-c/d:1|g|#x-y:1,2z:2"}, nil, []string{"_1a_b_c_d _2z=2 instance=web-1 x_y=1 = 1 (1)"}},
		{"text that is no UTF-8", []string{"a\xff:1|g|#x:\xfe"}, nil, []string{"a_ instance=web-1 x=\uFFFD = 1 (1)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, Config{})
			l, _ := b.listen("web-1")
			b.feed(l, tt.datagrams...)
			at := b.tick()
			if diff := cmp.Diff(tt.before, b.sink.at(at.Add(-time.Second))); diff != "" {
				t.Errorf("at the end of the interval before (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, b.sink.at(at)); diff != "" {
				t.Errorf("at the end of the interval (-want +got):\n%s", diff)
			}
			if figures := balance(t, b.Collector); figures.Total.BadLines() != 0 {
				t.Errorf("bad lines: %v", figures.Total.Bad)
			}
		})
	}
}

func TestMetaKeepsWhatWasSent(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "fullstack.insert:1|c\nfullstack.insert.time:3|ms\nsize:3|h\nfullstack.inflight:1|g\nusers:x|s")
	b.tick()
	for name, want := range map[string]collector.Meta{
		"fullstack_insert_total": {Type: collector.Counter, Sent: "fullstack.insert", Origin: "listener"},
		"fullstack_insert_time":  {Type: collector.Summary, Sent: "fullstack.insert.time", Origin: "listener", Unit: "milliseconds"},
		"size":                   {Type: collector.Summary, Sent: "size", Origin: "listener"},
		"fullstack_inflight":     {Type: collector.Gauge, Sent: "fullstack.inflight", Origin: "listener"},
		"users":                  {Type: collector.Set, Sent: "users", Origin: "listener"},
	} {
		got := b.sink.of(name, "web-1")
		if len(got) == 0 || *got[0].Meta != want {
			t.Errorf("%s: got %+v, want meta %+v", name, got, want)
		}
	}
}

func TestPointsAreCarriedForward(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "c:2|c\ng:5|g\nh:10|ms\ns:x|s")
	b.tick()
	at := b.tick()
	want := []string{"c_total instance=web-1 = 2 (0)", "g instance=web-1 = 5 (0)", "h instance=web-1 count=1 sum=10 (0)", "s instance=web-1 = 0 (0)"}
	if diff := cmp.Diff(want, b.sink.at(at)); diff != "" {
		t.Errorf("an interval without a line (-want +got):\n%s", diff)
	}
	b.feed(l, "c:1|c|@0.5\ng:+1|g\nh:20|ms\ns:x|s")
	at = b.tick()
	want = []string{"c_total instance=web-1 = 4 (1)", "c_sampled_total instance=web-1 = 3 (1)", "g instance=web-1 = 6 (1)",
		"h instance=web-1 count=2 sum=30 (1)", "s instance=web-1 = 1 (1)"}
	if diff := cmp.Diff(want, b.sink.at(at)); diff != "" {
		t.Errorf("the interval after (-want +got):\n%s", diff)
	}
	// The companion begins where the counter was before.
	if got := b.sink.of("c_sampled_total", "web-1"); got[0].Value != 2 || !got[0].At.Equal(at.Add(-time.Second)) || got[0].Observed != 0 {
		t.Errorf("the companion begins with %+v, want 2 an interval earlier", got[0])
	}
}

// TestLinesAreInTheIntervalTheyWereReadIn, however late flush runs.
func TestLinesAreInTheIntervalTheyWereReadIn(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	first := b.grid.After(b.clock.now())
	b.feed(l, "a:1|c")
	b.clock.move(first.Sub(b.clock.now()) - time.Nanosecond)
	b.feed(l, "a:1|c")
	b.clock.move(time.Nanosecond) // exactly the boundary: the next interval
	b.feed(l, "a:10|c")
	b.clock.move(time.Second + 300*time.Millisecond) // one further; flush has not run yet
	b.feed(l, "a:100|c")
	next := b.flush(first, b.clock.now())
	if want := first.Add(2 * time.Second); !next.Equal(want) {
		t.Errorf("the next flush is at %v, want %v", next, want)
	}
	b.clock.move(next.Sub(b.clock.now()))
	b.flush(next, next)
	for i, want := range []string{"a_total instance=web-1 = 2 (2)", "a_total instance=web-1 = 12 (1)", "a_total instance=web-1 = 112 (1)"} {
		at := first.Add(time.Duration(i) * time.Second)
		if diff := cmp.Diff([]string{want}, b.sink.at(at)); diff != "" {
			t.Errorf("interval %d (-want +got):\n%s", i, diff)
		}
	}
	figures := b.Figures()
	if figures.Skipped != 1 || figures.WorstLateness != 1300*time.Millisecond || figures.Lateness != 0 || figures.Flushes != 2 {
		t.Errorf("skipped %d, worst lateness %v, last %v, %d flushes; want 1, 1.3s, 0, 2", figures.Skipped, figures.WorstLateness, figures.Lateness, figures.Flushes)
	}
	late := b.sink.of(prefix+"flush_lateness_seconds", "")
	if len(late) != 2 || late[0].Value != 1.3 || !late[0].At.Equal(first) || late[1].Value != 0 {
		t.Errorf("lateness series: %+v", late)
	}
	if got := b.sink.last(prefix+"intervals_skipped_total", ""); got != 1 {
		t.Errorf("%sintervals_skipped_total is %v, want 1", prefix, got)
	}
}

// TestALateFlushInventsNoPoints: for intervals in which nobody looked there are
// none.
func TestALateFlushInventsNoPoints(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "a:1|g")
	first := b.grid.After(b.clock.now())
	b.clock.move(first.Sub(b.clock.now()) + 5*time.Second)
	b.flush(first, b.clock.now())
	b.tick()
	got := b.sink.of("a", "web-1")
	if len(got) != 2 || !got[0].At.Equal(first) || !got[1].At.Equal(first.Add(6*time.Second)) {
		t.Errorf("got %+v, want points at %v and 6 s later", got, first)
	}
}

func TestEveryLineIsBooked(t *testing.T) {
	b := newBench(t, Config{MaxSeries: 5})
	l, _ := b.listen("web-1")
	b.feed(l,
		"_e{1,1}:t|x\n_sc|redis|0\n_e{9,9}:t|x\n_sc|redis|9",
		"a:1|c\na:2:3|c|@0.5\n\nu:x|s\n",                     // 3 accepted, 4 values
		"junk\na:1|q\na:x|c\na:1|c|@7\na:1\n:1|c\na:1|c|T-1", // one of each of the parser's reasons
		"a:-1|c",                           // a counter can not fall
		"a.total:1|c\na.sampled:1|c",       // their names are taken
		"b:1|g\nb:1|ms\nc:1|g|T1384419600", // b is a gauge already; 1 accepted, 1 held
		"d:1|g\nd:1|g\ne:1|c",              // no room: redis, u, a, b and c are there
		"g:1|g",                            // no room either
		"b:1e308|g\nb:+1e308|g\nb:-5|g",    // the second would be infinite; 2 accepted
	)
	figures := balanceQuiet(t, b.Collector)
	got := figures.Total
	want := Counts{Datagrams: 9, Bytes: got.Bytes, Lines: 27, Accepted: 6, Held: 1, Values: 7, Events: 1, ServiceChecks: 1,
		Bad: map[string]uint64{"no_value": 1, "unknown_type": 1, "bad_value": 1, "bad_rate": 1, "no_type": 1, "no_name": 1, "bad_timestamp": 1,
			"bad_event": 1, "bad_service_check": 1, "negative_count": 1, "conflict": 3, "overflow": 1},
		Refused: map[string]uint64{"series": 4},
		Series:  5, KernelDropsKnown: got.KernelDropsKnown}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.tick()
	for name, want := range map[string]float64{
		"datagrams_total": 9, "bytes_total": float64(got.Bytes), "lines_total": 27, "accepted_lines_total": 6, "values_total": 7,
		"held_lines": 1, "held_values": 1, "refused_lines_total": 4, "events_total": 1, "service_checks_total": 1, "series": 5,
		"truncated_datagrams_total": 0, "bad_lines_total": 14,
	} {
		if got := b.sink.last(prefix+name, "web-1"); got != want {
			t.Errorf("%s%s is %v, want %v", prefix, name, got, want)
		}
	}
	for _, s := range b.sink.of(prefix+"bad_lines_total", "web-1") {
		if want := got.Bad[s.Labels.Get("reason")]; s.Observed > 0 && s.Value != float64(want) {
			t.Errorf("bad lines for %s: %v, want %d", s.Labels.Get("reason"), s.Value, want)
		}
	}
}

// TestABadLineChangesNothing: a line is added whole or not at all.
func TestABadLineChangesNothing(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "c:5|c\nh:1|h\ng:1|g", "c:1:-1|c", "h:2:1e308:1e308|h", "g:3:1e308:+1e308|g")
	at := b.tick()
	want := []string{"c_total instance=web-1 = 5 (1)", "h instance=web-1 count=1 sum=1 (1)", "g instance=web-1 = 1 (1)"}
	if diff := cmp.Diff(want, b.sink.at(at)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	balance(t, b.Collector)
}

func TestManySpellingsDoNotFillTheMemory(t *testing.T) {
	b := newBench(t, Config{MaxSeries: 10})
	l, _ := b.listen("web-1")
	for i := range 1000 {
		b.feed(l, fmt.Sprintf("a:1|c|#x:1%s", strings.Repeat(",", i)))
	}
	cl := l.home.lane.client
	bytes := 0
	for _, x := range cl.known {
		bytes += len(x.key)
	}
	if bytes != cl.keys || bytes > 2*roomAtFirst || bytes == 0 {
		t.Errorf("the spellings that are remembered have %d bytes, %d by their own count, want at most %d", bytes, cl.keys, 2*roomAtFirst)
	}
	b.tick()
	if got := b.sink.last("a_total", "web-1"); got != 1000 {
		t.Errorf("a_total is %v, want 1000: every spelling is the same series", got)
	}
}

func TestKnownLinesAllocateNothing(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	datagram := pack(0, 12)
	datagram = append(datagram, "\ns:x|s\na:1:2|c|@0.5|#b:c"...)
	// A worker sends several in a row, or several take turns.
	var batch []socket.Payload
	for _, i := range []byte{1, 1, 2, 3, 1, 2, 3} {
		batch = append(batch, socket.Payload{Bytes: datagram, From: source(i)})
	}
	l.receive(batch)
	if n := testing.AllocsPerRun(100, func() { l.receive(batch) }); n != 0 {
		t.Errorf("7 datagrams of 14 known lines each make %v allocations", n)
	}
}

func TestRetire(t *testing.T) {
	b := newBench(t, Config{})
	l, conn := b.listen("web-2")
	other, _ := b.listen("web-3")
	b.feed(l, "a:1|c|@0.5")
	b.feed(other, "a:7|c")
	b.tick()
	send(t, conn, "a:2|c|@0.5") // waits in the kernel
	if err := b.Retire(context.Background(), "web-2"); err != nil {
		t.Fatal(err)
	}
	if err := b.Retire(context.Background(), "web-2"); err != nil {
		t.Errorf("retired once more: %v", err)
	}
	if _, err := b.Listen(udp("web-2")); err == nil {
		t.Error("a second listener of the same name was opened while the first is going")
	}
	last := b.tick()
	want := []string{"a_total instance=web-2 = 6 (1)", "a_sampled_total instance=web-2 = 3 (1)", "a_total instance=web-3 = 7 (0)"}
	if diff := cmp.Diff(want, b.sink.at(last)); diff != "" {
		t.Errorf("last interval (-want +got):\n%s", diff)
	}
	gone := b.tick()
	want = []string{"a_total instance=web-2 stale (0)", "a_sampled_total instance=web-2 stale (0)", "a_total instance=web-3 = 7 (0)"}
	if diff := cmp.Diff(want, b.sink.at(gone)); diff != "" {
		t.Errorf("one interval later (-want +got):\n%s", diff)
	}
	after := b.tick()
	if diff := cmp.Diff([]string{"a_total instance=web-3 = 7 (0)"}, b.sink.at(after)); diff != "" {
		t.Errorf("after that (-want +got):\n%s", diff)
	}
	for _, s := range b.sink.of(prefix+"lines_total", "web-2") {
		if s.At.Equal(gone) != s.Stale || s.At.After(gone) {
			t.Errorf("the listener's own figures at %v: %+v; want it stale at %v and nothing later", s.At, s, gone)
		}
	}
	figures := balance(t, b.Collector)
	if len(figures.Listeners) != 2 || figures.Listeners[0].Instance != "web-2" || figures.Listeners[0].Lines != 2 || figures.Total.Lines != 3 {
		t.Errorf("the figures of a retired instance are not kept: %+v", figures)
	}
	if _, err := b.Listen(udp("web-2")); err == nil || !strings.Contains(err.Error(), "name of its own") {
		t.Errorf("the name of a retired instance was given out again: %v", err)
	}
	if err := b.Retire(context.Background(), "web-9"); err == nil || err.Error() != "retire web-9: no such instance is listened for" {
		t.Errorf("retire of an unknown instance: %v", err)
	}
}

// TestRetireIsMarkedInTimeByALateFlush: the last interval and the mark of the
// end have their times, however late they are made.
func TestRetireIsMarkedInTimeByALateFlush(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "a:1|g")
	if err := b.Retire(context.Background(), "web-1"); err != nil {
		t.Fatal(err)
	}
	first := b.grid.After(b.clock.now())
	b.clock.move(first.Sub(b.clock.now()) + 5*time.Second)
	b.flush(first, b.clock.now())
	for i, want := range []string{"a instance=web-1 = 1 (1)", "a instance=web-1 stale (0)"} {
		if diff := cmp.Diff([]string{want}, b.sink.at(first.Add(time.Duration(i)*time.Second))); diff != "" {
			t.Errorf("interval %d (-want +got):\n%s", i, diff)
		}
	}
	if got := len(b.sink.of("a", "web-1")); got != 2 || len(b.clients) != 0 {
		t.Errorf("%d points and %d clients are left, want 2 and none", got, len(b.clients))
	}
}

func TestTruncatedDatagramsAreCounted(t *testing.T) {
	b := newBench(t, Config{MaxDatagram: 20})
	l, conn := b.listen("web-1")
	send(t, conn, "a:1|c\nbbbb:1|c\n", "a:1|c\nthis.line.is.cut:1|c", strings.Repeat("x", 20))
	b.read(l)
	got := balance(t, b.Collector).Total
	if got.Datagrams != 3 || got.Truncated != 1 || got.Accepted != 3 || got.BadLines() != 2 {
		t.Errorf("got %+v; want 3 datagrams, 1 truncated, 3 lines accepted, 2 bad", got)
	}
}
