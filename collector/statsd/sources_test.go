package statsd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// sources are the values of the series of sources, by instance and in their
// order; "stale" at its end.
func (b *bench) sources() map[string][]string {
	out := map[string][]string{}
	for _, s := range b.sink.of(prefix+"sources_total", "") {
		text := fmt.Sprint(s.Value)
		if s.Stale {
			text = "stale"
		}
		instance := s.Labels.Get("instance")
		out[instance] = append(out[instance], text)
	}
	return out
}

// TestSources: sockets are counted, not datagrams, on a listener of either kind.
func TestSources(t *testing.T) {
	for _, origin := range []Origin{ByListener, BySource, ByContainer} {
		t.Run(origin.String(), func(t *testing.T) {
			b := newBench(t, Config{})
			listener := udp("web-1")
			listener.Origin = origin
			if origin != ByListener {
				listener.Instance = ""
				must(t, b.Assign("127.0.0.1", "web-1", nil))
			}
			l, first := b.open(listener)
			second := dial(t, l.socket.Addr())
			send(t, first, "a:1|c", "a:1|c", "a:1|c|c:box")
			b.read(l)
			b.tick()
			for range 20 {
				send(t, second, "a:1|c")
				send(t, first, "a:1|c")
			}
			b.read(l)
			b.tick()
			b.tick()
			// A first zero, as of each counter: else rate() saw no increase.
			if diff := cmp.Diff([]string{"0", "1", "2", "2"}, b.sources()["web-1"]); diff != "" {
				t.Errorf("web-1 (-want +got):\n%s", diff)
			}
			figures := balanceQuiet(t, b.Collector)
			if figures.Total.Sources != 2 || figures.Listeners[0].Sources != 2 {
				t.Errorf("the figures has %d sources in all and %d of the listener, want 2", figures.Total.Sources, figures.Listeners[0].Sources)
			}
			for _, s := range b.sink.of(prefix+"sources_total", "web-1") {
				if want := collector.NewLabels("instance", "web-1", "listener", l.addr); !cmp.Equal(s.Labels, want) || s.Meta.Type != collector.Counter {
					t.Errorf("got %v as a %v, want a counter with %v", s.Labels, s.Meta.Type, want)
				}
			}
		})
	}
}

// TestOneSocketInBothForms: a socket of IPv6 and IPv4 may see a sender of IPv4 as
// ::ffff:10.0.0.3, and it is the same; one of another port or address is not.
func TestOneSocketInBothForms(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	for _, from := range []string{"10.0.0.3:1", "[::ffff:10.0.0.3]:1", "10.0.0.3:1", "[::ffff:10.0.0.3]:2", "10.0.0.4:1", "[fd00::3]:1", "10.0.0.3:1"} {
		l.receive([]socket.Payload{{Bytes: []byte("a:1|c"), From: netip.MustParseAddrPort(from)}})
	}
	if got := balanceQuiet(t, b.Collector).Total.Sources; got != 4 {
		t.Errorf("%d sources, want 4: two ports of 10.0.0.3, one of 10.0.0.4 and one of fd00::3", got)
	}
	dual, _ := b.open(Listener{Instance: "web-2", Addr: address("udp://:0")})
	to := fmt.Sprintf("127.0.0.1:%d", netip.MustParseAddrPort(dual.socket.Addr().Host).Port())
	for range 2 {
		conn, err := net.Dial("udp", to)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		send(t, conn, "a:1|c", "a:1|c")
	}
	b.read(dual)
	if got := balanceQuiet(t, b.Collector).Total.Sources; got != 4+2 {
		t.Errorf("%d sources, want two more, of IPv4 at a socket of both", got)
	}
}

// TestManySources: a client with a socket for each datagram does not fill the
// memory, and those that are known are still told from new ones.
func TestManySources(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	from := func(first, n int) {
		for i := first; i < first+n; i++ {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 16), 1}), uint16(i))
			l.receive([]socket.Payload{{Bytes: []byte("a:1|c"), From: at}})
		}
	}
	from(0, 2000)
	b.tick()
	if got := b.sink.last(prefix+"sources_total", "web-1"); got != maxSources || b.Figures().Total.Sources != maxSources {
		t.Errorf("%v sources, in the figures %d, want %d", got, b.Figures().Total.Sources, maxSources)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	from(2000, 50_000)
	if after := heap(); after > before+64<<10 {
		t.Errorf("50,000 more sources took %d bytes, want none", after-before)
	}
	if got := balanceQuiet(t, b.Collector).Total; got.Sources != maxSources || got.Datagrams != 52_000 {
		t.Errorf("%d sources of %d datagrams, want %d of all 52,000", got.Sources, got.Datagrams, maxSources)
	}
}

// TestSourcesEndWithTheirListener: they begin anew with the next one.
func TestSourcesEndWithTheirListener(t *testing.T) {
	b := newBench(t, Config{})
	l, _ := b.listen("web-1")
	b.feedFrom(l, "10.0.0.1", "a:1|c")
	b.feedFrom(l, "10.0.0.2", "a:1|c")
	b.tick()
	must(t, b.Retire(context.Background(), "web-1"))
	for range 3 {
		b.tick()
	}
	next, _ := b.listen("web-2")
	b.feedFrom(next, "10.0.0.1", "a:1|c")
	b.tick()
	want := map[string][]string{"web-1": {"0", "2", "2", "stale"}, "web-2": {"0", "1"}}
	if diff := cmp.Diff(want, b.sources()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := balanceQuiet(t, b.Collector).Total.Sources; got != 3 {
		t.Errorf("%d sources in all, want 3", got)
	}
}

// TestSourcesAreAbsentWhereNobodyTells: 0 would say that nobody speaks.
func TestSourcesAreAbsentWhereNobodyTells(t *testing.T) {
	for _, origin := range []Origin{ByListener, BySource} {
		dir := t.TempDir()
		for _, at := range []string{"unixgram://" + filepath.Join(dir, "d.sock"), "tcp://127.0.0.1:0"} {
			b := newBench(t, Config{})
			l, conn := b.open(Listener{Instance: "web-1", Addr: address(at), Origin: origin})
			send(t, conn, "a:1|c\n")
			b.read(l)
			b.tick()
			if got := balanceQuiet(t, b.Collector).Total; got.Datagrams != 1 || got.Sources != 0 {
				t.Errorf("%s: %d sources of %d datagrams, want 0 of 1", at, got.Sources, got.Datagrams)
			}
			if got := b.sources(); len(got) > 0 {
				t.Errorf("%s: the series is there: %v", at, got)
			}
		}
	}
}
