package app

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// running is an app in its own goroutine.
type running struct {
	url    string
	client *http.Client
	stop   context.CancelFunc
	ended  chan error
	log    *logged
}

// start runs the app over words with its real StatsD client.
func start(t *testing.T, c Config, words Words) *running {
	t.Helper()
	r := &running{client: &http.Client{Timeout: patience}, ended: make(chan error, 1), log: &logged{}}
	t.Cleanup(r.client.CloseIdleConnections)
	c.MongoURI = "mongodb://not-used"
	c.Log = r.log
	ready := make(chan string, 1)
	c.Ready = func(addr string) { ready <- addr }
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	p, err := newParts(c)
	if err != nil {
		t.Fatal(err)
	}
	p.words = words
	var ctx context.Context
	ctx, r.stop = context.WithCancel(t.Context())
	go func() { r.ended <- run(ctx, c, p) }()
	select {
	case addr := <-ready:
		r.url = "http://" + addr
	case err := <-r.ended:
		t.Fatalf("did not start: %v", err)
	}
	return r
}

// wait returns what run returned after stop.
func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(patience):
		t.Fatal("did not stop")
		return nil
	}
}

func (r *running) request(t *testing.T, method, path string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := r.client.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	return response.StatusCode
}

// awaitRefusal returns when no connection is accepted any more.
func (r *running) awaitRefusal(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		conn, err := net.DialTimeout("tcp", strings.TrimPrefix(r.url, "http://"), patience)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(end) {
			t.Fatal("still accepts after the stop")
		}
	}
}

// inserts sends n inserts from four users at once and expects all to succeed.
func (r *running) inserts(t *testing.T, n int) {
	t.Helper()
	var left atomic.Int64
	left.Store(int64(n))
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for left.Add(-1) >= 0 {
				if status := r.request(t, "POST", "/insert/word"); status != 200 {
					t.Errorf("insert: got %d", status)
				}
			}
		})
	}
	users.Wait()
}

func TestEverySuccessIsCountedOnce(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	r := start(t, Config{StatsD: socket.addr(), Instance: "web-2", Zone: "a"}, words)
	r.inserts(t, 50)
	for path, want := range map[string]int{
		"/get": 200, "/get/word": 200, "/toplist": 200, "/get/none": 404, "/insert/%FF": 400, "/healthz": 200, "/none": 404,
	} {
		if got := r.request(t, "GET", path); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	want := map[string]int64{"fullstack.insert": 50, "fullstack.get": 2, "fullstack.toplist": 1}
	if diff := cmp.Diff(want, socket.counts); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	timers := map[string]int{"fullstack.insert.time": 50, "fullstack.get.time": 2, "fullstack.toplist.time": 1}
	if diff := cmp.Diff(timers, socket.timers); diff != "" {
		t.Errorf("timers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"fullstack.inflight": 0}, socket.gauges); diff != "" {
		t.Errorf("gauges (-want +got):\n%s", diff)
	}
	if words.sum() != 50 || !words.closed {
		t.Errorf("database: %d words, closed %v", words.sum(), words.closed)
	}
}

func TestFailuresAreNotCounted(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	words.err = errors.New("connection reset")
	var calls atomic.Int64
	words.enter = func(context.Context) {
		if calls.Add(1)%2 == 0 {
			panic("on purpose")
		}
	}
	r := start(t, Config{StatsD: socket.addr()}, words)
	for range 6 {
		if got := r.request(t, "POST", "/insert/x"); got != 500 {
			t.Errorf("got %d", got)
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	if len(socket.counts) != 0 || len(socket.timers) != 0 || socket.gauges["fullstack.inflight"] != 0 {
		t.Errorf("counted %v, timed %v, in flight %v", socket.counts, socket.timers, socket.gauges)
	}
}

// A stop must wait for the insert in flight, and its count must be on the wire
// when Run returns.
func TestStopFinishesWhatIsInFlight(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	entered, proceed := make(chan struct{}), make(chan struct{})
	words.enter = func(context.Context) { close(entered); <-proceed }
	r := start(t, Config{StatsD: socket.addr()}, words)
	status := make(chan int, 1)
	go func() { status <- r.request(t, "POST", "/insert/slow") }()
	<-entered
	r.stop()
	r.awaitRefusal(t)
	select {
	case err := <-r.ended:
		t.Fatalf("returned %v with a request in flight", err)
	default:
	}
	close(proceed)
	if got := <-status; got != 200 {
		t.Errorf("the request in flight got %d", got)
	}
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	socket.settle(t)
	if got := socket.counts["fullstack.insert"]; got != 1 || words.sum() != 1 {
		t.Errorf("counted %d, in the database %d", got, words.sum())
	}
}

// net/http would wait 5 s for a connection that never asked for anything.
func TestStopDoesNotWaitForUnusedConnections(t *testing.T) {
	socket, words := listenUDP(t), newMemory()
	r := start(t, Config{StatsD: socket.addr()}, words)
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.inserts(t, 1) // accepted after conn, so conn has been accepted
	r.stop()
	if err := r.wait(t); err != nil { // an error is "cut off after 4 s"
		t.Fatal(err)
	}
}

func TestHealthSaysStopping(t *testing.T) {
	counter := &wordCounter{words: newMemory(), log: log.New(io.Discard, "", 0)}
	counter.stopping.Store(true)
	c, response := newContext(t)
	counter.healthz(c)
	if response.Code != 503 || response.Body.String() != `{"error":"stopping"}` {
		t.Errorf("got %d %s", response.Code, response.Body)
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	words := newMemory()
	c := Config{StatsD: listenUDP(t).addr(), MongoURI: "mongodb://not-used", Port: taken.Addr().(*net.TCPAddr).Port, Log: io.Discard}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	p, err := newParts(c)
	if err != nil {
		t.Fatal(err)
	}
	p.words = words
	err = run(t.Context(), c, p)
	if err == nil || !strings.HasPrefix(err.Error(), "listen on HOST and PORT: ") || !words.closed {
		t.Errorf("got %v, database closed %v", err, words.closed)
	}
}

// A stop that takes long ends all the same, and loses nothing.
func TestAStopThatTakesLong(t *testing.T) {
	const long = 300 * time.Millisecond
	socket, words := listenUDP(t), newMemory()
	r := start(t, Config{StatsD: socket.addr(), StopTakes: long}, words)
	r.inserts(t, 5)
	began := time.Now()
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < long {
		t.Errorf("it took %v only", took)
	}
	socket.settle(t)
	if got := socket.counts[counted]; got != 5 {
		t.Errorf("counted %d of 5", got)
	}
}
