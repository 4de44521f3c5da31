package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throughline/collector"
)

// full is a store whose disk is full while it is told so.
type full struct {
	collector.Sink
	yes atomic.Bool
}

var errFull = errors.New("write wal/00000001: no space left on device")

func (f *full) Append(samples ...collector.Sample) error {
	if f.yes.Load() {
		return errFull
	}
	return f.Sink.Append(samples...)
}

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) count(what string) int { return strings.Count(l.String(), what) }

// exposed sums a series over its labels on /metrics; NaN if it is not there.
func exposed(t *testing.T, s *rig, name string) float64 {
	t.Helper()
	_, body := fetch(t, s, "/metrics")
	found := regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)`).FindAllStringSubmatch(body, -1)
	if found == nil {
		return math.NaN()
	}
	sum := 0.0
	for _, m := range found {
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
		sum += v
	}
	return sum
}

// TestAStoreThatTakesNothing: whoever looks sees it while it lasts, and the
// collector's own numbers go on.
func TestAStoreThatTakesNothing(t *testing.T) {
	log := &logged{}
	s := newServer(t, Config{HTTP: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(log, nil))})
	store := &full{Sink: s.store}
	s.keeper.store = store
	send := sender(t, s, "web-1")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	status := func() int { code, _ := fetch(t, s, "/-/ready"); return code }

	send("hits:1|c")
	wait(t, "the first line is shown", func() bool {
		return exposed(t, s, "hits_total") == 1 && exposed(t, s, collector.OwnPrefix+"lines_total") == 1 && exposed(t, s, storeUpName) == 1
	})
	if code := status(); code != http.StatusOK {
		t.Fatalf("/-/ready: %d while all is well", code)
	}

	store.yes.Store(true)
	wait(t, "it is not ready", func() bool { return status() == http.StatusServiceUnavailable })
	if _, body := fetch(t, s, "/-/ready"); !strings.Contains(body, errFull.Error()) {
		t.Errorf("/-/ready does not say why: %s", body)
	}
	send("hits:1|c\nhits:1|c\nhits:1|c")
	wait(t, "the own numbers go on", func() bool {
		return exposed(t, s, collector.OwnPrefix+"lines_total") == 4 && exposed(t, s, collector.OwnPrefix+"append_errors_total") > 0 &&
			exposed(t, s, samplesLostName) > 0 && exposed(t, s, storeUpName) == 0
	})
	if v := exposed(t, s, "hits_total"); !math.IsNaN(v) {
		t.Errorf("hits_total = %v, a number that stands still, while it is 4", v)
	}
	if _, page := fetch(t, s, "/"); !strings.Contains(page, errFull.Error()) {
		t.Errorf("the page does not tell:\n%s", page)
	}
	if n := log.count("no space left on device"); n != 1 {
		t.Errorf("the log tells of it %d times within a minute:\n%s", n, log)
	}

	store.yes.Store(false)
	wait(t, "it is ready again", func() bool { return status() == http.StatusOK })
	wait(t, "what is stored is shown again", func() bool { return exposed(t, s, "hits_total") == 4 && exposed(t, s, storeUpName) == 1 })
	wait(t, "the log tells of the end", func() bool { return log.count("takes samples again") == 1 })
	cancel()
	if err := <-done; !errors.Is(err, errFull) {
		t.Errorf("Run: %v, want what the store said", err)
	}
}

// stuck is a store that hangs until it is let go.
type stuck struct{ begun, goOn chan struct{} }

func (s stuck) Append(...collector.Sample) error {
	close(s.begun)
	<-s.goOn
	return nil
}

func TestAStoreThatHangs(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	hung := stuck{make(chan struct{}), make(chan struct{})}
	k := newKeeper(hung, nil, func() time.Time { return now })
	done := make(chan error)
	go func() { done <- k.Append(collector.Sample{Name: "a"}) }()
	<-hung.begun
	if f := k.figures(); f.Failing != nil {
		t.Errorf("it has only begun: %v", f.Failing)
	}
	now = now.Add(stuckAfter + time.Second)
	if f := k.figures(); f.Failing == nil || !strings.Contains(f.Failing.Error(), "for 11s") {
		t.Errorf("after 11 s: %v", f.Failing)
	}
	close(hung.goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if f := k.figures(); f.Failing != nil || f.Lost != 0 {
		t.Errorf("when it went on: %+v", f)
	}
}

// TestSomeSamplesRefused: a store that has no place for a sample works.
func TestSomeSamplesRefused(t *testing.T) {
	s := newServer(t, Config{})
	at := time.Now()
	if err := s.keeper.Append(collector.Sample{Name: "a", At: at, Value: 1}, collector.Sample{Name: "b", At: at}); err != nil {
		t.Fatal(err)
	}
	if err := s.keeper.Append(collector.Sample{Name: "a", At: at, Value: 2}, collector.Sample{Name: "c", At: at}); err == nil {
		t.Fatal("a second value at one time was kept")
	}
	if f := s.keeper.figures(); f.Failing != nil || f.Lost != 1 {
		t.Errorf("%+v, want 1 lost and a store that works", f)
	}
}

func TestAnAlarmIsNoNoise(t *testing.T) {
	log, now := &logged{}, time.Unix(1_700_000_000, 0)
	a := alarm{log: slog.New(slog.NewTextHandler(log, nil)), now: func() time.Time { return now }}
	expect := func(when string, fails, again int) {
		t.Helper()
		if f, g := log.count("msg=fails"), log.count("msg=again"); f != fails || g != again {
			t.Errorf("%s: told of %d failures and %d ends, want %d and %d:\n%s", when, f, g, fails, again, log)
		}
	}
	tell := func(err error) { a.tell("fails", "again", err, 7) }
	tell(nil)
	expect("nothing failed", 0, 0)
	for range 5 {
		tell(errFull)
		now = now.Add(time.Second)
	}
	expect("5 failures", 1, 0)
	tell(nil)
	tell(nil)
	expect("the end", 1, 1)
	for range 10 { // it comes and goes
		tell(errFull)
		tell(nil)
	}
	expect("10 more", 1, 1)
	now = now.Add(alarmEvery)
	tell(errFull)
	expect("a minute later", 2, 1)
	if !strings.Contains(log.String(), "not_told=14") || !strings.Contains(log.String(), "lost=7") {
		t.Errorf("what was left out is not told:\n%s", log)
	}
}

// TestTheJournalSpeaksUp: an event that could not be kept is told of at once.
func TestTheJournalSpeaksUp(t *testing.T) {
	log := &logged{}
	s := newServer(t, Config{Log: slog.New(slog.NewTextHandler(log, nil))})
	send := sender(t, s, "web-1")
	if err := s.journal.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	send("_e{1,1}:a|b")
	wait(t, "the log tells of it", func() bool { return log.count("the journal is closed") == 1 })
	cancel()
	if err := <-done; err == nil {
		t.Error("Run does not tell of the event that was lost")
	}
}
