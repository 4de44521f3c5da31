package page

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// most is how long a test waits for what must come at once.
const most = 20 * time.Second

// scene is a Show whose parts a test sets.
type scene struct {
	mu    sync.Mutex
	parts []Part
	fails error         // errCrash: it crashes
	takes time.Duration // to give the parts
	asked atomic.Int64
}

var errCrash = errors.New("crash")

func (s *scene) set(parts ...Part) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = parts
}

func (s *scene) Parts() ([]Part, error) {
	s.asked.Add(1)
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails == errCrash {
		panic(s.fails)
	}
	return slices.Clone(s.parts), s.fails
}

func (s *scene) Page(w io.Writer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprint(w, s.parts)
	return err
}

func serve(t *testing.T, c Config, show Show) *Server {
	t.Helper()
	l, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s := New(l, c)
	t.Cleanup(func() { s.Close(0) })
	if show != nil {
		s.Show(show)
	}
	return s
}

// stream is a viewer's end of the events.
type stream struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

func watch(t *testing.T, s *Server) *stream {
	t.Helper()
	got, err := http.Get(s.URL() + "events")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { got.Body.Close() })
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %s, type %s", got.Status, got.Header.Get("Content-Type"))
	}
	time.AfterFunc(most, func() { got.Body.Close() }) // no test waits for ever
	return &stream{t, got.Body, bufio.NewReader(got.Body)}
}

// next reads one message: its fields by their names, comments under "".
func (s *stream) next() map[string]string {
	s.t.Helper()
	fields := map[string]string{}
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			s.t.Fatalf("the stream ended: %v", err)
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			return fields
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			s.t.Fatalf("no field: %q", line)
		}
		fields[name] = strings.TrimPrefix(value, " ")
	}
}

// parts reads messages until one has parts, and gives those.
func (s *stream) parts() (out []Part) {
	s.t.Helper()
	for {
		m := s.next()
		if m["event"] != "parts" {
			continue
		}
		var sent []wire
		if err := json.Unmarshal([]byte(m["data"]), &sent); err != nil {
			s.t.Fatal(err)
		}
		for _, p := range sent {
			out = append(out, Part{p.ID, template.HTML(p.HTML)})
		}
		return out
	}
}

func (s *stream) wants(want ...Part) {
	s.t.Helper()
	if got := s.parts(); !slices.Equal(got, want) {
		s.t.Errorf("got %q, want %q", got, want)
	}
}

var (
	slide = Part{"slide", "<svg>\n<path/></svg>"}
	state = Part{"state", "6 s left"}
)

// A new viewer gets all parts, and then those that have changed, in the format of
// server-sent events.
func TestAViewerGetsAllAndThenWhatChanged(t *testing.T) {
	show := &scene{}
	show.set(slide, state)
	s := serve(t, Config{Every: time.Hour, Beat: time.Hour}, show)
	first := watch(t, s)
	if m := first.next(); m["retry"] != "1000" || len(m) != 1 {
		t.Errorf("the first message is %q", m)
	}
	first.wants(slide, state)
	now := Part{"state", "5 s left"}
	show.set(slide, now)
	s.Look()
	first.wants(now)
	late := watch(t, s)
	late.next()
	m := late.next()
	if m["id"] == "" || m["event"] != "parts" || !strings.Contains(m["data"], `\n\u003cpath/`) {
		t.Errorf("the parts came as %q", m)
	}
}

// What has not changed is not sent, and who gets nothing gets signs of life.
func TestSignsOfLife(t *testing.T) {
	show := &scene{}
	show.set(state)
	v := watch(t, serve(t, Config{Every: time.Millisecond, Beat: 30 * time.Millisecond}, show))
	v.wants(state)
	for range 3 {
		if m := v.next(); len(m) != 1 || m["event"] != "" {
			t.Errorf("got %q, want a comment", m)
		}
	}
}

// While nobody looks on, nothing is asked for.
func TestNobodyLooksOn(t *testing.T) {
	show := &scene{}
	s := serve(t, Config{Every: time.Millisecond}, show)
	before := show.asked.Load()
	time.Sleep(50 * time.Millisecond)
	if n := show.asked.Load(); n != before {
		t.Errorf("asked %d times for parts that nobody looks at", n-before)
	}
	v := watch(t, s)
	until(t, func() bool { return show.asked.Load() > before+3 })
	v.body.Close()
	until(t, func() bool {
		n := show.asked.Load()
		time.Sleep(50 * time.Millisecond)
		return show.asked.Load() == n
	})
}

