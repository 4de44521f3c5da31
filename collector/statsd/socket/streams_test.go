package socket

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ofStreams are the sockets of streams.
func ofStreams(t *testing.T) map[string]string {
	return map[string]string{"tcp": "tcp://127.0.0.1:0", "tcp IPv6": "tcp://[::1]:0", "unixstream": "unixstream://" + path(t)}
}

// lines are all lines that came, whichever payload they were in.
func (g *got) lines() []string {
	var lines []string
	for _, p := range g.list() {
		for line := range strings.Lines(p) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// counts are how often each line came.
func counts(lines []string) map[string]int {
	n := map[string]int{}
	for _, line := range lines {
		n[line]++
	}
	return n
}

func TestStreams(t *testing.T) {
	for name, address := range ofStreams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{MaxPayload: 16})
			var g got
			read(t, s, g.handle)
			conn := dial(t, s)
			var want []string
			for i := range 1000 {
				want = append(want, fmt.Sprintf("a:%d|c", i))
				send(t, conn, wire(s, want[i]))
			}
			settle(t, s)
			if got := g.lines(); !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
			// A slow sender.
			for _, b := range []byte(wire(s, "slow:1|c")) {
				send(t, conn, string(b))
				settle(t, s)
			}
			// One that sends too much at once.
			send(t, conn, wire(s, strings.Repeat("x", 100_000)))
			send(t, conn, wire(s, "b:1|c"))
			until(t, "the last line came", func() bool { return slices.Contains(g.list(), "b:1|c") || slices.Contains(g.list(), "b:1|c\n") })
			want = append(want, "slow:1|c", strings.Repeat("x", 16), "b:1|c")
			if got := g.lines()[1000:]; !slices.Equal(got, want[1000:]) {
				t.Errorf("got %q, want %q", got, want[1000:])
			}
			if _, _, truncated := g.sum(); truncated != 1 {
				t.Errorf("%d truncated, want 1", truncated)
			}
			if f := s.Figures(); f != (Figures{DropsKnown: true, Connections: 1, Open: 1}) {
				t.Errorf("%+v, want one connection and no drops", f)
			}
			_ = conn.Close()
			until(t, "the connection is closed", func() bool { return s.Figures().Open == 0 })
		})
	}
}

func TestManyConnections(t *testing.T) {
	const connections, each = 50, 200
	for name, address := range ofStreams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			var g got
			stop := read(t, s, g.handle)
			var senders sync.WaitGroup
			for c := range connections {
				conn := dial(t, s)
				senders.Go(func() {
					for i := range each {
						_, _ = conn.Write([]byte(wire(s, fmt.Sprintf("c%d:%d|c", c, i))))
					}
					if c%2 == 0 {
						_ = conn.Close()
					}
				})
			}
			senders.Wait()
			stop()
			if err := s.Drain(within(t), g.handle); err != nil {
				t.Fatal(err)
			}
			n := counts(g.lines())
			for c := range connections {
				for i := range each {
					if line := fmt.Sprintf("c%d:%d|c", c, i); n[line] != 1 {
						t.Fatalf("%s came %d times, want once", line, n[line])
					}
				}
			}
			if f := s.Figures(); f.Connections != connections || f.Open != 0 {
				t.Errorf("%+v, want %d connections and none open", f, connections)
			}
		})
	}
}

// TestDrainTakesConnectionsThatNobodyAccepted: they were made, and wrote, while
// nobody read.
func TestDrainTakesConnectionsThatNobodyAccepted(t *testing.T) {
	for name, address := range ofStreams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			read(t, s, func([]Payload) {})()
			var conns []net.Conn
			for range 20 {
				conn := dial(t, s)
				send(t, conn, wire(s, "a:1|c")+strings.TrimSuffix(wire(s, "b:1|c"), "\n"))
				conns = append(conns, conn)
			}
			_ = conns[0].Close()
			// Without a reader there is nothing to wait for.
			settle(t, s)
			var g got
			if err := s.Drain(within(t), g.handle); err != nil {
				t.Fatal(err)
			}
			if n := counts(g.lines()); n["a:1|c"] != 20 || n["b:1|c"] != 20 || len(n) != 2 {
				t.Errorf("%v, want both lines 20 times", n)
			}
			// A line whose end did not come may be half of one. The
			// sender that closed had nothing more to say.
			want := 0
			if s.Addr().Network == TCP {
				want = 19
			}
			if _, _, truncated := g.sum(); truncated != want {
				t.Errorf("%d truncated, want %d", truncated, want)
			}
			_ = conns[1].SetReadDeadline(time.Now().Add(patience))
			if _, err := conns[1].Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
				t.Errorf("the connection is not closed after Drain: %v", err)
			}
		})
	}
}

