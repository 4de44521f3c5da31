package crew

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
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
	*httptest.Server
	hold chan struct{} // nil: it answers at once, else when this is closed

	mu   sync.Mutex
	came map[string][]time.Time
}

func newWeb(t testing.TB) *web {
	w := &web{came: map[string][]time.Time{}}
	w.Server = httptest.NewServer(http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		at := time.Now()
		w.mu.Lock()
		id := r.Header.Get("X-Request-Id")
		w.came[id] = append(w.came[id], at)
		hold := w.hold
		w.mu.Unlock()
		if hold != nil {
			<-hold
		}
		to.Header().Set("X-Served-By", "web-1")
		fmt.Fprintln(to, r.URL.Path)
	}))
	t.Cleanup(w.Close)
	return w
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

// workers starts workers in this process, and keeps them.
type workers struct {
	clock func(number int) func(time.Time) time.Duration // nil: the true one

	mu  sync.Mutex
	all []*inside
}

func (w *workers) start(i Invitation) (Started, error) {
	conn, err := i.Dial()
	if err != nil {
		return nil, err
	}
	one := &inside{conn: conn, gone: make(chan struct{})}
	worker := Worker{Number: i.Number, Token: i.Token}
	if w.clock != nil {
		worker.Clock = w.clock(i.Number)
	}
	go func() {
		defer close(one.gone)
		one.err = worker.Work(context.Background(), conn)
	}()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, one)
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

func testConfig(to *web, n int, start func(Invitation) (Started, error), journal Journal) Config {
	return Config{
		Load: loadgen.Config{Target: to.URL, Run: "run", Seed: 3, Words: 50, Timeout: 2 * time.Second,
			Routes: []loadgen.Route{{Name: "insert", Method: "POST", Path: "/insert/{word}"}, {Name: "get", Path: "/get/{word}"}}, Mix: map[string]int{"insert": 9, "get": 1}},
		Form:    loadgen.Form{Kind: loadgen.SineForm, Rate: 300, Swing: 200, Period: time.Second},
		Workers: n, Listen: "127.0.0.1:0", Token: "sesame", Start: start, Journal: journal,
	}
}

// assemble makes a crew that is closed with the test.
func assemble(t testing.TB, c Config) *Crew {
	t.Helper()
	crew, err := Assemble(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := crew.Close(); err != nil {
			t.Error(err)
		}
	})
	return crew
}

// sent runs a load for a time, and gives its rows in the order of their numbers.
func sent(t testing.TB, crew *Crew, length time.Duration, emit func(loadgen.Row)) ([]loadgen.Row, loadgen.Summary) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var rows []loadgen.Row
	summary, err := crew.Run(ctx, func(r loadgen.Row) {
		rows = append(rows, r)
		if emit != nil {
			emit(r)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b loadgen.Row) int { return int(a.Seq) - int(b.Seq) })
	return rows, summary
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
