package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/collector/series"
	"throughline/collector/sourcetest"
	"throughline/collector/statsd"
)

// another is a second way in: one in memory, which tells instances apart and has an
// figures for people.
type another struct {
	*sourcetest.Memory
	retired []string
}

func (a *another) Retire(_ context.Context, instance string) error {
	if instance != "mem-1" {
		return collector.ErrUnknownInstance
	}
	a.retired = append(a.retired, instance)
	return nil
}

func (a *another) Tables() []collector.Table {
	return []collector.Table{{Title: "What memory says", Head: []string{"hits"}, Rows: [][]collector.Cell{{{Text: "<seven>"}}}, Notes: []string{"all of it"}}}
}

// A second way in is added beside StatsD, and the server has it whole: its numbers, its
// figures on /metrics and on the page, its instances, its last interval.
func TestASecondWayIn(t *testing.T) {
	s := newServer(t, Config{HTTP: "127.0.0.1:0"})
	mem := &another{Memory: sourcetest.NewMemory(s.Intake())}
	s.Add(mem)
	send := sender(t, s, "web-1")
	stop := start(t, s)
	send("hits:5|c")
	mem.Hit(7)
	mem.Hit(-1)
	wait(t, "both are on /metrics, with their own figures", func() bool {
		return exposed(t, s, "hits_total") == 5 && exposed(t, s, sourcetest.MemorySeries) == 7 &&
			exposed(t, s, collector.OwnPrefix+"lines_total") == 1 && exposed(t, s, sourcetest.MemoryBad) == 1
	})
	if _, page := fetch(t, s, "/"); !strings.Contains(page, "<h2>What memory says</h2>") || !strings.Contains(page, "<td>&lt;seven&gt;") || !strings.Contains(page, "<p>all of it</p>") {
		t.Errorf("the page does not show it:\n%s", page)
	}
	for instance, want := range map[string]error{"mem-1": nil, "web-1": nil, "web-9": collector.ErrUnknownInstance} {
		if err := s.Retire(t.Context(), instance); !errors.Is(err, want) {
			t.Errorf("retire %s: %v, want %v", instance, err, want)
		}
	}
	if len(mem.retired) != 1 {
		t.Errorf("it was told that %v are gone", mem.retired)
	}
	names := map[string]bool{}
	for _, m := range s.Metrics() {
		names[m.Name] = true
	}
	if !names[sourcetest.MemoryBad] || !names[collector.OwnPrefix+"lines_total"] || !names[storeUpName] {
		t.Errorf("what the collector writes about itself is said to be %v", names)
	}
	mem.Hit(2)
	stop()
	if got := ask(t, s, sourcetest.MemorySeries, soon())["__name__="+sourcetest.MemorySeries+" instance=web-1"]; got != 9 {
		t.Errorf("the last interval is missing: %v of 9", got)
	}
}

// A source goes on over a restart of the collector, where the store knows it.
func TestASecondWayInResumes(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []float64{3, 6} {
		s := newServer(t, Config{Dir: dir})
		mem := sourcetest.NewMemory(s.Intake())
		s.Add(mem)
		stop := start(t, s)
		mem.Hit(3)
		stop()
		if got := ask(t, s, "max("+sourcetest.MemorySeries+")", soon())[""]; got != want {
			t.Errorf("it counted %v, want %v", got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		ended := s.Intake().IntervalEnd(time.Now())
		wait(t, "its last interval is over", func() bool { return time.Now().After(ended) })
	}
}

// failing is a source whose Run fails.
type failing struct{ sourcetest.Memory }

var errFailing = errors.New("the line is dead")

func (*failing) Run(ctx context.Context) error { <-ctx.Done(); return errFailing }

// What one source cannot do is told when the others have ended.
func TestASourceThatFails(t *testing.T) {
	s := newServer(t, Config{})
	mem := sourcetest.NewMemory(s.Intake())
	s.Add(&failing{}, mem)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	mem.Hit(4)
	cancel()
	if err := <-done; !errors.Is(err, errFailing) {
		t.Errorf("Run: %v, want %v", err, errFailing)
	}
	if got := ask(t, s, sourcetest.MemorySeries, soon()); len(got) != 1 {
		t.Errorf("the other source gave %v", got)
	}
}

// deliveries is an output that is a sink: it notes in what order it was used.
type deliveries struct {
	order
	running chan struct{}
}

func (d *deliveries) Run(ctx context.Context) error {
	close(d.running)
	<-ctx.Done()
	return d.Append(collector.Sample{Name: "the end of the output"})
}

func (*deliveries) Own(at time.Time) []collector.Sample {
	return []collector.Sample{{Name: collector.OwnPrefix + "deliveries", Meta: &collector.Meta{Type: collector.Gauge}, At: at, Value: 1, Observed: 1}}
}

func (*deliveries) Metrics() []collector.Metric {
	return []collector.Metric{{Name: collector.OwnPrefix + "deliveries", Type: collector.Gauge, Help: "one"}}
}

// An output gets every sample, has its figures shown, and ends when nothing can come
// any more.
func TestAnOutputEndsLast(t *testing.T) {
	out := &deliveries{running: make(chan struct{})}
	s := newServer(t, Config{HTTP: "127.0.0.1:0", Outputs: []collector.Output{out}})
	send := sender(t, s, "web-1")
	stop := start(t, s)
	<-out.running
	wait(t, "its figures are on /metrics", func() bool { return exposed(t, s, collector.OwnPrefix+"deliveries") == 1 })
	send("hits:1|c")
	stop()
	last := len(out.names) - 1
	hits, polls := -1, -1
	for i, name := range out.names {
		switch name {
		case "hits_total":
			hits = i
		case storeUpName:
			polls = i
		}
	}
	if out.names[last] != "the end of the output" || hits < 0 || polls < hits {
		t.Errorf("of %d samples the counter's last came as number %d, the last look as %d; the last of all was %s", last, hits, polls, out.names[last])
	}
}

// fetches is a source of which no more is of interest than that it fetches.
type fetches struct {
	*another
	fetch func(context.Context) error
}

func (f fetches) Fetch(ctx context.Context) error { return f.fetch(ctx) }

// One source that waits for who does not answer takes no time from the next.
func TestSourcesFetchSideBySide(t *testing.T) {
	s := newServer(t, Config{})
	asked := make(chan struct{})
	silent := func(ctx context.Context) error {
		select {
		case <-asked:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.Add(fetches{&another{Memory: sourcetest.NewMemory(s.Intake())}, silent},
		fetches{&another{Memory: sourcetest.NewMemory(s.Intake())}, func(context.Context) error { close(asked); return nil }})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Fetch(ctx); err != nil {
		t.Errorf("the second was asked when the first had given up: %v", err)
	}
}

// The server knows the store as the rest of its world: by what it does.
var (
	_ Store             = (*series.Store)(nil)
	_ collector.Source  = (*statsd.Collector)(nil)
	_ collector.Retirer = (*statsd.Collector)(nil)
	_ collector.Tabler  = (*statsd.Collector)(nil)
	_ collector.Source  = (*poll.Loop)(nil)
	_ collector.Fetcher = (*poll.Loop)(nil)
	_ collector.Tabler  = (*poll.Loop)(nil)
)

// TestLongestBody: what the server lets through, the store reads.
func TestLongestBody(t *testing.T) {
	if longestBody != series.MaxForm {
		t.Errorf("a body may have %d bytes, the store reads %d", longestBody, series.MaxForm)
	}
}
