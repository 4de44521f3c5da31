package loadgen

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// loose are bounds of lateness that a busy machine keeps, too.
func loose(c Config) Config {
	c.LatenessP99, c.LatenessMax = 30*time.Second, time.Minute
	return c
}

// first is the first n requests of a shape, and none after that: what a test
// sends must not depend on how long a busy machine takes for it.
type first struct {
	Shape
	n uint64
}

func (f first) Due(n uint64) (time.Duration, bool) {
	if n >= f.n {
		return 0, false
	}
	return f.Shape.Due(n)
}

// runFor sends n requests.
func runFor(t *testing.T, c Config, n int) ([]Row, Summary) {
	t.Helper()
	c.Shape = first{c.Shape, uint64(n)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	return runUntil(ctx, t, c, func(rows []Row) {
		if len(rows) == n {
			cancel()
		}
	})
}

// runUntil runs the load until ctx ends, and checks what must hold of any
// run: each sequence number once, from 0 on, due when the shape says so, sent
// after that, and a summary that adds up to the rows.
func runUntil(ctx context.Context, t *testing.T, c Config, saw func([]Row)) ([]Row, Summary) {
	t.Helper()
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var rows []Row // without a lock: emit is called from one goroutine
	summary, err := g.Run(ctx, func(r Row) {
		rows = append(rows, r)
		saw(rows)
	})
	if err != nil {
		t.Fatal(err)
	}
	checkRows(t, c, rows, summary)
	stats := g.Stats()
	if stats.InFlight != 0 || stats.Sent != summary.Requests || stats.Acked != summary.Acked {
		t.Errorf("after the run: %+v", stats)
	}
	return rows, summary
}

func checkRows(t *testing.T, c Config, rows []Row, s Summary) {
	t.Helper()
	seen := make([]bool, len(rows))
	p := mustPlan(t, c)
	count := map[Outcome]uint64{}
	statuses := map[int]uint64{}
	var attempts uint64
	var worst time.Duration
	for _, r := range rows {
		if r.Seq >= uint64(len(rows)) || seen[r.Seq] {
			t.Fatalf("%d rows, and request %d is missing a place or comes twice", len(rows), r.Seq)
		}
		seen[r.Seq] = true
		due, _ := c.Shape.Due(r.Seq)
		if r.Due.Sub(s.Start) != due || r.Sent.Before(r.Due) || r.Done.Before(r.Sent) {
			t.Errorf("request %d is due at %v; its row says due %v, sent %v, done %v", r.Seq, due, r.Due.Sub(s.Start), r.Sent.Sub(s.Start), r.Done.Sub(s.Start))
		}
		if target := p.target(r.Seq); r.Route != target.route.Name || r.Word != target.word {
			t.Errorf("request %d is %s %s in its row, %s %s in the plan", r.Seq, r.Route, r.Word, target.route.Name, target.word)
		}
		count[r.Outcome]++
		statuses[r.Status]++
		attempts += uint64(r.Attempts)
		worst = max(worst, r.Latency())
	}
	if s.Requests != uint64(len(rows)) || s.Acked != count[Acked] || s.Refused != count[Refused] ||
		s.Unknown != count[Unknown] || s.Attempts != attempts || !cmp.Equal(s.Statuses, statuses) || s.Latency.Max != worst {
		t.Errorf("the summary %+v does not add up: %d rows, %v, %v, %d attempts, worst %v", s, len(rows), count, statuses, attempts, worst)
	}
}

func serve(t *testing.T, handler http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestRowsAreWhatTheServerSaw(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]string{}
	c := loose(testConfig(t))
	c.Shape = mustShape(t)(Sine(400, 400, 100*time.Millisecond))
	c.Target = serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id := r.Header.Get("X-Request-Id")
		if _, twice := seen[id]; twice {
			t.Errorf("%s came twice", id)
		}
		seen[id] = r.Method + " " + r.URL.String()
		w.Header().Set("X-Served-By", "web-"+id[len(id)-1:])
	})
	rows, summary := runFor(t, c, 300)
	want := map[string]string{}
	for _, r := range rows {
		want[fmt.Sprintf("test-%d", r.Seq)] = map[string]string{
			"insert": "POST /insert/" + r.Word, "get": "GET /get/" + r.Word + "?again=" + r.Word, "front": "GET /" + r.Word,
		}[r.Route]
		if id := fmt.Sprint(r.Seq); r.Instance != "web-"+id[len(id)-1:] || r.Outcome != Acked || r.Attempts != 1 || r.Err != "" {
			t.Errorf("%+v", r)
		}
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("requests by id (-rows +server):\n%s", diff)
	}
	if summary.Missed != "" || summary.Unsent != 0 {
		t.Errorf("missed %q, %d unsent", summary.Missed, summary.Unsent)
	}
}

