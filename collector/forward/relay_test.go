package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newRelay(t testing.TB, to string, l Limits) *Relay {
	t.Helper()
	r, err := NewRelay(RelayConfig{To: to, Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// numbered sends datagrams that are all different.
func numbered(r *Relay, from, to int) {
	for i := from; i < to; i++ {
		r.Send(fmt.Appendf(nil, "n.%d:1|c|#a:\xff,b\n\x00", i))
	}
}

// wantNumbered waits for them, in order, each once.
func (p *peer) wantNumbered(t *testing.T, from, to int) {
	t.Helper()
	until(t, fmt.Sprintf("datagrams %d to %d arrive", from, to), func() bool { return len(p.received()) >= to-from })
	for i, got := range p.received() {
		if want := fmt.Sprintf("n.%d:1|c|#a:\xff,b\n\x00", from+i); got != want {
			t.Fatalf("datagram %d is %q, want %q", from+i, got, want)
		}
	}
}

// TestRelay has every kind of peer: away at first, then there, gone, and back.
func TestRelay(t *testing.T) {
	for _, c := range []struct{ scheme, network string }{
		{"udp", "udp"}, {"", "udp"}, {"unixgram", "unixgram"}, {"unixstream", "unix"}, {"unix", "unixgram"}, {"unix", "unix"},
	} {
		t.Run(c.scheme+" to "+c.network, func(t *testing.T) {
			address := filepath.Join(t.TempDir(), "s")
			if c.network == "udp" {
				address = free(t)
			}
			to := c.scheme + "://" + address
			if c.scheme == "" {
				to = address
			}
			r := newRelay(t, to, quick())
			end := start(t, r)
			// Fewer than the smallest socket holds, for nobody is sure to
			// read in time.
			numbered(r, 0, 270)
			until(t, "it was tried", func() bool { return r.Figures().Retries > 2 })
			if f := r.Figures(); f.Up || f.Sent != 0 || f.Queued != 270 {
				t.Errorf("without a peer the figures are %+v", f)
			}
			first := listen(t, c.network, address)
			first.wantNumbered(t, 0, 270)
			settled(t, r, 270)
			if !r.Figures().Up {
				t.Error("it is not up")
			}
			first.close()
			if c.network == "unix" {
				until(t, "the relay sees that its peer is gone", func() bool { return !r.Figures().Up })
			}
			numbered(r, 270, 540)
			tries := r.Figures().Retries
			until(t, "it was tried again", func() bool { return r.Figures().Retries > tries+2 })
			second := listen(t, c.network, address)
			second.wantNumbered(t, 270, 540)
			settled(t, r, 540)
			r.Send([]byte(strings.Repeat("x", 5000)))
			r.Send(nil)
			numbered(r, 540, 541)
			f := end()
			until(t, "the last arrives", func() bool { return len(second.received()) == 273 })
			if f.Sent != 543 || f.Dropped != 0 || f.Kind != "relay" || !strings.HasSuffix(f.To, "://"+address) {
				t.Errorf("figures are %+v", f)
			}
			if got := second.received()[270:]; len(got[0]) != 5000 || got[1] != "" {
				t.Errorf("the last are %q", got)
			}
		})
	}
}

// TestRelayRate has more than the rate to send.
func TestRelayRate(t *testing.T) {
	address := free(t)
	p := listen(t, "udp", address)
	r, err := NewRelay(RelayConfig{To: address, Rate: 1000, Limits: quick()})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	numbered(r, 0, relayItems+100) // that many at once, and then a tenth of a second's
	start(t, r)
	settled(t, r, relayItems+100)
	if took := time.Since(began); took < 90*time.Millisecond {
		t.Errorf("it took %v only", took)
	}
	p.wantNumbered(t, 0, relayItems+100)
}

// TestRelayMoved has a peer that moves to another address: it goes without a
// word, or says that it is gone.
func TestRelayMoved(t *testing.T) {
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprint("silently ", silent), func(t *testing.T) {
			server, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			dns := &names{address: [4]byte{127, 0, 0, 1}}
			go dns.serve(server)
			_, port, _ := net.SplitHostPort(free(t))
			first := listen(t, "udp", "127.0.0.1:"+port)
			second := listen(t, "udp", "127.0.0.2:"+port)

			r := newRelay(t, "localhost:"+port, quick())
			r.writer.peer.address = "agent.test.:" + port
			r.writer.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "udp", server.LocalAddr().String())
			}}
			if silent {
				r.writer.lookup = 10 * time.Millisecond
			}
			start(t, r)
			numbered(r, 0, 20)
			first.wantNumbered(t, 0, 20)
			dns.set([4]byte{127, 0, 0, 2})
			if silent {
				time.Sleep(2 * r.writer.lookup) // that it is time for another lookup
			} else {
				first.close()
			}
			numbered(r, 20, 40)
			second.wantNumbered(t, 20, 40)
		})
	}
}

