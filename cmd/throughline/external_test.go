package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// theirs is a stack that somebody else runs: plain processes, started by a shell script, behind a load balancer that is no
// HAProxy, is not asked by anybody, and says who answered in a header of its own.
type theirs struct {
	dir    string
	url    string
	statsd string
	ports  map[string]string

	mu   sync.Mutex
	up   []string // whose health check answers
	next int
}

// mostTheirs is how many instances the script can start.
const mostTheirs = 6

// theirScript does to the stack what its operators do. What a shell leaves behind in the background is nobody's child here, so
// that a process that has ended may stay in the table (Z).
const theirScript = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
case $1 in
alive)     pid=$(cat "$2.pid") && grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" ;;
kill)      kill -KILL "$(cat "$2.pid")" ;;
terminate) kill -TERM "$(cat "$2.pid")" ;;
launch)    . "./$2.env"; DEFECT=; test -e "$2.defect" && DEFECT="--defect $(cat "$2.defect")"
           setsid "$BINARY" app $DEFECT >"$2.log" 2>&1 </dev/null & echo $! >"$2.pid" ;;
nothing)   echo "$2: nothing is done" ;;
after)     echo after >after.log ;;
*)         echo "what is $1?" >&2; exit 2 ;;
esac
`

// freePorts are numbers of ports that nobody listens at.
func freePorts(t *testing.T, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		ports = append(ports, port)
	}
	return ports
}

// newTheirs starts three instances, some with a defect, and returns when all of them serve.
func newTheirs(t *testing.T, defects map[string]string) *theirs {
	t.Helper()
	s := &theirs{dir: t.TempDir(), ports: map[string]string{}}
	database, udp := freePorts(t, 1)[0], ""
	in, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.statsd = in.LocalAddr().String()
	_, udp, _ = net.SplitHostPort(s.statsd)
	in.Close()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write("ctl", theirScript)
	docstore := exec.Command(binary, "docstore", "--listen", "127.0.0.1:"+database, "--data", filepath.Join(s.dir, "data"))
	if err := docstore.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docstore.Process.Kill(); _ = docstore.Wait() })
	for i, port := range freePorts(t, mostTheirs) {
		name := fmt.Sprintf("web-%d", i+1)
		s.ports[name] = port
		write(name+".env", fmt.Sprintf("export BINARY=%s EXPOSE=yes HOST=127.0.0.1 PORT=%s INSTANCE=%s STATSD_HOST=127.0.0.1 STATSD_PORT=%s DD_TAGS=instance:%s MONGODB_URI='mongodb://127.0.0.1:%s/?directConnection=true'\n",
			binary, port, name, udp, name, database))
		if defect := defects[name]; defect != "" {
			write(name+".defect", defect)
		}
	}
	balancer := httptest.NewServer(s.balance())
	s.url = balancer.URL
	stop := make(chan struct{})
	var checking sync.WaitGroup
	t.Cleanup(func() { close(stop); checking.Wait(); balancer.Close() })
	checking.Go(func() { s.check(stop) })
	for _, name := range []string{"web-1", "web-2", "web-3"} {
		if out, err := exec.Command(filepath.Join(s.dir, "ctl"), "launch", name).CombinedOutput(); err != nil {
			t.Fatalf("launch %s: %v\n%s", name, err, out)
		}
	}
	t.Cleanup(func() {
		for name := range s.ports {
			if _, err := os.Stat(filepath.Join(s.dir, name+".pid")); err == nil {
				_ = exec.Command(filepath.Join(s.dir, "ctl"), "kill", name).Run() // who is gone is no news
			}
		}
	})
	for deadline := time.Now().Add(30 * time.Second); len(s.serving()) < 3; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("of three instances only %v serve", s.serving())
		}
	}
	return s
}

func (s *theirs) serving() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.up)
}

// check finds out who serves, as load balancers do.
func (s *theirs) check(stop <-chan struct{}) {
	client := &http.Client{Timeout: time.Second}
	for {
		var up []string
		for i := range mostTheirs {
			name := fmt.Sprintf("web-%d", i+1)
			if _, err := os.Stat(filepath.Join(s.dir, name+".pid")); err != nil {
				continue // it was never launched, and its port may be somebody else's
			}
			if res, err := client.Get("http://127.0.0.1:" + s.ports[name] + "/healthz"); err == nil {
				res.Body.Close()
				if res.StatusCode == http.StatusOK {
					up = append(up, name)
				}
			}
		}
		s.mu.Lock()
		s.up = up
		s.mu.Unlock()
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// balance is the load balancer: it sends each request to the next who serves, and none again.
func (s *theirs) balance() http.Handler {
	all := map[string]*httputil.ReverseProxy{}
	for i := range mostTheirs {
		name := fmt.Sprintf("web-%d", i+1)
		all[name] = &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: "http", Host: "127.0.0.1:" + s.ports[name]})
			},
			Transport:      &http.Transport{MaxIdleConnsPerHost: 100},
			ModifyResponse: func(r *http.Response) error { r.Header.Set("X-Backend", name); return nil },
			ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		name := ""
		if len(s.up) > 0 {
			s.next++
			name = s.up[s.next%len(s.up)]
		}
		s.mu.Unlock()
		if name == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		all[name].ServeHTTP(w, r)
	})
}

// scenario writes one about the stack, with a way to kill and what is done, and gives its file.
func (s *theirs) scenario(t *testing.T, kill string, phases ...string) string {
	t.Helper()
	text := fmt.Sprintf(`scenario: theirs
