package httpd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"throughline/compose"
)

// patience bounds what must happen but has no bound of its own.
const patience = 20 * time.Second

func program(t testing.TB) Program {
	t.Helper()
	found, err := Find(t.Context())
	if err != nil {
		t.Skipf("NOT TESTED: %v", err)
	}
	return found
}

// server is an httpd of this test, before an instance called web-2.
type server struct {
	Control
	log string // path
	cmd *exec.Cmd
}

// start starts it as a platform does.
func start(t testing.TB, backend string) *server {
	t.Helper()
	p := program(t)
	home := t.TempDir()
	config := Config{Serves: "web-2", Backend: backend, Modules: p.Modules, Checker: "the-check", Dir: t.TempDir()}
	instance, err := config.Instance("httpd-2", p.Binary)
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	instance.Ports[HTTPPort] = port
	if instance, err = instance.Expand(compose.Place{Host: "127.0.0.1", Dir: home}); err != nil {
		t.Fatal(err)
	}
	for name, text := range instance.Files {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &server{Control: config.Control(fmt.Sprintf("127.0.0.1:%d", port)), log: filepath.Join(home, "log")}
	s.run(t, instance.Program.Command)
	if err := instance.Ready.Await(t.Context(), s.Addr); err != nil {
		text, _ := os.ReadFile(s.log)
		t.Fatalf("%v: %s", err, text)
	}
	return s
}

func (s *server) run(t testing.TB, command []string) {
	t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd = cmd
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
}

// lines are those of its access log that are of a kind, once there are so many.
func (s *server) lines(t testing.TB, kind Kind, n int) []LogLine {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var out []LogLine
		f, err := os.Open(s.log)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			l, err := ParseLog(lines.Text())
			if err != nil && !errors.Is(err, ErrNotice) {
				t.Error(err)
			} else if err == nil && l.Kind == kind {
				out = append(out, l)
			}
		}
		f.Close()
		if len(out) >= n {
			return out
		}
		if time.Now().After(until) {
			t.Fatalf("%d lines of kind %d, want %d", len(out), kind, n)
		}
	}
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// get asks with an id, and gives the answer without its body.
func get(t testing.TB, url, id, agent string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", id)
	req.Header.Set("User-Agent", agent)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	return res
}

// backend is an instance that answers by its path.
func backend(t testing.TB) (addr string, asked *atomic.Value, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Value{}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.RequestURI)
		w.Header().Set(ServedBy, "its own")
		switch r.URL.Path {
		case "/error":
			w.WriteHeader(http.StatusInternalServerError)
		case "/away":
			panic(http.ErrAbortHandler)
		case "/slow":
			time.Sleep(100 * time.Millisecond)
		}
	})}
	go func() { _ = srv.Serve(l) }()
	stop = func() { srv.Close() }
	t.Cleanup(stop)
	return l.Addr().String(), asked, stop
}

