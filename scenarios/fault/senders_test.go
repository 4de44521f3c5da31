package fault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// by tells which datagrams came from each socket, in their order.
func (in *inbox) by() map[netip.AddrPort][]string {
	in.mu.Lock()
	defer in.mu.Unlock()
	out := map[netip.AddrPort][]string{}
	for i, from := range in.from {
		out[from] = append(out[from], in.got[i])
	}
	return out
}

// Whatever a fault does, what one worker sends comes from one socket, which is
// nobody else's, and twice is from the same.
func TestEachSenderKeepsASocketOfItsOwn(t *testing.T) {
	const each = 20
	workers := []string{"a", "b", "c"}
	for name, c := range map[string]struct {
		tamper Tamper
		copies int
	}{
		"none":      {func(*Parcel, *rand.Rand) bool { return false }, 1},
		"duplicate": {Duplicate(1), 2},
		"reorder":   {Reorder(0.5), 1},
		"delay":     {Delay(time.Hour), 1},
	} {
		t.Run(name, func(t *testing.T) {
			in, r := newInbox(t), NewRelays(1)
			open(t, r, "web-1", in)
			heal := inject(t, Datagrams{Name: name, Relays: r, Tamper: c.tamper})
			var conns []net.Conn
			for range workers {
				conns = append(conns, newSender(t, r, "web-1"))
			}
			for range each {
				for i, worker := range workers {
					write(t, conns[i], worker)
				}
				settle(t, r, "web-1")
			}
			heal()
			in.wait(t, len(workers)*each*c.copies)
			got := map[string]int{}
			for from, datagrams := range in.by() {
				for _, d := range datagrams {
					if d != datagrams[0] {
						t.Errorf("%v sends for %s and for %s", from, datagrams[0], d)
					}
				}
				if got[datagrams[0]] > 0 {
					t.Errorf("%s comes from several sockets", datagrams[0])
				}
				got[datagrams[0]] = len(datagrams)
			}
			want := map[string]int{}
			for _, worker := range workers {
				want[worker] = each * c.copies
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("datagrams of each worker (-want +got):\n%s", diff)
			}
		})
	}
}

// The collector counts as many sources behind a relay as send to it.
func TestTheCollectorSeesAsManySources(t *testing.T) {
	c := statsd.New(statsd.Config{}, collector.Intake{Sink: discard{}})
	at, err := c.Listen(statsd.Listener{Instance: "web-1", Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	r := NewRelays(1)
	if _, err := r.Open("web-1", at.Host); err != nil {
		t.Fatal(err)
	}
	const workers = 5
	inject(t, Datagrams{Name: "duplicate", Relays: r, Tamper: Duplicate(0.5)})
	for range workers {
		send(t, r, "web-1", []string{"a:1|c", "a:1|c", "a:1|c"})
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	end()
	if err := <-ended; err != nil { // it has read all that was sent
		t.Fatal(err)
	}
	if got := c.Figures().Total; got.Sources != workers || got.Datagrams < 3*workers {
		t.Errorf("the collector got %d datagrams of %d sources, want at least %d of %d", got.Datagrams, got.Sources, 3*workers, workers)
	}
}

type discard struct{}

func (discard) Append(...collector.Sample) error { return nil }

// More senders than there are sockets for: each new one gets one, in place of the
// one that was silent the longest. That one goes on from a socket that it shares,
// so that no more of them are seen than there are.
func TestManySenders(t *testing.T) {
	in, r := newInbox(t), NewRelays(1)
	open(t, r, "web-1", in) // its "hello" is a sender, too
	const many = mostOpen + 20
	var conns []net.Conn
	total := 0
	say := func(from ...net.Conn) {
		t.Helper()
		for _, conn := range from {
			write(t, conn, conn.LocalAddr().String())
			settle(t, r, "web-1")
		}
		total += len(from)
		in.wait(t, total)
	}
	for i := range many {
		conns = append(conns, newSender(t, r, "web-1"))
		say(conns[i])
		say(conns[0]) // it is never silent
	}
	if got := len(in.by()); got != many {
		t.Errorf("%d senders come from %d sockets, want each from its own", many, got)
	}
	if got := r.find("web-1").out.open; got != mostOpen {
		t.Errorf("%d sockets of senders are open, want %d", got, mostOpen)
	}
	say(conns[1:4]...) // closed long ago
	say(conns[1:4]...)
	say(conns[0], conns[many-1])
	by := in.by()
	if got := len(by); got != many+1 {
		t.Errorf("with three that had lost theirs there are %d sockets, want %d: one more, which they share", got, many+1)
	}
	apart := map[string]int{}
	for _, datagrams := range by {
		seen := map[string]bool{}
		for _, d := range datagrams {
			seen[d] = true
		}
		for d := range seen {
			apart[d]++
		}
	}
	for i, want := range map[int]int{0: 1, 1: 2, 2: 2, 3: 2, 4: 1, many - 1: 1} {
		if got := apart[conns[i].LocalAddr().String()]; got != want {
			t.Errorf("sender %d came from %d sockets, want %d", i, got, want)
		}
	}
}

// Who opens a socket for each datagram fills neither memory nor table of files, and
// loses nothing.
func TestASenderForEachDatagram(t *testing.T) {
	s, err := newSenders(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	first := map[*net.UDPConn]bool{}
	for i := range 10 * mostSenders {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 16), 1}), uint16(i))
		conn := s.of(at)
		if conn != s.of(at) {
			t.Fatalf("sender %d has two sockets", i)
		}
		if conn != s.shared {
			first[conn] = true
		}
	}
	if len(first) != mostSenders || len(s.known) != mostSenders || s.open != mostOpen {
		t.Errorf("%d sockets were opened for %d senders that are known, and %d are open; want %d, %d and %d",
			len(first), len(s.known), s.open, mostSenders, mostSenders, mostOpen)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	for conn := range first {
		if _, err := conn.WriteToUDPAddrPort(nil, netip.MustParseAddrPort("127.0.0.1:9")); err == nil {
			t.Fatal("a socket of a sender is still open")
		}
	}
}

// After Close every socket is closed, whoever sent.
func TestCloseLeavesNoSocketOpen(t *testing.T) {
	in := newInbox(t)
	files := func() int {
		t.Helper()
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("SKIPPED, NOTHING PROVED: nobody tells which files are open: %v", err)
		}
		return len(all)
	}
	before := files()
	r := NewRelays(1)
	for _, instance := range []string{"web-1", "web-2"} {
		if _, err := r.Open(instance, in.addr()); err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			send(t, r, instance, []string{fmt.Sprint(i)})
		}
	}
	in.wait(t, 60)
	if got := files(); got < before+60 {
		t.Errorf("%d files are open with 60 senders, %d without: too few to prove anything", got, before)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := files(); got > before {
		t.Errorf("%d files are open, %d were before", got, before)
	}
}
