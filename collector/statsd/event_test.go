package statsd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// notes is a Journal that keeps everything.
type notes struct {
	mu     sync.Mutex
	events []collector.Event
	err    error
}

func (n *notes) Note(events ...collector.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, events...)
	return n.err
}

func TestEventsGoToTheJournal(t *testing.T) {
	journal := &notes{}
	b := newBenchIn(t, Config{}, collector.Intake{Journal: journal})
	l, _ := b.listen("web-1", "zone", "a")
	b.feed(l, `_e{6,8}:deploy|one\ntwo|d:1384419000|h:box|k:rel|p:low|s:ci|t:error|#v:1.4,instance:evil,late`,
		"_sc|db|2|d:1384419001|h:box|#v:1.4|m:gone\n_sc|db|0", "_e{1,1}:\xff|x|d:99999999999999", "_e{1,9}:t|x\n_sc|db|x")
	now := b.clock.now()
	labels := collector.NewLabels("instance", "web-1", "zone", "a")
	want := []collector.Event{
		{Kind: collector.Told, At: time.Unix(1384419000, 0), Labels: labels.With("v", "1.4").With("exported_instance", "evil").With("late", "true"),
			Title: "deploy", Text: "one\ntwo", Host: "box", Key: "rel", Priority: "low", Source: "ci", Alert: "error"},
		{Kind: collector.ServiceCheck, At: time.Unix(1384419001, 0), Labels: labels.With("v", "1.4"), Title: "db", Text: "gone", Host: "box", Alert: "critical"},
		{Kind: collector.ServiceCheck, At: now, Labels: labels, Title: "db", Alert: "ok"},
		{Kind: collector.Told, At: now, Labels: labels, Title: "\uFFFD", Text: "x", Priority: "normal", Alert: "info"},
	}
	if diff := cmp.Diff(want, journal.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got := balanceQuiet(t, b.Collector).Total
	if diff := cmp.Diff(map[string]uint64{"bad_event": 1, "bad_service_check": 1}, got.Bad); diff != "" || got.Events != 2 || got.ServiceChecks != 2 {
		t.Errorf("%d events, %d service checks; bad (-want +got):\n%s", got.Events, got.ServiceChecks, diff)
	}
}

// TestServiceChecksAreSeries, which end with their instance.
func TestServiceChecksAreSeries(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feed(l, "_sc|db|1|#role:a,check:x", "_sc|cache|3", "_sc|cache|0|h:box", "_sc|cache|2", "_sc|db|2|#role:a,check:x|d:1384419000")
	want := []string{"throughline_service_check check=db exported_check=x instance=web-1 role=a = 1 (2)",
		"throughline_service_check check=cache instance=web-1 = 2 (2)", "throughline_service_check check=cache host=box instance=web-1 = 0 (1)"}
	if diff := cmp.Diff(want, b.sink.at(b.tick())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, b.Retire(context.Background(), "web-1"))
	b.tick()
	for _, s := range b.sink.at(b.tick()) {
		if s[len(s)-len("stale (0)"):] != "stale (0)" {
			t.Errorf("one interval after the last: %s", s)
		}
	}
	if len(balanceQuiet(t, b.Collector).Findings) != 0 {
		t.Error("service checks are a finding")
	}
}

func TestAJournalThatFailsIsTold(t *testing.T) {
	broken := errors.New("disk full")
	b := newBenchIn(t, Config{}, collector.Intake{Journal: &notes{err: broken}})
	l, _ := b.listen("web-1")
	b.feed(l, "_e{1,1}:t|x\n_sc|db|0", "_e{1,1}:t|x")
	b.tick()
	if got := b.sink.last(prefix+"journal_errors_total", ""); got != 3 || b.Figures().JournalErrors != 3 {
		t.Errorf("%sjournal_errors_total is %v, the figures says %d; want 3", prefix, got, b.Figures().JournalErrors)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Run(ctx); !errors.Is(err, broken) {
		t.Errorf("Run returned %v, want the journal's error", err)
	}
}

// TestRelayGetsEveryPayload as it came, whatever is in it.
func TestRelayGetsEveryPayload(t *testing.T) {
	var got []string
	b := newBench(t, Config{Relay: func(datagram []byte) { got = append(got, string(datagram)) }})
	l, _ := b.listen("web-1")
	want := []string{"a:1|c\n", "junk", "a:1|c\na:-1|c", "_e{1,1}:t|x"}
	b.feed(l, want...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestJunkIsShown: so many a second of each reason, and how many were not.
func TestJunkIsShown(t *testing.T) {
	var got []string
	b := newBench(t, Config{MaxSeries: 1, JunkRate: 2, Junk: func(j Junk) {
		got = append(got, fmt.Sprintf("%s %s %q %v +%d", j.Reason, j.Instance, j.Line, j.From, j.Suppressed))
	}})
	l, _ := b.open(by(BySource))
	b.feedFrom(l, "10.0.0.1", "a:1|c\nb:1|c\nx\ny", "z", "a:-1|c", "w")
	b.clock.move(time.Second)
	b.feedFrom(l, "10.0.0.2", "v")
	want := []string{`series 10.0.0.1 "b:1|c" 10.0.0.1 +0`, `no_value 10.0.0.1 "x" 10.0.0.1 +0`, `no_value 10.0.0.1 "y" 10.0.0.1 +0`,
		`negative_count 10.0.0.1 "a:-1|c" 10.0.0.1 +0`, `no_value 10.0.0.2 "v" 10.0.0.2 +2`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