about: A stack that somebody else runs.
stack:
  external:
    url: %s
    header: X-Backend
    instances: [web-1, web-2, web-3]
    launched: web-{{.Number}}
    statsd: {listen: "%s", tag: instance}
    alive: [./ctl, alive, "{{.Name}}"]
    do:
      kill: [./ctl, %s, "{{.Name}}"]
      terminate: [./ctl, terminate, "{{.Name}}"]
      launch: [./ctl, launch, "{{.Name}}"]
    after: [./ctl, after]
load: {rate: 120/s, shape: sine, swing: 60/s, period: 4s, mix: {insert: 9, get: 1}}
phases:
%s
checks:
  - conservation: {metric: fullstack.insert, route: insert}
  - continuity:   {metric: fullstack.insert, max_gap: 4s}
  - identity:     {metric: fullstack.insert}
  - shutdown:     {metric: fullstack.insert}
`, s.url, s.statsd, kill, "  - "+strings.Join(phases, "\n  - "))
	file := filepath.Join(s.dir, "theirs.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// replaced is what is done to a stack: one dies, another comes, and a third one takes the place of a fourth.
var replaced = []string{
	"{phase: warm-up, for: 3s, require: {users: 80/s}}",
	"{phase: one dies, do: {kill: web-2}, for: 3s}",
	"{phase: another comes, do: {launch: 1}, for: 3s}",
	"{phase: one is replaced, do: {replace: web-1}, for: 3s}",
}

// A healthy stack that somebody else runs passes, with what is not seen of it left out; and the run leaves it as the steps did.
func TestExternalHealthy(t *testing.T) {
	unhurried(t)
	stacked(t)
	s := newTheirs(t, nil)
	o := runScenario(t, s.scenario(t, "kill", replaced...))
	passes(t, o)
	judgeAgain(t, o)
	for _, f := range o.verdict.Findings {
		if f.Layer == record.LayerLB || f.Layer == record.LayerDB {
			t.Errorf("a finding about what nobody saw: %v %s: %s", f.Outcome, f.Check, f.Summary)
		}
	}
	if !slices.ContainsFunc(o.verdict.Notes, func(n string) bool { return strings.HasPrefix(n, "not seen at ") }) {
		t.Errorf("the verdict does not say what was not seen: %q", o.verdict.Notes)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "after.log")); err != nil {
		t.Errorf("stack.external.after was not executed: %v", err)
	}
	for name, want := range map[string]bool{"web-1": false, "web-2": false, "web-3": true, "web-4": true, "web-5": true} {
		if lives := exec.Command(filepath.Join(s.dir, "ctl"), "alive", name).Run() == nil; lives != want {
			t.Errorf("after the run %s lives: %v, want %v", name, lives, want)
		}
	}
}

// An instance whose counter is wrong is found, and by how much, and nobody else is accused.
func TestExternalDefect(t *testing.T) {
	for _, c := range []struct {
		on, defect, cause string
		once              bool // what is lost at one end alone may look like other things: then nothing else may be named, either
		right             func(acked, counted int64) bool
	}{
		{"web-1", "lost-on-exit", diagnose.LostOnExit, true, func(acked, counted int64) bool { return counted < acked && acked < counted+2*180 }}, // what came in 2 s
		{"web-3", "double-instrumented", diagnose.Double, false, func(acked, counted int64) bool { return counted == 2*acked }},
	} {
		t.Run(c.defect, func(t *testing.T) {
			unhurried(t)
			stacked(t)
			s := newTheirs(t, map[string]string{c.on: c.defect})
			o := runScenario(t, s.scenario(t, "kill", replaced...))
			if slices.ContainsFunc(o.verdict.Findings, func(f verdict.Finding) bool {
				return f.Outcome == verdict.Inconclusive && (f.Check == "harness" || f.Check == "require" || f.Check == "time")
			}) {
				t.Skipf("SKIPPED, NOTHING PROVED: this machine was too busy\n%s", o.text())
			}
			acked, counted := o.verdict.Ledgers.Users.ByInstance[c.on], o.verdict.Ledgers.Web.ByInstance[c.on]
			want := c.cause
			if c.once && slices.ContainsFunc(o.verdict.Findings, func(f verdict.Finding) bool { return f.Outcome == verdict.Fail && f.Cause == diagnose.Undecided }) {
				want = diagnose.Undecided
			}
			fails(t, o, want)
			if !c.right(acked, counted) {
				t.Errorf("of %d inserts of %s %d are counted", acked, c.on, counted)
			}
			var told int64
			for _, f := range o.verdict.Findings {
				if f.Outcome == verdict.Fail && f.Instance != "" && f.Instance != c.on {
					t.Errorf("%s is accused: %s", f.Instance, f.Summary)
				}
				if f.Outcome == verdict.Fail && f.Check == "conservation" && f.Instance == c.on {
					told += f.Lost + f.Extra
				}
			}
			if wrong := max(acked-counted, counted-acked); told == 0 || told > wrong {
				t.Errorf("%d are told to be wrong of %d", told, wrong)
			}
		})
	}
}

// A command that says that it killed, and did not, has had no effect.
func TestExternalKillThatDoesNothing(t *testing.T) {
	unhurried(t)
	stacked(t)
	s := newTheirs(t, nil)
	o := runScenario(t, s.scenario(t, "nothing", "{phase: warm-up, for: 2s}", "{phase: one dies, do: {kill: web-2, within: 2s}, for: 3s}"))
	if o.status != exitInconclusive {
		t.Errorf("exit status %d, want %d\n%s", o.status, exitInconclusive, o.text())
	}
	if !strings.Contains(o.text(), "efficacy web-2: the fault did not take effect: kill web-2: ") || !strings.Contains(o.text(), "no effect within 2s") {
		t.Errorf("the verdict does not say that it had no effect:\n%s", o.text())
	}
	o = runScenario(t, s.scenario(t, "unheard-of", "{phase: warm-up, for: 2s}", "{phase: one dies, do: {kill: web-2}, for: 3s}"))
	if !strings.Contains(o.text(), "./ctl unheard-of web-2: exit status 2: what is unheard-of?") {
		t.Errorf("the verdict does not say what the command said:\n%s", o.text())
	}
}

// What cannot be done is one error before anything starts.
func TestExternalRefused(t *testing.T) {
	write := func(url, kill string) string {
		file := filepath.Join(t.TempDir(), "theirs.yaml")
		text := fmt.Sprintf(`scenario: theirs
