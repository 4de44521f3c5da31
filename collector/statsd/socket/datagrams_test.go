package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ofDatagrams are the sockets of datagrams.
func ofDatagrams(t *testing.T) map[string]string {
	return map[string]string{"IPv4": "127.0.0.1:0", "IPv6": "[::1]:0", "all": "udp://:0", "unixgram": "unixgram://" + path(t)}
}

func settle(t *testing.T, s *Socket) {
	t.Helper()
	if err := s.Settle(within(t)); err != nil {
		t.Fatal(err)
	}
}

func TestDatagramsAreHandedOutAsTheyWereSent(t *testing.T) {
	for name, address := range ofDatagrams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{MaxPayload: 8})
			var g got
			read(t, s, g.handle)
			conn := dial(t, s)
			var want []string
			for i := range 3 * batchSize {
				want = append(want, fmt.Sprintf("a:%d|c", i))
				send(t, conn, want[i])
			}
			settle(t, s) // Go's Write of nothing fails where it would wait
			want = append(want, "", "12345678")
			send(t, conn, "")
			send(t, conn, "12345678")
			settle(t, s)
			if list := g.list(); !slices.Equal(list, want) {
				t.Errorf("got %q, want %q", list, want)
			}
			if _, _, truncated := g.sum(); truncated != 0 {
				t.Errorf("%d truncated, want 0", truncated)
			}
			send(t, conn, "123456789")
			settle(t, s)
			if n, _, truncated := g.sum(); n != len(want)+1 || truncated != 1 || g.list()[n-1] != "12345678" {
				t.Errorf("of 9 bytes where 8 are the limit: %q, %d truncated; want the first 8, truncated", g.list()[n-1], truncated)
			}
		})
	}
}

func TestStopEndsReadAtOnceAndForGood(t *testing.T) {
	for name, address := range everyNetwork(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			read(t, s, func([]Payload) {})()
			if err := s.Read(func([]Payload) {}); err != nil {
				t.Errorf("Read after Stop: %v", err)
			}
		})
	}
}

func TestDrainHandsOutWhatTheReaderDidNot(t *testing.T) {
	const all = 500
	for name, address := range ofDatagrams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{ReceiveBuffer: 1 << 20})
			var g got
			stop := read(t, s, g.handle)
			conn := dial(t, s)
			sent := 0
			for sent < all/2 {
				send(t, conn, "a:1|c")
				sent++
			}
			stop()
			for sent < all {
				if _, err := conn.Write([]byte("a:1|c")); err != nil {
					if s.Addr().Network != Unixgram || !errors.Is(err, syscall.EPIPE) {
						t.Fatal(err)
					}
					break // nobody listens any more, and the sender knows
				}
				sent++
			}
			if err := s.Drain(within(t), g.handle); err != nil {
				t.Fatal(err)
			}
			if n, _, _ := g.sum(); n != sent {
				t.Errorf("%d of %d datagrams came out", n, sent)
			}
		})
	}
}

func TestDrainWithoutAReader(t *testing.T) {
	for name, address := range ofDatagrams(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			conn := dial(t, s)
			for range 5 {
				send(t, conn, "a:1|c")
			}
			// Nobody reads, so there is nothing to wait for.
			settle(t, s)
			var g got
			if err := s.Drain(within(t), g.handle); err != nil {
				t.Fatal(err)
			}
			if n, _, _ := g.sum(); n != 5 {
				t.Errorf("%d of 5 datagrams came out", n)
			}
		})
	}
}

// echo is a handler that sends something for all it gets: the socket is never
// empty after it.
func echo(s *Socket, conn net.Conn) Handler {
	return func(payloads []Payload) {
		for range payloads {
			_, _ = conn.Write([]byte(wire(s, "a:1|c")))
		}
	}
}

func TestDrainEndsWithItsContext(t *testing.T) {
	// What is sent through these is there when Write returns.
	for _, address := range []string{"unixgram://" + path(t), "unixstream://" + path(t)} {
		t.Run(address, func(t *testing.T) {
			s := open(t, address, Options{})
			conn := dial(t, s)
			send(t, conn, wire(s, "a:1|c"))
			ctx, cancel := context.WithCancel(context.Background())
			calls, again := 0, echo(s, conn)
			err := s.Drain(ctx, func(payloads []Payload) {
				if calls++; calls == 20 {
					cancel()
				}
				again(payloads)
			})
			if !errors.Is(err, context.Canceled) || calls < 20 {
				t.Errorf("got %v after %d calls, want that the context ended", err, calls)
			}
		})
	}
}

func TestSettleEndsWhileMoreComesWithoutEnd(t *testing.T) {
	for name, address := range everyNetwork(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			conn := dial(t, s)
			send(t, conn, wire(s, "a:1|c"))
			read(t, s, echo(s, conn))
			for range 10 {
				settle(t, s)
			}
		})
	}
}

func TestSettleEndsWithItsContextWhenTheHandlerIsBusy(t *testing.T) {
	for name, address := range everyNetwork(t) {
		t.Run(name, func(t *testing.T) {
			s := open(t, address, Options{})
			busy, release := make(chan struct{}), make(chan struct{})
			read(t, s, func([]Payload) {
				busy <- struct{}{}
				<-release
			})
			send(t, dial(t, s), wire(s, "a:1|c"))
			<-busy
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := s.Settle(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want that the context ended", err)
			}
			close(release)
		})
	}
}

