package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

type memory struct {
	mu      sync.Mutex
	samples []collector.Sample
	err     error
}

func (m *memory) Append(samples ...collector.Sample) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.samples = append(m.samples, samples...)
	return m.err
}

func (m *memory) of(name string) []collector.Sample {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []collector.Sample
	for _, s := range m.samples {
		if s.Name == name {
			out = append(out, s)
		}
	}
	return out
}

// pollFunc is a Poller that is a function.
type pollFunc func(ctx context.Context, at time.Time) ([]collector.Sample, error)

func (f pollFunc) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	return f(ctx, at)
}

func one(name string) collector.Poller {
	return pollFunc(func(_ context.Context, at time.Time) ([]collector.Sample, error) {
		return []collector.Sample{{Name: name, At: at, Value: 1, Observed: 1}}, nil
	})
}

func add(t *testing.T, l *Loop, name string, p collector.Poller) {
	t.Helper()
	if err := l.Add(name, p); err != nil {
		t.Fatal(err)
	}
}

func TestLoopPollsAtWholeIntervals(t *testing.T) {
	const interval = 20 * time.Millisecond
	sink := &memory{}
	l := NewLoop(Config{Timeout: time.Minute}, collector.Intake{Sink: sink, Interval: interval})
	polled := make(chan struct{}, 1000)
	block, blocked := make(chan struct{}), make(chan struct{})
	first := true
	add(t, l, "slow", pollFunc(func(context.Context, time.Time) ([]collector.Sample, error) {
		if first {
			first = false
			close(blocked)
			<-block
		}
		return nil, nil
	}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	<-blocked
	// Added while Run runs, and not held up by the slow one.
	add(t, l, "fast", pollFunc(func(_ context.Context, at time.Time) ([]collector.Sample, error) {
		polled <- struct{}{}
		return []collector.Sample{{Name: "fast", At: at, Observed: 1}}, nil
	}))
	for range 5 {
		<-polled
	}
	close(block)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	points := sink.of("fast")
	if len(points) < 5 {
		t.Fatalf("%d points of 5 polls", len(points))
	}
	for i, p := range points {
		if p.At.UnixNano()%int64(interval) != 0 {
			t.Errorf("point %d is at %v, which is no whole interval", i, p.At)
		}
		if i > 0 && !p.At.After(points[i-1].At) {
			t.Errorf("point %d is at %v, after one at %v", i, p.At, points[i-1].At)
		}
	}
	figures := l.Figures()
	if len(figures) != 2 || figures[0].Name != "fast" || figures[0].Polls != uint64(len(points)) || figures[0].Failures != 0 {
		t.Errorf("figures: %+v", figures)
	}
	if slow := figures[1]; slow.Missed == 0 || slow.Worst < interval {
		t.Errorf("the slow poller took over %v and missed intervals, but: %+v", interval, slow)
	}
	if got := sink.of("throughline_collector_poll_success"); len(got) == 0 || got[0].Value != 1 || got[0].Labels.Get("poller") == "" {
		t.Errorf("success is told as %+v", got)
	}
	if err := l.Add("late", one("x")); err == nil {
		t.Error("a poller was added after the end")
	}
	if err := l.Run(context.Background()); err == nil {
		t.Error("the loop ran twice")
	}
}

func TestAFailedPollIsCountedNotFatal(t *testing.T) {
	sink := &memory{}
	l := NewLoop(Config{Timeout: 20 * time.Millisecond}, collector.Intake{Sink: sink})
	refused := errors.New("connection refused")
	fail := true
	add(t, l, "lb", pollFunc(func(_ context.Context, at time.Time) ([]collector.Sample, error) {
		if fail {
			return []collector.Sample{{Name: "half", At: at}}, refused
		}
		return []collector.Sample{{Name: "whole", At: at}}, nil
	}))
	add(t, l, "hangs", pollFunc(func(ctx context.Context, _ time.Time) ([]collector.Sample, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	err := l.Fetch(context.Background())
	if !errors.Is(err, refused) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Once returned %v, want both errors", err)
	}
	fail = false
	if err := l.Fetch(context.Background()); errors.Is(err, refused) {
		t.Errorf("Once returned %v", err)
	}
	if got := len(sink.of("half")); got != 0 {
		t.Errorf("%d samples of a failed poll were kept", got)
	}
	if got := len(sink.of("whole")); got != 1 {
		t.Errorf("%d samples of the poll that succeeded, want 1", got)
	}
	want := map[string][]float64{"lb": {0, 1}, "hangs": {0, 0}}
	got := map[string][]float64{}
	for _, s := range sink.of("throughline_collector_poll_success") {
		got[s.Labels.Get("poller")] = append(got[s.Labels.Get("poller")], s.Value)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("success (-want +got):\n%s", diff)
	}
	for _, s := range sink.of("throughline_collector_poll_duration_seconds") {
		if s.Labels.Get("poller") == "hangs" && s.Value < 0.02 {
			t.Errorf("a poll that ran into its timeout of 20 ms took %v s", s.Value)
		}
	}
	figures := l.Figures()
	if f := figures[1]; f.Name != "lb" || f.Polls != 2 || f.Failures != 1 || f.LastError != "poll lb: connection refused" {
		t.Errorf("figures of lb: %+v", f)
	}
}

// TestNoTwoPollsShareATime: a store takes one value per series and millisecond.
func TestNoTwoPollsShareATime(t *testing.T) {
	sink := &memory{}
	l := NewLoop(Config{}, collector.Intake{Sink: sink})
	add(t, l, "a", one("a"))
	if err := l.Add("a", one("b")); err == nil || err.Error() != "add poller a: there is one of that name; choose another" {
		t.Errorf("a second poller of the same name: %v", err)
	}
	for range 50 {
		if err := l.Fetch(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	points := sink.of("a")
	for i := 1; i < len(points); i++ {
		if points[i].At.UnixMilli() <= points[i-1].At.UnixMilli() {
			t.Fatalf("point %d is at %v, the one before at %v", i, points[i].At, points[i-1].At)
		}
	}
}

func TestSeriesThatAreNoLongerThereEnd(t *testing.T) {
	sink := &memory{}
	l := NewLoop(Config{}, collector.Intake{Sink: sink})
	answers := []struct {
		names []string
		err   error
	}{{[]string{"a", "b"}, nil}, {nil, errors.New("down")}, {[]string{"a"}, nil}, {[]string{"a"}, nil}, {[]string{"a", "b"}, nil}}
	turn := 0
	add(t, l, "p", pollFunc(func(_ context.Context, at time.Time) (out []collector.Sample, err error) {
		for _, n := range answers[turn].names {
			out = append(out, collector.Sample{Name: n, Labels: collector.NewLabels("x", "y"), At: at, Observed: 1})
		}
		err = answers[turn].err
		turn++
		return out, err
	}))
	for range answers {
		_ = l.Fetch(context.Background()) // the second fails, as told
	}
	var got []string
	for _, s := range sink.of("b") {
		got = append(got, fmt.Sprint(s.Stale, s.Labels))
	}
	if diff := cmp.Diff([]string{"false [{x y}]", "true [{x y}]", "false [{x y}]"}, got); diff != "" {
		t.Errorf("b (-want +got):\n%s", diff)
	}
	for _, s := range sink.of("a") {
		if s.Stale {
			t.Errorf("a was there all the time, and ended at %v", s.At)
		}
	}
}

// Of servers that come and go, each has its last counters once more when it is removed, and then ends: what a loop keeps
// grows with how long they are there, and not with how long ago they left. The sum over the last values of all is what
// it would be if they were carried on.
func TestWhatIsCarriedOnIsKeptOnce(t *testing.T) {
	const lives, polls = 20, 100
	sink := &memory{}
	l := NewLoop(Config{}, collector.Intake{Sink: sink})
	turn := 0
	add(t, l, "lb", &HAProxy{Rows: func(context.Context) (rows []HAProxyRow, err error) {
		for n := range min(turn+1, lives) { // one more in each poll, which is removed in the next
			rows = append(rows, HAProxyRow{Proxy: "web", Server: fmt.Sprint("web-", n+1), Kind: Server, Removed: n < turn,
				Values: map[string]float64{"stot": float64(n + 1)}})
		}
		turn++
		return rows, nil
	}})
	for range polls {
		if err := l.Fetch(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	points := sink.of("haproxy_server_stot")
	if len(points) != 3*lives { // while it is there, when it is removed, and the mark of the end
		t.Errorf("%d points of %d servers in %d polls, want 3 of each", len(points), lives, polls)
	}
	last, ended := map[string]float64{}, map[string]bool{}
	for _, p := range points {
		name := p.Labels.Get("server")
		if ended[name] {
			t.Errorf("%s has a point after its end", name)
		}
		if ended[name] = p.Stale; !p.Stale {
			last[name] = p.Value
		}
	}
	sum := 0.0
	for _, v := range last {
		sum += v
	}
	if want := float64(lives * (lives + 1) / 2); sum != want || len(last) != lives {
		t.Errorf("the last values of %d servers sum up to %v, want %v of %d", len(last), sum, want, lives)
	}
}

func TestASinkThatFailsIsTold(t *testing.T) {
	broken := errors.New("disk full")
	l := NewLoop(Config{}, collector.Intake{Sink: &memory{err: broken}})
	add(t, l, "a", one("a"))
	if err := l.Fetch(context.Background()); err != nil {
		t.Errorf("the poll itself was good, and Once returned %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Run(ctx); !errors.Is(err, broken) {
		t.Errorf("Run returned %v, want the sink's error", err)
	}
}

func TestHAProxy(t *testing.T) {
	at := time.Date(2013, 11, 14, 9, 0, 0, 0, time.UTC)
	rows := []HAProxyRow{
		{Proxy: "users", Server: "FRONTEND", Kind: Frontend, Values: map[string]float64{"req_tot": 7, "scur": 2}},
		{Proxy: "web", Server: "web-1", Kind: Server, Values: map[string]float64{"hrsp_2xx": 4, "h2-open": 1, "downtime": 1}},
		{Proxy: "web", Server: "web-2", Kind: Server, Removed: true, Status: "MAINT (removed)", Values: map[string]float64{"stot": 3}},
		// HAProxy fills agg_* for its own exporter alone.
		{Proxy: "web", Server: "BACKEND", Kind: Backend, Status: "UP", Values: map[string]float64{"wredis": 1, "agg_server_status": 0, "agg_check_status": 0}},
	}
	h := &HAProxy{Rows: func(context.Context) ([]HAProxyRow, error) { return rows, nil }}
	got, err := h.Poll(context.Background(), at)
	if err != nil {
		t.Fatal(err)
	}
	counter, gauge := &collector.Meta{Type: collector.Counter}, &collector.Meta{Type: collector.Gauge}
	server := func(name string) collector.Labels {
		return collector.NewLabels("instance", name, "proxy", "web", "server", name)
	}
	want := []collector.Sample{
		{Name: "haproxy_frontend_req_tot", Labels: collector.NewLabels("proxy", "users", "server", "FRONTEND"), Meta: counter, At: at, Value: 7, Observed: 1},
		{Name: "haproxy_frontend_scur", Labels: collector.NewLabels("proxy", "users", "server", "FRONTEND"), Meta: gauge, At: at, Value: 2, Observed: 1},
		// It falls when a server that is down is put into maintenance.
		{Name: "haproxy_server_downtime", Labels: server("web-1"), Meta: gauge, At: at, Value: 1, Observed: 1},
		{Name: "haproxy_server_h2_open", Labels: server("web-1"), Meta: gauge, At: at, Value: 1, Observed: 1},
		{Name: "haproxy_server_hrsp_2xx", Labels: server("web-1"), Meta: counter, At: at, Value: 4, Observed: 1},
		{Name: "haproxy_server_stot", Labels: server("web-2"), Meta: counter, At: at, Value: 3},
		{Name: "haproxy_backend_wredis", Labels: collector.NewLabels("proxy", "web", "server", "BACKEND"), Meta: counter, At: at, Value: 1, Observed: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rows[1].Kind = "\x01"
	if _, err := h.Poll(context.Background(), at); err == nil {
		t.Error("a row of no kind was taken")
	}
	down := errors.New("connection refused")
	h.Rows = func(context.Context) ([]HAProxyRow, error) { return rows[:1], down }
	if got, err := h.Poll(context.Background(), at); !errors.Is(err, down) || got != nil {
		t.Errorf("got %v and %v from statistics that failed", got, err)
	}
}

// TestHAProxyServerStates: what HAProxy says of a server, from its statistics
// (management.txt, section 9.1) and its source, becomes one of five states.
func TestHAProxyServerStates(t *testing.T) {
	for _, c := range []struct {
		status, check string
		weight        float64
		state         string // "": not known
		up            float64
	}{
		{"UP", "L7OK", 1, "UP", 1},
		{"UP 1/3", "L7TOUT", 100, "UP", 1}, // going down
		{"no check", "", 1, "UP", 1},
		{"DOWN", "L4CON", 1, "DOWN", 0},
		{"DOWN 1/2", "L7OK", 1, "DOWN", 0}, // going up
		{"DOWN (agent)", "L7OK", 1, "DOWN", 0},
		{"MAINT", "", 1, "MAINT", 0},
		{"MAINT (via be/web-9)", "L7OK", 1, "MAINT", 0},
		{"MAINT (resolution)", "", 1, "MAINT", 0},
		{"MAINT(via)", "", 0, "MAINT", 0}, // before 1.7
		{"DRAIN", "L7OK", 1, "DRAIN", 1},
		{"DRAIN 1/2", "L7OK", 0, "DRAIN", 1},
		{"no check", "", 0, "DRAIN", 1}, // without weight nothing new comes
		{"UP", "L7OK", 0, "DRAIN", 1},
		{"DOWN", "L4CON", 0, "DOWN", 0},
		{"NOLB", "L7STS", 1, "NOLB", 0},
		{"NOLB 1/3", "L7STS", 1, "NOLB", 0},
		{"", "", 1, "", 0},
		{"WONDERFUL", "", 1, "", 0},
	} {
		h := &HAProxy{Rows: func(context.Context) ([]HAProxyRow, error) {
			return []HAProxyRow{{Proxy: "web", Server: "web-1", Kind: Server, Status: c.status, Check: c.check, Values: map[string]float64{"weight": c.weight}}}, nil
		}}
		samples, err := h.Poll(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		got, want := map[string]float64{}, map[string]float64{}
		for _, s := range samples {
			if s.Labels.Get("instance") != "web-1" || s.Labels.Get("proxy") != "web" || s.Meta.Type != collector.Gauge || s.Observed != 1 {
				t.Errorf("%q: %+v", c.status, s)
			}
			got[s.Name+" "+s.Labels.Get("state")] = s.Value
		}
		want["haproxy_server_weight "] = c.weight
		if c.state != "" {
			for _, state := range []string{"DOWN", "UP", "MAINT", "DRAIN", "NOLB"} {
				want["haproxy_server_status "+state] = 0
			}
			want["haproxy_server_status "+c.state], want["haproxy_server_up "] = 1, c.up
		}
		if c.check != "" {
			want["haproxy_server_check_status "+c.check] = 1
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q, weight %v (-want +got):\n%s", c.status, c.weight, diff)
		}
	}
}

func TestMongoSamples(t *testing.T) {
	at := time.Date(2013, 11, 14, 9, 0, 0, 0, time.UTC)
	raw := func(v any) bson.Raw {
		b, err := bson.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	got, err := mongoSamples(raw(bson.M{
		"opcounters":     bson.M{"insert": int32(1), "update": int64(5_000_000_000), "query": 3.0},
		"connections":    bson.M{"current": int32(4), "totalCreated": int64(9)},
		"mem":            bson.M{"resident": int32(50)},
		"uptime":         12.5,
		"opcountersRepl": bson.M{"insert": int64(0), "update": int64(7)},
	}), at, slices.Concat(mongoFields, memberFields))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for _, s := range got {
		if !s.At.Equal(at) || s.Observed != 1 {
			t.Errorf("%+v is not one measurement at %v", s, at)
		}
		lines[fmt.Sprint(s.Name, s.Labels, s.Meta.Type, s.Value)] = true
	}
	want := map[string]bool{
		"mongodb_opcounters_total[{type insert}]counter1":      true,
		"mongodb_opcounters_total[{type update}]counter5e+09":  true,
		"mongodb_opcounters_total[{type query}]counter3":       true,
		"mongodb_connections[{state current}]gauge4":           true,
		"mongodb_connections_created_total[]counter9":          true,
		"mongodb_memory_mebibytes[{kind resident}]gauge50":     true,
		"mongodb_uptime_seconds[]gauge12.5":                    true,
		"mongodb_opcounters_repl_total[{type insert}]counter0": true,
		"mongodb_opcounters_repl_total[{type update}]counter7": true,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := mongoSamples(raw(bson.M{"ok": 1}), at, mongoFields); err == nil {
		t.Error("an answer without opcounters was taken")
	}
	if _, err := mongoSamples(raw(bson.M{"opcounters": bson.M{"insert": "many"}}), at, mongoFields); err == nil {
		t.Error("a text was taken for a number")
	}
	// One that has no opcounters may tell how often each command was given.
	total := func(n any) bson.M { return bson.M{"total": n, "failed": int64(0)} }
	got, err = mongoSamples(raw(bson.M{"metrics": bson.M{"commands": bson.M{"update": total(int64(7)), "find": total(int64(8)), "hello": total(int64(9))}}}), at, mongoFields)
	if err != nil {
		t.Fatal(err)
	}
	lines = map[string]bool{}
	for _, s := range got {
		lines[fmt.Sprint(s.Name, s.Labels, s.Meta.Type, s.Value)] = true
	}
	want = map[string]bool{
		"mongodb_opcounters_total[{type insert}]counter0": true, "mongodb_opcounters_total[{type query}]counter8": true,
		"mongodb_opcounters_total[{type update}]counter7": true, "mongodb_opcounters_total[{type delete}]counter0": true,
		"mongodb_opcounters_total[{type getmore}]counter0": true,
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("of commands (-want +got):\n%s", diff)
	}
	if _, err := mongoSamples(raw(bson.M{"metrics": bson.M{"commands": bson.M{"update": total("many")}}}), at, mongoFields); err == nil {
		t.Error("a text was taken for a number of commands")
	}
}

func TestMongoThatIsNotThere(t *testing.T) {
	if _, err := NewMongo("http://127.0.0.1"); err == nil {
		t.Error("a URI of another kind was taken")
	}
	m, err := NewMongo("mongodb://127.0.0.1:1/?directConnection=true")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := m.Poll(ctx, time.Now()); err == nil {
		t.Error("a server that is not there was polled")
	}
	if _, err := m.Words(ctx); err == nil {
		t.Error("documents were read from a server that is not there")
	}
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
