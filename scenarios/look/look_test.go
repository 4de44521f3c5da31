package look

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"throughline/collector/dogstatsd"
)

// shop is an application with a counter for each of two routes, a timer, gauges and oddities.
func shop(t *testing.T, to string) *httptest.Server {
	t.Helper()
	statsd, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { statsd.Close() })
	send := func(lines ...string) { fmt.Fprint(statsd, strings.Join(lines, "\n")) }
	known := map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{word}", func(_ http.ResponseWriter, r *http.Request) {
		known[r.PathValue("word")] = true // requests come one after the other
		send("shop.busy:+1|g", "shop.orders:1|c|#zone:a", "shop.orders.time:1.5|ms", "shop.all:1|c", "shop.rare:1|c|@0.5", "shop.memory:70|g", "shop.users:u1|s", "nonsense")
		send("shop.busy:-1|g")
	})
	mux.HandleFunc("GET /orders/{word}", func(w http.ResponseWriter, r *http.Request) {
		send("shop.all:1|c", "shop.asked:1|c")
		if !known[r.PathValue("word")] {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		send("shop.found:1|c", "datadog.dogstatsd.client.metrics:1|c")
	})
	mux.HandleFunc("GET /broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// Metrics that go with the requests of one route are found, and of the others it is said why not.
func TestLook(t *testing.T) {
	socket, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	server := shop(t, socket.Addr())
	seen, err := Look(t.Context(), socket, server.URL, []Route{{"find", "GET", "/orders/{word}"}, {"order", "POST", "/orders/{word}"}, {"broken", "GET", "/broken"}}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	f := seen.Propose()
	got := map[string]string{}
	for _, c := range f.Counters {
		got[c.Metric] = fmt.Sprintf("%s %v", c.Route, c.Successes)
		if c.Lag < 0 || c.Lag > time.Second {
			t.Errorf("%s was on its way for %v", c.Metric, c.Lag)
		}
	}
	for metric, want := range map[string]string{"shop.orders": "order false", "shop.found": "find true", "shop.asked": "find false"} {
		if got[metric] != want {
			t.Errorf("%s: proposed for %q, want %q (%v)", metric, got[metric], want, f.Remarks)
		}
		delete(got, metric)
	}
	if len(got) > 0 {
		t.Errorf("these are proposed, too: %v", got)
	}
	if len(f.Timers) != 1 || f.Timers[0].Metric != "shop.orders.time" || f.Timers[0].Route != "order" || !f.Timers[0].Typed {
		t.Errorf("timers: %+v", f.Timers)
	}
	if len(f.Gauges) != 1 || f.Gauges[0].Metric != "shop.busy" {
		t.Errorf("gauges: %+v", f.Gauges)
	}
	remarks := strings.Join(f.Remarks, "\n")
	for _, want := range []string{"shop.all (counter): it grew by", "sample_rate: 0.5", "shop.memory (gauge)", "shop.users (s)", "lines were not understood", "broken (GET /broken): none of 23 requests was answered with 2xx: 23 × 500"} {
		if !strings.Contains(remarks, want) {
			t.Errorf("%q is not said:\n%s", want, remarks)
		}
	}
	if strings.Contains(remarks, "datadog.") {
		t.Errorf("a client's own metrics are told:\n%s", remarks)
	}
}

// Where nobody answers, that is said at once.
func TestNobodyAnswers(t *testing.T) {
	socket, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if _, err := Look(t.Context(), socket, server.URL, []Route{{"order", "POST", "/"}}, time.Hour); err == nil || !strings.Contains(err.Error(), "no request was answered") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Look(ctx, socket, server.URL, []Route{{"order", "POST", "/"}}, time.Hour); err != context.Canceled {
		t.Errorf("called off: %v", err)
	}
	if _, err := Look(t.Context(), socket, "", make([]Route, MostRoutes+1), 0); err == nil {
		t.Error("more routes than can be told apart are taken")
	}
}

// A client that flushes by a clock is seen to hold counts for as long as it does, whichever of its counters they are of.
func TestWindowIsMet(t *testing.T) {
	socket, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	statsd, err := net.Dial("udp", socket.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer statsd.Close()
	const every = 300 * time.Millisecond
	var held sync.Map
	count := func(name string) http.HandlerFunc {
		held.Store(name, new(atomic.Int64))
		return func(http.ResponseWriter, *http.Request) {
			n, _ := held.Load(name)
			n.(*atomic.Int64).Add(1)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("POST /orders/{word}", count("shop.orders"))
	mux.Handle("GET /stock/{word}", count("shop.stock"))
	server := httptest.NewServer(mux)
	defer server.Close()
	flush := time.NewTicker(every)
	defer flush.Stop()
	go func() {
		for range flush.C {
			held.Range(func(name, n any) bool {
				if count := n.(*atomic.Int64).Swap(0); count > 0 {
					fmt.Fprintf(statsd, "%s:%d|c", name, count)
				}
				return true
			})
		}
	}()
	seen, err := Look(t.Context(), socket, server.URL, []Route{{"stock", "GET", "/stock/{word}"}, {"order", "POST", "/orders/{word}"}}, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	f := seen.Propose()
	if len(f.Counters) != 2 {
		t.Fatalf("%+v", f)
	}
	for _, c := range f.Counters {
		if w := Window(c.Lag); w < every {
			t.Errorf("%s: a window of %v, and its client holds counts for %v", c.Metric, w, every)
		}
	}
}

// A count that comes with others later was on its way for as long, and a window has room for it.
func TestLag(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	m := Metric{Name: "shop.orders", Type: dogstatsd.Count, Points: []Point{{At: at(1000), Value: 2, Rate: 1}, {At: at(2000), Value: 1, Rate: 1}}}
	ends := []time.Time{at(100), at(900), at(1100)}
	if got := m.lag(ends); got != 900*time.Millisecond {
		t.Errorf("the lag is %v", got)
	}
	for lag, want := range map[time.Duration]time.Duration{
		0: 100 * time.Millisecond, 95 * time.Millisecond: 200 * time.Millisecond, 950 * time.Millisecond: 2 * time.Second, 9 * time.Second: 10 * time.Second, 9800 * time.Millisecond: 15 * time.Second, 2 * time.Minute: 121 * time.Second,
	} {
		if got := Window(lag); got != want {
			t.Errorf("a window of %v for a lag of %v, want %v", got, lag, want)
		}
	}
}

// No two routes are asked as often, nor one as often as two others, nor twice as often as another: else a counter would be taken for
// what it is not.
func TestNumbersTellRoutesApart(t *testing.T) {
	is := map[int]string{}
	for i, n := range numbers {
		is[n] = fmt.Sprintf("route %d", i+1)
	}
	for i, n := range numbers {
		for _, m := range numbers[:i+1] {
			if is[n+m] != "" {
				t.Errorf("%d and %d come to %s", n, m, is[n+m])
			}
		}
	}
	if len(is) != MostRoutes {
		t.Errorf("%d numbers for %d routes", len(is), MostRoutes)
	}
}