// TestRelayTooLong has a datagram that no UDP socket takes among others.
func TestRelayTooLong(t *testing.T) {
	address := free(t)
	p := listen(t, "udp", address)
	r := newRelay(t, address, quick())
	end := start(t, r)
	numbered(r, 0, 2)
	r.Send(make([]byte, 1<<16))
	numbered(r, 2, 4)
	p.wantNumbered(t, 0, 4)
	if f := end(); f.Sent != 4 || f.Refused != 1 || f.Retries != 0 || !strings.Contains(f.LastError, "65536 bytes is too long") {
		t.Errorf("figures are %+v, want one refused", f)
	}
}

// TestRelayFull has a peer away for too long: the oldest are dropped, exactly
// as many as are counted, and the newest arrive.
func TestRelayFull(t *testing.T) {
	address := free(t)
	l := quick()
	l.Items = 10
	r := newRelay(t, address, l)
	end := start(t, r)
	numbered(r, 0, 1000)
	f := r.Figures()
	if f.Full == 0 || f.In != 1000 {
		t.Errorf("figures are %+v", f)
	}
	p := listen(t, "udp", address)
	until(t, "all is settled", func() bool { return r.Figures().Queued == 0 })
	f = end()
	until(t, "what was sent arrives", func() bool { return uint64(len(p.received())) == f.Sent })
	got := p.received()
	for i := range 10 {
		want := fmt.Sprintf("n.%d:", 990+i)
		if g := got[len(got)-10+i]; !strings.HasPrefix(g, want) {
			t.Fatalf("of the last 10, %d is %q, want %s…", i, g, want)
		}
	}
}

