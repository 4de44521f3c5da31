package compose_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose"
)

func command(name string) compose.Instance {
	return compose.Instance{
		Name:    name,
		Program: compose.Program{Command: []string{"serve"}},
		Ports:   map[string]int{"http": 0},
	}
}

func TestExpand(t *testing.T) {
	i := compose.Instance{
		Name:    "web-2",
		Program: compose.Program{Command: []string{"serve", "--port={{.Port}}", "{{.Dir}}/x"}, Dir: "/srv/{{.Name}}"},
		Env:     map[string]string{"ADMIN": "{{.Host}}:{{.Ports.admin}}", "PLAIN": "{"},
		Ports:   map[string]int{"http": 8080, "admin": 9090},
		Files:   map[string]string{"f": "{{.Name}} at {{.Ports.http}}"},
	}
	before := fmt.Sprint(i)
	got, err := i.Expand(compose.Place{Host: "127.0.0.1", Dir: "/tmp/web-2"})
	if err != nil {
		t.Fatal(err)
	}
	want := i
	want.Program = compose.Program{Command: []string{"serve", "--port=8080", "/tmp/web-2/x"}, Dir: "/srv/web-2"}
	want.Env = map[string]string{"ADMIN": "127.0.0.1:9090", "PLAIN": "{"}
	want.Files = map[string]string{"f": "web-2 at 8080"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if fmt.Sprint(i) != before {
		t.Errorf("the original was changed to %v", i)
	}
}

func TestLiteralIsWordForWord(t *testing.T) {
	for _, text := range []string{"", "plain", "{", "{{", "{{{", "{{{{", "}}", "{{.Nope}}", `{{"{{"}}`, "{{- .Name -}} x", "a{{`}}b", "{{/* c", "{{{{}}}}"} {
		i := command("web-2")
		i.Program.Command = []string{"serve", compose.Literal(text), compose.Literal(text) + "{{.Name}}"}
		if err := i.Validate(); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		got, err := i.Expand(compose.Place{})
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if d := cmp.Diff([]string{"serve", text, text + "web-2"}, got.Program.Command); d != "" {
			t.Errorf("%q: %s", text, d)
		}
	}
}

func TestExpandSaysWhatItCannotName(t *testing.T) {
	i := command("web-2")
	i.Program.Command = []string{"serve", "{{.Ports.nope}}"}
	i.Env = map[string]string{"A": "{{.Port}}", "B": "{{.Nope}}"}
	i.Ports = map[string]int{"a": 1, "b": 2}
	_, err := i.Expand(compose.Place{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"web-2: word of the command 2", "nope", "web-2: environment variable A", "which port? have a, b", "variable B", "Nope"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*compose.Instance)
		want   string // "" = valid
	}{
		{func(*compose.Instance) {}, ""},
		{func(i *compose.Instance) { i.Ports = nil }, ""},
		{func(i *compose.Instance) { i.Ports = map[string]int{"only": 0} }, ""},
		{func(i *compose.Instance) { i.Program = compose.Program{Self: []string{"app"}} }, ""},
		{func(i *compose.Instance) { i.Name = "" }, `instance name ""`},
		{func(i *compose.Instance) { i.Name = "a/b" }, `instance name "a/b"`},
		{func(i *compose.Instance) { i.Name = "-a" }, `instance name "-a"`},
		{func(i *compose.Instance) { i.Name = strings.Repeat("a", 64) }, "1 to 63"},
		{func(i *compose.Instance) { i.Program.Self = []string{"app"} }, "both a subcommand and a command"},
		{func(i *compose.Instance) { i.Program = compose.Program{} }, "nothing to execute"},
		{func(i *compose.Instance) { i.Program.Command[0] = "" }, "nothing to execute"},
		{func(i *compose.Instance) { i.Env = map[string]string{"A=B": ""} }, `"A=B": not a name`},
		{func(i *compose.Instance) { i.Env = map[string]string{"A": "\x00"} }, "A: holds a zero byte"},
		{func(i *compose.Instance) { i.Env = map[string]string{"A": "{{.Port"} }, "web-1: environment variable A"},
		{func(i *compose.Instance) { i.Ports["http"] = -1 }, "-1 is not a port"},
		{func(i *compose.Instance) { i.Ports["http"] = 65536 }, "65536 is not a port"},
		{func(i *compose.Instance) { i.Ports = map[string]int{"a": 0, "b": 0} }, "which of the ports a, b"},
		{func(i *compose.Instance) { i.Ready.Port = "x" }, `port "x", which it does not have (have http)`},
		{func(i *compose.Instance) { i.Ports, i.Ready.Path = nil, "/x" }, "needs a port"},
		{func(i *compose.Instance) { i.Ready.Path = "x" }, "start it with /"},
		{func(i *compose.Instance) { i.Ready.Within = -1 }, "positive duration"},
		{func(i *compose.Instance) { i.Stop = -1 }, "stop -1ns: give a positive duration, or 0 for 5s"},
		{func(i *compose.Instance) { i.Files = map[string]string{"a/b": ""} }, `file "a/b"`},
		{func(i *compose.Instance) { i.Files = map[string]string{"..": ""} }, `file ".."`},
	} {
		i := command("web-1")
		c.change(&i)
		err := i.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: error = %v, want %q", i, err, c.want)
		}
	}
}

