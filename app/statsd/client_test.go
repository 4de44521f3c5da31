package statsd

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// written is a datagram and when it left.
type written struct {
	text string
	at   time.Time
}

// recorder is a socket that remembers.
type recorder struct {
	mu   sync.Mutex
	all  []written
	fail error
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return 0, r.fail
	}
	r.all = append(r.all, written{string(b), time.Now()})
	return len(b), nil
}

func (r *recorder) Close() error { return nil }

func (r *recorder) datagrams() []written {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// On a clock that only moves when everything waits, the bound is exact: at
// whatever moment between the tickers a count happens, it leaves within 80 ms.
func TestMeasurementsLeaveWithinTheWindow(t *testing.T) {
	if sum := aggregation + bufferFlush; sum >= Window {
		t.Fatalf("the two waits add up to %v, which leaves nothing of %v for the scheduler", sum, Window)
	}
	for offset := time.Duration(0); offset <= 2*Window; offset += 3 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			socket := &recorder{}
			c, err := New(socket, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			time.Sleep(offset)
			began := time.Now()
			c.Count("fullstack.insert", 1)
			c.Gauge("fullstack.inflight", 2)
			c.Timing("fullstack.insert.time", 1500*time.Microsecond)
			time.Sleep(30 * time.Second) // long enough for the client's own telemetry, if it had any

			var lines []string
			for _, d := range socket.datagrams() {
				if wait := d.at.Sub(began); wait > aggregation+bufferFlush {
					t.Errorf("offset %v: %q left after %v", offset, d.text, wait)
				}
				lines = append(lines, strings.Fields(d.text)...)
			}
			want := map[string]bool{"fullstack.insert:1|c": true, "fullstack.inflight:2|g": true, "fullstack.insert.time:1.500000|ms": true}
			got := map[string]bool{}
			for _, l := range lines {
				got[l] = true
			}
			if diff := cmp.Diff(want, got); diff != "" || len(lines) != len(want) {
				t.Errorf("offset %v: %d lines (-want +got):\n%s", offset, len(lines), diff)
			}
		})
	}
}

// schedulerSlack is what a busy machine may add to Window between two
// goroutines and a socket. It is well below datadog-go's own default of 2.1 s.
const schedulerSlack = time.Second

func TestCountsReachARealSocket(t *testing.T) {
	socket := listen(t)
	c, err := Dial(Options{Addr: socket.LocalAddr().String(), Tags: []string{"zone:a", "role:web"}})
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 2048)
	for i := range 5 {
		time.Sleep(time.Duration(i) * 7 * time.Millisecond) // another place between the tickers
		began := time.Now()
		c.Count("fullstack.insert", 1)
		if err := socket.SetReadDeadline(began.Add(Window + schedulerSlack)); err != nil {
			t.Fatal(err)
		}
		n, err := socket.Read(buffer)
		if err != nil {
			t.Fatalf("count %d: not on the wire within %v: %v", i, Window+schedulerSlack, err)
		}
		if got, want := string(buffer[:n]), "fullstack.insert:1|c|#zone:a,role:web\n"; got != want {
			t.Errorf("count %d: got %q, want %q", i, got, want)
		}
	}
	c.Count("fullstack.insert", 41)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := socket.SetReadDeadline(time.Now().Add(schedulerSlack)); err != nil {
		t.Fatal(err)
	}
	n, err := socket.Read(buffer)
	if err != nil {
		t.Fatalf("Close did not flush: %v", err)
	}
	if got, want := string(buffer[:n]), "fullstack.insert:41|c|#zone:a,role:web\n"; got != want {
		t.Errorf("after Close: got %q, want %q", got, want)
	}
}

func TestLostDatagramsAreTold(t *testing.T) {
	broken := errors.New("no such agent")
	var told []error
	c, err := New(&recorder{fail: broken}, Options{OnError: func(err error) { told = append(told, err) }})
	if err != nil {
		t.Fatal(err)
	}
	c.Count("fullstack.insert", 1)
	if err := c.Close(); err != nil { // the sender's goroutine has ended
		t.Fatal(err)
	}
	if len(told) != 1 || !errors.Is(told[0], broken) {
		t.Errorf("told %v, want %v once", told, broken)
	}
}

// A datagram through Connect arrives as it was written, beside the client's.
func TestConnect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dsd.socket")
	unix, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	udp := listen(t)
	for addr, listener := range map[string]net.Conn{udp.LocalAddr().String(): udp, "unix://" + path: unix, "unixgram://" + path: unix} {
		socket, err := Connect(addr)
		if err != nil {
			t.Fatal(err)
		}
		const text = "any bytes:\n|"
		if n, err := socket.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%s: wrote %d, %v", addr, n, err)
		}
		if err := socket.Close(); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
		if err := listener.SetReadDeadline(time.Now().Add(schedulerSlack)); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 100)
		n, err := listener.Read(buffer)
		if got := string(buffer[:n]); err != nil || got != text {
			t.Errorf("%s: got %q, %v", addr, got, err)
		}
	}
	for addr, want := range map[string]string{
		"unixstream:///run/dsd.socket": "statsd unixstream:///run/dsd.socket: a stream carries no datagrams; use unix:// or host:port",
		"unix:///none/dsd.socket":      "statsd unix:///none/dsd.socket: ",
		"127.0.0.1:no-port":            "statsd 127.0.0.1:no-port: ",
	} {
		if _, err := Connect(addr); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", addr, err)
		}
	}
}

func TestDialNamesTheAddress(t *testing.T) {
	_, err := Dial(Options{Addr: "127.0.0.1:no-port"})
	if err == nil || !strings.HasPrefix(err.Error(), "statsd 127.0.0.1:no-port: ") {
		t.Errorf("got %v", err)
	}
}

func listen(t testing.TB) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A client that samples sends what it sends at once, with its rate on the line;
// what is no counter is not sampled.
func TestSampledCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		socket := &recorder{}
		c, err := New(socket, Options{Rate: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		const calls = 1000
		for range calls {
			c.Count("fullstack.insert", 1)
		}
		c.Gauge("fullstack.inflight", 2)
		c.Timing("fullstack.insert.time", 1500*time.Microsecond)
		time.Sleep(Window)
		lines := map[string]int{}
		for _, d := range socket.datagrams() {
			for _, l := range strings.Fields(d.text) {
				lines[l]++
			}
		}
		n := lines["fullstack.insert:1|c|@0.5"]
		delete(lines, "fullstack.insert:1|c|@0.5")
		if n < 350 || n > 650 { // nine standard deviations
			t.Errorf("%d of %d calls were sent", n, calls)
		}
		if diff := cmp.Diff(map[string]int{"fullstack.inflight:2|g": 1, "fullstack.insert.time:1.500000|ms": 1}, lines); diff != "" {
			t.Errorf("beside (-want +got):\n%s", diff)
		}
	})
}
