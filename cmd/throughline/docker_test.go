package main

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/compose/docker"
	"throughline/scenarios/record"
	"throughline/scenarios/run"
	"throughline/scenarios/trial"
)

// These tests run whole scenarios in containers, as a user does.

// contained marks a test that needs an engine with the images of a run.
func contained(t *testing.T) {
	t.Helper()
	stacked(t)
	if err := docker.Possible(t.Context()); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	if _, err := docker.Image(t.Context(), docker.HAProxyImage); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
}

// ours lists the containers, networks and volumes of a run.
func ours(t *testing.T, run string) string {
	t.Helper()
	var all strings.Builder
	for _, what := range [][]string{{"ps", "-aq"}, {"network", "ls", "-q"}, {"volume", "ls", "-q"}} {
		out, err := exec.Command("docker", append(what, "--filter", "label="+docker.Label+"="+run)...).CombinedOutput()
		if err != nil {
			t.Skipf("SKIPPED, NOTHING PROVED: docker %v: %v: %s", what, err, out)
		}
		all.Write(out)
	}
	return all.String()
}

// idOf is the run that a directory records.
func idOf(t *testing.T, dir string) string {
	t.Helper()
	h, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h.Run.ID
}

func TestContainersPass(t *testing.T) {
	for _, name := range []string{"replace-an-instance", "kill-an-instance"} {
		t.Run(name, func(t *testing.T) {
			if name != always {
				unhurried(t)
			}
			contained(t)
			o := runScenario(t, name, "--platform", "docker")
			judgeAgain(t, o)
			if left := ours(t, idOf(t, o.dir)); left != "" {
				t.Errorf("left: %s", left)
			}
			passes(t, o)
		})
	}
}

// behindLinks has a fault on each hop, in turn.
const behindLinks = `scenario: hops
stack:
  web: {instances: 2}
load: {rate: 100/s, shape: sine, swing: 40/s, period: 6s, mix: {insert: 1}}
phases:
  - {phase: users, do: {fault: slow-network, hop: users-lb, by: 60ms}, for: 4s}
  - {phase: healed, do: {heal: slow-network}, for: 2s}
  - {phase: one, do: {fault: cut-network, hop: lb-web, on: web-2}, for: 4s}
  - {phase: whole, do: {heal: cut-network}, for: 3s}
  - {phase: database, do: {fault: slow-network, hop: web-db, by: 30ms}, for: 4s}
  - {phase: end, do: {heal: slow-network}, for: 4s}
checks:
  - continuity: {metric: fullstack.insert, max_gap: 4s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
`

// Containers reach each other over the links of the harness, which are on its own address.
func TestTheNetworkBetweenContainersFails(t *testing.T) {
	unhurried(t)
	contained(t)
	file := filepath.Join(t.TempDir(), "hops.yaml")
	if err := os.WriteFile(file, []byte(behindLinks), 0o600); err != nil {
		t.Fatal(err)
	}
	o := runScenario(t, file, "--platform", "docker")
	passes(t, o)
	if !strings.HasPrefix(o.verdict.Sentence, "The network was slow, the network of web-2 was cut") {
		t.Errorf("the verdict says %q", o.verdict.Sentence)
	}
}

// inContainers has all of a web node of the talk, in a cloud.
const inContainers = `scenario: web-nodes-in-containers
stack: {web: {instances: 3, env: {TAGS_FROM: imds}}, httpd: yes, cloud: yes}
load: {rate: 80/s, shape: sine, swing: 32/s, period: 8s, mix: {insert: 9, get: 1}}
phases:
  - {phase: before, for: 8s}
  - phase: after
    do: [{kill: web-2}, {launch: 1, within: 30s}, {interrupt: web-1, within: 30s}]
    for: 6s
  - phase: faults
    do: [{fault: reload-httpd, within: 30s}, {fault: kill-httpd, on: web-3, within: 30s}]
    for: 6s
checks:
  - continuity:   {metric: fullstack.insert, max_gap: 3s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
  - correlation:  {layers: [users, lb, httpd, web, db], at_least: 0.9}
  - identity:     {metric: fullstack.insert, route: insert, tags: [role, zone]}
  - audit:        {route: insert}
`

