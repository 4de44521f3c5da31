package external

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/compose"
)

func TestPrivate(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "::1": true, "10.1.2.3": true, "172.16.0.1": true, "172.32.0.1": false, "192.168.1.1": true,
		"169.254.1.1": true, "fe80::1": true, "fd00::1": true, "fc00::1": true, "2001:db8::1": false, "::ffff:10.0.0.1": true, "::ffff:8.8.8.8": false,
		"8.8.8.8": false, "100.64.0.1": false, "0.0.0.0": false, "::": false, "224.0.0.1": false,
	} {
		if got := Private(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is private: %v, want %v", text, got, want)
		}
	}
}

// names is a resolver that knows some names.
func names(known map[string][]string) lookup {
	return func(_ context.Context, _, host string) (all []netip.Addr, err error) {
		for _, text := range known[host] {
			all = append(all, netip.MustParseAddr(text))
		}
		if all == nil {
			return nil, errors.New("no such host")
		}
		return all, nil
	}
}

func TestGuard(t *testing.T) {
	known := names(map[string][]string{
		"inside.test": {"fd00::7", "10.0.0.7"}, "outside.test": {"203.0.113.9"}, "both.test": {"10.0.0.7", "203.0.113.9"}, "web-1": {"172.20.0.3"},
	})
	for _, c := range []struct{ url, own, want, err string }{
		{"http://127.0.0.1:8080", "", "127.0.0.1:8080", ""},
		{"http://[::1]:8080", "", "[::1]:8080", ""},
		{"http://inside.test", "", "10.0.0.7:80", ""},
		{"http://web-1:9000", "", "172.20.0.3:9000", ""},
		{"http://outside.test:8080", "", "", "outside.test (203.0.113.9) is neither of this machine nor of a private network"},
		{"http://outside.test:8080", "other.test", "", "say --i-own outside.test"},
		{"http://outside.test:8080", "Outside.test", "203.0.113.9:8080", ""},
		// One public address is enough: who answers for the name chooses which is given next.
		{"http://both.test:8080", "", "", "both.test (203.0.113.9) is neither"},
		{"http://203.0.113.9:8080", "", "", "203.0.113.9 is neither"},
		{"http://203.0.113.9:8080", "203.0.113.9", "203.0.113.9:8080", ""},
		{"http://nobody.test", "", "", "find the address of nobody.test: no such host"},
	} {
		got, err := Guard{Own: c.own, Lookup: known}.Resolve(t.Context(), c.url)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s, owning %q: %q, %v; want %q, %q", c.url, c.own, got, err, c.want, c.err)
		}
	}
}

// A name that comes to mean somebody else while a run goes on is not followed there by a probe.
func TestGuardRebinding(t *testing.T) {
	asked := 0
	g := Guard{Lookup: func(context.Context, string, string) ([]netip.Addr, error) {
		if asked++; asked == 1 {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		}
		return []netip.Addr{netip.MustParseAddr("203.0.113.9")}, nil
	}}
	if addr, err := g.Resolve(t.Context(), "http://turning.test:8080"); err != nil || addr != "127.0.0.1:8080" {
		t.Fatalf("%q, %v", addr, err)
	}
	if _, err := g.dial(t.Context(), "tcp", "turning.test:8080"); err == nil || !strings.Contains(err.Error(), "203.0.113.9") {
		t.Errorf("it connected to another address: %v", err)
	}
}

// stack is a directory of files as a stack: who has a file lives.
type stack struct {
	dir string
	mu  sync.Mutex
	ran []Ran
}

func newStack(t *testing.T, c Config, alive ...string) (*stack, *Platform) {
	t.Helper()
	s := &stack{dir: t.TempDir()}
	for _, name := range alive {
		s.put(t, name)
	}
	c.Instances, c.Dir = alive, s.dir
	if c.Alive == nil && c.Health == "" {
		c.Alive = []string{"test", "-e", "{{.Name}}"}
	}
	c.Told = func(r Ran) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ran = append(s.ran, r)
	}
	p := New(c)
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	return s, p
}

