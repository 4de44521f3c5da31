package loadgen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// rawServer serves connections with code that sees every byte. It ends with
// the test.
func rawServer(t testing.TB, serve func(net.Conn)) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer context.AfterFunc(ctx, func() { c.Close() })()
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() { cancel(); l.Close(); serving.Wait() })
	return "http://" + l.Addr().String()
}

// breaking answers the first request of each connection, reads the second
// and hangs up: the moment in which http.Transport repeats a GET. It counts
// the requests it has read, by their X-Request-Id.
type breaking struct {
	mu   sync.Mutex
	seen map[string]int
}

func (b *breaking) serve(c net.Conn) {
	in := bufio.NewReader(c)
	for n := 1; ; n++ {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		b.mu.Lock()
		b.seen[req.Header.Get("X-Request-Id")]++
		b.mu.Unlock()
		if n == 2 {
			return
		}
		io.WriteString(c, "HTTP/1.1 204 No Content\r\nX-Served-By: web-1\r\n\r\n")
	}
}

// counts is a copy of what the server has read so far.
func (b *breaking) counts() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.seen)
}

func TestNothingIsRepeatedOnABrokenConnection(t *testing.T) {
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			server := &breaking{seen: map[string]int{}}
			c := testConfig(t)
			c.Target = rawServer(t, server.serve)
			c.MaxInFlight = 1 // one after the other, so that connections are used again
			c.Routes = []Route{{Name: "it", Method: method, Path: "/"}}
			rows, summary := runFor(t, c, 40)

			seenByID := server.counts()
			var attempts, unknown int
			for _, row := range rows {
				id := fmt.Sprintf("test-%d", row.Seq)
				if row.Attempts != 1 || seenByID[id] != 1 {
					t.Errorf("request %d: %d attempts in its row, read %d times by the server; want 1 and 1", row.Seq, row.Attempts, seenByID[id])
				}
				if want := (row.Status != 204); want != (row.Outcome == Unknown) || want != (row.Err != "") {
					t.Errorf("request %d: status %d, error %q, and the outcome is %v", row.Seq, row.Status, row.Err, row.Outcome)
				}
				attempts += row.Attempts
				if row.Outcome == Unknown {
					unknown++
				}
			}
			var seen int
			for _, n := range seenByID {
				seen += n
			}
			if attempts != seen || summary.Attempts != uint64(seen) {
				t.Errorf("%d attempts in rows, %d in the summary; the server read %d requests", attempts, summary.Attempts, seen)
			}
			if unknown == 0 {
				t.Error("no request met a broken connection: the test has shown nothing")
			}
		})
	}
}

// TestAttemptsShowARepetition is the other side: with a plain GET, net/http
// does repeat it, and the count at the wire says so.
func TestAttemptsShowARepetition(t *testing.T) {
	server := &breaking{seen: map[string]int{}}
	target := rawServer(t, server.serve)
	transport := newTransport(testConfig(t).withDefaults())
	defer transport.CloseIdleConnections()
	for i, want := range []int{1, 2} {
		x := &exchange{}
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: x.carry})
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("plain-%d", i)
		req.Header.Set("X-Request-Id", id)
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		x.end(resp, "X-Served-By", err)
		if seen := server.counts()[id]; x.attempts != want || seen != want {
			t.Errorf("request %d: %d attempts counted, %d read by the server, want %d", i, x.attempts, seen, want)
		}
	}
}

// unwritable is a connection whose writes fail, from some write on, with
// nothing written: what a connection is that the peer has closed while idle.
type unwritable struct {
	net.Conn
	good int
}

func (c *unwritable) Write(b []byte) (int, error) {
	if c.good--; c.good < 0 {
		return 0, syscall.EPIPE
	}
	return c.Conn.Write(b)
}

// wireOver is a wire whose n-th connection takes good(n) writes.
func wireOver(t *testing.T, c Config, good func(n int) int) (*wire, *book) {
	c = c.withDefaults()
	transport := newTransport(c)
	t.Cleanup(transport.CloseIdleConnections)
	dial, n := transport.DialContext, 0
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		inner, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		n++
		return &conn{Conn: &unwritable{inner, good(n)}}, nil
	}
	b := &book{clock: func(t time.Time) time.Time { return t }, start: time.Now(), shape: c.Shape, bound: c.LatenessP99, onward: map[uint64]*exchange{}}
	return &wire{plan: mustPlan(t, c), requestID: "test-", timeout: c.Timeout, servedBy: c.ServedBy, transport: transport, book: b}, b
}

