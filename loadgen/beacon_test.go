package loadgen

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const origin = "https://www.example.com"

// collector takes beacons, and grants preflights as it is told.
type collector struct {
	*httptest.Server
	mu         sync.Mutex
	preflights int
	beacons    map[string]int // by page id
	kinds      map[string]int
	answer     int
	grant      http.Header
}

func newCollector(t *testing.T) *collector {
	c := &collector{beacons: map[string]int{}, kinds: map[string]int{}, answer: http.StatusNoContent, grant: http.Header{
		"Access-Control-Allow-Origin": {origin}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Allow-Headers": {"x-other, Content-Type"}}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if r.Header.Get("Origin") != origin {
			t.Errorf("%s of the origin %q", r.Method, r.Header.Get("Origin"))
		}
		if r.Method == http.MethodOptions {
			c.preflights++
			if r.Header.Get("Access-Control-Request-Method") != "POST" || r.Header.Get("Access-Control-Request-Headers") != "content-type" {
				t.Errorf("a preflight asks for %v", r.Header)
			}
			for name, values := range c.grant {
				w.Header()[name] = values
			}
			return
		}
		text, _ := io.ReadAll(r.Body)
		var b struct {
			ID, Route string
			Latency   float64 `json:"latency_ms"`
		}
		if err := json.Unmarshal(text, &b); err != nil || r.Method != http.MethodPost || b.Route != "insert" || b.Latency < 0 {
			t.Errorf("%s %s: %v", r.Method, text, err)
		}
		c.beacons[b.ID]++
		c.kinds[r.Header.Get("Content-Type")]++
		w.WriteHeader(c.answer)
	}))
	t.Cleanup(c.Close)
	return c
}

// pages sends n requests whose users send beacons, and gives both ledgers.
func pages(t *testing.T, b Beacons, n int, page http.HandlerFunc) ([]Row, []Beacon) {
	t.Helper()
	if page == nil {
		page = func(http.ResponseWriter, *http.Request) {}
	}
	site := httptest.NewServer(page)
	t.Cleanup(site.Close)
	var sent []Beacon // without a lock: Emit is called from one goroutine, which ends before Run does
	b.Origin, b.Emit = origin, func(b Beacon) { sent = append(sent, b) }
	shape, err := Constant(500)
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := runFor(t, loose(Config{Target: site.URL, Shape: shape, Routes: []Route{{Name: "insert", Path: "/"}}, Run: "run", Seed: 7, Beacons: &b}), n)
	return rows, sent
}

// TestBeacons: the declared share of users tell of the page they got, in the declared form,
// once each, and what came of it is in the ledger.
func TestBeacons(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		c := newCollector(t)
		rows, sent := pages(t, Beacons{URL: c.URL, Share: 0.6, JSON: asJSON}, 200, nil)
		if len(sent) < 90 || len(sent) > 150 || len(c.beacons) != len(sent) {
			t.Errorf("JSON %v: %d beacons of 200 users, %d came, want about 120", asJSON, len(sent), len(c.beacons))
		}
		by := map[uint64]Row{}
		for _, r := range rows {
			by[r.Seq] = r
		}
		for _, b := range sent {
			r := by[b.Seq]
			if b.Outcome != Acked || b.Status != 204 || b.Attempts != 1 || b.Again || b.Err != "" || c.beacons["run-"+utoa(b.Seq)] != 1 {
				t.Errorf("%+v, which came %d times", b, c.beacons["run-"+utoa(b.Seq)])
			}
			if want := r.Done.Sub(r.Sent).Truncate(time.Microsecond); b.Latency != want || b.Sent.Before(r.Done) || b.Done.Before(b.Sent) {
				t.Errorf("%+v tells %v of a page that took %v", b, b.Latency, want)
			}
		}
		kind, preflights := "text/plain;charset=UTF-8", 0
		if asJSON {
			kind, preflights = "application/json", len(sent)
		}
		if c.kinds[kind] != len(sent) || c.preflights != preflights {
			t.Errorf("JSON %v: %v, %d preflights", asJSON, c.kinds, c.preflights)
		}
	}
}

