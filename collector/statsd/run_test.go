package statsd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// interval is short, so that many flushes run into the middle of the traffic.
const interval = 20 * time.Millisecond

// TestSumsAreExactWithConcurrentSenders: every datagram is counted once, in one
// interval, or the kernel says that it dropped it.
func TestSumsAreExactWithConcurrentSenders(t *testing.T) {
	const senders, datagrams = 4, 3000
	sink := &memory{}
	c := New(Config{}, collector.Intake{Sink: sink, Interval: interval})
	stop := run(t, c)
	var wg sync.WaitGroup
	for i := range 2 {
		instance := fmt.Sprintf("web-%d", i+1)
		addr, err := c.Listen(udp(instance)) // while Run runs
		if err != nil {
			t.Fatal(err)
		}
		for range senders {
			conn := dial(t, addr)
			wg.Go(func() {
				for range datagrams {
					if _, err := conn.Write([]byte("a:1|c\nt:3|ms\na:2|c")); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	figures := balance(t, c)
	for _, l := range figures.Listeners {
		if l.KernelDropsKnown && l.Datagrams+l.KernelDrops != senders*datagrams {
			t.Errorf("%s: %d datagrams read and %d dropped, want %d together", l.Instance, l.Datagrams, l.KernelDrops, senders*datagrams)
		}
		if l.Lines != 3*l.Datagrams || l.Accepted != l.Lines {
			t.Errorf("%s: %d datagrams, %d lines, %d accepted", l.Instance, l.Datagrams, l.Lines, l.Accepted)
		}
		if got, want := sink.last("a_total", l.Instance), float64(3*l.Datagrams); got != want {
			t.Errorf("%s: a_total is %v, want %v", l.Instance, got, want)
		}
		var observed uint64
		points := sink.of("a_total", l.Instance)
		for i, p := range points {
			observed += p.Observed
			if i > 0 && (p.Value < points[i-1].Value || !p.At.After(points[i-1].At)) {
				t.Errorf("%s: point %d is %+v after %+v", l.Instance, i, p, points[i-1])
			}
		}
		if observed != 2*l.Datagrams {
			t.Errorf("%s: the points stand for %d lines, want %d", l.Instance, observed, 2*l.Datagrams)
		}
	}
}

func TestDatagramsBeforeRunAreCounted(t *testing.T) {
	sink := &memory{}
	c := New(Config{}, collector.Intake{Sink: sink, Interval: time.Hour})
	addr, err := c.Listen(udp("web-1"))
	if err != nil {
		t.Fatal(err)
	}
	send(t, dial(t, addr), "a:1|c", "a:1|c")
	if err := run(t, c)(); err != nil {
		t.Fatal(err)
	}
	// The interval had an hour to go: what there was is given out, under the
	// time of its end.
	points := sink.of("a_total", "web-1")
	if len(points) != 2 || points[1].Value != 2 || points[1].At.UnixNano()%int64(time.Hour) != 0 || time.Until(points[1].At) <= 0 {
		t.Errorf("got %+v, want 0 and 2 at the whole hours around now", points)
	}
	if got := c.Figures().Listeners[0]; got.Datagrams != 2 {
		t.Errorf("the figures after Run: %+v", got)
	}
}

func TestRetireWhileRunning(t *testing.T) {
	sink := &memory{}
	c := New(Config{}, collector.Intake{Sink: sink, Interval: interval})
	run(t, c)
	addr, err := c.Listen(udp("web-1"))
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, addr)
	for range 500 {
		send(t, conn, "a:1|c")
	}
	if err := c.Retire(context.Background(), "web-1"); err != nil {
		t.Fatal(err)
	}
	if got := c.Figures().Total; got.Datagrams+got.KernelDrops != 500 {
		t.Errorf("after Retire %d datagrams are read and %d dropped, want 500", got.Datagrams, got.KernelDrops)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		points := sink.of("a_total", "web-1")
		if n := len(points); n > 0 && points[n-1].Stale {
			if points[n-2].Value != 500 || points[n-1].At.Sub(points[n-2].At) != interval {
				t.Errorf("the last points are %+v and %+v", points[n-2], points[n-1])
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the series was never marked stale: %+v", points)
		}
		time.Sleep(interval)
	}
}

// TestRetireWhileRunBegins: a reader that starts must not read beside Retire.
func TestRetireWhileRunBegins(t *testing.T) {
	for range 20 {
		c := New(Config{}, collector.Intake{Sink: &memory{}, Interval: time.Hour})
		addr, err := c.Listen(udp("web-1"))
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, addr)
		for range 50 {
			send(t, conn, "a:1|c")
		}
		stop := run(t, c)
		if err := c.Retire(context.Background(), "web-1"); err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got := balance(t, c).Total.Lines; got != 50 {
			t.Errorf("%d lines, want 50", got)
		}
	}
}

// TestRetiredAndEndedAtOnce: the mark that the series is over comes out also
// when the collector ends first.
func TestRetiredAndEndedAtOnce(t *testing.T) {
	sink := &memory{}
	c := New(Config{}, collector.Intake{Sink: sink, Interval: time.Hour})
	stop := run(t, c)
	addr, err := c.Listen(udp("web-1"))
	if err != nil {
		t.Fatal(err)
	}
	send(t, dial(t, addr), "a:1|c")
	if err := c.Retire(context.Background(), "web-1"); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	points := sink.of("a_total", "web-1")
	if len(points) != 3 || points[1].Value != 1 || !points[2].Stale || points[2].At.Sub(points[1].At) != time.Hour {
		t.Errorf("got %+v, want 0, 1 and a mark of the end", points)
	}
	if _, err := c.Listen(udp("web-2")); err == nil {
		t.Error("an ended collector opened a socket")
	}
	if err := c.Retire(context.Background(), "web-1"); err == nil {
		t.Error("an ended collector retired an instance")
	}
	if err := c.Run(context.Background()); err == nil {
		t.Error("an ended collector ran again")
	}
}

func TestKernelDropsAreSeen(t *testing.T) {
	b := newBench(t, Config{ReceiveBuffer: 1})
	l, conn := b.listen("web-1")
	if !l.socket.Figures().DropsKnown {
		t.Skip("this system does not tell what the kernel dropped")
	}
	const sent = 2000
	for range sent {
		send(t, conn, "a:1|c")
	}
	b.read(l)
	got := balance(t, b.Collector).Listeners[0]
	if got.KernelDrops == 0 || got.Datagrams == 0 || got.Datagrams+got.KernelDrops != sent || !got.KernelDropsKnown {
		t.Errorf("%d read, %d dropped; want both above 0 and %d together", got.Datagrams, got.KernelDrops, sent)
	}
	b.tick()
	if dropped := b.sink.last(prefix+"kernel_drops_total", "web-1"); dropped != float64(got.KernelDrops) {
		t.Errorf("%skernel_drops_total is %v, want %d", prefix, dropped, got.KernelDrops)
	}
	if err := b.Retire(context.Background(), "web-1"); err != nil {
		t.Fatal(err)
	}
	if after := b.Figures().Total.KernelDrops; after != got.KernelDrops {
		t.Errorf("%d drops after the socket was closed, want %d", after, got.KernelDrops)
	}
}

func TestASenderThatNeverStopsDoesNotHoldUpRetire(t *testing.T) {
	c := New(Config{}, collector.Intake{Sink: &memory{}, Interval: interval})
	run(t, c)
	addr, err := c.Listen(udp("web-1"))
	if err != nil {
		t.Fatal(err)
	}
	conn := dial(t, addr)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				// The socket is closed in the end, which is no error here.
				_, _ = conn.Write([]byte("a:1|c"))
			}
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	// It ends: well, when the reader was faster, or with the reason.
	if err := c.Retire(ctx, "web-1"); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
	balance(t, c)
}

func TestASinkThatFailsIsTold(t *testing.T) {
	broken := errors.New("disk full")
	c := New(Config{}, collector.Intake{Sink: &memory{err: broken}, Interval: time.Hour})
	if _, err := c.Listen(udp("web-1")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Run(ctx); !errors.Is(err, broken) {
		t.Errorf("Run returned %v, want the sink's error", err)
	}
	if l := c.Figures(); l.AppendErrors != 1 || !errors.Is(l.LastError, broken) {
		t.Errorf("the figures has %d append errors, the last %v", l.AppendErrors, l.LastError)
	}
}

func TestAddressesThatCanNotBeHad(t *testing.T) {
	b := newBench(t, Config{})
	taken, _ := b.listen("web-1")
	for _, tt := range []struct {
		at     socket.Address
		advice string
	}{
		{address(taken.addr), "choose another address"},
		{socket.Address{Network: socket.UDP, Host: "192.0.2.1:0"}, "choose one that is"},
		{socket.Address{Network: socket.UDP, Host: "nowhere"}, "want host:port"},
		{socket.Address{Network: socket.Unixgram, Path: "/nowhere/at/all.sock"}, "choose another path"},
	} {
		_, err := b.Listen(Listener{Instance: "web-2", Addr: tt.at})
		if err == nil || !strings.HasPrefix(err.Error(), "listen for web-2: ") || !strings.Contains(err.Error(), tt.advice) {
			t.Errorf("listen at %s: %v", tt.at, err)
		}
	}
	if len(b.clients) != 1 {
		t.Errorf("%d clients are there, want that of web-1 alone", len(b.clients))
	}
}
