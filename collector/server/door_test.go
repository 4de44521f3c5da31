package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"throughline/collector"
)

// nothing is a Store that was given nothing.
type nothing struct{ Store }

func (nothing) Handler() http.Handler { return http.NotFoundHandler() }

func (nothing) Metrics(func() ([]collector.Sample, bool)) http.Handler { return http.NotFoundHandler() }

// serve serves handler behind a door, as Run does, with its times shortened.
func serve(t *testing.T, handler http.Handler, change func(*http.Server, *door)) string {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{store: nothing{}, listener: listen, http: "127.0.0.1:0"}
	api, in := s.api()
	api.Handler = guarded(handler, s.http, listen.Addr())
	change(api, in.(*door))
	done := make(chan error, 1)
	go func() { done <- api.Serve(in) }()
	t.Cleanup(func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return listen.Addr().String()
}

// client connects and says something.
func client(t *testing.T, addr, text string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn)
}

// answered reads one answer and tells its status.
func answered(t *testing.T, from *bufio.Reader) int {
	t.Helper()
	r, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode
}

// asks tells whether a URL is answered well.
func asks(url string) bool {
	r, err := http.Get(url)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	return r.StatusCode == http.StatusOK
}

const (
	asked = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	slow  = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nq"
)

var fine = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })

// TestIdleClientsMakeRoom: connections that wait for nothing take no place from
// others, of the same address or of all.
func TestIdleClientsMakeRoom(t *testing.T) {
	for name, change := range map[string]func(*http.Server, *door){
		"of one address": func(_ *http.Server, d *door) { d.ofOne = 5 },
		"in all":         func(_ *http.Server, d *door) { d.most = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, fine, change)
			var first *bufio.Reader
			for i := range 20 {
				c := client(t, addr, asked)
				if status := answered(t, c); status != http.StatusOK {
					t.Fatalf("client %d: status %d", i, status)
				}
				if first == nil {
					first = c
				}
			}
			if _, err := first.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection that was idle the longest is not closed: %v", err)
			}
		})
	}
}

// TestWorkIsNotThrownOut: where all connections are at work a new one is told so.
func TestWorkIsNotThrownOut(t *testing.T) {
	enough := make(chan struct{})
	working := make(chan struct{}, 10)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		working <- struct{}{}
		<-enough
		fmt.Fprintln(w, "ok")
	}), func(_ *http.Server, d *door) { d.ofOne = 3 })
	var all []*bufio.Reader
	for range 3 {
		all = append(all, client(t, addr, asked))
		<-working
	}
	if status := answered(t, client(t, addr, "")); status != http.StatusServiceUnavailable {
		t.Errorf("one too many: status %d", status)
	}
	close(enough)
	for i, c := range all {
		if status := answered(t, c); status != http.StatusOK {
			t.Errorf("client %d: status %d", i, status)
		}
	}
	wait(t, "there is room again", func() bool { return asks("http://" + addr) })
}

// TestSlowRequests: who sends a body, or a header, slowly is left.
func TestSlowRequests(t *testing.T) {
	addr := serve(t, fine, func(s *http.Server, d *door) {
		s.ReadTimeout, s.ReadHeaderTimeout, s.IdleTimeout = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
		d.ofOne, d.now = 4, func() time.Time { return time.Unix(0, 0) } // nobody is ever slow to begin
	})
	for name, text := range map[string]string{"body": slow, "header": "GET / HTTP/1.1\r\nHo", "nothing": "", "idle": asked} {
		c := client(t, addr, text)
		if name == "body" {
			if status := answered(t, c); status != http.StatusRequestTimeout {
				t.Errorf("%s: status %d", name, status)
			}
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("%s: the connection is not closed: %v", name, err)
		}
	}
}

// TestSlowAnswer: a question may take longer than it took to send.
func TestSlowAnswer(t *testing.T) {
	const readTimeout = 100 * time.Millisecond
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusTeapot)
		case <-time.After(5 * readTimeout):
			_, _ = io.Copy(w, r.Body)
		}
	}), func(s *http.Server, _ *door) { s.ReadTimeout = readTimeout })
	for _, method := range []string{"GET", "POST"} {
		request, err := http.NewRequest(method, "http://"+addr, strings.NewReader("query=1"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || string(body) != "query=1" {
			t.Errorf("%s: status %d, %q, %v", method, r.StatusCode, body, err)
		}
	}
}

// TestManyClients asks a whole collector while many connections lie idle, send
// slowly, or say nothing.
func TestManyClients(t *testing.T) {
	s := newServer(t, Config{HTTP: "127.0.0.1:0"})
	start(t, s)
	for _, text := range []string{"GET /-/ready HTTP/1.1\r\nHost: localhost\r\n\r\n", ""} {
		for range mostOfOne + 20 {
			c := client(t, s.Addr(), text)
			if text != "" {
				answered(t, c)
			}
		}
		wait(t, "the collector answers", func() bool { return asks("http://" + s.Addr() + "/-/ready") })
	}
}
