package series

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// smallBuffer is what a socket is to hold in each direction, whatever the
// machine's default is.
const smallBuffer = 64 << 10

// smallBuffers listens for connections that hold little of what is written.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return conn, conn.(*net.TCPConn).SetWriteBuffer(smallBuffer)
}

// stuckReader asks for target, reads the first line of the answer and no more.
func stuckReader(t *testing.T, addr, target string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.(*net.TCPConn).SetReadBuffer(smallBuffer); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\n\r\n", target); err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); err != nil || !strings.Contains(line, "200 OK") {
		t.Fatalf("%s: %q, %v", target, line, err)
	}
	return answer
}

// TestSlowReaders has more clients that do not read their long answers than
// requests are worked on at once. Samples are appended, questions answered and
// the store closed all the same.
func TestSlowReaders(t *testing.T) {
	s := open(t, t.TempDir())
	long := strings.Repeat("x", 1000)
	const series = 1_500 // 1.5 MB, more than the sockets hold
	for i := range series {
		if err := s.Append(float("long", 600, 1, "n", fmt.Sprint(i), "text", long)); err != nil {
			t.Fatal(err)
		}
	}
	var writing atomic.Int64 // requests whose answer is not written
	handler := s.Handler()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writing.Add(1)
		defer writing.Add(-1)
		handler.ServeHTTP(w, r)
	}))
	server.Listener = smallBuffers{server.Listener}
	server.Start()
	t.Cleanup(server.Close) // after the readers have gone
	addr := server.Listener.Addr().String()
	var first *bufio.Reader
	const readers = maxRequests + 4
	for i := range readers {
		target := []string{"/metrics", "/federate?match[]=long", "/api/v1/series?match[]=long",
			"/api/v1/query_range?query=long&start=1582978200&end=1582978201&step=1"}[i%4]
		answer := stuckReader(t, addr, target)
		if first == nil {
			first = answer
		}
	}
	for i := range 100 {
		mustAppend(t, s, float("more", 601+float64(i), float64(i)))
	}
	wantNumber(t, s, "more", 700, 99)
	if got := get(t, s, "/api/v1/query?query=count(long)&time=1582978200"); !strings.Contains(got.body, `"1500"`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n := writing.Load(); n != readers {
		t.Fatalf("%d of %d answers are still being written: the others were too short to prove anything", n, readers)
	}
	// What was answered before the end is whole.
	lines := 0
	for scan := bufio.NewScanner(first); scan.Scan(); {
		if strings.HasPrefix(scan.Text(), "long{") {
			lines++
		}
	}
	if lines != series {
		t.Errorf("a slow reader gets %d of %d series", lines, series)
	}
}

// TestStuckReaderIsLeft: an answer that nobody reads gives its room back.
func TestStuckReaderIsLeft(t *testing.T) {
	s := crowded(t, 1500, 1000) // 1.5 MB, more than the sockets hold
	s.turns.patience = 100 * time.Millisecond
	server := httptest.NewUnstartedServer(s.Handler())
	server.Listener = smallBuffers{server.Listener}
	server.Start()
	t.Cleanup(server.Close)
	for _, target := range []string{"/metrics", "/api/v1/query?query=x&time=1582978200"} {
		stuckReader(t, server.Listener.Addr().String(), target)
	}
	until(t, "all room is free", func() string {
		if !s.turns.unread.TryAcquire(maxUnread) {
			return "some is not"
		}
		s.turns.unread.Release(maxUnread)
		return ""
	})
}

// TestSlowQuestion sends its form byte by byte.
func TestSlowQuestion(t *testing.T) {
	s := served(t)
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	begin, end := io.Pipe()
	answered := make(chan error, 1)
	go func() {
		r, err := http.Post(server.URL+"/api/v1/query", "application/x-www-form-urlencoded", begin)
		if err == nil {
			defer r.Body.Close()
			var body []byte
			if body, err = io.ReadAll(r.Body); err == nil && r.StatusCode != http.StatusServiceUnavailable {
				err = fmt.Errorf("%s %s", r.Status, body)
			}
		}
		answered <- err
	}()
	if _, err := io.WriteString(end, "query=lo"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, float("load", 601, 1))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.WriteString(end, "ad"); err != nil {
		t.Fatal(err)
	}
	end.Close()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestTurns has more requests at once than are worked on.
func TestTurns(t *testing.T) {
	s := open(t, t.TempDir())
	var working, most atomic.Int64
	var all sync.WaitGroup
	enough := make(chan struct{})
	let := sync.OnceFunc(func() { close(enough) }) // as many are at work as may be
	for range 3 * maxRequests {
		all.Go(func() {
			err := s.inTurn(httptest.NewRequest(http.MethodGet, "/", nil), func(*http.Request) error {
				n := working.Add(1)
				defer working.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				if n == maxRequests {
					let()
				}
				<-enough
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() != maxRequests {
		t.Errorf("%d at once, want %d", most.Load(), maxRequests)
	}
}

// TestNoTurn has all turns taken for good.
func TestNoTurn(t *testing.T) {
	s := openWith(t, t.TempDir(), Options{Timeout: time.Millisecond})
	for range maxRequests {
		s.turns.light <- struct{}{}
	}
	const queue = `{"status":"error","errorType":"timeout","error":"query timed out in query queue"}`
	if got := get(t, s, "/api/v1/query?query=1"); got.status != 503 || got.body != queue {
		t.Errorf("%d %s", got.status, got.body)
	}
	for _, target := range []string{"/metrics", "/federate?match[]=x"} {
		if got := get(t, s, target); got.status != 503 || got.body != "query timed out in query queue\n" {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
	if got := get(t, s, "/-/healthy"); got.status != 200 {
		t.Errorf("healthy: %d", got.status)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.opts.Timeout = time.Hour
	if err := s.waitForTurn(ctx, s.turns.light); err == nil || err.Error() != "query was canceled in query queue" {
		t.Error(err)
	}
	<-s.turns.light
	if err := errors.Join(s.waitForTurn(t.Context(), s.turns.light)); err != nil {
		t.Error(err)
	}
}
