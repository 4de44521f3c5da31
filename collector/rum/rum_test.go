package rum

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/collector"
)

// shop is the origin whose pages may send beacons.
const shop = "https://www.example.com"

// request is one to a collector; the zero value of each field but body is that of a good beacon.
type request struct {
	method, path, host, origin, kind string
	body                             string
	header                           http.Header
}

// none is an origin, or a content type, that is not there.
const none = "none"

func send(t *testing.T, c *Collector, r request) (*http.Response, error) {
	t.Helper()
	or := func(s, standard string) string {
		switch s {
		case "":
			return standard
		case none:
			return ""
		}
		return s
	}
	req, err := http.NewRequest(or(r.method, http.MethodPost), "http://"+c.Addr()+or(r.path, Path), strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Host = or(r.host, "localhost")
	if origin := or(r.origin, shop); origin != "" {
		req.Header.Set("Origin", origin)
	}
	if kind := or(r.kind, "text/plain;charset=UTF-8"); kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return resp, err
}

// sink keeps the last sample of each series, and how many measurements stand behind all.
type sink struct {
	mu       sync.Mutex
	last     map[string]collector.Sample
	observed map[string]uint64
}

func (s *sink) Append(samples ...collector.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range samples {
		key := x.Name
		for _, l := range x.Labels {
			key += " " + l.Name + "=" + l.Value
		}
		s.last[key] = x
		s.observed[key] += x.Observed
	}
	return nil
}

// open gives a collector that runs until end, which gives what came of it.
func open(t *testing.T, cfg Config) (c *Collector, end func() *sink) {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	if cfg.Origins == nil {
		cfg.Origins = []string{shop}
	}
	s := &sink{last: map[string]collector.Sample{}, observed: map[string]uint64{}}
	c, err := New(cfg, collector.Intake{Sink: s, Interval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	end = sync.OnceValue(func() *sink {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		return s
	})
	t.Cleanup(func() { end(); c.Close() })
	return c, end
}

const good = `{"id":"run-7","route":"insert","latency_ms":12.5}`

// TestWhatIsABeacon: each request is a beacon or is counted by why it is none, and no other
// begins a series.
func TestWhatIsABeacon(t *testing.T) {
	big := `{"id":"run-7","route":"insert","latency_ms":12.5` + strings.Repeat(" ", MaxBody)
	for _, c := range []struct {
		name   string
		send   request
		status int
		reason string // "" = it is one
	}{
		{"a string", request{body: good}, 204, ""},
		{"a JSON Blob", request{body: good, kind: "application/json"}, 204, ""},
		{"as long as may be", request{body: good + strings.Repeat(" ", MaxBody-len(good))}, 204, ""},
		{"no time at all", request{body: `{"id":"a","route":"insert","latency_ms":0}`}, 204, ""},
		{"by address", request{body: good, host: "127.0.0.1:9103"}, 204, ""},
		{"a byte too long", request{body: big + "}"}, 413, badSize},
		{"a form", request{body: "id=1", kind: "application/x-www-form-urlencoded"}, 415, badType},
		{"no type", request{body: good, kind: none}, 415, badType},
		{"a GET", request{method: "GET"}, 405, badMethod},
		{"another origin", request{body: good, origin: "https://evil.example"}, 403, badOrigin},
		{"almost the origin", request{body: good, origin: "http://www.example.com"}, 403, badOrigin},
		{"an opaque origin", request{body: good, origin: "null"}, 403, badOrigin},
		{"no origin", request{body: good, origin: none}, 403, badOrigin},
		{"another name of this machine", request{body: good, host: "rebound.evil.example"}, 403, badHost},
		{"no JSON", request{body: "hello"}, 400, badBody},
		{"nothing", request{body: ""}, 400, badBody},
		{"two of them", request{body: good + good}, 400, badBody},
		{"another key", request{body: `{"id":"a","route":"insert","latency_ms":1,"user":"me"}`}, 400, badBody},
		{"no id", request{body: `{"route":"insert","latency_ms":1}`}, 400, badID},
		{"an id of anything", request{body: `{"id":"a\nb","route":"insert","latency_ms":1}`}, 400, badID},
		{"a route of anything", request{body: `{"id":"a","route":"in{sert}","latency_ms":1}`}, 400, badRoute},
		{"a route that is not there", request{body: `{"id":"a","route":"inserts","latency_ms":1}`}, 400, badRoute},
		{"no latency", request{body: `{"id":"a","route":"insert"}`}, 400, badLatency},
		{"a latency below 0", request{body: `{"id":"a","route":"insert","latency_ms":-1}`}, 400, badLatency},
		{"a latency of hours", request{body: `{"id":"a","route":"insert","latency_ms":1e9}`}, 400, badLatency},
		{"a latency that is no number", request{body: `{"id":"a","route":"insert","latency_ms":1e999}`}, 400, badBody},
	} {
		t.Run(c.name, func(t *testing.T) {
			var took []Beacon
			col, end := open(t, Config{Routes: []string{"insert"}, Took: func(b Beacon) { took = append(took, b) }})
			resp, err := send(t, col, c.send)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != c.status {
				t.Errorf("answered with %d, want %d", resp.StatusCode, c.status)
			}
			if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("the answer is not nosniff")
			}
			s := end()
			views, bad := s.last["rum_page_views_total route=insert"].Value, s.last[ownBad+" reason="+c.reason].Value
			if want := c.reason == ""; (views == 1) != want || (len(took) == 1) != want || (bad == 1) == want {
				t.Errorf("%v views, %d taken, %v bad for %q", views, len(took), bad, c.reason)
			}
			if f := col.Figures(); f.Requests != 1 || f.Beacons+f.Bad[c.reason] != 1 {
				t.Errorf("the figures do not balance: %+v", f)
			}
		})
	}
}

// TestElsewhere: what is not at Path is nothing of ours.
func TestElsewhere(t *testing.T) {
	c, end := open(t, Config{})
	resp, err := send(t, c, request{path: "/metrics", body: good})
	if err != nil || resp.StatusCode != 404 || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v, %+v", err, resp)
	}
	if f := end().last[ownRequests].Value; f != 0 {
		t.Errorf("%v requests were counted", f)
	}
}

// TestCORS: a page of the right origin is granted exactly what a beacon takes, and any other
// gets no header at all, on the preflight as on the beacon.
func TestCORS(t *testing.T) {
	const allow = "Access-Control-Allow-"
	granted := map[string]string{allow + "Origin": shop, allow + "Credentials": "true"}
	preflighted := map[string]string{allow + "Origin": shop, allow + "Credentials": "true", allow + "Methods": "POST", allow + "Headers": "Content-Type"}
	refused := map[string]string{}
	for _, c := range []struct {
		name string
		send request
		want map[string]string
	}{
		{"beacon", request{body: good}, granted},
		{"bad beacon", request{body: "?"}, granted},
		{"preflight", request{method: "OPTIONS", kind: none}, preflighted},
		{"preflight of another", request{method: "OPTIONS", origin: "https://example.com"}, refused},
		{"beacon of another", request{body: good, origin: "https://example.com"}, refused},
	} {
		col, end := open(t, Config{})
		resp, err := send(t, col, c.send)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name := range resp.Header {
			if strings.HasPrefix(name, allow) {
				got[name] = resp.Header.Get(name)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if resp.Header.Get("Vary") != "Origin" {
			t.Errorf("%s: a cache may give the answer to another origin", c.name)
		}
		s := end()
		if c.send.method == "OPTIONS" {
			name := ownPreflights
			if len(c.want) == 0 {
				name = ownRefusedPreflight
			}
			if s.last[name].Value != 1 || s.last[ownRequests].Value != 0 {
				t.Errorf("%s: %s is %v, requests %v", c.name, name, s.last[name].Value, s.last[ownRequests].Value)
			}
		}
	}
}

// TestBoundedRoutes: a browser that makes up names begins no more series than there may be.
func TestBoundedRoutes(t *testing.T) {
	c, end := open(t, Config{MaxRoutes: 3})
	for i := range 10 {
		if _, err := send(t, c, request{body: fmt.Sprintf(`{"id":"a","route":"r%d","latency_ms":1}`, i)}); err != nil {
			t.Fatal(err)
		}
	}
	s := end()
	series := 0
	for key := range s.last {
		if strings.HasPrefix(key, Views) {
			series++
		}
	}
	if series != 3 || s.last[ownBad+" reason="+badRoutes].Value != 7 {
		t.Errorf("%d series, %v refused, want 3 and 7", series, s.last[ownBad+" reason="+badRoutes].Value)
	}
}

func TestRate(t *testing.T) {
	now := time.Now()
	c, end := open(t, Config{Rate: 5, Now: func() time.Time { return now }})
	for range 8 {
		if _, err := send(t, c, request{body: good}); err != nil {
			t.Fatal(err)
		}
	}
	if f := c.Figures(); f.Beacons != 5 || f.Bad[badRate] != 3 {
		t.Errorf("%+v: want 5 of 8 taken", f)
	}
	end()
}

// TestBrokenOff: a body that does not come to its end is counted, and hinders nothing.
func TestBrokenOff(t *testing.T) {
	c, end := open(t, Config{})
	conn, err := net.Dial("tcp", c.Addr())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /rum HTTP/1.1\r\nHost: localhost\r\nOrigin: %s\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n{", shop)
	conn.Close()
	if _, err := send(t, c, request{body: good}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); c.Figures().Bad[badCut] == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	s := end()
	if s.last[ownBad+" reason="+badCut].Value != 1 || s.last["rum_page_views_total route=insert"].Value != 1 {
		t.Errorf("%+v", c.Figures())
	}
}

// TestTimes: latencies are kept as other timers are, in milliseconds, and to the microsecond.
func TestTimes(t *testing.T) {
	c, end := open(t, Config{})
	for _, ms := range []string{"4", "4", "100.0004", "1e-300"} {
		if _, err := send(t, c, request{body: `{"id":"a","route":"get","latency_ms":` + ms + `}`}); err != nil {
			t.Fatal(err)
		}
	}
	s := end()
	got := s.last["rum_page_latency route=get"]
	want := &collector.Histogram{Schema: 4, ZeroThreshold: 0x1p-128, ZeroCount: 1, Count: 4, Sum: 108,
		Positive: []collector.Bucket{{Index: 32, Count: 2}, {Index: 107, Count: 1}}}
	if diff := cmp.Diff(want, got.Histogram); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Meta.Unit != "milliseconds" || s.observed["rum_page_latency route=get"] != 4 {
		t.Errorf("unit %q, %d observed", got.Meta.Unit, s.observed["rum_page_latency route=get"])
	}
}

// TestHello: what the page of a collector says to try is a beacon.
func TestHello(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("NOT TESTED: curl is not on PATH")
	}
	c, end := open(t, Config{})
	if out, err := exec.Command("sh", "-c", strings.Replace(c.Hello(), "curl", curl+" -s", 1)).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%s: %v, %s", c.Hello(), err, out)
	}
	if end(); c.Figures().Beacons != 1 {
		t.Errorf("%s: %+v", c.Hello(), c.Figures())
	}
}

func TestRefusedConfig(t *testing.T) {
	for want, c := range map[string]Config{
		"no origin":                      {},
		"without path":                   {Origins: []string{"https://www.example.com/"}},
		`"www.example.com": want scheme`: {Origins: []string{"www.example.com"}},
		`"*": want scheme`:               {Origins: []string{"*"}},
		"want a letter":                  {Origins: []string{shop}, Routes: []string{"a b"}},
		"choose another":                 {Origins: []string{shop}, Addr: "256.0.0.1:1"},
	} {
		_, err := New(c, collector.Intake{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
}

// FuzzBody: no body makes a beacon that is out of bounds.
func FuzzBody(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"id":"\u0000","route":"a","latency_ms":-0}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var b Beacon
		if bad := b.parse(body); bad != nil {
			if bad.status/100 != 4 || bad.reason == "" {
				t.Errorf("%+v", bad)
			}
			return
		}
		if b.ID == "" || len(b.ID) > 128 || b.Route == "" || len(b.Route) > 64 || b.Latency < 0 || b.Latency > longestWait {
			t.Errorf("%+v", b)
		}
	})
}