// In containers an Apache HTTP server stands before each instance, is reloaded and killed as on this machine, and each
// instance learns from its metadata service who it is.
func TestWebNodesInContainers(t *testing.T) {
	unhurried(t)
	contained(t)
	if _, err := docker.Image(t.Context(), docker.HTTPDImage); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	o := runScenario(t, scenarioFile(t, inContainers), "--platform", "docker")
	judgeAgain(t, o)
	if left := ours(t, idOf(t, o.dir)); left != "" {
		t.Errorf("left: %s", left)
	}
	passes(t, o)
	h, err := record.Read(o.dir)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, e := range h.Events {
		if e.Kind == record.Told || e.Kind == record.Noticed {
			told[e.Instance] += strings.TrimSpace(fmt.Sprint(" ", e.Kind, " ", e.About))
		}
	}
	for _, name := range []string{"web-1", "web-2", "web-3", "web-4"} {
		if !strings.Contains(told[name], "told tags") || strings.Contains(told[name], "noticed") != (name == "web-1") {
			t.Errorf("%s: %s", name, told[name])
		}
	}
	if len(h.Passages) == 0 {
		t.Error("nothing was read in the logs of httpd")
	}
}

// membersInContainers does to a replica set what can be done to one.
const membersInContainers = `scenario: members-in-containers
stack: {web: {instances: 2}, mongo: {members: 3}}
load: {rate: 60/s, shape: sine, swing: 24/s, period: 8s, mix: {insert: 9, get: 1}}
phases:
  - {phase: before, for: 3s}
  - {phase: killed, do: [{kill: primary, within: 30s}, {launch: member, within: 30s}, {step_down: primary, within: 30s}], for: 4s}
  - {phase: cut off, do: [{fault: isolate-member, within: 30s}, {heal: isolate-member, within: 30s}], for: 2s}
  - {phase: frozen, do: [{fault: freeze-primary, within: 30s}, {heal: freeze-primary, within: 30s}], for: 4s}
checks:
  - audit:        {route: insert}
  - continuity:   {metric: fullstack.insert, max_gap: 8s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
`

// Members in containers elect, replicate and come back as those that are processes do, and leave nothing. Another one takes
// the part of each that loses it, also where the machine is too busy for a verdict.
func TestMembersInContainers(t *testing.T) {
	unhurried(t)
	contained(t)
	o := runScenario(t, scenarioFile(t, membersInContainers), "--platform", "docker")
	judgeAgain(t, o)
	if left := ours(t, idOf(t, o.dir)); left != "" {
		t.Errorf("left: %s", left)
	}
	h, err := record.Read(o.dir)
	if err != nil {
		t.Fatal(err)
	}
	if h.Run.Database != trial.Embedded {
		t.Errorf("the database is %s, and was not to be had with members", h.Run.Database)
	}
	var elected []string
	for _, e := range h.Events {
		if e.Kind == record.Elected {
			elected = append(elected, e.Instance)
		}
	}
	if len(elected) != 5 {
		t.Errorf("elected were %v, want one at the start, and one after each of four moves\n%s", elected, o.text())
	}
	for i := 1; i < len(elected); i++ {
		if elected[i] == elected[i-1] {
			t.Errorf("elected were %v: %s took its own place", elected, elected[i])
		}
	}
	passes(t, o)
}

func TestContainersShowADefect(t *testing.T) {
	unhurried(t)
	contained(t)
	tryEntry(t, "counted-twice", "--platform", "docker")
}

// TestARecordTellsNoPlatform compares the shape of two records: the same files,
// kinds of events and series.
func TestARecordTellsNoPlatform(t *testing.T) {
	unhurried(t)
	contained(t)
	shapes := map[string]shape{}
	for _, platform := range []string{"local", "docker"} {
		o := runScenario(t, "quiet", "--platform", platform, "--seed", "7")
		h, err := record.Read(o.dir)
		if err != nil {
			t.Fatal(err)
		}
		if h.Run.Platform != platform {
			t.Errorf("a run on %s says %q", platform, h.Run.Platform)
		}
		if h.Run.Database != trial.Embedded {
			t.Skipf("SKIPPED, NOTHING PROVED: a MongoDB image is there, whose series are its own")
		}
		shapes[platform] = shapeOf(t, o.dir, h)
	}
	if d := cmp.Diff(shapes["local"], shapes["docker"]); d != "" {
		t.Errorf("records differ (-local +docker):\n%s", d)
	}
}

