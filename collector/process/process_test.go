package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/process/wire"
	"throughline/collector/series"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

const interval = 40 * time.Millisecond

// TestMain lets the test binary be the collector, and a parent that is killed.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "collector":
		if err := Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case len(os.Args) > 2 && os.Args[1] == "parent":
		orphan(os.Args[2])
	}
	os.Exit(m.Run())
}

// ledger is a sink that keeps what it is given.
type ledger struct {
	mu      sync.Mutex
	samples []collector.Sample
	heard   chan struct{}          // one for each Append, as far as there is room
	refuse  func(collector.Sample) // called with each, beside; nil: nothing is
}

func newLedger() *ledger { return &ledger{heard: make(chan struct{}, 1)} }

func (l *ledger) Append(samples ...collector.Sample) error {
	l.mu.Lock()
	l.samples = append(l.samples, samples...)
	l.mu.Unlock()
	for _, s := range samples {
		if l.refuse != nil {
			l.refuse(s)
		}
	}
	select {
	case l.heard <- struct{}{}:
	default:
	}
	return nil
}

func (l *ledger) all() []collector.Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]collector.Sample{}, l.samples...)
}

// await waits until one of the samples is as wanted.
func (l *ledger) await(t *testing.T, what string, is func(collector.Sample) bool) collector.Sample {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		for _, s := range l.all() {
			if is(s) {
				return s
			}
		}
		select {
		case <-l.heard:
		case <-late:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// counted is a sample of a counter with a value.
func counted(name string, value float64) func(collector.Sample) bool {
	return func(s collector.Sample) bool { return s.Name == name && s.Value == value }
}

// began starts a collector on a directory and runs it. What it gives is in the ledgers.
func began(t *testing.T, dir string, owed []collector.Sample, sink, stored collector.Sink) (p *Process, end func() error) {
	t.Helper()
	return run(t, Config{Dir: dir, Owed: owed, Sink: sink, Stored: stored})
}

// run starts a collector and runs it.
func run(t *testing.T, c Config) (p *Process, end func() error) {
	t.Helper()
	c.Command, c.Interval, c.HTTP = []string{os.Args[0], "collector"}, interval, "127.0.0.1:0"
	p, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- p.Run(ctx) }()
	return p, func() error { cancel(); return <-ran }
}

// send sends lines of an instance, from a socket of its own.
func send(t *testing.T, p *Process, instance string) func(line string) {
	t.Helper()
	addr, err := p.Listen(statsd.Listener{Instance: instance, Labels: collector.NewLabels("zone", "b"), Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", addr.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func(line string) {
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Error(err)
		}
	}
}

// TestRelays: what comes in is relayed from the collector's process as well.
func TestRelays(t *testing.T) {
	peer, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	p, end := run(t, Config{Dir: t.TempDir(), Relay: "udp://" + peer.LocalAddr().String(), Sink: newLedger(), Stored: newLedger()})
	send(t, p, "web-1")("hits:3|c|#route:insert")
	if err := peer.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 100)
	if n, _, err := peer.ReadFrom(buffer); err != nil || string(buffer[:n]) != "hits:3|c|#route:insert" {
		t.Errorf("the peer got %q, %v", buffer[:n], err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

var errFrozen = errors.New("it is frozen")

// frozen is a poller that gives a sample, and an error with it.
type frozen struct{ asked chan time.Time }

func (f frozen) Poll(_ context.Context, at time.Time) ([]collector.Sample, error) {
	select {
	case f.asked <- at:
	default:
	}
	return []collector.Sample{{Name: "frozen", At: at, Value: math.Inf(1), Observed: 1}}, errFrozen
}

// TestAsInOneProcess: what is sent, polled and asked of a collector in a process of its own comes out as of one in this.
func TestAsInOneProcess(t *testing.T) {
	sink, stored := newLedger(), newLedger()
	dir := t.TempDir()
	start := time.Now()
	p, end := began(t, dir, nil, sink, stored)
	line := send(t, p, "web-1")
	line("hits:3|c|#route:insert")
	line("took:12|ms")
	hit := stored.await(t, "the count", counted("hits_total", 3))
	if got := hit.Labels.Key(""); got != collector.NewLabels("instance", "web-1", "zone", "b", "route", "insert").Key("") || hit.Meta.Sent != "hits" || hit.Observed != 1 {
		t.Errorf("a count is %+v, %+v", hit, hit.Meta)
	}
	// Its time is an interval end by the wall clock, and by this process's monotonic clock within what is now.
	if since := hit.At.Sub(start); since < 0 || since > time.Since(start)+interval || hit.At.UnixNano()%int64(interval) != 0 || !strings.Contains(hit.At.String(), "m=") {
		t.Errorf("the time of a count is %v, %v after the start", hit.At, since)
	}
	took := sink.await(t, "the timer", func(s collector.Sample) bool { return s.Name == "took" && s.Histogram != nil && s.Histogram.Count == 1 })
	if took.Histogram.Sum != 12 {
		t.Errorf("a timer is %+v", took.Histogram)
	}
	poller := frozen{make(chan time.Time, 1)}
	if err := p.AddPoller("frozen", poller); err != nil {
		t.Fatal(err)
	}
	at := <-poller.asked
	sink.await(t, "the failed poll", func(s collector.Sample) bool {
		return s.Name == collector.OwnPrefix+"poll_success" && s.Labels.Get("poller") == "frozen" && s.Value == 0 && s.At.Equal(at)
	})
	if err := p.Fetch(t.Context()); !errors.Is(err, errFrozen) || !strings.Contains(err.Error(), "frozen") {
		t.Errorf("fetch: %v, want what the poller said", err)
	}
	if f, err := p.Figures(); err != nil || f.Lines != 2 || len(f.Listeners) != 1 || f.Listeners[0].Instance != "web-1" || len(f.Polls) != 2 {
		t.Errorf("the figures are %+v, %v", f, err)
	}
	if conn, err := net.Dial("tcp", p.Addr()); err != nil {
		t.Error(err)
	} else {
		conn.Close()
	}
	if err := p.Retire(t.Context(), "web-1"); err != nil {
		t.Error(err)
	}
	stored.await(t, "the end of the series", func(s collector.Sample) bool { return s.Name == "hits_total" && s.Stale })
	if err := p.Retire(t.Context(), "web-2"); err == nil || !strings.Contains(err.Error(), "web-2") {
		t.Errorf("nobody was retired: %v", err)
	}
	if err := end(); !errors.Is(err, errFrozen) { // it polls a last time
		t.Errorf("run: %v", err)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if got := p.Exit(); got != (Exit{}) || len(p.Owed()) > 0 {
		t.Errorf("it ended with %v, and owes %v", got, p.Owed())
	}
	alike(t, dir, sink.all())
}

// TestKilled: whenever it is killed, the store of those after it has what the sink has, and counters go on.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	sink, stored := newLedger(), newLedger()
	var owed []collector.Sample
	var owing int
	value := 0.0
	for round := range 6 {
		var p *Process
		strike := make(chan struct{})
		if round%2 == 0 { // in the midst: the sink has it, and the store cannot
			var once sync.Once
			next := value + 1
			sink.refuse = func(s collector.Sample) {
				if counted("hits_total", next)(s) {
					once.Do(func() { close(strike); <-p.dead })
				}
			}
		}
		p, _ = began(t, dir, owed, sink, stored)
		line := send(t, p, "web-1")
		line("hits:1|c")
		if value++; round%2 == 0 {
			<-strike
		} else {
			stored.await(t, "the count", counted("hits_total", value))
		}
		exit, err := p.Kill(t.Context())
		if err != nil || exit.Signal != syscall.SIGKILL || exit.Code != -1 || exit.String() != "SIGKILL" {
			t.Fatalf("killed: %v, %v", exit, err)
		}
		sink.refuse = nil
		owed = p.Owed()
		owing += len(owed)
		if round%2 == 0 && len(owed) == 0 {
			t.Error("it was killed before it stored what the sink has, and owes nothing")
		}
		if err := p.Close(); err != nil {
			t.Errorf("close one that was killed: %v", err)
		}
	}
	p, end := began(t, dir, owed, sink, stored)
	line := send(t, p, "web-1")
	line("hits:1|c")
	stored.await(t, "the last count", counted("hits_total", value+1))
	if err := errors.Join(end(), p.Close()); err != nil {
		t.Error(err)
	}
	if owing == 0 {
		t.Error("none was killed in the midst")
	}
	alike(t, dir, sink.all())
}

// alike compares a store with what a sink was given, of which no series has two values at a time.
func alike(t *testing.T, dir string, given []collector.Sample) {
	t.Helper()
	store, err := series.Open(dir, series.Options{LeaveOpen: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	type place struct {
		series string
		at     int64
	}
	seen := map[place]collector.Sample{}
	for _, s := range given {
		at := place{s.Labels.Key(s.Name), s.At.UnixMilli()}
		if before, twice := seen[at]; twice && !s.Stale && !before.Stale {
			t.Errorf("two samples of %s at %v: %v, %v", s.Name, s.At, before, s)
		}
		seen[at] = s
	}
	points := map[string]float64{}
	for at, s := range seen {
		if !s.Stale {
			points[at.series[:len(s.Name)]]++ // by name
		}
	}
	for name, n := range points {
		answer, err := store.Query(t.Context(), "sum(count_over_time("+name+"[1h]))", time.Now().Add(time.Minute))
		if err != nil || len(answer.Series) != 1 || answer.Series[0].Points[0].Value != n {
			t.Errorf("of %s the sink was given %v points, the store has %+v, %v", name, n, answer.Series, err)
		}
	}
	if len(points) < 10 {
		t.Errorf("only %d names were compared", len(points))
	}
}

// TestDead: whoever asks a collector that ended by itself is told so, with what it said.
func TestDead(t *testing.T) {
	p, end := began(t, t.TempDir(), nil, newLedger(), newLedger())
	if p.Ended() {
		t.Error("it has ended before it began")
	}
	if err := syscall.Kill(p.ID(), syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	<-p.gone
	const want = "the collector's process has ended (exit status 2), and said: SIGABRT: abort"
	if _, err := p.Figures(); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("the figures of a dead one: %v", err)
	}
	if err := end(); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("its run: %v", err)
	}
	if exit, err := p.Kill(t.Context()); err != nil || exit.String() != "exit status 2" || !p.Ended() {
		t.Errorf("killed when dead: %v, %v", exit, err)
	}
}

// TestNotACollector: what cannot be executed, or is no collector, is an error that says so.
func TestNotACollector(t *testing.T) {
	for command, want := range map[string]string{
		"/nowhere/to/be/found":    "start the collector (/nowhere/to/be/found): fork/exec /nowhere/to/be/found: no such file",
		"/bin/sh -c echo>&2;exit": "start the collector (/bin/sh -c echo>&2;exit): the collector's process has ended (exit status 0)",
	} {
		_, err := Start(Config{Command: strings.SplitN(command, " ", 3), Dir: t.TempDir(), Sink: newLedger(), Stored: newLedger()})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Start(Config{Command: []string{os.Args[0], "collector"}, Dir: file, Sink: newLedger(), Stored: newLedger()})
	if err == nil || !strings.Contains(err.Error(), "open the store in "+file) {
		t.Errorf("on a file: %v", err)
	}
}

// TestOrphaned: a collector ends when what it is told by is closed and nobody had closed it, even as it runs.
func TestOrphaned(t *testing.T) {
	orders, order := io.Pipe()
	samples, sample := io.Pipe()
	defer sample.Close()
	done := make(chan error)
	go func() {
		done <- serve(wire.Duplex{Reader: orders, WriteCloser: discarding{}}, wire.Duplex{Reader: samples, WriteCloser: discarding{}})
	}()
	order.Close()
	if err := <-done; !errors.Is(err, errOrphaned) {
		t.Errorf("ended with %v", err)
	}
}

type discarding struct{}

func (discarding) Write(p []byte) (int, error) { return len(p), nil }
func (discarding) Close() error                { return nil }

// orphan starts a collector and says what its number is, until it is killed.
func orphan(dir string) {
	p, err := Start(Config{Command: []string{os.Args[0], "collector"}, Dir: dir, Interval: interval, Sink: newLedger(), Stored: newLedger()})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.ID())
	fmt.Println(p.Run(context.Background()))
}