// TestDrainReadsAllThatASenderLeft: more than fits in the receiver's buffer, by
// one that has closed already.
func TestDrainReadsAllThatASenderLeft(t *testing.T) {
	for name, address := range ofStreams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			read(t, s, func([]Payload) {})()
			conn := dial(t, s)
			text := wire(s, "a:1|c")
			chunk, sent := []byte(strings.Repeat(text, 1000)), 0
			for full := false; !full; {
				_ = conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
				n, err := conn.Write(chunk)
				sent, full = sent+n, err != nil
			}
			_ = conn.Close()
			var g got
			if err := s.Drain(within(t), g.handle); err != nil {
				t.Fatal(err)
			}
			want := sent
			if s.Addr().Network == Unixstream {
				want = sent/len(text)*len("a:1|c") + max(0, sent%len(text)-headerSize)
			}
			if _, n, _ := g.sum(); n != want || sent < 1<<16 {
				t.Errorf("%d of %d bytes came out", n, want)
			}
		})
	}
}

func TestConnectionCutInMidFrame(t *testing.T) {
	s := open(t, "unixstream://"+path(t), Options{})
	var g got
	read(t, s, g.handle)
	conn := dial(t, s)
	send(t, conn, frame("a:1|c")+frame("b:1|c")[:6])
	_ = conn.Close()
	other := dial(t, s)
	send(t, other, frame("c:1|c"))
	until(t, "all came", func() bool { n, _, _ := g.sum(); return n == 3 })
	if n := counts(g.list()); n["a:1|c"] != 1 || n["b:"] != 1 || n["c:1|c"] != 1 {
		t.Errorf("got %v", n)
	}
	if _, _, truncated := g.sum(); truncated != 1 {
		t.Errorf("%d truncated, want the one that was cut", truncated)
	}
}

func TestConnectionThatIsReset(t *testing.T) {
	s := open(t, "tcp://127.0.0.1:0", Options{})
	var g got
	read(t, s, g.handle)
	conn := dial(t, s)
	send(t, conn, "a:1|c\nb:1")
	settle(t, s)
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close() // resets it
	until(t, "the connection is closed", func() bool { return s.Figures().Open == 0 })
	if got := g.lines(); !slices.Equal(got, []string{"a:1|c", "b:1"}) {
		t.Errorf("got %q", got)
	}
	if _, _, truncated := g.sum(); truncated != 1 {
		t.Errorf("%d truncated, want the line that broke off", truncated)
	}
	send(t, dial(t, s), "c:1|c\n")
	until(t, "the next connection is read", func() bool { return slices.Contains(g.lines(), "c:1|c") })
}

// TestFrameOfFourGigabytes: what is announced is not believed.
func TestFrameOfFourGigabytes(t *testing.T) {
	s := open(t, "unixstream://"+path(t), Options{MaxPayload: 1 << 16})
	var g got
	read(t, s, g.handle)
	conn := dial(t, s)
	send(t, conn, "\xff\xff\xff\xff")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const pieces = 200
	piece := strings.Repeat("x", 1<<16)
	for range pieces {
		send(t, conn, piece)
		settle(t, s)
	}
	runtime.ReadMemStats(&after)
	if mean := (after.TotalAlloc - before.TotalAlloc) / pieces; mean > 1<<18 {
		t.Errorf("%d bytes are allocated for 64 KiB of a frame", mean)
	}
	if n, bytes, truncated := g.sum(); n != 1 || bytes != 1<<16 || truncated != 1 {
		t.Errorf("%d payloads of %d bytes, %d truncated; want the first 64 KiB", n, bytes, truncated)
	}
}

