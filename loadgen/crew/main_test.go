package crew

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"throughline/loadgen"
)

// TestMain makes this test binary a worker where it is told to, or a coordinator that is there to be killed.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(coordinatorVariable) != "":
		if err := work(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(4)
		}
	case os.Getenv(serverVariable) != "":
		serveNothing()
	case os.Getenv(orphansVariable) != "":
		leaveOrphans(os.Getenv(orphansVariable))
	default:
		os.Exit(m.Run())
	}
}

func work() error {
	i, err := Invited()
	if err != nil {
		return err
	}
	conn, err := i.Dial()
	if err != nil {
		return err
	}
	return Worker{Number: i.Number, Token: i.Token}.Work(context.Background(), conn)
}

// web is a server that keeps when each request came, by its id.
type web struct {
	url  string
	hold time.Duration // an answer takes so long

	mu   sync.Mutex
	came map[string][]time.Time
}

// serve serves on a listener until close is called.
func serve(l net.Listener) (w *web, shut func()) {
	w = &web{url: "http://" + l.Addr().String(), came: map[string][]time.Time{}}
	server := &http.Server{Handler: w}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // until it is closed
	}()
	return w, func() { server.Close(); <-done }
}

// ServeHTTP implements http.Handler.
func (w *web) ServeHTTP(to http.ResponseWriter, r *http.Request) {
	at := time.Now()
	w.mu.Lock()
	id := r.Header.Get("X-Request-Id")
	w.came[id] = append(w.came[id], at)
	w.mu.Unlock()
	time.Sleep(w.hold)
	to.Header().Set("X-Served-By", "web-1")
	fmt.Fprintln(to, r.URL.Path)
}

// number reads the number out of an id: run-w2-17.
func number(t testing.TB, id string, workers int) uint64 {
	t.Helper()
	rest, _ := strings.CutPrefix(id, "run-w")
	worker, digits, _ := strings.Cut(rest, "-")
	k, errK := strconv.Atoi(worker)
	n, errN := strconv.ParseUint(digits, 10, 64)
	if errK != nil || errN != nil || n%uint64(workers) != uint64(k-1) {
		t.Fatalf("a request with the id %q", id)
	}
	return n
}

// inside is a worker in this process.
type inside struct {
	conn net.Conn
	gone chan struct{}
	err  error
}

func (w *inside) ID() string            { return "7" }
func (w *inside) Gone() <-chan struct{} { return w.gone }
func (w *inside) End() string {
	w.conn.Close()
	<-w.gone
	if w.err != nil {
		return w.err.Error()
	}
	return "exit status 0"
}

// world is a crew's: a network, a server, and workers in this process.
type world struct {
	network network
	clock   func(number int) func(time.Time) time.Duration // nil: the true one
	link    func() time.Duration                           // of each write of the worker that is started next, or to it; nil: none
	web     *web
	journal *notes
	staff   []*inside
	config  Config
}

// simulate does something in a world whose time goes on when nobody has anything to do.
func simulate(t *testing.T, workers int, do func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{journal: newNotes()}
		var shut func()
		w.web, shut = serve(w.network.listen("web:80"))
		defer shut()
		w.config = testConfig(w.web.url, workers, w.network.listen("coordinator:1"), w.start, w.journal)
		do(t, w)
		time.Sleep(5 * time.Minute) // whatever is under way comes to its end
	})
}

func (w *world) start(i Invitation) (Started, error) {
	one := &inside{gone: make(chan struct{})}
	var clock func(time.Time) time.Duration
	if w.clock != nil {
		clock = w.clock(i.Number)
	}
	w.staff = append(w.staff, one)
	there, here := net.Pipe()
	if w.link != nil {
		there, here = delayed(there, w.link), delayed(here, w.link)
	}
	one.conn = here
	coordinator := w.network.open[i.Coordinator]
	go func() {
		select {
		case coordinator.came <- there:
		case <-coordinator.closed:
			there.Close()
		}
	}()
	go func() {
		defer close(one.gone)
		one.err = Worker{Number: i.Number, Token: i.Token, Clock: clock, Connect: w.network.dial}.Work(context.Background(), here)
	}()
	return one, nil
}

// notes is a journal that is read later.
type notes struct {
	mu       sync.Mutex
	begun    int
	compared map[int][]Comparison
	ended    map[int]Ending
}

func newNotes() *notes { return &notes{compared: map[int][]Comparison{}, ended: map[int]Ending{}} }

func (n *notes) Begun(int, string) { n.mu.Lock(); defer n.mu.Unlock(); n.begun++ }
func (n *notes) Compared(worker int, c Comparison) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.compared[worker] = append(n.compared[worker], c)
}
func (n *notes) Ended(worker int, e Ending) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended[worker] = e
}

func testConfig(target string, n int, l net.Listener, start func(Invitation) (Started, error), journal Journal) Config {
	return Config{
		Load: loadgen.Config{Target: target, Run: "run", Seed: 3, Words: 50, Timeout: 2 * time.Second,
			Routes: []loadgen.Route{{Name: "insert", Method: "POST", Path: "/insert/{word}"}, {Name: "get", Path: "/get/{word}"}}, Mix: map[string]int{"insert": 9, "get": 1}},
		Form:    loadgen.Form{Kind: loadgen.SineForm, Rate: 300, Swing: 200, Period: time.Second},
		Workers: n, Listener: l, Token: "sesame", Start: start, Journal: journal,
	}
}

// send has a load sent for a time by a crew, and gives its rows in the order of their numbers. emit may be nil.
func send(t testing.TB, c Config, length time.Duration, emit func(*Crew, loadgen.Row)) (*Crew, []loadgen.Row, loadgen.Summary) {
	t.Helper()
	crew, err := Assemble(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var rows []loadgen.Row
	summary, err := crew.Run(ctx, func(r loadgen.Row) {
		rows = append(rows, r)
		if emit != nil {
			emit(crew, r)
		}
	})
	if err := errors.Join(err, crew.Close()); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b loadgen.Row) int { return int(a.Seq) - int(b.Seq) })
	return crew, rows, summary
}

// asPlanned holds rows against the one schedule: each request of it once, up to the last, as a single generator deals it.
func asPlanned(t testing.TB, crew *Crew, rows []loadgen.Row, s loadgen.Summary) {
	t.Helper()
	single, err := loadgen.New(crew.config.Load)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		route, word := single.Request(uint64(i))
		due, _ := crew.config.Load.Shape.Due(uint64(i))
		if r.Seq != uint64(i) || r.Route != route || r.Word != word || r.Due.Sub(s.Start) != due {
			t.Fatalf("row %d is %+v (due after %v), and the schedule has %s %s after %v", i, r, r.Due.Sub(s.Start), route, word, due)
		}
		if r.Sent.Before(r.Due) || r.Done.Before(r.Sent) {
			t.Fatalf("row %d has its end before its beginning: %+v", i, r)
		}
	}
	if want := loadgen.DueBy(crew.config.Load.Shape, s.Duration); uint64(len(rows)) != want || s.Requests != want || s.Unsent != 0 {
		t.Errorf("%d rows; the summary has %d requests, %d unsent; due in %v were %d", len(rows), s.Requests, s.Unsent, s.Duration, want)
	}
}