// What takes long to draw is drawn less often.
func TestASlowShowIsSpared(t *testing.T) {
	show := &scene{takes: 20 * time.Millisecond}
	show.set(state)
	v := watch(t, serve(t, Config{Every: time.Millisecond}, show))
	v.wants(state)
	before := show.asked.Load()
	time.Sleep(2 * time.Second)
	if n := show.asked.Load() - before; n > 3 { // 20 ms, and then 800 ms without
		t.Errorf("asked %d times in 2 s, each of which takes 20 ms", n)
	}
	until(t, func() bool { return show.asked.Load() > before })
}

// until waits for something that must come true.
func until(t *testing.T, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come true")
		}
	}
}

// One that does not read is dropped, and neither the others nor who shows wait for it.
func TestAViewerThatDoesNotRead(t *testing.T) {
	show := &scene{}
	const size, changes = 4 << 20, 8 // more than the kernel keeps
	big := func(n int) Part { return Part{"slide", template.HTML(strings.Repeat(string(rune('a'+n%26)), size))} }
	show.set(big(0))
	s := serve(t, Config{Every: time.Hour, Beat: time.Hour, Patience: 2 * time.Second}, show)
	deaf, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	fmt.Fprintf(deaf, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	until(t, func() bool { return s.watching() == 1 })
	var good tally
	go io.Copy(&good, watch(t, s).body)
	for n := range changes {
		until(t, func() bool { return good.Load() >= int64(n+1)*size })
		show.set(big(n + 1))
		began := time.Now()
		s.Look()
		if took := time.Since(began); took > most/4 {
			t.Errorf("a change waited %v for its viewers", took)
		}
	}
	until(t, func() bool { return good.Load() >= (changes+1)*size && s.watching() == 1 })
}

// tally counts what is written to it.
type tally struct{ atomic.Int64 }

func (n *tally) Write(b []byte) (int, error) {
	n.Add(int64(len(b)))
	return len(b), nil
}

// One that reads slowly misses what was between, and has the newest.
func TestASlowViewerGetsTheNewest(t *testing.T) {
	show := &scene{}
	pad := strings.Repeat("x", 4<<20) // more than the kernel keeps for it
	at := func(n int) Part { return Part{"state", template.HTML(fmt.Sprint(n, pad))} }
	show.set(at(0))
	s := serve(t, Config{Every: time.Hour, Beat: time.Hour, Patience: most}, show)
	slow := watch(t, s)
	for n := 1; n <= 20; n++ {
		show.set(at(n))
		s.Look()
	}
	seen := 0
	for {
		got := slow.parts()
		seen++
		if got[0] == at(20) {
			break
		}
	}
	if seen > 10 {
		t.Errorf("it was sent %d of 21 states: what is old is to be left out", seen)
	}
}

func (s *Server) watching() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.viewers
}

// Who is too much is told so, with a status after which a browser does not ask again.
func TestThereMayBeSoManyViewers(t *testing.T) {
	show := &scene{}
	show.set(state)
	s := serve(t, Config{Viewers: 2}, show)
	first := watch(t, s)
	first.wants(state)
	watch(t, s).wants(state)
	got, err := http.Get(s.URL() + "events")
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	if got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %s", got.Status)
	}
	first.body.Close()
	until(t, func() bool { return s.watching() == 1 })
	watch(t, s).wants(state)
}

// At the end those who look on get the last parts, and are told that there are no more.
func TestTheEnd(t *testing.T) {
	show := &scene{}
	show.set(state)
	s := serve(t, Config{Every: time.Hour}, show)
	v := watch(t, s)
	v.wants(state)
	last := Part{"state", "PASS"}
	show.set(last)
	began := time.Now()
	if err := s.Close(most); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > most/2 {
		t.Errorf("it took %v", took)
	}
	v.wants(last)
	if m := v.next(); m["event"] != "end" {
		t.Errorf("got %q", m)
	}
	if rest, err := io.ReadAll(v.in); err != nil || len(rest) > 0 {
		t.Errorf("the stream does not end in order: %q, %v", rest, err)
	}
	if _, err := http.Get(s.URL()); err == nil {
		t.Error("it still serves")
	}
}