// shape is what two records of one scenario have in common. Trouble is left
// out: whether there is any is the machine's doing.
type shape struct{ Files, Events, Series []string }

func shapeOf(t *testing.T, dir string, h record.History) shape {
	t.Helper()
	var s shape
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err == nil && !d.IsDir() && !strings.HasPrefix(name, "exits") { // how containers ended: evidence that only docker has
			s.Files = append(s.Files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h.Events {
		if e.Kind != record.Trouble {
			s.Events = append(s.Events, string(e.Kind))
		}
	}
	for _, one := range h.Series {
		// HAProxy's release, and how it was built, decides what it counts; only a
		// cgroup of its own, which every container has, tells how often it was stopped.
		throttled := strings.HasPrefix(one.Name, "host_cpu_periods") || strings.HasPrefix(one.Name, "host_cpu_throttled")
		if !strings.HasPrefix(one.Name, "haproxy_") && !throttled {
			s.Series = append(s.Series, one.Name)
		}
	}
	for _, list := range []*[]string{&s.Files, &s.Events, &s.Series} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return s
}

func TestContainersEndWithTheirRunner(t *testing.T) {
	unhurried(t)
	for name, end := range map[string]struct {
		signal os.Signal
		within time.Duration
	}{"interrupted": {os.Interrupt, 0}, "killed": {os.Kill, time.Minute}} {
		t.Run(name, func(t *testing.T) {
			contained(t)
			dir := filepath.Join(t.TempDir(), "run")
			cmd, events := startRun(t, dir, "replace-an-instance", "--platform", "docker")
			events.await(t, "kill web-2")
			if ours(t, idOf(t, dir)) == "" {
				t.Fatal("the run has no containers to leave")
			}
			if err := cmd.Process.Signal(end.signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // its status is not the point
			deadline := time.Now().Add(end.within)
			for left := ours(t, idOf(t, dir)); left != ""; left = ours(t, idOf(t, dir)) {
				if time.Now().After(deadline) {
					t.Fatalf("%v after its end there is still: %s", end.within, left)
				}
				time.Sleep(200 * time.Millisecond)
			}
			judgedInconclusive(t, dir)
		})
	}
}

// refused runs the program and demands one message, with exit status 4.
func refused(t *testing.T, want []string, env []string, args ...string) {
	t.Helper()
	args = append([]string{"run", "--platform", "docker", "--out", filepath.Join(t.TempDir(), "run")}, args...)
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitHarness {
		t.Errorf("%v: exit status %d, want %d", args, code, exitHarness)
	}
	for _, w := range want {
		if !strings.Contains(string(out), w) {
			t.Errorf("%v: no %q in\n%s", args, w, out)
		}
	}
	if n := strings.Count(string(out), "throughline:"); n != 1 {
		t.Errorf("%v: %d messages, want one:\n%s", args, n, out)
	}
}

// withWeb writes the quiet scenario with other web instances.
func withWeb(t *testing.T, web string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "web.yaml")
	text := fmt.Sprintf(`scenario: web
about: Anybody's web instances.
stack:
  web: {instances: 1, routes: {insert: "POST /insert/{word}"}, %s}
load: {rate: 10/s}
phases:
  - {phase: one, for: 2s}
checks:
  - continuity: {metric: fullstack.insert}
`, web)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestContainersThatCannotRun(t *testing.T) {
	unhurried(t)
	nowhere := []string{"DOCKER_HOST=unix:///nonexistent/docker.sock"}
	refused(t, []string{"no engine answers", "--platform local"}, nowhere, "quiet")
	refused(t, []string{"no engine answers", "stack.web.command python3", "--mongo 127.0.0.1:27017"}, nowhere,
		"--mongo", "mongodb://127.0.0.1:27017/x", withWeb(t, "command: [python3, app.py]"))
	contained(t)
	refused(t, []string{"MONGO_IMAGE", "localhost:1/none:1", "cannot be pulled"}, []string{"MONGO_IMAGE=localhost:1/none:1"}, "quiet")
	refused(t, []string{"--mongo-image", "localhost:1/none:1", "cannot be pulled"}, []string{"MONGO_IMAGE=" + docker.HAProxyImage}, "--mongo-image", "localhost:1/none:1", "kill-the-primary")
	refused(t, []string{"fault isolate-member: only the embedded database"}, []string{"MONGO_IMAGE=" + docker.HAProxyImage}, "part-the-primary")
	refused(t, []string{"stack.web.image", "localhost:1/none:2", "cannot be pulled"}, nil, withWeb(t, "image: localhost:1/none:2"))
	// HAProxy without a configuration ends with a word about it.
	refused(t, []string{"start web-1", "before it was ready", "haproxy.cfg"}, nil, withWeb(t, "image: "+docker.HAProxyImage))
}

// imageOf builds an image of the program under test that executes the command
// given, and removes it at the end.
func imageOf(t *testing.T, command string) string {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	}
	dir := t.TempDir()
	text := fmt.Sprintf("FROM scratch\nCOPY throughline /throughline\nENTRYPOINT [\"/throughline\"]\nCMD [%q]\n", command)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "throughline"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	tag := fmt.Sprintf("throughline-test-%s:%d", command, os.Getpid())
	if out, err := exec.Command("docker", "build", "-q", "-t", tag, dir).CombinedOutput(); err != nil {
		t.Fatalf("docker build: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "image", "rm", tag).Run() })
	return tag
}

// TestForeignImagesSideBySide names an image for the application and one for the
// database, as users do with theirs, in two runs at once: they must not want the
// same ports.
func TestForeignImagesSideBySide(t *testing.T) {
	unhurried(t)
	contained(t)
	web, mongo := imageOf(t, "app"), imageOf(t, "docstore")
	scenario := withWeb(t, fmt.Sprintf("image: %q", web))
	var both sync.WaitGroup
	for range 2 {
		dir := filepath.Join(t.TempDir(), "run")
		both.Go(func() {
			cmd := exec.Command(binary, "run", "--platform", "docker", "--out", dir, scenario)
			cmd.Env = append(os.Environ(), "MONGO_IMAGE="+mongo)
			out, _ := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); code != exitPass && code != exitInconclusive {
				t.Errorf("exit status %d\n%s", code, out)
				return
			}
			h, err := record.Read(dir)
			if err != nil {
				t.Error(err)
				return
			}
			if h.Run.Database != trial.Embedded || !strings.Contains(string(out), "no MongoDB") {
				t.Errorf("the embedded database in an image passes for %s\n%s", h.Run.Database, out)
			}
			for name, image := range map[string]string{"web-1": web, run.DatabaseName: mongo} {
				text, err := os.ReadFile(filepath.Join(dir, "exits", name+".json"))
				if err != nil || !strings.Contains(string(text), fmt.Sprintf("%q", image)) {
					t.Errorf("%s ran %s (%v), want image %s", name, text, err, image)
				}
			}
		})
	}
	both.Wait()
}

func TestAPortInUseOfContainers(t *testing.T) {
	unhurried(t)
	contained(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	cmd := exec.Command(binary, "up", "--platform", "docker", "--web", "1", "--port", port)
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitHarness || !strings.Contains(string(out), "in use") {
		t.Errorf("exit status %d, want %d and that it is in use:\n%s", code, exitHarness, out)
	}
}

func TestHealth(t *testing.T) {
	var answer atomic.Int32
	answer.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			answer.Store(http.StatusNotFound)
		}
		w.WriteHeader(int(answer.Load()))
	}))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ask := func(port string, args ...string) (int, string) {
		cmd := exec.Command(binary, append([]string{"health"}, args...)...)
		cmd.Env = append(os.Environ(), "PORT="+port)
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := ask(port); code != 0 {
		t.Errorf("healthy: %d, %s", code, out)
	}
	answer.Store(http.StatusServiceUnavailable)
	for want, args := range map[string][]string{"503": nil, "refused": {"http://127.0.0.1:1/"}} {
		if code, out := ask(port, args...); code != 1 || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%v: %d, %q, want 1 and one line with %q", args, code, out, want)
		}
	}
	if code, out := ask(""); code != 1 || !strings.Contains(out, "PORT") {
		t.Errorf("without PORT: %d, %s", code, out)
	}
}
