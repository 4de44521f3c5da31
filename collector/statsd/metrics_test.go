package statsd

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"throughline/collector"
)

// TestMetricsAreDescribed: every series that the collector writes about itself
// is in the list, as what it is, and nothing else is.
func TestMetricsAreDescribed(t *testing.T) {
	b := newBench(t, Config{MaxSeries: 3})
	l, _ := b.listen("web-1")
	b.feedFrom(l, "10.0.0.1", "a.b:1|g\na_b:1|g\njunk\n_sc|db|0\n_e{1,1}:t|x\nu:x|s\nv:1|c")
	b.tick()
	must(t, b.Retire(context.Background(), "web-1"))
	b.tick()
	b.tick()
	listed, seen := map[string]collector.Metric{}, map[string]bool{}
	for _, m := range b.Metrics() {
		if _, twice := listed[m.Name]; twice || m.Help == "" || strings.HasSuffix(m.Name, "_total") != (m.Type == collector.Counter) {
			t.Errorf("%s is listed twice, not explained, or of a type that its name does not tell", m.Name)
		}
		listed[m.Name] = m
	}
	for _, s := range b.sink.samples {
		if !strings.HasPrefix(s.Name, "throughline_") {
			continue
		}
		seen[s.Name] = true
		if m, ok := listed[s.Name]; !ok || m.Type != s.Meta.Type || m.Unit != s.Meta.Unit {
			t.Errorf("%s is written as %+v, and listed as %+v", s.Name, s.Meta, m)
		}
	}
	for name := range listed {
		if !seen[name] {
			t.Errorf("%s is listed, and was not written", name)
		}
	}
	if len(seen) < 25 {
		t.Errorf("only %d series were seen", len(seen))
	}
}

// TestOwnSeriesEndWithTheirListener, and no counter among them ever falls.
func TestOwnSeriesEndWithTheirListener(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "a:1|c\njunk")
	b.tick()
	must(t, b.Retire(context.Background(), "web-1"))
	for range 3 {
		b.tick()
	}
	last := map[string]collector.Sample{}
	at := map[string]map[int64]bool{}
	for _, s := range b.sink.samples {
		key := s.Labels.Key(s.Name)
		if was := last[key]; s.Meta.Type == collector.Counter && !s.Stale && (s.Value < was.Value || was.Stale) {
			t.Errorf("%s: %+v after %+v", s.Name, s, was)
		}
		if at[key] == nil {
			at[key] = map[int64]bool{}
		}
		if ns := s.At.UnixNano(); at[key][ns] {
			t.Errorf("%s %v has two points at %v", s.Name, s.Labels, s.At)
		} else {
			at[key][ns] = true
		}
		last[key] = s
	}
	for _, s := range last {
		if s.Labels.Get("instance") == "web-1" && !s.Stale {
			t.Errorf("%s is never marked stale: %+v", s.Name, s)
		}
	}
}

// TestAListenerThatCanNotBeReadIsTold.
func TestAListenerThatCanNotBeReadIsTold(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.tick()
	l.broken = true
	b.tick()
	points := b.sink.of(prefix+"listener_up", "web-1")
	if len(points) != 2 || points[0].Value != 1 || points[1].Value != 0 || !b.Figures().Listeners[0].Failed {
		t.Errorf("got %+v, want 1 and 0, and a listener that failed in the figures", points)
	}
}

// slow is a Sink that takes a second of the clock.
type slow struct{ clock *clock }

func (s slow) Append(...collector.Sample) error {
	s.clock.move(300 * time.Millisecond)
	return errors.New("full")
}

func TestFlushDurationIsMeasured(t *testing.T) {
	clock := newClock()
	c := New(Config{Now: clock.now}, collector.Intake{Sink: slow{clock}})
	defer c.Close()
	clock.move(750 * time.Millisecond)
	c.flush(clock.now(), clock.now())
	if got := c.Figures(); got.FlushTook != 300*time.Millisecond || got.WorstFlush != got.FlushTook || got.AppendErrors != 1 || !got.Started.Equal(newClock().t) {
		t.Errorf("got %+v, want a flush of 300 ms that failed", got)
	}
}