// TestRelaySlowPeer has a peer that does not read: whoever sends is not held up.
func TestRelaySlowPeer(t *testing.T) {
	for _, network := range []string{"unixgram", "unix"} {
		address := filepath.Join(t.TempDir(), "s")
		var peer io.Closer
		var err error
		scheme := network
		if network == "unix" {
			scheme = "unixstream"
			peer, err = net.Listen(network, address)
		} else {
			peer, err = net.ListenPacket(network, address)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := newRelay(t, scheme+"://"+address, Limits{Items: 100, Timeout: 10 * time.Millisecond, Flush: time.Millisecond, RetryMin: time.Millisecond})
		end := start(t, r)
		datagram := make([]byte, 8192)
		until(t, "the queue is full and the time of an attempt over", func() bool {
			for range 200 {
				r.Send(datagram)
			}
			f := r.Figures()
			return f.Full > 0 && f.Retries > 0
		})
		if f := end(); f.Full == 0 || f.Unsent == 0 || !strings.Contains(f.LastError, "timeout") {
			t.Errorf("%s: figures are %+v", network, f)
		}
		peer.Close()
	}
}

// TestRelayToStatsdExporter compares the counters of a real StatsD.
func TestRelayToStatsdExporter(t *testing.T) {
	exporter := statsdExporter(t)
	for _, scheme := range []string{"udp", "unixgram"} {
		t.Run(scheme, func(t *testing.T) {
			address, web, path := free(t), free(t), filepath.Join(t.TempDir(), "s")
			process(t, exporter, "--web.listen-address="+web, "--statsd.listen-udp="+address, "--statsd.listen-tcp=", "--statsd.listen-unixgram="+path)
			to := map[string]string{"udp": address, "unixgram": path}[scheme]
			r := newRelay(t, scheme+"://"+to, quick())
			end := start(t, r)
			for i := range 200 { // no more than its socket holds
				r.Send(fmt.Appendf(nil, "hits.web-%d:1|c\nhits.all:2|c", i%3))
			}
			r.Send([]byte("left:0.25|g"))
			settled(t, r, 201)
			var page string
			until(t, "the counters are there", func() bool {
				page = fetch("http://" + web + "/metrics")
				return strings.Contains(page, "\nleft 0.25\n")
			})
			for _, line := range []string{"hits_web_0 67", "hits_web_1 67", "hits_web_2 66", "hits_all 400", "statsd_exporter_lines_total 401"} {
				if !strings.Contains(page, "\n"+line+"\n") {
					t.Errorf("statsd_exporter does not tell %q:\n%s", line, page)
				}
			}
			if f := end(); f.Sent != 201 || f.Dropped != 0 {
				t.Errorf("figures are %+v", f)
			}
		})
	}
}

func fetch(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

// statsdExporter finds the real one on PATH, or where make peers builds it.
func statsdExporter(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("statsd_exporter"); err == nil {
		return path
	}
	return program(t, filepath.Join("..", "..", "bin", "statsd_exporter"), "make peers builds it")
}

func TestRelayConfig(t *testing.T) {
	for to, want := range map[string]string{
		"":                      "missing port in address; give host:port",
		"localhost":             "missing port in address; give host:port",
		":8125":                 "host and port are needed",
		"localhost:0":           "host and port are needed",
		"localhost:nope":        "unknown port",
		"nowhere.invalid:8125":  "nowhere.invalid",
		"http://localhost:1":    `"http" is no way to a StatsD; use udp://host:port`,
		"unix://relative/path":  "the path of a socket is absolute: unix:///path",
		"unixgram://":           "the path of a socket is absolute",
		"unix:///" + longName(): "the path of a socket has at most 107 bytes, this one has 108",
	} {
		if _, err := NewRelay(RelayConfig{To: to}); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("relay to %q: ", to)) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", to, err, want)
		}
	}
	for _, c := range []RelayConfig{{Limits: Limits{Flush: -1}}, {Rate: -1}, {Lookup: -1}} {
		c.To = "127.0.0.1:8125"
		if _, err := NewRelay(c); err == nil || !strings.Contains(err.Error(), "is negative") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func longName() string { return strings.Repeat("x", longestPath) }

// BenchmarkRelaySend is what a reader of datagrams pays: no allocation.
func BenchmarkRelaySend(b *testing.B) {
	address := free(b)
	listen(b, "udp", address)
	r := newRelay(b, address, Limits{})
	end := start(b, r)
	datagram := []byte(strings.Repeat("hits.web:1|c|#instance:web-1,zone:a\n", 12))
	b.ReportAllocs()
	b.SetBytes(int64(len(datagram)))
	for b.Loop() {
		r.Send(datagram)
	}
	b.StopTimer()
	if f := end(); f.In == 0 {
		b.Error(errors.New("nothing was sent"))
	}
}

// TestRelaySendAllocates holds the benchmark's figure.
func TestRelaySendAllocates(t *testing.T) {
	r := newRelay(t, "127.0.0.1:8125", Limits{Items: 100})
	datagram := make([]byte, 1000)
	if n := testing.AllocsPerRun(1000, func() { r.Send(datagram) }); n != 0 {
		t.Errorf("Send allocates %v times", n)
	}
}