func utoa(n uint64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// TestTheSameUsersTell: who sends a beacon is fixed by the seed, and is no other request's business.
func TestTheSameUsersTell(t *testing.T) {
	tell := func() map[uint64]bool {
		c := newCollector(t)
		_, sent := pages(t, Beacons{URL: c.URL, Share: 0.5}, 60, nil)
		who := map[uint64]bool{}
		for _, b := range sent {
			who[b.Seq] = true
		}
		return who
	}
	first, second := tell(), tell()
	if len(first) != len(second) {
		t.Fatalf("%d and %d users", len(first), len(second))
	}
	for seq := range first {
		if !second[seq] {
			t.Errorf("user %d tells once and once not", seq)
		}
	}
}

// TestNoPageNoBeacon: only who got a page tells of one.
func TestNoPageNoBeacon(t *testing.T) {
	c := newCollector(t)
	_, sent := pages(t, Beacons{URL: c.URL, Share: 1}, 40, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Request-Id"), "3") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	if len(sent) != 36 || c.beacons["run-3"] != 0 {
		t.Errorf("%d beacons of 36 pages, %d of one that there was not", len(sent), c.beacons["run-3"])
	}
}

func TestAgain(t *testing.T) {
	c := newCollector(t)
	_, sent := pages(t, Beacons{URL: c.URL, Share: 1, Again: 0.5}, 60, nil)
	twice := 0
	for _, n := range c.beacons {
		if n == 2 {
			twice++
		}
	}
	again := 0
	for _, b := range sent {
		if b.Again {
			again++
		}
	}
	if twice != again || twice < 10 || twice > 50 || len(sent) != 60+twice {
		t.Errorf("%d pages told of twice, %d again in a ledger of %d", twice, again, len(sent))
	}
}

// TestEarly: a page that reports at once does so before it is there.
func TestEarly(t *testing.T) {
	c := newCollector(t)
	came := make(chan struct{}, 1)
	_, sent := pages(t, Beacons{URL: c.URL, Share: 1, Early: true}, 1, func(http.ResponseWriter, *http.Request) {
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			c.mu.Lock()
			n := len(c.beacons)
			c.mu.Unlock()
			if n > 0 {
				came <- struct{}{}
				return
			}
		}
	})
	if len(sent) != 1 || len(came) != 1 {
		t.Errorf("%d sent, %d came while the page was waited for", len(sent), len(came))
	}
}

// TestPreflightRefused: without exactly what it takes, a browser sends nothing.
func TestPreflightRefused(t *testing.T) {
	for name, values := range map[string][]string{
		"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": nil, "Access-Control-Allow-Headers": {"*"},
	} {
		c := newCollector(t)
		c.grant[name] = values
		_, sent := pages(t, Beacons{URL: c.URL, Share: 1, JSON: true}, 5, nil)
		if len(sent) != 5 || len(c.beacons) != 0 {
			t.Fatalf("%s %q: %d sent, %d came", name, values, len(sent), len(c.beacons))
		}
		for _, b := range sent {
			if b.Outcome != Refused || b.Attempts != 0 || !strings.HasPrefix(b.Err, PreflightRefused) {
				t.Errorf("%s %q: %+v", name, values, b)
			}
		}
	}
}

// TestBeaconOutcomes: what a ledger can know of a beacon that was not taken.
func TestBeaconOutcomes(t *testing.T) {
	refusing := newCollector(t)
	refusing.answer = http.StatusForbidden
	hungUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(hungUp.Close)
	away := httptest.NewServer(nil)
	away.Close()
	for _, c := range []struct {
		url      string
		outcome  Outcome
		status   int
		attempts int
	}{{refusing.URL, Refused, 403, 1}, {hungUp.URL, Unknown, 0, 1}, {away.URL, Refused, 0, 0}} {
		_, sent := pages(t, Beacons{URL: c.url, Share: 1}, 3, nil)
		for _, b := range sent {
			if b.Outcome != c.outcome || b.Status != c.status || b.Attempts != c.attempts || (b.Err == "") != (c.status != 0) {
				t.Errorf("%+v, want %v, %d, %d attempts", b, c.outcome, c.status, c.attempts)
			}
		}
		if len(sent) != 3 {
			t.Errorf("%d beacons of 3 pages", len(sent))
		}
	}
}

func TestRefusedBeacons(t *testing.T) {
	whole := Beacons{URL: "http://127.0.0.1:1/rum", Origin: origin, Share: 1, Emit: func(Beacon) {}}
	for want, spoil := range map[string]func(*Beacons){
		"url":          func(b *Beacons) { b.URL = "127.0.0.1:1" },
		"origin":       func(b *Beacons) { b.Origin = "" },
		"share 0":      func(b *Beacons) { b.Share = 0 },
		"share 1.5":    func(b *Beacons) { b.Share = 1.5 },
		"again -1":     func(b *Beacons) { b.Again = -1 },
		"nobody takes": func(b *Beacons) { b.Emit = nil },
	} {
		b := whole
		spoil(&b)
		if err := b.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := whole.check(); err != nil {
		t.Error(err)
	}
}
