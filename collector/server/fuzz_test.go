package server

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"throughline/collector"
	"throughline/collector/series"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// FuzzDatagram sends any datagram through a socket, the parser and the sums to
// the store: nothing panics, the figures balance, and the store takes every
// sample that is made of it.
func FuzzDatagram(f *testing.F) {
	for _, seed := range []string{
		"a.b:1|c|@0.1|#zone:a,role", "a:1:2:3|ms", "a:-5|g|c:ci-1", "a:+5|g", "a:x|s\na:y|s", "größe:1|c|#straße:ü", "a.b:1|c\na_b:1|c",
		"a:1|c\na:1|g\na:1|h", "a;k=v:1|c", "_e{1,1}:a|b|d:1|#k:v", "_sc|db|2|m:x", "a:1|c|T1384430400", "__name__:1|c|#__name__:x,instance:y,le:1",
		"a:1e308|c\na:1e308|c", "a:1e-320|h\na:-0|h\na:1e308|h", "throughline_collector_lines_total:1|c", "a\xff:1|c|#k\xff:\xff", "a_total:1|c\na:1|c\na_sampled:1|c|@0.5",
	} {
		f.Add([]byte(seed))
	}
	store, err := series.Open(f.TempDir(), series.Options{Scratch: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := store.Close(); err != nil {
			f.Error(err)
		}
	})
	// A series has one value at a time, so every run has a time of its own.
	now := time.Unix(1384430400, 0)
	f.Fuzz(func(t *testing.T, datagram []byte) {
		now = now.Add(5 * time.Second)
		at := now
		c := statsd.New(statsd.Config{Now: func() time.Time { return at }}, collector.Intake{Sink: store})
		addr, err := c.Listen(statsd.Listener{Instance: "web-1", Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("udp", addr.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(datagram); err != nil {
			t.Skip("longer than a datagram can be")
		}
		if _, err := io.WriteString(conn, "last:1|c"); err != nil {
			t.Fatal(err)
		}
		ended, end := context.WithCancel(context.Background())
		end()
		if err := c.Run(ended); err != nil {
			t.Errorf("the store does not take what became of %q: %v", datagram, err)
		}
		total := c.Figures().Total
		if total.Datagrams != 2 || total.Held != 0 ||
			total.Lines != total.Accepted+total.BadLines()+total.RefusedLines()+total.Events+total.ServiceChecks {
			t.Errorf("the figures of %q do not balance: %+v", datagram, total)
		}
	})
}