// send sends request number seq as vegeta would, and returns its row.
func send(t *testing.T, w *wire, b *book, seq uint64) Row {
	t.Helper()
	template, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://ignored", nil)
	if err != nil {
		t.Fatal(err)
	}
	template.Header.Set(seqHeader, fmt.Sprint(seq))
	res := &vegeta.Result{Seq: seq, Timestamp: time.Now()}
	resp, err := w.RoundTrip(template)
	if err == nil {
		if _, err = io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		res.Code = uint16(resp.StatusCode)
	}
	row, err := b.close(res)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestStaleConnectionIsReplacedAndTold(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		server := &breaking{seen: map[string]int{}}
		c := testConfig(t)
		c.Target = rawServer(t, server.serve)
		c.Routes = []Route{{Name: "it", Method: method, Path: "/"}}
		w, b := wireOver(t, c, func(int) int { return 1 })
		first, second := send(t, w, b, 0), send(t, w, b, 1)
		if first.Attempts != 1 || first.Stale != 0 || first.Outcome != Acked {
			t.Errorf("%s on a new connection: %+v", method, first)
		}
		if second.Attempts != 1 || second.Stale != 1 || second.Outcome != Acked || second.Err != "" {
			t.Errorf("%s on a stale connection: %+v; want one attempt, one stale connection, acked", method, second)
		}
		if diff := cmp.Diff(map[string]int{"test-0": 1, "test-1": 1}, server.counts()); diff != "" {
			t.Errorf("%s: read by the server (-want +got):\n%s", method, diff)
		}
	}
}

// TestNewConnectionThatFailsIsNotTriedForEver: only connections that worked
// before are replaced.
func TestNewConnectionThatFailsIsNotTriedForEver(t *testing.T) {
	c := testConfig(t)
	c.Target = rawServer(t, (&breaking{seen: map[string]int{}}).serve)
	w, b := wireOver(t, c, func(int) int { return 0 })
	row := send(t, w, b, 0)
	if row.Outcome != Refused || row.Attempts != 0 || row.Stale != 1 || row.Err == "" {
		t.Errorf("%+v; want refused after one connection, 0 attempts, and why", row)
	}
}

// TestStaleThenRefused: after a stale connection nobody listens any more.
func TestStaleThenRefused(t *testing.T) {
	c := testConfig(t)
	c.Target = rawServer(t, (&breaking{seen: map[string]int{}}).serve)
	w, b := wireOver(t, c, func(int) int { return 1 })
	send(t, w, b, 0)
	w.transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	row := send(t, w, b, 1)
	if row.Outcome != Refused || row.Attempts != 0 || row.Stale != 1 {
		t.Errorf("%+v; want refused, 0 attempts, one stale connection", row)
	}
}

// TestNoByteAfterTheEnd: once a row says 0 attempts, the transport cannot
// write the request any more, even if it wanted to.
func TestNoByteAfterTheEnd(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	there.Close() // a write that came through would fail with another error
	c := &conn{Conn: here}
	x := &exchange{}
	x.carry(httptrace.GotConnInfo{Conn: c})
	x.end(nil, "", context.DeadlineExceeded)
	if n, err := c.Write([]byte("GET / HTTP/1.1\r\n")); n != 0 || !errors.Is(err, errGivenUp) {
		t.Errorf("a write after the end: %d, %v; want 0, %v", n, err, errGivenUp)
	}
	if outcome := judge(x, false, false); outcome != Refused || x.attempts != 0 {
		t.Errorf("%v with %d attempts, want refused with 0", outcome, x.attempts)
	}
}

// TestRequestOnTheWire compares every byte: nothing but what is meant to be
// sent is sent, in particular no mark of vegeta's and no body framing on GET.
func TestRequestOnTheWire(t *testing.T) {
	for method, framing := range map[string]string{
		http.MethodGet:     "",
		http.MethodHead:    "",
		http.MethodOptions: "",
		http.MethodDelete:  "",
		http.MethodPost:    "Content-Length: 0\r\n",
		http.MethodPut:     "Content-Length: 0\r\n",
		http.MethodPatch:   "Content-Length: 0\r\n",
	} {
		got := make(chan string, 1)
		c := testConfig(t)
		c.Words = 1
		c.Routes = []Route{{Name: "it", Method: method, Path: "/to/{word}?x={word}"}}
		c.Target = rawServer(t, func(c net.Conn) {
			buf := make([]byte, 4096)
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			got <- string(buf[:n])
			io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
		})
		w, b := wireOver(t, c, func(int) int { return 1 })
		if row := send(t, w, b, 7); row.Outcome != Acked {
			t.Errorf("%s: %+v", method, row)
		}
		want := method + " /to/lala?x=lala HTTP/1.1\r\nHost: " + strings.TrimPrefix(c.Target, "http://") +
			"\r\nUser-Agent: throughline\r\n" + framing + "X-Request-Id: test-7\r\n\r\n"
		if diff := cmp.Diff(want, <-got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", method, diff)
		}
	}
}

func TestResultWithoutAnExchangeIsAnError(t *testing.T) {
	b := &book{clock: func(t time.Time) time.Time { return t }, start: time.Now(), onward: map[uint64]*exchange{}}
	if _, err := b.close(&vegeta.Result{Seq: 9, Error: "why"}); err == nil || err.Error() != "request 9: never came to the wire: why" {
		t.Errorf("got %v", err)
	}
}

func TestExhaustedIsThisMachinesWant(t *testing.T) {
	dial := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Err: fmt.Errorf("socket: %w", errno)}
	}
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.EADDRNOTAVAIL} {
		if !exhausted(dial(errno)) {
			t.Errorf("%v is not taken for exhaustion", errno)
		}
	}
	if exhausted(dial(syscall.ECONNREFUSED)) || exhausted(nil) {
		t.Error("a refused connection, or none, is taken for exhaustion")
	}
}