func TestOutcomes(t *testing.T) {
	const servedBy = "X-Served-By: web-2\r\n"
	answer := func(lines ...string) func(net.Conn) {
		return func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.WriteString(c, strings.Join(lines, ""))
			}
		}
	}
	// Said to be the last of its connection, which it is: without that, the
	// next request would race with the end of the connection.
	http11 := func(status string, lines ...string) func(net.Conn) {
		return answer("HTTP/1.1 ", status, "\r\nConnection: close\r\n", strings.Join(lines, ""))
	}
	silent := func(c net.Conn) { io.Copy(io.Discard, c) }
	row := func(o Outcome, status int, instance string, attempts int) Row {
		return Row{Outcome: o, Status: status, Instance: instance, Attempts: attempts}
	}
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  Row
		err   string
	}{
		"200":                 {http11("200 OK", servedBy, "Content-Length: 2\r\n\r\nok"), row(Acked, 200, "web-2", 1), ""},
		"204, nobody named":   {http11("204 No Content", "\r\n"), row(Acked, 204, "", 1), ""},
		"200 cut short":       {http11("200 OK", servedBy, "Content-Length: 9\r\n\r\nok"), row(Unknown, 200, "web-2", 1), "unexpected EOF"},
		"redirect":            {http11("302 Found", "Location: /x\r\n", servedBy, "Content-Length: 0\r\n\r\n"), row(Unknown, 302, "web-2", 1), ""},
		"404":                 {http11("404 Not Found", servedBy, "Content-Length: 0\r\n\r\n"), row(Unknown, 404, "web-2", 1), ""},
		"503 of an instance":  {http11("503 Service Unavailable", servedBy, "Content-Length: 0\r\n\r\n"), row(Unknown, 503, "web-2", 1), ""},
		"503 of the balancer": {http11("503 Service Unavailable", "Content-Length: 0\r\n\r\n"), row(Refused, 503, "", 1), ""},
		"502 of the balancer": {http11("502 Bad Gateway", "Content-Length: 0\r\n\r\n"), row(Unknown, 502, "", 1), ""},
		"504 of the balancer": {http11("504 Gateway Timeout", "Content-Length: 0\r\n\r\n"), row(Unknown, 504, "", 1), ""},
		"hangs up":            {answer(), row(Unknown, 0, "", 1), "EOF"},
		"no HTTP":             {answer("hello\r\n\r\n"), row(Unknown, 0, "", 1), "malformed HTTP response"},
		"never answers":       {silent, row(Unknown, 0, "", 1), "context deadline exceeded"},
		"stalls in the body": {func(c net.Conn) {
			http11("200 OK", servedBy, "Content-Length: 9\r\n\r\nok")(c)
			silent(c)
		}, row(Unknown, 200, "web-2", 1), "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := loose(testConfig(t))
			config.Target = rawServer(t, c.serve)
			config.Shape = mustShape(t)(Constant(20)) // most of these take a connection each
			if strings.Contains(c.err, "deadline") {
				config.Timeout = 2 * time.Second
			}
			rows, _ := runFor(t, config, 3)
			for _, r := range rows {
				got := Row{Outcome: r.Outcome, Status: r.Status, Instance: r.Instance, Attempts: r.Attempts}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if c.err == "" && r.Err != "" || !strings.Contains(r.Err, c.err) {
					t.Errorf("error %q, want %q", r.Err, c.err)
				}
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := loose(testConfig(t))
	c.Target = "http://" + l.Addr().String()
	l.Close()
	rows, _ := runFor(t, c, 5)
	for _, r := range rows {
		if r.Outcome != Refused || r.Attempts != 0 || r.Status != 0 || !strings.Contains(r.Err, "connection refused") {
			t.Errorf("%+v", r)
		}
	}
}

// TestStallDoesNotHideWaiting: the server holds every answer back until 30
// requests have come. In a closed loop, or with latencies from sending by a
// generator that waits, there would be no such moment.
func TestStallDoesNotHideWaiting(t *testing.T) {
	var waiting sync.WaitGroup
	waiting.Add(30)
	c := loose(testConfig(t))
	c.Target = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if seq, err := strconv.Atoi(strings.TrimPrefix(r.Header.Get("X-Request-Id"), "test-")); err != nil {
			t.Error(err)
		} else if seq < 30 {
			waiting.Done()
		}
		waiting.Wait()
	})
	rows, _ := runFor(t, c, 40)
	for _, r := range rows {
		last, _ := c.Shape.Due(29)
		due, _ := c.Shape.Due(r.Seq)
		if r.Latency() < last-due {
			t.Errorf("request %d was done %v after it was due; it waited for a request due %v later", r.Seq, r.Latency(), last-due)
		}
	}
}