stack:
  external:
    url: %s
    instances: [web-1]
    statsd: {listen: "127.0.0.1:8125", tag: instance}
    alive: ["true", "{{.Name}}"]
    do: {kill: [%s, "{{.Name}}"]}
load: {rate: 10/s, mix: {insert: 1}}
phases: [{phase: one dies, do: {kill: web-1}, for: 1s}]
checks: [{conservation: {metric: fullstack.insert}}]
`, url, kill)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, c := range map[string]struct{ url, kill, want string }{
		"a public address": {"http://192.0.2.7:8080", "kill",
			"theirs: stack.external.url: http://192.0.2.7:8080: 192.0.2.7 is neither of this machine nor of a private network, and load is not sent to others' systems; if it is yours, say --i-own 192.0.2.7\n"},
		"a missing command": {"http://127.0.0.1:9", "no-such-program-anywhere",
			"theirs: stack.external.do.kill: no-such-program-anywhere: no such program on PATH\n"},
		"a missing script": {"http://127.0.0.1:9", "./no-such-script", "theirs: stack.external.do.kill: ./no-such-script: no such file or directory\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out := t.TempDir()
			cmd := exec.Command(binary, "run", "--out", filepath.Join(out, "run"), write(c.url, c.kill))
			text, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != exitHarness {
				t.Errorf("exit status %d, want %d", got, exitHarness)
			}
			if strings.Count(string(text), c.want) != 1 {
				t.Errorf("it does not say once %q:\n%s", c.want, text)
			}
			if _, err := os.Stat(filepath.Join(out, "run", "journal.jsonl")); err == nil {
				t.Error("a run has begun")
			}
		})
	}
}
