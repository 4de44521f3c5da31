package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
	"throughline/collector/poll"
	"throughline/collector/series"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// interval is short, so that the tests are. The PromQL in them looks over
// ranges that hold the whole test.
const interval = 50 * time.Millisecond

// rig is a collector with the sources that there are, as a command line makes it.
type rig struct {
	*Server
	statsd *statsd.Collector
	polls  *poll.Loop
	kept   *series.Store
}

// newRig makes one. It is closed after the test.
func newRig(t *testing.T, receive statsd.Config, c Config) *rig {
	t.Helper()
	r, err := openRig(t, receive, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func openRig(t *testing.T, receive statsd.Config, c Config) (*rig, error) {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Interval == 0 {
		c.Interval = interval
	}
	store, err := series.Open(c.Dir, series.Options{Log: c.Log})
	if err != nil {
		return nil, err
	}
	c.Store, c.Recents = store, store
	s, err := New(c)
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	r := &rig{Server: s, statsd: statsd.New(receive, s.Intake()), polls: poll.NewLoop(poll.Config{}, s.Intake()), kept: store}
	s.Add(r.statsd, r.polls)
	return r, r.polls.Add("collector", s.Self())
}

func newServer(t *testing.T, c Config) *rig {
	t.Helper()
	return newRig(t, statsd.Config{}, c)
}

func (r *rig) Close() error { return errors.Join(r.Server.Close(), r.kept.Close()) }

// listen opens a socket for an instance and gives host:port.
func (r *rig) listen(instance string, labels collector.Labels) (string, error) {
	addr, err := r.statsd.Listen(statsd.Listener{Instance: instance, Labels: labels, Addr: socket.Address{Network: socket.UDP, Host: "127.0.0.1:0"}})
	return addr.String(), err
}

// long is an interval that ends with the server, not before.
const long = 5 * time.Minute

// inOneInterval is a collector whose interval has just begun, so that all that a test
// sends is in one, and the time of that one's samples.
func inOneInterval(t *testing.T, c Config) (*rig, time.Time) {
	t.Helper()
	began := time.Now()
	first := began.Truncate(long)
	c.Interval = long
	return newRig(t, statsd.Config{Now: func() time.Time { return first.Add(time.Since(began)) }}, c), first.Add(long)
}

// start runs s until the returned function is called.
func start(t *testing.T, s *rig) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// sender listens for an instance and returns what sends to it.
func sender(t *testing.T, s *rig, instance string, labels ...string) func(format string, args ...any) {
	t.Helper()
	addr, err := s.listen(instance, collector.NewLabels(labels...))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return func(format string, args ...any) {
		t.Helper()
		if _, err := fmt.Fprintf(conn, format, args...); err != nil {
			t.Fatal(err)
		}
	}
}

// ask evaluates expr and writes the answer down: labels → value.
func ask(t *testing.T, s *rig, expr string, at time.Time) map[string]float64 {
	t.Helper()
	answer, err := s.kept.Query(context.Background(), expr, at)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, series := range answer.Series {
		var labels []string
		for _, l := range series.Labels {
			labels = append(labels, l.Name+"="+l.Value)
		}
		got[strings.Join(labels, " ")] = series.Points[0].Value
	}
	return got
}

// soon is later than every point that the collector may have written by now.
func soon() time.Time { return time.Now().Add(3 * interval) }

// wait polls until condition holds.
func wait(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestFromTheWireToPromQL(t *testing.T) {
	s := newServer(t, Config{})
	one, two := sender(t, s, "web-1", "zone", "a"), sender(t, s, "web-2", "zone", "b")
	stop := start(t, s)
	// Both send 1..100 ms, the second ten times as much: the median of all is
	// not the mean of their medians.
	var all []float64
	for i := range 100 {
		one("fullstack.insert:1|c|#role:web\nfullstack.insert.time:%d|ms", i+1)
		two("fullstack.insert:1|c|@0.5|#role:web\nfullstack.insert.time:%d|ms|@0.1", 10*(i+1))
		all = append(all, float64(i+1))
		for range 10 {
			all = append(all, float64(10*(i+1)))
		}
	}
	one("fullstack.inflight:5|g\nfullstack.inflight:+3|g\nfullstack.inflight:-1|g")
	stop()

	at := soon()
	for expr, want := range map[string]map[string]float64{
		"fullstack_insert_total":                                   {"__name__=fullstack_insert_total instance=web-1 role=web zone=a": 100, "__name__=fullstack_insert_total instance=web-2 role=web zone=b": 200},
		"fullstack_insert_sampled_total":                           {"__name__=fullstack_insert_sampled_total instance=web-2 role=web zone=b": 100},
		"sum(fullstack_insert_total)":                              {"": 300},
		"fullstack_inflight":                                       {"__name__=fullstack_inflight instance=web-1 zone=a": 7},
		"histogram_count(sum(fullstack_insert_time))":              {"": 1100},
		"histogram_sum(sum(fullstack_insert_time))":                {"": 5050 + 10*50500},
		"sum(throughline_collector_lines_total)":                   {"": 403},
		"sum(throughline_collector_bad_lines_total) or vector(-1)": {"": -1},
		// The first increment of a series is an increase like any other
		// (prometheus/prometheus#3886): the zero before it is there.
		"last_over_time(fullstack_insert_total{instance='web-1'}[1m]) - min_over_time(fullstack_insert_total{instance='web-1'}[1m])": {"instance=web-1 role=web zone=a": 100},
	} {
		if diff := cmp.Diff(want, ask(t, s, expr, at)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
	slices.Sort(all)
	for _, q := range []float64{0.1, 0.5, 0.9, 0.95, 0.99} {
		truth := all[int(math.Ceil(q*float64(len(all))))-1]
		got := ask(t, s, fmt.Sprintf("histogram_quantile(%g, sum(fullstack_insert_time))", q), at)[""]
		if math.Abs(got-truth) > 0.05*truth {
			t.Errorf("quantile %g of both instances is %v, in truth %v: more than 5 %% off", q, got, truth)
		}
	}
	balanced(t, s)
}

// balanced checks that every line is booked, and that nothing was dropped.
func balanced(t *testing.T, s *rig) {
	t.Helper()
	total := s.statsd.Figures().Total
	if total.Lines != total.Accepted+total.BadLines()+total.RefusedLines()+total.Held+total.Events+total.ServiceChecks || total.KernelDrops != 0 {
		t.Errorf("the figures do not balance: %+v", total)
	}
}

func TestARetiredInstanceLeavesNoValueBehind(t *testing.T) {
	s := newServer(t, Config{})
	one, two := sender(t, s, "web-1"), sender(t, s, "web-2")
	start(t, s)
	for _, send := range []func(string, ...any){one, two} {
		send("inflight:5|g\ninsert:1|c\ntime:3|ms")
	}
	wait(t, "both instances have values", func() bool {
		return ask(t, s, "count(inflight) + count(insert_total) + count(time)", soon())[""] == 6
	})
	if err := s.Retire(context.Background(), "web-2"); err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"instance=web-1": 3}
	wait(t, "the series of web-2 end", func() bool {
		got := ask(t, s, `count by (instance) ({__name__=~"inflight|insert_total|time"})`, soon())
		return cmp.Equal(want, got)
	})
	if got := ask(t, s, `count by (instance) ({__name__=~"throughline_collector_.+_total", instance="web-2"})`, soon()); len(got) != 0 {
		t.Errorf("the collector's own figures of web-2 go on: %v", got)
	}
	balanced(t, s)
}

// order remembers in which order samples came.
type order struct {
	mu    sync.Mutex
	names []string
}

func (o *order) Append(samples ...collector.Sample) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range samples {
		o.names = append(o.names, s.Name)
	}
	return nil
}

type pollFunc func(ctx context.Context, at time.Time) ([]collector.Sample, error)

func (f pollFunc) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	return f(ctx, at)
}

// TestTheEndHasAnOrder: the sockets are emptied, the last interval is flushed,
// and only then the last poll is taken: it has seen all that the interval counted.
func TestTheEndHasAnOrder(t *testing.T) {
	var seen order
	s, _ := inOneInterval(t, Config{Sinks: []collector.Sink{&seen}})
	if err := s.polls.Add("db", pollFunc(func(_ context.Context, at time.Time) ([]collector.Sample, error) {
		return []collector.Sample{{Name: "db", At: at, Value: float64(s.statsd.Figures().Total.Lines), Observed: 1}}, nil
	})); err != nil {
		t.Fatal(err)
	}
	send := sender(t, s, "web-1")
	stop := start(t, s)
	for range 100 {
		send("a:1|c")
	}
	stop()
	flushed, polled := slices.Index(seen.names, "a_total"), slices.Index(seen.names, "db")
	if flushed < 0 || polled < flushed {
		t.Errorf("a_total came as number %d, the poll as number %d; want both, and the poll later", flushed, polled)
	}
	if got := ask(t, s, "db", soon()); got["__name__=db"] != 100 {
		t.Errorf("the last poll ran when %v lines were read, want 100", got)
	}
	if polls := s.polls.Figures(); len(polls) != 2 || polls[1].Name != "db" || polls[1].Polls == 0 || polls[1].Failures != 0 {
		t.Errorf("polls: %+v", polls)
	}
	if got := ask(t, s, "throughline_collector_poll_success", soon()); got["__name__=throughline_collector_poll_success poller=db"] != 1 {
		t.Errorf("success of the poll: %v", got)
	}
}

func TestAPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	_, err = openRig(t, statsd.Config{}, Config{Dir: dir, HTTP: taken.Addr().String()})
	if err == nil || !strings.HasPrefix(err.Error(), "http api: ") || !strings.Contains(err.Error(), "choose another address") {
		t.Fatalf("got %v, want to be told to choose another address", err)
	}
	// Nothing was left behind: the store can be opened.
	s := newServer(t, Config{Dir: dir, HTTP: "127.0.0.1:0"})
	if s.Addr() == "" {
		t.Error("no address of the HTTP API")
	}
	// And a second one over the same store is refused.
	if _, err := openRig(t, statsd.Config{}, Config{Dir: dir, HTTP: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("two servers on one store: %v", err)
	}
}

func TestAServerThatNeverRan(t *testing.T) {
	s, err := openRig(t, statsd.Config{}, Config{HTTP: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	addr, err := s.listen("web-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatalf("the StatsD port is still taken: %v", err)
	}
	conn.Close()
}

// get asks the HTTP API and returns the status and the JSON.
func get(t *testing.T, base, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	response, err := http.Get(base + path + "?" + form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body map[string]any
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return response.StatusCode, body
}

func TestHTTP(t *testing.T) {
	s := newServer(t, Config{HTTP: "127.0.0.1:0"})
	send := sender(t, s, "web-1")
	start(t, s)
	send("fullstack.insert:3|c\nfullstack.time:8|ms")
	base := "http://" + s.Addr()
	at := func() url.Values {
		return url.Values{"time": {fmt.Sprintf("%.3f", float64(soon().UnixMilli())/1000)}, "query": {"fullstack_insert_total"}}
	}
	var result []any
	wait(t, "the sample is there", func() bool {
		status, body := get(t, base, "/api/v1/query", at())
		if status != http.StatusOK || body["status"] != "success" {
			t.Fatalf("status %d: %v", status, body)
		}
		data := body["data"].(map[string]any)
		if data["resultType"] != "vector" {
			t.Fatalf("result type %v", data["resultType"])
		}
		result = data["result"].([]any)
		return len(result) == 1
	})
	sample := result[0].(map[string]any)
	if diff := cmp.Diff(map[string]any{"__name__": "fullstack_insert_total", "instance": "web-1"}, sample["metric"]); diff != "" {
		t.Errorf("metric (-want +got):\n%s", diff)
	}
	if value := sample["value"].([]any); len(value) != 2 || value[1] != "3" {
		t.Errorf("value %v, want a time and \"3\"", value)
	}
	for path, want := range map[string]any{
		"/api/v1/label/instance/values?match[]=fullstack_insert_total": []any{"web-1"},
		"/api/v1/labels?match[]=fullstack_insert_total":                []any{"__name__", "instance"},
		"/api/v1/series?match[]=fullstack_insert_total":                []any{map[string]any{"__name__": "fullstack_insert_total", "instance": "web-1"}},
		"/api/v1/metadata?metric=fullstack_time":                       map[string]any{"fullstack_time": []any{map[string]any{"type": "histogram", "help": "StatsD fullstack.time; instance by listener", "unit": "milliseconds"}}},
	} {
		name, query, _ := strings.Cut(path, "?")
		form, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, body := get(t, base, name, form); !cmp.Equal(want, body["data"]) {
			t.Errorf("%s (-want +got):\n%s", path, cmp.Diff(want, body["data"]))
		}
	}
	status, body := get(t, base, "/api/v1/query", url.Values{"query": {"sum("}})
	if status != http.StatusBadRequest || body["status"] != "error" || body["errorType"] != "bad_data" {
		t.Errorf("a bad expression: status %d, %v", status, body)
	}
	response, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# TYPE fullstack_insert_total counter", `fullstack_insert_total{instance="web-1"} 3`, `throughline_collector_lines_total{`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

// TestReplacedWithinAnInterval: servers that take each other's place before an
// interval is over lose nothing, and the store refuses them nothing.
func TestReplacedWithinAnInterval(t *testing.T) {
	dir, began := t.TempDir(), time.Now()
	first := began.Truncate(long)
	at := first.Add(long)
	config := statsd.Config{Now: func() time.Time { return first.Add(time.Since(began)) }}
	host := "127.0.0.1:0"
	for k := range 3 {
		s, err := openRig(t, config, Config{Dir: dir, Interval: long})
		if err != nil {
			t.Fatal(err)
		}
		addr, err := s.statsd.Listen(statsd.Listener{Instance: "web-1", Addr: socket.Address{Network: socket.UDP, Host: host}})
		if err != nil {
			t.Fatal(err)
		}
		host = addr.Host // again, so that the collector's own series are the same
		conn, err := net.Dial("udp", host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "hits:%d|c\ntook:10|ms\nload:+2|g\nbad", 10-k); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		stop := start(t, s)
		stop()
		end := at.Add(time.Duration(k) * long) // the interval in which this one was read
		exactly(t, s, `hits_total{instance="web-1"}`, end, []float64{10, 19, 27}[k])
		exactly(t, s, `histogram_count(took{instance="web-1"})`, end, float64(k+1))
		exactly(t, s, `load{instance="web-1"}`, end, float64(2*(k+1)))
		exactly(t, s, fmt.Sprintf(`increase(throughline_collector_lines_total{instance="web-1"}[%ds])`, int((end.Sub(at)+2*long).Seconds())), end, 4*float64(k+1))
		exactly(t, s, `throughline_collector_append_errors_total`, end, 0)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}