func TestTooManyConnectionsAreRefusedAndCounted(t *testing.T) {
	for name, address := range ofStreams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{MaxConnections: 2})
			var g got
			read(t, s, g.handle)
			first, _, third := dial(t, s), dial(t, s), dial(t, s)
			_ = third.SetReadDeadline(time.Now().Add(patience))
			if _, err := third.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
				t.Errorf("the third connection got %v, want that it is closed", err)
			}
			if f := s.Figures(); f.Connections != 2 || f.Open != 2 || f.Refused != 1 {
				t.Errorf("%+v, want two connections and one refused", f)
			}
			_ = first.Close()
			until(t, "there is room again", func() bool { return s.Figures().Open == 1 })
			send(t, dial(t, s), wire(s, "a:1|c"))
			until(t, "the fourth is read", func() bool { n, _, _ := g.sum(); return n == 1 })
		})
	}
}

func TestThousandConnectionsByDefault(t *testing.T) {
	s := open(t, "tcp://127.0.0.1:0", Options{})
	if got := s.in.(*streams).options.MaxConnections; got != 1000 {
		t.Errorf("%d, want 1,000", got)
	}
}

// TestNoFileDescriptorIsLeft: a connection waits until there is one.
func TestNoFileDescriptorIsLeft(t *testing.T) {
	s := open(t, "tcp://127.0.0.1:0", Options{})
	send(t, dial(t, s), "a:1|c\n")
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	restore := sync.OnceFunc(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	})
	defer restore()
	last, err := unix.Dup(0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(last) }()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(last), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	in := s.in.(*streams)
	if err := in.acceptNow(within(t)); err == nil || !strings.Contains(err.Error(), "too many open files") {
		t.Errorf("got %v, want that there are too many open files", err)
	}
	time.AfterFunc(3*retry, restore)
	// What Read does with it.
	if err := in.raw.Control(func(fd uintptr) { err = in.follow(int(fd)) }); err != nil {
		t.Fatal(err)
	}
	if f := s.Figures(); err != nil || f.Connections != 1 || f.Refused != 0 {
		t.Errorf("%v, %+v, want one connection", err, f)
	}
	var g got
	if err := s.Drain(within(t), g.handle); err != nil || len(g.lines()) != 1 {
		t.Errorf("%v, got %q, want the line", err, g.lines())
	}
}

// TestIdleConnectionHoldsNoBuffer is what a thousand of them cost.
func TestIdleConnectionHoldsNoBuffer(t *testing.T) {
	s := open(t, "tcp://127.0.0.1:0", Options{MaxPayload: 1 << 20})
	var g got
	read(t, s, g.handle)
	conn := dial(t, s)
	send(t, conn, strings.Repeat("x", 1<<19))
	settle(t, s)
	send(t, conn, "\n")
	until(t, "the line came", func() bool { n, _, _ := g.sum(); return n == 1 })
	c := s.in.(*streams).all()[0]
	c.busy.lock()
	defer c.busy.unlock()
	if cap(c.rest) > small {
		t.Errorf("%d bytes are held by an idle connection", cap(c.rest))
	}
}

func TestReadingStreamsAllocatesLittle(t *testing.T) {
	s := open(t, "unixstream://"+path(t), Options{})
	conn := dial(t, s)
	in := s.in.(*streams)
	if err := in.acceptNow(context.Background()); err != nil {
		t.Fatal(err)
	}
	c := in.all()[0]
	n := 0
	handle := func(p []Payload) { n += len(p) }
	const many = 500
	text := []byte(strings.Repeat(frame("a:1|c"), many))
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := conn.Write(text); err != nil {
			t.Fatal(err)
		}
		for n = 0; n < many; {
			if err := c.raw.Control(func(fd uintptr) { c.next(int(fd), handle) }); err != nil {
				t.Fatal(err)
			}
		}
	})
	// Not one per payload; a buffer may be collected and made again.
	if allocs > many/50 {
		t.Errorf("%v allocations for %d payloads", allocs, many)
	}
}

func TestCloseEndsConnections(t *testing.T) {
	for name, address := range ofStreams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			stop := read(t, s, func([]Payload) {})
			conn := dial(t, s)
			until(t, "it was taken in", func() bool { return s.Figures().Open == 1 })
			stop()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the connection got %v, want its end", err)
			}
			if f := s.Figures(); f.Open != 0 || f.Connections != 1 {
				t.Errorf("%+v, want none open", f)
			}
		})
	}
}