func TestInFlightRequestsEndBeforeRunReturns(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	release := make(chan struct{})
	var once sync.Once
	c := loose(testConfig(t))
	c.Target = serve(t, func(w http.ResponseWriter, r *http.Request) {
		once.Do(func() { // the load ends while this and later requests are in flight
			cancel()
			time.AfterFunc(50*time.Millisecond, func() { close(release) })
		})
		<-release
	})
	rows, summary := runUntil(ctx, t, c, func([]Row) {})
	if summary.Acked != summary.Requests || len(rows) == 0 || summary.Unsent != 0 {
		t.Errorf("%+v; want every request acked, none unsent", summary)
	}
	// all that was due by the end was sent, and nothing that was due later
	last, _ := c.Shape.Due(uint64(len(rows) - 1))
	next, _ := c.Shape.Due(uint64(len(rows)))
	if last > summary.Duration || next <= summary.Duration {
		t.Errorf("%d requests by %v: the last is due at %v, the next at %v", len(rows), summary.Duration, last, next)
	}
}

func TestScheduleMissedAtMaxInFlight(t *testing.T) {
	c := testConfig(t)
	c.MaxInFlight = 2
	c.Timeout = 2 * time.Second
	c.LatenessP99 = 20 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var arrived atomic.Int64
	c.Target = rawServer(t, func(c net.Conn) {
		if arrived.Add(1) == 2 { // from here on requests are held up
			time.AfterFunc(100*time.Millisecond, cancel)
		}
		io.Copy(io.Discard, c) // never answers
	})

	_, s := runUntil(ctx, t, c, func([]Row) {})
	due := uint64(0)
	for offset, _ := c.Shape.Due(due); offset <= s.Duration; offset, _ = c.Shape.Due(due) {
		due++
	}
	if s.Requests != 2 || s.Unsent == 0 || s.Requests+s.Unsent != due {
		t.Errorf("%d requests and %d unsent, want 2 (the third would be sent long after the end) and the rest of %d", s.Requests, s.Unsent, due)
	}
	if want := were(s.Unsent) + " due and never sent (at most 2 may be in flight)"; !strings.Contains(s.Missed, want) {
		t.Errorf("missed: %q, want %q in it", s.Missed, want)
	}
}