// Nobody who does not read keeps the end waiting for longer than it may.
func TestTheEndDoesNotWait(t *testing.T) {
	show := &scene{}
	show.set(Part{"slide", template.HTML(strings.Repeat("x", 16<<20))})
	s := serve(t, Config{Every: time.Hour, Patience: time.Hour}, show)
	deaf, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	fmt.Fprintf(deaf, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	until(t, func() bool { return s.watching() == 1 })
	began := time.Now()
	s.Close(200 * time.Millisecond)
	if took := time.Since(began); took > most/2 {
		t.Errorf("it took %v", took)
	}
}

// Who looks at another page than is shown now is told to load that; one that has the same
// parts is the same page.
func TestAnotherShow(t *testing.T) {
	show := &scene{}
	show.set(slide, state)
	s := serve(t, Config{Every: time.Hour}, show)
	v := watch(t, s)
	v.wants(slide, state)
	same := &scene{}
	now := Part{"state", "1/2 another run"}
	same.set(slide, now)
	s.Show(same)
	v.wants(now)
	other := &scene{}
	other.set(Part{"verdict", "PASS"})
	s.Show(other)
	if m := v.next(); m["event"] != "another" {
		t.Errorf("got %q", m)
	}
}

// What cannot be drawn for once leaves the page as it is.
func TestAShowThatFails(t *testing.T) {
	show := &scene{}
	show.set(state)
	s := serve(t, Config{Every: time.Hour}, show)
	v := watch(t, s)
	v.wants(state)
	for _, fails := range []error{errors.New("no"), errCrash, nil} {
		show.mu.Lock()
		show.fails = fails
		show.mu.Unlock()
		s.Look()
	}
	now := Part{"state", "5 s left"}
	show.set(now)
	s.Look()
	v.wants(now)
}

func TestThePage(t *testing.T) {
	s := serve(t, Config{}, nil)
	got, err := http.Get(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Refresh") != "1" {
		t.Errorf("before there is anything to see: %s, refresh %q", got.Status, got.Header.Get("Refresh"))
	}
	show := &scene{}
	show.set(state)
	s.Show(show)
	if got, err = http.Get(s.URL()); err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || !strings.Contains(string(text), string(state.HTML)) {
		t.Errorf("%v: %s", err, text)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8",
		"Content-Security-Policy": "frame-ancestors 'none'",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

// Only pages of our own, and programs, may ask, and only by an address or as localhost.
func TestWhoMayAsk(t *testing.T) {
	show := &scene{}
	show.set(state)
	s := serve(t, Config{}, show)
	s.Handle("POST /do", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	port := s.listener.Addr().(*net.TCPAddr).Port
	own := fmt.Sprintf("http://127.0.0.1:%d", port)
	for name, c := range map[string]struct {
		method, path, host, origin, site string
		want                             int
	}{
		"a program":              {method: "POST", path: "do", want: 204},
		"our page":               {method: "POST", path: "do", origin: own, site: "same-origin", want: 204},
		"our page, old browser":  {method: "POST", path: "do", origin: own, want: 204},
		"another site":           {method: "POST", path: "do", origin: "http://evil.example", site: "cross-site", want: 403},
		"another port":           {method: "POST", path: "do", origin: "http://127.0.0.1:1", site: "same-site", want: 403},
		"another site, old":      {method: "POST", path: "do", origin: "http://evil.example", want: 403},
		"a sandboxed page":       {method: "POST", path: "do", origin: "null", want: 403},
		"a name made to point":   {method: "POST", path: "do", host: "evil.example", want: 421},
		"the page by that name":  {method: "GET", path: "", host: "evil.example:80", want: 421},
		"the page as localhost":  {method: "GET", path: "", host: fmt.Sprintf("localhost:%d", port), want: 200},
		"the page by a tunnel":   {method: "GET", path: "", host: "localhost:9999", want: 200},
		"the page by IPv6":       {method: "GET", path: "", host: "[::1]:9999", want: 200},
		"a link on another site": {method: "GET", path: "", site: "cross-site", want: 200},
		"another site's stream":  {method: "GET", path: "events", origin: "http://evil.example", site: "cross-site", want: 403},
		"another method":         {method: "POST", path: "events", want: 405},
		"what is not there":      {method: "GET", path: "etc/passwd", want: 404},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, s.URL()+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = c.host
			for header, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}
			got, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got.Body.Close()
			if got.StatusCode != c.want || got.Header.Get("X-Content-Type-Options") != "nosniff" && c.want != 403 {
				t.Errorf("status %s, want %d", got.Status, c.want)
			}
		})
	}
}

func TestListenTakesTheNextPort(t *testing.T) {
	first, err := Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	taken := first.Addr().(*net.TCPAddr)
	if _, err := Listen(taken.String(), false); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("the port is taken: %v", err)
	}
	next, err := Listen(taken.String(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if p := next.Addr().(*net.TCPAddr).Port; p <= taken.Port || p > taken.Port+nextPorts {
		t.Errorf("port %d after %d", p, taken.Port)
	}
	if _, err := Listen("192.0.2.1:8900", true); err == nil {
		t.Error("an address of nobody here")
	}
}