// Who answered has its name on the answer and in the log; what httpd says itself has none.
func TestServedByNamesTheInstanceAndOnlyIt(t *testing.T) {
	addr, asked, stop := backend(t)
	s := start(t, addr)
	url := "http://" + s.Addr
	for _, c := range []struct {
		path   string
		status int
		by     []string
	}{{"/x%2Fy?q=%20", 200, []string{"web-2"}}, {"/error", 500, []string{"web-2"}}, {"/away", 502, nil}} {
		res := get(t, url+c.path, "run-1"+c.path, "a user")
		if by := res.Header.Values(ServedBy); res.StatusCode != c.status || !slices.Equal(by, c.by) {
			t.Errorf("GET %s: %s by %q, want %d by %q", c.path, res.Status, by, c.status, c.by)
		}
		if got := asked.Load(); got != c.path {
			t.Errorf("the instance was asked for %q, want %q", got, c.path)
		}
	}
	stop()
	if res := get(t, url+"/x", `run-4 "\é`, "a user"); res.StatusCode != 503 || res.Header.Get(ServedBy) != "" {
		t.Errorf("an instance that is gone: %s by %q, want httpd's own 503", res.Status, res.Header.Get(ServedBy))
	}
	get(t, url+"/healthz", "", "the-check")
	if _, err := Status(t.Context(), s.Addr); err != nil {
		t.Error(err)
	}
	var got []string
	for _, l := range s.lines(t, Users, 4) {
		got = append(got, fmt.Sprintf("%d %v %s", l.Status, l.Answered, l.RequestID))
		if l.Took < l.First || l.Took <= 0 || time.Since(l.At) > time.Minute {
			t.Errorf("times: %+v", l)
		}
	}
	slices.Sort(got) // a line is written when its answer has been sent: who asks next may be faster
	want := []string{"200 true run-1/x%2Fy?q=%20", "500 true run-1/error", "502 false run-1/away", "503 false run-4 \"\\é"}
	if !slices.Equal(got, want) {
		t.Errorf("the log has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if l := s.lines(t, Check, 1); len(l) != 1 || l[0].Status != 503 {
		t.Errorf("checks: %+v", l)
	}
	if l := s.lines(t, Look, 1); len(l) != 1 || l[0].Answered {
		t.Errorf("looks: %+v", l)
	}
}

// Total Accesses has every line of the log but that of the look itself.
func TestAccessesAreTheLinesOfTheLog(t *testing.T) {
	addr, _, _ := backend(t)
	s := start(t, addr)
	for range 5 {
		get(t, "http://"+s.Addr+"/x", "", "a user")
	}
	get(t, "http://"+s.Addr+"/x", "", "the-check")
	s.lines(t, Users, 5)
	s.lines(t, Check, 1)
	for look := range 3 {
		n, err := Status(t.Context(), s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := n[Accesses]; got != float64(6+look) {
			t.Errorf("look %d: %v accesses, want %d", look, got, 6+look)
		}
		s.lines(t, Look, look+1)
	}
}

// A reload serves on, with the counts that it had; a limit is one, and is lifted again.
func TestReloadAndLimit(t *testing.T) {
	addr, _, _ := backend(t)
	s := start(t, addr)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	get(t, "http://"+s.Addr+"/x", "", "a user")
	s.lines(t, Users, 1)
	if err := s.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	n, err := Status(ctx, s.Addr)
	if err != nil || n[Accesses] < 2 || n[Generation] != 2 {
		t.Errorf("after a reload: %v, %v", n, err)
	}
	if err := s.Limit(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if n, err = Status(ctx, s.Addr); err != nil || n[Busy]+n[Idle] > 2 {
		t.Errorf("limited: %v, %v", n, err)
	}
	// Four at once on two workers take the time of two, and none of them says so: the queue is in nobody's log.
	begin := time.Now()
	done := make(chan struct{})
	for range 4 {
		go func() {
			get(t, "http://"+s.Addr+"/slow", "slow", "a user")
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	if took := time.Since(begin); took < 200*time.Millisecond {
		t.Errorf("four requests of 100ms took %v on two workers", took)
	}
	if err := s.Limit(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if n, err = Status(ctx, s.Addr); err != nil || n[Busy]+n[Idle] <= 2 {
		t.Errorf("lifted: %v, %v", n, err)
	}
}

// Who is killed is killed whole: no process of it holds the port, and who starts it again serves.
func TestCrashLeavesNobody(t *testing.T) {
	addr, _, _ := backend(t)
	s := start(t, addr)
	command := s.cmd.Args
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := make(chan struct{})
	go func() {
		defer close(again)
		_ = s.cmd.Wait()
		for !refused(s.Addr) { // the last of them is just ending
			time.Sleep(time.Millisecond)
		}
		s.run(t, command)
	}()
	if err := s.Crash(ctx); err != nil {
		text, _ := os.ReadFile(s.log)
		t.Fatalf("%v: %s", err, text)
	}
	<-again
	if n, err := Status(ctx, s.Addr); err != nil || n[Accesses] > 3 {
		t.Errorf("the one that was started again: %v, %v", n, err)
	}
	short, done := context.WithTimeout(t.Context(), time.Second)
	defer done()
	if err := s.Crash(short); err == nil || !strings.Contains(err.Error(), "nothing starts it again") {
		t.Errorf("nobody starts it again: %v", err)
	}
	for until := time.Now().Add(patience); !refused(s.Addr); time.Sleep(time.Millisecond) { // the kernel takes its time
		if time.Now().After(until) {
			t.Fatal("somebody still answers at its port")
		}
	}
}

// refused tells whether nobody listens at an address.
func refused(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

func TestWhatIsRefused(t *testing.T) {
	good := Config{Serves: "web-2", Backend: "127.0.0.1:1", Modules: "/m", Checker: "c", Dir: "/d"}
	for want, spoil := range map[string]func(*Config){
		`instance ""`:                 func(c *Config) { c.Serves = "" },
		`backend "a b"`:               func(c *Config) { c.Backend = "a b" },
		`directory of modules "/m\""`: func(c *Config) { c.Modules = `/m"` },
		`checker "$x"`:                func(c *Config) { c.Checker = "$x" },
		`directory "/d\n"`:            func(c *Config) { c.Dir = "/d\n" },
	} {
		c := good
		spoil(&c)
		if _, err := c.Render("h:1", "/home"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := good.Instance("httpd-2", ""); err == nil {
		t.Error("an instance without a binary")
	}
}

func TestParseLog(t *testing.T) {
	const good = `access 1700000000000001 502 - 1234 - - "-"`
	if l, err := ParseLog(good); err != nil || l != (LogLine{At: time.UnixMicro(1700000000000001), Status: 502, Took: 1234 * time.Microsecond}) {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := ParseLog("[core:notice] AH00094: Command line"); !errors.Is(err, ErrNotice) {
		t.Errorf("a notice: %v", err)
	}
	for line, want := range map[string]string{
		"access 1 2":                          "too few fields",
		`access x 502 - 1 - - "-"`:            "time",
		`access 1 5 - 1 - - "-"`:              "status",
		`access 1 502 - x - - "-"`:            "duration",
		`access 1 502 - 1 x - "-"`:            "time to the answer",
		`access 1 502 - 1 - nobody "-"`:       "kind",
		`access 1 502 - 1 - - "x`:             "id",
		`access 1 502 - 1 - - "x" "y"`:        "id",
		`access -1 502 - 1 - - "-"`:           "time",
		`access 1 502 - 99999999999999999999`: "too few fields",
	} {
		if _, err := ParseLog(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestParseStatus(t *testing.T) {
	n, err := ParseStatus(strings.NewReader("localhost\nServerMPM: event\nTotal Accesses: 17\nBusyWorkers: 1\nIdleWorkers: 24\nScoreboard: __W.\n"))
	if err != nil || n[Accesses] != 17 || n[Busy] != 1 || n[Idle] != 24 || len(n) != 3 {
		t.Errorf("%v, %v", n, err)
	}
	if _, err := ParseStatus(strings.NewReader("<html>")); err == nil || !strings.Contains(err.Error(), Accesses) {
		t.Errorf("a page for people: %v", err)
	}
}

func FuzzParseLog(f *testing.F) {
	f.Add(`access 1700000000000001 200 web-2 1234 1200 check "run-1"`)
	f.Add(`access 1 502 - 1 - - "\xc3\""`)
	f.Fuzz(func(t *testing.T, line string) {
		if l, err := ParseLog(line); err == nil && (l.Status < 100 || l.Took < 0 || l.First < 0) {
			t.Errorf("%q gives %+v", line, l)
		}
	})
}
