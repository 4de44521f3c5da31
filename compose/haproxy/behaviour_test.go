package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestServedByNamesWhoAnsweredAndOnlyThen(t *testing.T) {
	l := startLB(t, Config{ServerTimeout: 300 * time.Millisecond})
	if res := get(t, l.url+"/x"); res.StatusCode != 503 || res.Header.Values(ServedBy) != nil {
		t.Errorf("without servers: %s from %q, want HAProxy's own 503", res.Status, res.Header.Values(ServedBy))
	}
	w := startWeb(t, "web-1")
	l.add(t, w)
	for path, want := range map[string]int{"/x": 200, "/teapot": 418, "/error": 500} {
		res := get(t, l.url+path)
		if by := res.Header.Values(ServedBy); res.StatusCode != want || !slices.Equal(by, []string{"web-1"}) {
			t.Errorf("GET %s: %s from %q, want %d from web-1 alone", path, res.Status, by, want)
		}
	}
	for path, want := range map[string]int{"/hang": 504, "/garbage": 502} {
		res := get(t, l.url+path)
		if by := res.Header.Values(ServedBy); res.StatusCode != want || by != nil {
			t.Errorf("GET %s: %s from %q, want HAProxy's own %d", path, res.Status, by, want)
		}
	}
}

// TestEveryErrorThatHAProxyMakesIsCounted: a 503 for want of a server is in
// econ, but a 502 or 504 for a server that failed after it got the request is
// in eresp, and none of them is in the servers' own 5xx.
func TestEveryErrorThatHAProxyMakesIsCounted(t *testing.T) {
	l := startLB(t, Config{ServerTimeout: 200 * time.Millisecond})
	get(t, l.url+"/x") // 503
	l.add(t, startWeb(t, "web-1"))
	for _, path := range []string{"/hang", "/garbage", "/error", "/x"} { // 504, 502, its own 500, 200
		get(t, l.url+path)
	}
	be, srv := l.row(t, "BACKEND"), l.row(t, "web-1")
	for _, c := range []struct {
		row   Row
		field string
		want  float64
	}{
		{be, "hrsp_5xx", 4}, {srv, "hrsp_5xx", 1}, {be, "econ", 1}, {be, "eresp", 2}, {srv, "eresp", 2}, {be, "hrsp_2xx", 1},
	} {
		if got := c.row.Values[c.field]; got != c.want {
			t.Errorf("%s of %s = %v, want %v", c.field, c.row.Server, got, c.want)
		}
	}
	l.identities(t)
}

func TestRequestsPassUntouchedButForServedBy(t *testing.T) {
	l := startLB(t, Config{})
	w := startWeb(t, "web-1")
	l.add(t, w)
	req, err := http.NewRequest(http.MethodGet, l.url+"/x?q=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", "r-17")
	req.Header.Set(ServedBy, "a client's own")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.lastReq
	if got.Header.Get("X-Request-Id") != "r-17" || got.URL.RawQuery != "q=1" || got.Host != strings.TrimPrefix(l.url, "http://") {
		t.Errorf("the instance got %v %q %v", got.URL, got.Host, got.Header)
	}
	if by := got.Header.Values(ServedBy); by != nil {
		t.Errorf("the instance got %s: %q", ServedBy, by)
	}
}

// load sends requests from n users, each on a connection of its own, until
// stopped; it returns how many were sent and what went wrong.
type load struct {
	sent, ok atomic.Int64
	mu       sync.Mutex
	bad      []string
	cancel   context.CancelFunc
	users    sync.WaitGroup
}

func startLoad(ctx context.Context, url string, n int) *load {
	ctx, cancel := context.WithCancel(ctx)
	l := &load{cancel: cancel}
	for range n {
		l.users.Go(func() {
			transport := &http.Transport{MaxConnsPerHost: 1}
			defer transport.CloseIdleConnections()
			client := http.Client{Transport: transport, Timeout: patience}
			for ctx.Err() == nil {
				l.sent.Add(1)
				// POST, because Go's client repeats a GET on its own.
				res, err := client.Post(url, "text/plain", strings.NewReader("x"))
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				if err == nil && res.StatusCode != 200 {
					err = errors.New(res.Status)
				}
				if err != nil {
					l.mu.Lock()
					l.bad = append(l.bad, err.Error())
					l.mu.Unlock()
					continue
				}
				l.ok.Add(1)
			}
		})
	}
	return l
}

// stop ends the load after what is in flight.
func (l *load) stop() { l.cancel(); l.users.Wait() }