func (s *stack) put(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *stack) commands() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.ran {
		all = append(all, strings.Join(r.Command, " "))
	}
	return all
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, p *Platform, name string) compose.Handle {
	t.Helper()
	h, err := p.Start(within(t, 20*time.Second), compose.Instance{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var do = map[string][]string{
	Kill: {"rm", "{{.Name}}"}, Terminate: {"rm", "{{.Name}}"}, Launch: {"touch", "{{.Name}}"},
}

// What is done is done by the commands, and has its effect when the probe says so.
func TestMoves(t *testing.T) {
	s, p := newStack(t, Config{Do: do}, "a", "b")
	a, b := start(t, p, "a"), start(t, p, "b")
	c := start(t, p, "c")
	for _, m := range []struct {
		on   compose.Handle
		by   compose.Signal
		exit compose.Exit
	}{{a, compose.Kill, compose.Exit{Code: -1, Signal: "SIGKILL"}}, {b, compose.Terminate, compose.Exit{}}, {c, compose.Terminate, compose.Exit{}}} {
		before := time.Now()
		if err := m.on.Signal(t.Context(), m.by); err != nil {
			t.Fatal(err)
		}
		exit, err := m.on.Wait(within(t, 20*time.Second))
		if at := exit.At; err != nil || at.Before(before) || at.After(time.Now()) {
			t.Errorf("%s: %v, gone at %v", m.on.Name(), err, at)
		}
		if exit.At = (time.Time{}); exit != m.exit {
			t.Errorf("%s: %+v, want %+v", m.on.Name(), exit, m.exit)
		}
		if err := m.on.Signal(t.Context(), compose.Kill); err == nil {
			t.Errorf("%s is gone, and was killed again", m.on.Name())
		}
	}
	if got, want := s.commands(), []string{"touch c", "rm a", "rm b", "rm c"}; !slices.Equal(got, want) {
		t.Errorf("commands %q, want %q", got, want)
	}
}

// How many there are to be counts all that was asked for, also what is still coming.
func TestCount(t *testing.T) {
	s, p := newStack(t, Config{Do: map[string][]string{Scale: {"sh", "-c", "touch c d; rm -f gone; echo {{.Count}} {{json .State}}"}}}, "a", "b")
	start(t, p, "a")
	b := start(t, p, "b")
	start(t, p, "c") // by this command d is there as well
	if _, err := p.Start(within(t, 20*time.Second), compose.Instance{Name: "d"}); err == nil || !strings.Contains(err.Error(), "launch d: it is alive already") {
		t.Errorf("d was launched, and was there: %v", err)
	}
	if err := b.Signal(t.Context(), compose.Terminate); err != nil {
		t.Error(err)
	}
	if got := s.commands(); len(got) != 2 || !strings.HasSuffix(got[0], "echo 3 {{json .State}}") || !strings.HasSuffix(got[1], "echo 2 {{json .State}}") {
		t.Errorf("commands %q", got)
	}
}

// A command that fails, or has no effect, is an error that quotes it.
func TestFailures(t *testing.T) {
	_, p := newStack(t, Config{Do: map[string][]string{Kill: {"sh", "-c", "echo no such $0 >&2; exit 3", "{{.Name}}"}, Launch: {"true", "{{.Name}}"}}}, "a")
	a := start(t, p, "a")
	if err := a.Signal(t.Context(), compose.Kill); err == nil || !strings.HasSuffix(err.Error(), "exit status 3: no such a") {
		t.Errorf("a kill that failed: %v", err)
	}
	if err := a.Signal(t.Context(), compose.Terminate); err == nil || err.Error() != "terminate a: stack.external.do has no such command" {
		t.Errorf("terminate without a command: %v", err)
	}
	if _, err := a.Wait(within(t, 500*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it lives, and its end was told: %v", err)
	}
	if _, err := p.Start(within(t, 500*time.Millisecond), compose.Instance{Name: "b"}); err == nil || !strings.HasPrefix(err.Error(), "launch b: its command succeeded, and it had no effect: ") {
		t.Errorf("a launch without effect: %v", err)
	}
	_, p = newStack(t, Config{})
	p.cfg.Instances = []string{"z"}
	if _, err := p.Start(within(t, 20*time.Second), compose.Instance{Name: "z"}); err == nil || !strings.HasPrefix(err.Error(), "z is not alive: test -e z: exit status 1") {
		t.Errorf("one that is not there: %v", err)
	}
}

// A death that nobody asked for is told; who is let go of is left alone.
func TestDeathsAndRelease(t *testing.T) {
	s, p := newStack(t, Config{Do: do}, "a", "b")
	a, b := start(t, p, "a"), start(t, p, "b")
	if err := os.Remove(filepath.Join(s.dir, "a")); err != nil {
		t.Fatal(err)
	}
	if exit, err := a.Wait(within(t, 30*time.Second)); err != nil || exit.Code != -1 || exit.Signal != "" {
		t.Errorf("%+v, %v", exit, err)
	}
	stack := compose.NewStack(p)
	if err := stack.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := b.Wait(within(t, 20*time.Second)); !errors.Is(err, errReleased) {
		t.Errorf("the end of one that was let go of: %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "b")); err != nil || len(s.commands()) > 0 {
		t.Errorf("b was touched: %v, %q", err, s.commands())
	}
}

// Health is asked of each instance by its name, and one failure alone is no death.
func TestHealth(t *testing.T) {
	var mu sync.Mutex
	answers := map[string][]int{} // by path, those to come; then 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if left := answers[r.URL.Path]; len(left) > 0 {
			answers[r.URL.Path] = left[1:]
			w.WriteHeader(left[0])
		}
	}))
	defer server.Close()
	_, p := newStack(t, Config{Do: map[string][]string{Kill: {"true", "{{.Name}}"}}, Health: server.URL + "/{{.Name}}"}, "a", "b")
	a, b := start(t, p, "a"), start(t, p, "b")
	mu.Lock()
	answers["/a"], answers["/b"] = []int{503}, []int{503, 503}
	mu.Unlock()
	for _, h := range []compose.Handle{a, b} {
		if err := h.Signal(t.Context(), compose.Kill); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Wait(within(t, 20*time.Second)); err != nil {
		t.Errorf("two failures after a kill: %v", err)
	}
	if _, err := a.Wait(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one failure alone: %v", err)
	}
}

// A command that does not end is ended with all that it started, and its output is cut to its end.
func TestRun(t *testing.T) {
	r := run(within(t, 300*time.Millisecond), []string{"sh", "-c", "sleep 60 & sleep 60"}, t.TempDir())
	if r.Err == nil || r.End.Sub(r.Begin) > 30*time.Second {
		t.Errorf("after %v: %+v", r.End.Sub(r.Begin), r)
	}
	r = run(t.Context(), []string{"sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo last >&2"}, t.TempDir())
	if r.Err != nil || r.Code != 0 || len(r.Output) > mostOutput || !strings.HasSuffix(r.Output, "line 1999 last") {
		t.Errorf("%d bytes of output, %v: …%q", len(r.Output), r.Err, r.Output[max(0, len(r.Output)-30):])
	}
	// What stays behind may hold the output open: the command has ended all the same.
	if r = run(t.Context(), []string{"sh", "-c", "sleep 30 & echo begun"}, t.TempDir()); r.Failed() != nil || r.Output != "begun" {
		t.Errorf("%+v", r)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ctl"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "text"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"sh": "", "./ctl": "", "no-such-program-anywhere": "no-such-program-anywhere: no such program on PATH",
		"./none": "./none: no such file or directory", "./text": "./text: permission denied"} {
		err := Find([]string{name}, dir)
		if got := ""; err != nil {
			got = err.Error()
			if got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		} else if want != "" {
			t.Errorf("%s was found", name)
		}
	}
}
