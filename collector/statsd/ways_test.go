package statsd

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// TestOneInstanceManyWays: what comes in through every network at once adds up
// to one counter; the figures balances all the time, and at the end nothing is
// lost.
func TestOneInstanceManyWays(t *testing.T) {
	const senders, datagrams = 3, 400
	dir := t.TempDir()
	sink := &memory{}
	c := New(Config{}, collector.Intake{Sink: sink, Interval: interval})
	stop := run(t, c)
	var wg sync.WaitGroup
	ways := []socket.Address{address("127.0.0.1:0"), address("tcp://127.0.0.1:0"),
		{Network: socket.Unixgram, Path: filepath.Join(dir, "d.sock")}, {Network: socket.Unixstream, Path: filepath.Join(dir, "s.sock")}}
	for _, way := range ways {
		at, err := c.Listen(Listener{Instance: "web-1", Addr: way})
		if err != nil {
			t.Fatal(err)
		}
		for range senders {
			conn := dial(t, at)
			wg.Go(func() {
				for i := range datagrams {
					payload := fmt.Appendf(nil, "a:1|c\njunk\nt:1|c|T%d\n", time.Now().Unix())
					if at.Network == socket.Unixstream {
						payload = append(binary.LittleEndian.AppendUint32(nil, uint32(len(payload))), payload...)
					}
					if _, err := conn.Write(payload); err != nil {
						t.Error(err)
						return
					}
					if i%50 == 0 {
						balance(t, c)
					}
				}
			})
		}
	}
	wg.Wait()
	must(t, stop())
	figures := balanceQuiet(t, c)
	sent := uint64(len(ways) * senders * datagrams)
	total := figures.Total
	if total.Lines/3+total.KernelDrops != sent || total.Lines%3 != 0 || total.Accepted != total.Lines/3*2 || total.Bad["no_value"] != total.Lines/3 {
		t.Errorf("of %d times 3 lines, without %d dropped datagrams, got %+v", sent, total.KernelDrops, total)
	}
	for _, name := range []string{"a_total", "t_total"} {
		if got := sink.last(name, "web-1"); got != float64(total.Lines/3) {
			t.Errorf("%s is %v, want %d", name, got, total.Lines/3)
		}
	}
	for _, l := range figures.Listeners {
		if stream := l.Connections > 0; l.Instance != "web-1" || l.Lines+3*l.KernelDrops != 3*senders*datagrams || stream && l.Connections != senders {
			t.Errorf("%s: %+v", l.Addr, l)
		}
	}
}

// TestRetireOfAnAssignedOriginLosesNothing: what waits in the kernel is still
// the instance's, and what comes later is not.
func TestRetireOfAnAssignedOriginLosesNothing(t *testing.T) {
	sink := &memory{}
	c := New(Config{}, collector.Intake{Sink: sink, Interval: interval})
	at, err := c.Listen(by(BySource))
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, c)
	conn := dial(t, at)
	// Only a reader that reads can be settled.
	send(t, conn, "first:1|c")
	for deadline := time.Now().Add(20 * time.Second); c.Figures().Total.Lines == 0; time.Sleep(interval) {
		if time.Now().After(deadline) {
			t.Fatal("the reader does not read")
		}
	}
	for round := range 20 {
		name := fmt.Sprint("web-", round)
		if err := c.Assign("127.0.0.1", name, nil); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			send(t, conn, "a:1|c")
		}
		if err := c.Retire(context.Background(), name); err != nil {
			t.Fatal(err)
		}
	}
	send(t, conn, "a:7|c")
	must(t, stop())
	if drops := balanceQuiet(t, c).Total.KernelDrops; drops != 0 {
		t.Skipf("SKIPPED, NOTHING PROVED: the kernel dropped %d datagrams", drops)
	}
	for round := range 20 {
		if got := sink.last("a_total", fmt.Sprint("web-", round)); got != 100 {
			t.Errorf("web-%d: a_total is %v, want 100", round, got)
		}
	}
	if got := sink.last("a_total", "127.0.0.1"); got != 7 {
		t.Errorf("what came after all were gone is %v, want 7", got)
	}
}

// TestSeveralConnectionsOfSeveralOrigins: readers that meet at the same clients
// count every line once, while origins are named and retired.
func TestSeveralConnectionsOfSeveralOrigins(t *testing.T) {
	const senders, lines = 4, 500
	c := New(Config{Expire: 2 * interval}, collector.Intake{Sink: &memory{}, Interval: interval})
	l := by(ByContainer)
	l.Addr = address("tcp://127.0.0.1:0")
	at, err := c.Listen(l)
	if err != nil {
		t.Fatal(err)
	}
	stop := run(t, c)
	var wg sync.WaitGroup
	for s := range senders {
		var conn net.Conn = dial(t, at)
		wg.Go(func() {
			for i := range lines {
				if _, err := fmt.Fprintf(conn, "a:1|c|c:box-%d\na:1|c\n", (i+s)%5); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 10 {
		name := fmt.Sprint("web-", i)
		if err := c.Assign(fmt.Sprint("box-", i%5), name, nil); err != nil {
			t.Error(err)
		}
		balance(t, c)
		if err := c.Retire(context.Background(), name); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	must(t, stop())
	total := balanceQuiet(t, c).Total
	if total.Lines != senders*lines*2 || total.Accepted != total.Lines {
		t.Errorf("%d lines came and %d are accepted, want %d: %+v", total.Lines, total.Accepted, senders*lines*2, total)
	}
}