// more returns once n more requests have succeeded.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	goal := l.ok.Load() + n
	for deadline := time.Now().Add(patience); l.ok.Load() < goal; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d requests succeeded", l.ok.Load(), goal)
		}
	}
}

func TestGracefulReplacementFailsNoRequest(t *testing.T) {
	l := startLB(t, Config{})
	first := startWeb(t, "web-1")
	l.add(t, first)
	users := startLoad(t.Context(), l.url+"/slow?for=1ms", 8)
	defer users.stop()
	users.more(t, 50)
	last := first
	for n := 2; n <= 5; n++ {
		next := startWeb(t, fmt.Sprintf("web-%d", n))
		l.add(t, next)
		users.more(t, 50)
		if err := l.Drain(t.Context(), last.name); err != nil {
			t.Fatal(err)
		}
		if err := l.WaitState(within(t), last.name, Draining); err != nil {
			t.Fatal(err)
		}
		if err := l.Remove(within(t), last.name, 0); err != nil {
			t.Fatal(err)
		}
		last.mu.Lock()
		executed := last.executed
		last.mu.Unlock()
		row := l.row(t, last.name)
		if got := int(row.Values["hrsp_2xx"]); got != executed || executed == 0 || !row.Removed {
			t.Errorf("%s executed %d requests, its last row says %d (removed: %v)", last.name, executed, got, row.Removed)
		}
		users.more(t, 50)
		last = next
	}
	users.stop()
	if len(users.bad) > 0 {
		t.Errorf("%d of %d requests failed: %q", len(users.bad), users.sent.Load(), users.bad[0])
	}
	l.identities(t)
}

func TestAKilledServerIsLeftAndCanBeRemoved(t *testing.T) {
	l := startLB(t, Config{})
	webs := []*web{startWeb(t, "web-1"), startWeb(t, "web-2"), startWeb(t, "web-3")}
	for _, w := range webs {
		l.add(t, w)
	}
	users := startLoad(t.Context(), l.url+"/slow?for=1ms", 8)
	defer users.stop()
	users.more(t, 200)
	webs[1].kill()
	if err := l.WaitState(within(t), "web-2", Down); err != nil {
		t.Fatal(err)
	}
	users.more(t, 100)
	s, err := l.State(t.Context(), "web-2")
	if err != nil || s.Check == "" || strings.HasSuffix(s.Check, "OK") {
		t.Errorf("state = %+v, %v; want a failed check", s, err)
	}
	if err := l.Remove(within(t), "web-2", 0); err != nil {
		t.Fatal(err)
	}
	users.more(t, 100)
	users.stop()
	be := l.row(t, "BACKEND")
	// What was in flight at the kill is lost; what could not connect went to
	// another server, so no user got a 5xx for that.
	if n := len(users.bad); n > 8 {
		t.Errorf("%d requests failed, more than were in flight: %q", n, users.bad)
	}
	if be.Values["econ"] != 0 {
		t.Errorf("econ = %v, want none thanks to redispatch", be.Values["econ"])
	}
	l.identities(t)
}

// identities checks what Statistics promises of its rows.
func (l *lb) identities(t *testing.T) {
	t.Helper()
	rows, err := l.Statistics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var fe, be Row
	sum := map[string]float64{}
	for _, row := range rows {
		switch row.Kind {
		case FrontendRow:
			fe = row
		case BackendRow:
			be = row
		case Server:
			for name, v := range row.Values {
				sum[name] += v
			}
		}
	}
	var answered float64
	for name, v := range fe.Values {
		if strings.HasPrefix(name, "hrsp_") {
			answered += v
		}
	}
	equal := func(what string, a, b float64) {
		t.Helper()
		if a != b {
			t.Errorf("%s: %v is not %v", what, a, b)
		}
	}
	if fe.Values["req_tot"] == 0 {
		t.Error("no requests: the identities prove nothing")
	}
	between := func(what string, low, v, high float64) {
		t.Helper()
		if v < low || v > high {
			t.Errorf("%s: not %v <= %v <= %v", what, low, v, high)
		}
	}
	b := be.Values
	between("BE.stot + wredis - econ <= BE.lbtot <= BE.stot + wredis", b["stot"]+b["wredis"]-b["econ"], b["lbtot"], b["stot"]+b["wredis"])
	equal("BE.stot = FE.req_tot", be.Values["stot"], fe.Values["req_tot"])
	equal("BE.req_tot = sum FE.hrsp", be.Values["req_tot"], answered)
	between("econ <= BE.5xx - sum srv.5xx <= econ + eresp", b["econ"], b["hrsp_5xx"]-sum["hrsp_5xx"], b["econ"]+b["eresp"])
	equal("sum srv.2xx = BE.2xx", sum["hrsp_2xx"], be.Values["hrsp_2xx"])
	between("wredis - econ <= sum srv.stot - BE.stot <= wretr + wredis", b["wredis"]-b["econ"], sum["stot"]-b["stot"], b["wretr"]+b["wredis"])
}

