package statsd

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// TestLimits: each refuses what is beyond it, under its name, and takes what is
// just within.
func TestLimits(t *testing.T) {
	tags := func(n int) string {
		var out []string
		for i := range n {
			out = append(out, fmt.Sprintf("t%d:x", i))
		}
		return strings.Join(out, ",")
	}
	long := strings.Repeat("x", 2000)
	for _, tt := range []struct {
		cfg           Config
		within, above string
		reason        string
	}{
		{Config{MaxTags: 3}, "a:1|c|#" + tags(3), "a:1|c|#" + tags(4), "tags"},
		{Config{MaxTags: 3}, "a;x=1:1|c|#" + tags(2), "a;x=1;y=2:1|c|#" + tags(2), "tags"},
		{Config{MaxTags: 3}, "_sc|db|0|#" + tags(3), "_sc|db|0|#" + tags(4), "tags"},
		{Config{MaxTags: 3}, "_e{1,1}:t|x|#" + tags(3), "_e{1,1}:t|x|#" + tags(4), "tags"},
		{Config{}, "a:1|c|#" + tags(64), "a:1|c|#" + tags(65), "tags"},
		{Config{}, long[:512] + ":1|c", long[:513] + ":1|c", "name"},
		{Config{}, "a:1|c|#" + long[:512] + ":v", "a:1|c|#" + long[:513] + ":v", "name"},
		{Config{}, "_sc|" + long[:512] + "|0", "_sc|" + long[:513] + "|0", "name"},
		{Config{}, "a:1|c|#t:" + long[:1024], "a:1|c|#t:" + long[:1025], "tag_value"},
		{Config{MaxSeries: 1}, "a:1|c\na:2|c", "b:1|c", "series"},
		{Config{MaxSeriesTotal: 1}, "a:1|c\na:2|c", "b:1|c", "total_series"},
		{Config{MaxSeriesTotal: 2}, "a:1|c|#t:" + long[:900], "b:1|c|#u:" + long[:900] + ",t:" + long[:900], "total_series"},
	} {
		b := newBench(t, tt.cfg)
		l, _ := b.listen("web-1")
		b.feed(l, tt.within)
		if got := balanceQuiet(t, b.Collector).Total; got.RefusedLines() != 0 {
			t.Errorf("%.40q is refused: %v", tt.within, got.Refused)
		}
		b.feed(l, tt.above, tt.within)
		if diff := cmp.Diff(map[string]uint64{tt.reason: 1}, balanceQuiet(t, b.Collector).Total.Refused); diff != "" {
			t.Errorf("%.40q (-want +got):\n%s", tt.above, diff)
		}
	}
}

// TestBucketsAreBounded: histograms of ever other values do not fill the memory;
// values like those before still count.
func TestBucketsAreBounded(t *testing.T) {
	b := newBench(t, Config{MaxSeriesTotal: 1})
	l, _ := b.listen("web-1")
	for i := range 100 {
		b.feed(l, fmt.Sprintf("a:%g|ms", math.Exp2(float64(i-20))), "a:0:1|ms")
	}
	got := balanceQuiet(t, b.Collector).Total
	if got.Refused["buckets"] != 60 || got.Accepted != 140 || b.shared.buckets.Load() != bucketsPerSeries {
		t.Errorf("%d buckets; %+v; want %d, and 60 lines refused", b.shared.buckets.Load(), got, bucketsPerSeries)
	}
	must(t, b.Retire(t.Context(), "web-1"))
	b.tick()
	b.tick()
	if n := b.shared.buckets.Load(); n != 0 {
		t.Errorf("%d buckets are left when the instance is gone", n)
	}
}

// TestRoomIsGivenBack: series of instances that are gone do not count.
func TestRoomIsGivenBack(t *testing.T) {
	b := newBench(t, Config{MaxSeriesTotal: 2})
	for i := range 10 {
		name := fmt.Sprint("web-", i)
		l, _ := b.listen(name)
		b.feed(l, "a:1|c\nu:x|s")
		must(t, b.Retire(t.Context(), name))
		b.tick()
		b.tick()
	}
	if got := balanceQuiet(t, b.Collector).Total; got.RefusedLines() != 0 || got.Accepted != 20 {
		t.Errorf("got %+v, want 20 accepted lines", got)
	}
	for _, l := range b.listeners {
		if l.home.lane != nil {
			t.Errorf("the listener of %s keeps the series in memory", l.instance)
		}
	}
	if s := b.shared; s.series.Load() != 0 || s.bytes.Load() != 0 || s.members.Load() != 0 {
		t.Errorf("%d series of %d bytes with %d members are left", s.series.Load(), s.bytes.Load(), s.members.Load())
	}
}

// nothing is a Sink that drops everything.
type nothing struct{}

func (nothing) Append(...collector.Sample) error { return nil }

// TestFlood: a million different series through fifty sources leave a bounded
// heap, and the series that were known go on.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: a million series take seconds")
	}
	clock := newClock()
	c := New(Config{Now: clock.now, Junk: func(Junk) {}}, collector.Intake{Sink: nothing{}})
	defer c.Close()
	l := by(BySource)
	if _, err := c.Listen(l); err != nil {
		t.Fatal(err)
	}
	in := c.listeners[0]
	payloads := make([]socket.Payload, 50)
	for i := range payloads {
		payloads[i].From = source(byte(i))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const series = 1_000_000
	const perRound = 50 * 20
	for round := range series / perRound {
		for i := range payloads {
			payloads[i].Bytes = []byte("known:1|c\n")
			for k := range 20 {
				kind := []string{"1|c", "12.5|ms", "x|s", "3|g", "1|c|@0.5"}[k%5]
				payloads[i].Bytes = fmt.Appendf(payloads[i].Bytes, "flood.%d.%d.%d:%s|#id:%d,zone:a\n", round, i, k, kind, round)
			}
		}
		in.receive(payloads)
		if round%100 == 0 {
			clock.move(c.cfg.Interval)
			c.flush(clock.now(), clock.now())
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("the heap grew by %d MiB", grown>>20)
	if grown > 300<<20 {
		t.Errorf("the heap grew by %d MiB, want at most 300", grown>>20)
	}
	got := balanceQuiet(t, c).Total
	if got.Series != 100_000 || got.Lines != series+series/20 {
		t.Errorf("%d series, %d lines", got.Series, got.Lines)
	}
	known := uint64(0)
	for _, cl := range c.clients {
		if s := cl.owners[cl.labels.Key("known_total")]; s != nil {
			known += uint64(s.value)
		}
	}
	if known != series/20 {
		t.Errorf("the known series counted %d, want %d", known, series/20)
	}
}
