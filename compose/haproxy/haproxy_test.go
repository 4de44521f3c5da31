package haproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds what must happen but has no bound of its own.
const patience = 20 * time.Second

func binary(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("NOT TESTED: haproxy is not on PATH")
	}
	return path
}

// lb is a HAProxy process of this test.
type lb struct {
	*Runtime
	url string
	log *bytes.Buffer
}

// startLB starts HAProxy with the configuration as it is rendered.
func startLB(t testing.TB, c Config) *lb {
	t.Helper()
	bin := binary(t)
	for attempt := 1; ; attempt++ {
		l, err := tryLB(t, bin, c)
		if err == nil {
			return l
		}
		// The ports were free a moment ago; another process may have got one.
		if !strings.Contains(err.Error(), "cannot bind") || attempt == 5 {
			t.Fatal(err)
		}
	}
}

func tryLB(t testing.TB, bin string, c Config) (*lb, error) {
	httpAddr, runtimeAddr := freeAddr(t), freeAddr(t)
	text, err := c.Render(httpAddr, runtimeAddr)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	l := &lb{Runtime: NewRuntime(runtimeAddr), url: "http://" + httpAddr, log: &bytes.Buffer{}}
	if c.Master {
		l.Runtime = NewMaster(runtimeAddr)
	}
	cmd := exec.Command(bin, c.arguments(path, runtimeAddr)...)
	cmd.Stdout, cmd.Stderr = l.log, l.log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := l.command(t.Context(), "show version"); err == nil {
			break
		}
		select {
		case <-ended:
			return nil, fmt.Errorf("haproxy ended: %s", l.log)
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("haproxy is not ready")
		}
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("haproxy:\n%s", l.log)
		}
	})
	return l, nil
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// web is an instance inside the test. Killing it resets its connections and
// refuses new ones, like a process that got SIGKILL.
type web struct {
	name string
	addr string
	srv  *http.Server

	mu       sync.Mutex
	executed int
	killed   bool
	conns    map[net.Conn]bool
	lastReq  *http.Request
}

func startWeb(t testing.TB, name string) *web {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &web{name: name, addr: l.Addr().String(), conns: map[net.Conn]bool{}}
	w.srv = &http.Server{Handler: w, ConnState: w.track}
	served := make(chan error, 1)
	go func() { served <- w.srv.Serve(l) }()
	t.Cleanup(func() { _ = w.srv.Close(); <-served })
	return w
}

func (w *web) track(c net.Conn, s http.ConnState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch s {
	case http.StateNew:
		w.conns[c] = true
		if w.killed {
			reset(c)
		}
	case http.StateClosed, http.StateHijacked:
		delete(w.conns, c)
	}
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (w *web) kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killed = true
	for c := range w.conns {
		reset(c)
	}
	go w.srv.Close() // it needs w.mu through track
}

func (w *web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rw.Header().Set(ServedBy, "a-liar")
	if r.URL.Path == "/healthz" {
		return
	}
	w.mu.Lock()
	w.executed++
	w.lastReq = r.Clone(context.Background())
	w.mu.Unlock()
	switch r.URL.Path {
	case "/hang":
		<-r.Context().Done()
	case "/slow":
		d, _ := time.ParseDuration(r.FormValue("for"))
		time.Sleep(d)
	case "/garbage":
		conn, _, err := rw.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "this is not HTTP\r\n\r\n")
			_ = conn.Close()
		}
		return
	case "/unnamed":
		rw.Header().Del(ServedBy)
		rw.WriteHeader(http.StatusServiceUnavailable)
	case "/teapot":
		rw.WriteHeader(http.StatusTeapot)
	case "/error":
		rw.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprint(rw, w.name)
}

func get(t testing.TB, url string) *http.Response {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res
}

func (l *lb) add(t testing.TB, w *web) {
	t.Helper()
	if err := l.Add(t.Context(), w.name, w.addr); err != nil {
		t.Fatal(err)
	}
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// row finds one row of the statistics.
func (l *lb) row(t testing.TB, name string) Row {
	t.Helper()
	rows, err := l.Statistics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found []Row
	for _, row := range rows {
		if row.Server == name {
			found = append(found, row)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows for %s", len(found), name)
	}
	return found[0]
}