func TestStatisticsNeverGoBackwardsWhileServersAreReplaced(t *testing.T) {
	l := startLB(t, Config{})
	l.add(t, startWeb(t, "web-0"))
	users := startLoad(t.Context(), l.url+"/x", 4)
	defer users.stop()
	stop := make(chan struct{})
	polled := make(chan error, 1)
	go func() {
		var before float64
		for n := 0; ; n++ {
			select {
			case <-stop:
				if n < 10 {
					polled <- fmt.Errorf("only %d polls", n)
				}
				close(polled)
				return
			default:
			}
			rows, err := l.Statistics(t.Context())
			if err != nil {
				polled <- err
				return
			}
			seen := map[string]bool{}
			var sum float64
			for _, row := range rows {
				if row.Kind != Server {
					continue
				}
				if seen[row.Server] {
					polled <- fmt.Errorf("poll %d: %s has two rows", n, row.Server)
					return
				}
				seen[row.Server] = true
				sum += row.Values["hrsp_2xx"]
			}
			if sum < before {
				polled <- fmt.Errorf("poll %d: the sum over the servers fell from %v to %v", n, before, sum)
				return
			}
			before = sum
		}
	}()
	for n := 1; n <= 10; n++ {
		l.add(t, startWeb(t, fmt.Sprintf("web-%d", n)))
		users.more(t, 20)
		if err := l.Remove(within(t), fmt.Sprintf("web-%d", n-1), 0); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-polled; err != nil {
		t.Error(err)
	}
	users.stop()
	if len(users.bad) > 0 {
		t.Errorf("%d requests failed: %q", len(users.bad), users.bad[0])
	}
	l.identities(t)
}

func TestRemoveWaitsOrCuts(t *testing.T) {
	l := startLB(t, Config{})
	w := startWeb(t, "web-1")
	l.add(t, w)
	answers := make(chan error, 1)
	go func() {
		res, err := http.Post(l.url+"/hang", "text/plain", nil)
		if err == nil {
			res.Body.Close()
			err = errors.New(res.Status)
		}
		answers <- err
	}()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if s, err := l.State(t.Context(), "web-1"); err != nil || time.Now().After(deadline) {
			t.Fatalf("no request in flight: %+v, %v", s, err)
		} else if s.Sessions == 1 {
			break
		}
	}
	brief, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := l.Remove(brief, "web-1", 0)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "web-1: 1 requests are still on it") {
		t.Errorf("remove with a request in flight = %v", err)
	}
	select {
	case err := <-answers:
		t.Fatalf("the request was cut: %v", err)
	default:
	}
	if s, err := l.State(t.Context(), "web-1"); err != nil || s.Status != Draining {
		t.Errorf("after the failed removal: %+v, %v", s, err)
	}
	if err := l.Remove(within(t), "web-1", 50*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if err := <-answers; err == nil {
		t.Error("the request was not cut")
	}
	if row := l.row(t, "web-1"); !row.Removed || row.Values["stot"] != 1 || row.Text["status"] != "MAINT (removed)" {
		t.Errorf("last row: %+v", row)
	} else if _, ok := row.Values["scur"]; ok {
		t.Error("a gauge of a removed server is still there")
	}
}

// A server that is a proxy answers for itself, too. What carries no name is no answer of the instance: neither for users nor in
// the log.
func TestAProxysOwnAnswerIsNoInstances(t *testing.T) {
	log := startLog(t)
	l := startLB(t, Config{Proxied: true, Log: log.LocalAddr().String()})
	l.add(t, startWeb(t, "web-1"))
	for path, want := range map[string]LogLine{
		"/x":       {Server: "web-1", Status: 200, Answered: true, Termination: "--"},
		"/error":   {Server: "web-1", Status: 500, Answered: true, Termination: "--"},
		"/unnamed": {Server: "web-1", Status: 503, Termination: "--"},
	} {
		res := get(t, l.url+path)
		if by := res.Header.Get(ServedBy); res.StatusCode != want.Status || (by == "web-1") != want.Answered || by != "" && by != "web-1" {
			t.Errorf("GET %s: %s from %q", path, res.Status, by)
		}
		if got := log.next(t); got != want {
			t.Errorf("GET %s: the log has %+v, want %+v", path, got, want)
		}
	}
}
