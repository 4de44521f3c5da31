package fault

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/compose"
)

// site is a load balancer that keeps the ids of the requests it got.
type site struct {
	*httptest.Server
	mu  sync.Mutex
	ids map[string]int
	uri map[string]int
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{ids: map[string]int{}, uri: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ids[r.Header.Get("X-Request-Id")]++
		s.uri[r.Method+" "+r.URL.RequestURI()]++
		w.Header().Set("X-Served-By", "web-1")
		if strings.Contains(r.URL.Path, "teapot") {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "answer")
	}))
	t.Cleanup(s.Close)
	return s
}

// The user sees one answer to each request, whatever the load balancer gets.
func TestReplay(t *testing.T) {
	s := newSite(t)
	p, err := NewProxy("127.0.0.1", s.URL, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ask := func(id, path string) *http.Response {
		req, err := http.NewRequest(http.MethodPost, p.URL()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Request-Id", id)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "answer" || resp.Header.Get("X-Served-By") != "web-1" {
			t.Fatalf("got %q, %v, served by %q", body, err, resp.Header.Get("X-Served-By"))
		}
		return resp
	}
	if resp := ask("before", "/teapot?a=b%20c"); resp.StatusCode != http.StatusTeapot {
		t.Errorf("the status became %s", resp.Status)
	}
	heal := inject(t, Replay{Proxy: p, Share: 0.5})
	for range 40 {
		ask("while", "/x")
	}
	touched := heal().Sum()
	ask("after", "/x")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids["before"] != 1 || s.ids["after"] != 1 || s.uri["POST /teapot?a=b%20c"] != 1 {
		t.Errorf("a request of a healthy time did not come once and unchanged: %v %v", s.ids, s.uri)
	}
	if touched == 0 || touched == 40 || s.ids["while"] != 40+int(touched) {
		t.Errorf("of 40 requests %d came, and %d were touched", s.ids["while"], touched)
	}
}

func TestLeftoverLoad(t *testing.T) {
	s := newSite(t)
	heal := inject(t, LeftoverLoad{Target: s.URL, Rate: 500, Routes: []Request{{http.MethodPost, "/insert/{word}"}, {http.MethodGet, "/get"}}})
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		n := len(s.ids)
		s.mu.Unlock()
		if n >= 10 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing comes")
		}
	}
	touched := heal().Sum()
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(touched) != len(s.ids) || s.ids["leftover-0"] != 1 || s.uri["POST /insert/leftover-0"] == 0 || s.uri["GET /get"] == 0 {
		t.Errorf("%d were touched, and came: %v %v", touched, s.ids, s.uri)
	}
	if err := (LeftoverLoad{Target: s.URL}).Possible(); err == nil {
		t.Error("a load without routes is possible")
	}
}

func TestLeftoverLines(t *testing.T) {
	in := newInbox(t)
	heal := inject(t, LeftoverLines{Addrs: func() map[string]string { return map[string]string{"web-2": in.addr()} }, Metric: "shop.orders", Rate: 500})
	in.wait(t, 5)
	touched := heal()
	for _, d := range in.wait(t, int(touched["web-2"])) {
		if d != "shop.orders:1|c" {
			t.Errorf("got %q", d)
		}
	}
	if err := (LeftoverLines{Addrs: func() map[string]string { return map[string]string{"web-2": "nowhere"} }}).Possible(); err == nil {
		t.Error("an address that is none is possible")
	}
}

// patient is an instance that notes whether it is frozen.
type patient struct {
	compose.Handle
	frozen bool
	refuse error
	gone   bool
}

func (p *patient) Wait(context.Context) (compose.Exit, error) {
	if !p.gone {
		return compose.Exit{}, context.Canceled
	}
	return compose.Exit{}, nil
}

func (p *patient) Name() string                 { return "web-1" }
func (p *patient) Pause(context.Context) error  { p.frozen = p.refuse == nil; return p.refuse }
func (p *patient) Resume(context.Context) error { p.frozen = false; return nil }

// rigid is an instance that cannot be frozen.
type rigid struct{ compose.Handle }

func (rigid) Name() string { return "web-2" }

func TestFreeze(t *testing.T) {
	p, q := &patient{}, &patient{refuse: errors.New("no")}
	of := func(handles ...compose.Handle) Freeze {
		return Freeze{Instances: func() ([]compose.Handle, error) { return handles, nil }}
	}
	heal := inject(t, of(p))
	if !p.frozen {
		t.Error("it is not frozen")
	}
	if touched := heal(); p.frozen || touched["web-1"] != 1 {
		t.Errorf("healed, it is frozen: %v; touched %v", p.frozen, touched)
	}
	if _, err := of(p, q).Inject(t.Context()); err == nil || p.frozen {
		t.Errorf("one could not be frozen: %v; the other is left frozen: %v", err, p.frozen)
	}
	q.gone = true
	if touched := inject(t, of(p, q))(); p.frozen || len(touched) != 1 {
		t.Errorf("one has ended meanwhile: touched %v, the other is left frozen: %v", touched, p.frozen)
	}
	if _, err := of(q).Inject(t.Context()); !errors.Is(err, q.refuse) {
		t.Errorf("the only one has ended meanwhile: %v", err)
	}
	if err := of(p, rigid{}).Possible(); err == nil || !strings.Contains(err.Error(), "cannot freeze") {
		t.Errorf("a platform that cannot freeze: %v", err)
	}
}