func TestSources(t *testing.T) {
	for _, c := range []struct{ address, from string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"127.0.0.1:0", "127.0.0.9"}, {"[::1]:0", "::1"}, {"udp://:0", "127.0.0.1"}, {"udp://:0", "::1"},
		{"tcp://127.0.0.1:0", "127.0.0.9"}, {"tcp://[::1]:0", "::1"}, {"tcp://:0", "127.0.0.1"},
	} {
		for _, asked := range []bool{true, false} {
			t.Run(fmt.Sprint(c, asked), func(t *testing.T) {
				s := open(t, c.address, Options{Sources: asked})
				var g got
				read(t, s, g.handle)
				conn, want := dialFrom(t, s, netip.MustParseAddr(c.from)), netip.AddrPort{}
				if asked {
					want = netip.MustParseAddrPort(conn.LocalAddr().String())
				}
				for i := range 2 * batchSize { // each place in a batch is used
					send(t, conn, "a:1|c\n")
					if s.Addr().Network == UDP && i%5 == 0 {
						settle(t, s)
					}
				}
				until(t, "all came", func() bool { _, n, _ := g.sum(); return n == 2*batchSize*6 })
				for i, from := range g.from {
					if from != want {
						t.Fatalf("payload %d is from %v, want %v", i, from, want)
					}
				}
			})
		}
	}
}

// dialFrom connects from an address of its own.
func dialFrom(t *testing.T, s *Socket, from netip.Addr) net.Conn {
	t.Helper()
	to := netip.MustParseAddrPort(s.Addr().Host)
	if to.Addr().IsUnspecified() {
		to = netip.AddrPortFrom(from, to.Port())
	}
	here := netip.AddrPortFrom(from, 0)
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(here)}
	if s.Addr().Network == UDP {
		d.LocalAddr = net.UDPAddrFromAddrPort(here)
	}
	conn, err := d.Dial(string(s.Addr().Network), to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestSourceInAZone(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range addrs {
			ip, err := netip.ParsePrefix(a.String())
			if err != nil || !ip.Addr().Is6() || !ip.Addr().IsLinkLocalUnicast() {
				continue
			}
			want := ip.Addr().WithZone(i.Name)
			s := open(t, netip.AddrPortFrom(want, 0).String(), Options{Sources: true})
			var g got
			read(t, s, g.handle)
			send(t, dial(t, s), "a:1|c")
			until(t, "it came", func() bool { n, _, _ := g.sum(); return n == 1 })
			if g.from[0].Addr() != want || g.from[0].Port() == 0 || netip.MustParseAddrPort(s.Addr().Host).Addr() != want {
				t.Errorf("from %v at %v, want both to be %v", g.from[0], s.Addr(), want)
			}
			return
		}
	}
	t.Skip("SKIPPED, NOTHING PROVED: no interface has a link-local address")
}

func TestUnknownZoneIsRefused(t *testing.T) {
	_, err := Open(Address{Network: UDP, Host: "[fe80::1%nosuch]:0"}, Options{MaxPayload: 1})
	if err == nil || !strings.Contains(err.Error(), "zone nosuch") {
		t.Errorf("got %v, want that there is no zone nosuch", err)
	}
}

// TestDropsAreCounted fills a tiny buffer while nobody reads.
func TestDropsAreCounted(t *testing.T) {
	s := open(t, "127.0.0.1:0", Options{ReceiveBuffer: 1})
	if !s.Figures().DropsKnown {
		t.Skip("SKIPPED, NOTHING PROVED: this system does not tell what it drops")
	}
	const all = 1000
	conn := dial(t, s)
	for range all {
		send(t, conn, "a:1|c")
	}
	var g got
	if err := s.Drain(within(t), g.handle); err != nil {
		t.Fatal(err)
	}
	n, _, _ := g.sum()
	f := s.Figures()
	if n == 0 || f.Drops == 0 || uint64(n)+f.Drops != all || f.ReceiveBuffer == 0 || f.ReceiveBuffer > 1<<16 {
		t.Errorf("%d came out of %d, %+v: want that they and the drops sum up", n, all, f)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if last := s.Figures(); last != f {
		t.Errorf("after Close %+v, want the last figures, %+v", last, f)
	}
}

// TestUnixgramTellsItsSenderInsteadOfDropping is what the kernel really does: a
// sender that does not wait is told when the queue is full, and nothing that it
// was not told of is lost.
func TestUnixgramTellsItsSenderInsteadOfDropping(t *testing.T) {
	s := open(t, "unixgram://"+path(t), Options{})
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	sent, refused := 0, 0
	for refused < 100 {
		switch err := unix.Sendto(fd, []byte("a:1|c"), 0, &unix.SockaddrUnix{Name: s.Addr().Path}); err {
		case nil:
			sent++
		case unix.EAGAIN:
			refused++
		default:
			t.Fatal(err)
		}
	}
	d := s.in.(*datagrams)
	if at := d.packets.waiting(); sent > at {
		t.Errorf("%d datagrams wait, where at most %d can", sent, at)
	}
	var g got
	if err := s.Drain(within(t), g.handle); err != nil {
		t.Fatal(err)
	}
	if n, _, _ := g.sum(); n != sent || sent == 0 {
		t.Errorf("%d of %d datagrams came out", n, sent)
	}
	if f := s.Figures(); f != (Figures{DropsKnown: true}) {
		t.Errorf("%+v, want no drops", f)
	}
}

func TestReadingDatagramsAllocatesNothing(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		s := open(t, address, Options{Sources: true})
		conn := dial(t, s)
		d := s.in.(*datagrams)
		n := 0
		handle := func(p []Payload) { n += len(p) }
		line := []byte("a:1|c")
		allocs := testing.AllocsPerRun(100, func() {
			for range batchSize {
				_, _ = conn.Write(line)
			}
			for n = 0; n < batchSize; {
				if _, err := d.next(handle); err != nil {
					t.Fatal(err)
				}
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations to read %d datagrams, want 0", address, allocs, batchSize)
		}
	}
}