func TestMissed(t *testing.T) {
	c := testConfig(t).withDefaults()
	for _, test := range []struct {
		summary Summary
		want    string
	}{
		{Summary{}, ""},
		{Summary{Requests: 1000, Late: 10, Lateness: Quantiles{Max: time.Second}}, ""},
		{Summary{Requests: 1000, Late: 11, Lateness: Quantiles{Max: time.Second}}, "11 of 1000 requests were sent more than 100ms late (at most 1 % may be)"},
		{Summary{Requests: 1000, Late: 1, Lateness: Quantiles{Max: 1200 * time.Millisecond}}, "one request was sent 1.2s late (at most 1s)"},
		{Summary{Unsent: 1, Exhausted: 1}, "1 request was due and never sent (at most 10000 may be in flight); 1 request could not be sent, for want of file descriptors, ports or memory on this machine"},
		{Summary{Unsent: 3}, "3 requests were due and never sent (at most 10000 may be in flight)"},
		{Summary{Requests: 9, Exhausted: 2}, "2 requests could not be sent, for want of file descriptors, ports or memory on this machine"},
		{Summary{Requests: 1, Late: 1, Lateness: Quantiles{Max: 2 * time.Second}}, "1 of 1 requests were sent more than 100ms late (at most 1 % may be); one request was sent 2s late (at most 1s)"},
	} {
		if got := missed(test.summary, c); got != test.want {
			t.Errorf("%+v: missed %q, want %q", test.summary, got, test.want)
		}
	}
}

// TestRunEndsAtOnce: the next request is due in an hour, or never.
func TestRunEndsAtOnce(t *testing.T) {
	must := mustShape(t)
	for name, shape := range map[string]Shape{
		"late":  must(Constant(1. / 7200)),
		"never": must(Steps([]Level{{0.001, time.Second}, {0, 0}})),
	} {
		c := testConfig(t)
		c.Shape = shape
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		began := time.Now()
		rows, s := runUntil(ctx, t, c, func([]Row) {})
		cancel()
		if took := time.Since(began); took > 30*time.Second || len(rows) != 0 || s.Missed != "" {
			t.Errorf("%s: %d rows after %v, missed %q", name, len(rows), took, s.Missed)
		}
		if diff := cmp.Diff(Quantiles{}, s.Latency); diff != "" {
			t.Errorf("%s: quantiles of no requests: %s", name, diff)
		}
	}
}

func TestGeneratorRunsOnce(t *testing.T) {
	g, err := New(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Stats{}, g.Stats()); diff != "" {
		t.Errorf("before the run: %s", diff)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := g.Run(ended, func(Row) { t.Error("a row") }); err != nil || s.Requests != 0 {
		t.Errorf("after its context had ended: %+v, %v", s, err)
	}
	if _, err := g.Run(t.Context(), func(Row) {}); err == nil || !strings.Contains(err.Error(), "has run before") {
		t.Errorf("a second run: %v", err)
	}
}

func TestStatsWhileRunning(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	release := make(chan struct{})
	c := loose(testConfig(t))
	c.Target = serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	c.Shape = first{c.Shape, 10}
	g, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		defer cancel()
		for g.Stats().InFlight < 10 {
			if ctx.Err() != nil {
				t.Error("10 requests were never in flight")
				break
			}
			time.Sleep(time.Millisecond)
		}
		close(release)
		for s := g.Stats(); s.Acked < 10; s = g.Stats() {
			if s.Acked+s.InFlight > s.Sent || ctx.Err() != nil {
				t.Errorf("%+v", s)
				break
			}
			time.Sleep(time.Millisecond)
		}
	})
	if _, err := g.Run(ctx, func(Row) {}); err != nil {
		t.Error(err)
	}
	running.Wait()
}

// TestNothingIsLeftBehind: after Run its goroutines and connections end.
func TestNothingIsLeftBehind(t *testing.T) {
	c := loose(testConfig(t))
	var open sync.WaitGroup
	c.Target = rawServer(t, func(c net.Conn) {
		open.Add(1)
		defer open.Done()
		in := bufio.NewReader(c)
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	before := runtime.NumGoroutine()
	runFor(t, c, 20)
	open.Wait() // the client has closed its connections
	for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
	}
}