func TestProbe(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked++; {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case r.URL.Path == "/never" || asked < 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	if err := (compose.Probe{Path: "/third"}).Await(t.Context(), addr); err != nil || asked != 3 {
		t.Errorf("ready at the third time: %v after %d", err, asked)
	}
	if err := (compose.Probe{}).Await(t.Context(), addr); err != nil {
		t.Errorf("a connection is enough: %v", err)
	}
	for path, want := range map[string]string{"/never": "not ready within 200ms: GET /never answered 503", "/moved": "302"} {
		err := compose.Probe{Path: path, Within: 200 * time.Millisecond}.Await(t.Context(), addr)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	died := errors.New("it died")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(died)
	if err := (compose.Probe{Path: "/never"}).Await(ctx, addr); !errors.Is(err, died) {
		t.Errorf("called off: %v", err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := (compose.Probe{Within: 50 * time.Millisecond}).Await(t.Context(), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestHealthy(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	for path, want := range map[string]string{"/ok": "", "/moved": "", "/busy": srv.URL + "/busy answers 503 Service Unavailable"} {
		if err := compose.Healthy(t.Context(), srv.URL+path); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	srv.Close()
	if err := compose.Healthy(t.Context(), srv.URL); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestLastLines(t *testing.T) {
	for in, want := range map[string][]string{
		"":          nil,
		"\n":        nil,
		"a\nb":      {"a", "b"},
		"a\nb\n\n":  {"a", "b"},
		"a\n\nb\n":  {"a", "", "b"},
		"no end\nx": {"no end", "x"},
	} {
		if d := cmp.Diff(want, compose.LastLines(strings.NewReader(in))); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
	var long strings.Builder
	for n := range 100000 {
		fmt.Fprintln(&long, n)
	}
	got := compose.LastLines(strings.NewReader(long.String()))
	if len(got) != 20 || got[19] != "99999" || got[0] != "99980" {
		t.Errorf("of many lines: %q", got)
	}
	err := &compose.StartError{Name: "web-1", Err: io.ErrUnexpectedEOF, Log: []string{"x", "y"}}
	if want := "start web-1: unexpected EOF; it wrote last:\n  web-1 | x\n  web-1 | y"; err.Error() != want || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error = %q", err)
	}
}

// recorder is a platform that only notes what happens to it.
type recorder struct {
	mu       sync.Mutex
	notes    []string
	stubborn bool          // SIGTERM has no effect
	slow     time.Duration // from SIGTERM to the end
	closeErr error
	hold     chan struct{} // Start closes began and waits for hold, or for its context
	began    chan struct{}
}

func (r *recorder) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *recorder) Start(ctx context.Context, i compose.Instance) (compose.Handle, error) {
	if r.hold != nil {
		close(r.began)
		select {
		case <-r.hold:
		case <-ctx.Done():
			r.note("called off %s", i.Name)
			return nil, context.Cause(ctx)
		}
	}
	if strings.HasPrefix(i.Name, "bad") {
		return nil, errors.New("it is bad")
	}
	r.note("start %s", i.Name)
	return &recorded{name: i.Name, r: r, gone: make(chan struct{})}, nil
}

func (r *recorder) Home() string { return "127.0.0.1" }

func (r *recorder) Close(context.Context) error {
	r.note("close")
	return r.closeErr
}

type recorded struct {
	compose.Handle
	name string
	r    *recorder
	gone chan struct{}
}

func (h *recorded) Name() string { return h.name }

func (h *recorded) Signal(_ context.Context, s compose.Signal) error {
	h.r.note("%v %s", s, h.name)
	switch {
	case s == compose.Kill:
		close(h.gone)
	case h.r.slow > 0:
		time.AfterFunc(h.r.slow, func() { close(h.gone) })
	case !h.r.stubborn:
		close(h.gone)
	}
	return nil
}

func (h *recorded) Wait(ctx context.Context) (compose.Exit, error) {
	select {
	case <-h.gone:
		return compose.Exit{}, nil
	case <-ctx.Done():
		return compose.Exit{}, ctx.Err()
	}
}

func TestStackFindsByName(t *testing.T) {
	s := compose.NewStack(&recorder{})
	if _, err := s.Find("web-9"); err == nil || err.Error() != "web-9: no such instance (have none)" {
		t.Errorf("in an empty stack: %v", err)
	}
	for _, name := range []string{"web-10", "web-2", "web-3"} {
		if _, err := s.Start(t.Context(), command(name)); err != nil {
			t.Fatal(err)
		}
	}
	if h, err := s.Find("web-2"); err != nil || h.Name() != "web-2" {
		t.Errorf("find web-2 = %v, %v", h, err)
	}
	s.Gone("web-2")
	s.Gone("web-2")
	s.Gone("web-77")
	if _, err := s.Find("web-9"); err == nil || err.Error() != "web-9: no such instance (have web-10, web-3)" {
		t.Errorf("find web-9: %v", err)
	}
	if _, err := s.Find("web-2"); err == nil || err.Error() != "web-2: is gone (have web-10, web-3)" {
		t.Errorf("find what is gone: %v", err)
	}
}

func TestStackUsesANameOnce(t *testing.T) {
	s := compose.NewStack(&recorder{})
	if _, err := s.Start(t.Context(), command("bad-1")); err == nil || !strings.Contains(err.Error(), "it is bad") {
		t.Errorf("a start that fails: %v", err)
	}
	if _, err := s.Start(t.Context(), command("web-1")); err != nil {
		t.Fatal(err)
	}
	s.Gone("web-1")
	for _, name := range []string{"bad-1", "web-1"} {
		if _, err := s.Start(t.Context(), command(name)); err == nil || !strings.Contains(err.Error(), "start "+name+": the name was used before") {
			t.Errorf("%s again: %v", name, err)
		}
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	started := 0
	for range 20 {
		all.Go(func() {
			if _, err := s.Start(t.Context(), command("web-2")); err == nil {
				mu.Lock()
				defer mu.Unlock()
				started++
			}
		})
	}
	all.Wait()
	if started != 1 {
		t.Errorf("20 at once: %d started", started)
	}
}

func TestStackCloses(t *testing.T) {
	r := &recorder{closeErr: errors.New("the platform's own")}
	s := compose.NewStack(r)
	for _, name := range []string{"haproxy-1", "web-1", "web-2"} {
		if _, err := s.Start(t.Context(), command(name)); err != nil {
			t.Fatal(err)
		}
	}
	s.Gone("web-1")
	if err := s.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "the platform's own") {
		t.Errorf("close = %v", err)
	}
	slices.Sort(r.notes[3:5]) // they are stopped at once
	want := []string{"start haproxy-1", "start web-1", "start web-2", "SIGTERM haproxy-1", "SIGTERM web-2", "close"}
	if d := cmp.Diff(want, r.notes); d != "" {
		t.Error(d)
	}
	if _, err := s.Start(t.Context(), command("web-3")); !errors.Is(err, compose.ErrStackClosed) {
		t.Errorf("start after close: %v", err)
	}
}

func TestStackCloseKillsWhatDoesNotListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{stubborn: true}
		s := compose.NewStack(r)
		if _, err := s.Start(t.Context(), command("web-1")); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
		want := []string{"start web-1", "SIGTERM web-1", "SIGKILL web-1", "close"}
		if d := cmp.Diff(want, r.notes); d != "" {
			t.Error(d)
		}
		if d := time.Since(begin); d != 5*time.Second {
			t.Errorf("it had %v to finish, want 5 s", d)
		}
	})
}

// Instances that take their time take it side by side.
func TestStackStopsSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{slow: 4 * time.Second}
		s := compose.NewStack(r)
		for _, name := range []string{"haproxy-1", "web-1", "web-2", "web-3"} {
			if _, err := s.Start(t.Context(), command(name)); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		overdue, err := s.Stop(t.Context(), "web-1", "web-2", "web-3", "web-4")
		if took := time.Since(begin); took != 4*time.Second || err != nil || overdue != nil {
			t.Errorf("three instances of 4 s each took %v (%v, overdue %v), want 4s", took, err, overdue)
		}
		if n := strings.Count(strings.Join(r.notes, " "), "SIGTERM"); n != 3 || strings.Contains(strings.Join(r.notes, " "), "SIGKILL") {
			t.Errorf("want a SIGTERM for each and no SIGKILL: %v", r.notes)
		}
	})
}

// An instance has its own time to stop, and no longer; whoever used it up is named.
func TestStackStopGivesEachItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name    string
			patient time.Duration // how long ctx lasts
			took    time.Duration
			overdue []string
		}{
			{"all the time", time.Minute, 12 * time.Second, []string{"web-1", "web-2"}},
			{"called off", 3 * time.Second, 3 * time.Second, nil},
		} {
			r := &recorder{stubborn: true}
			s := compose.NewStack(r)
			for _, i := range []compose.Instance{command("web-1"), command("web-2")} {
				i.Stop = 12 * time.Second
				if _, err := s.Start(t.Context(), i); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), c.patient)
			begin := time.Now()
			overdue, err := s.Stop(ctx, "web-2", "web-1")
			cancel()
			if took := time.Since(begin); took != c.took || err != nil {
				t.Errorf("%s: took %v, %v; want %v", c.name, took, err, c.took)
			}
			if d := cmp.Diff(c.overdue, overdue); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
			if n := strings.Count(strings.Join(r.notes, " "), "SIGKILL"); n != 2 {
				t.Errorf("%s: want a SIGKILL for each: %v", c.name, r.notes)
			}
		}
	})
}

func TestStackCloseCallsOffWhatStarts(t *testing.T) {
	r := &recorder{hold: make(chan struct{}), began: make(chan struct{})}
	s := compose.NewStack(r)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Start(t.Context(), command("web-1"))
		failed <- err
	}()
	<-r.began
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, compose.ErrStackClosed) {
		t.Errorf("the start under way: %v", err)
	}
	if d := cmp.Diff([]string{"called off web-1", "close"}, r.notes); d != "" {
		t.Error(d)
	}
}
