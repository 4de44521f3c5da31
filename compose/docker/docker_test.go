package docker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"throughline/compose"
	"throughline/compose/docker"
	"throughline/compose/platformtest"
)

// session is what testcontainers marks all containers of this process with, and
// would mark its reaper with.
const session = "TESTCONTAINERS_SESSION_ID"

// TestMain lets the test binary stand in for the guard and for a runner that is
// killed.
func TestMain(m *testing.M) {
	_ = os.Setenv(session, unique())
	docker.Prepare()
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		if err := docker.Guard(os.Stdin, os.Stdout); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(runner(os.Args[2:]))
	}
	status := m.Run()
	if web.dir != "" {
		_ = os.RemoveAll(web.dir)
	}
	os.Exit(status)
}

var count atomic.Int64

// unique is a run that no other test of any process uses.
func unique() string {
	return fmt.Sprintf("t%s-%d-%d", strconv.FormatInt(time.Now().UnixNano(), 36), os.Getpid(), count.Add(1))
}

func needEngine(t testing.TB) {
	t.Helper()
	err := docker.Possible(t.Context())
	if err == nil {
		return
	}
	t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
}

// web is the contract's program, built static once. The test binary itself may
// be built with the race detector, which needs libraries.
var web struct{ dir, path string }

func webBinary(t testing.TB) string {
	t.Helper()
	if web.path != "" {
		return web.path
	}
	dir, err := os.MkdirTemp("", "throughline-docker-test-")
	if err != nil {
		t.Fatal(err)
	}
	web.dir = dir
	path := filepath.Join(dir, "web")
	cmd := exec.Command("go", "build", "-o", path, "./testdata/web")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the contract's program: %v\n%s", err, out)
	}
	web.path = path
	return path
}

func newPlatform(t testing.TB, images docker.Images) *docker.Platform {
	t.Helper()
	return newPlatformIn(t, docker.Config{Dir: t.TempDir(), Run: unique(), Self: webBinary(t), Images: images})
}

// guarded is the command of the guard.
func guarded(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, "guard"}
}

func newPlatformIn(t testing.TB, c docker.Config) *docker.Platform {
	t.Helper()
	c.Guard = guarded(t)
	p, err := docker.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if left := labelled(t, docker.Label+"="+c.Run); len(left) > 0 {
			t.Errorf("left after close: %v", left)
		}
	})
	return p
}

// labelled lists the containers, networks and volumes with the label.
func labelled(t testing.TB, label string) []string {
	t.Helper()
	engine, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	filter := make(client.Filters).Add("label", label)
	containers, err := engine.ContainerList(context.Background(), client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		t.Fatal(err)
	}
	networks, err := engine.NetworkList(context.Background(), client.NetworkListOptions{Filters: filter})
	if err != nil {
		t.Fatal(err)
	}
	volumes, err := engine.VolumeList(context.Background(), client.VolumeListOptions{Filters: filter})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, c := range containers.Items {
		found = append(found, strings.Join(c.Names, " "))
	}
	for _, n := range networks.Items {
		found = append(found, "network "+n.Name)
	}
	for _, v := range volumes.Items {
		found = append(found, "volume "+v.Name)
	}
	return found
}

func program(args ...string) compose.Program {
	return compose.Program{Self: append([]string{}, args...)}
}

func webInstance(name string, args ...string) compose.Instance {
	return compose.Instance{
		Name:    name,
		Program: program(append([]string{"--addr", "{{.Host}}:{{.Port}}", "--dir", "{{.Dir}}"}, args...)...),
		Ports:   map[string]int{"http": 0},
		Ready:   compose.Probe{Path: "/healthz", Within: 20 * time.Second},
	}
}

func TestDockerKeepsTheContract(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: it starts containers for half a minute, as a real run does")
	}
	needEngine(t)
	platformtest.Run(t, func(t *testing.T) compose.Platform { return newPlatform(t, docker.Images{}) },
		platformtest.Programs{Web: program})
}

func start(t testing.TB, p compose.Platform, i compose.Instance) compose.Handle {
	t.Helper()
	h, err := p.Start(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func answers(addr string) error {
	_, err := get(addr)
	return err
}

func end(t testing.TB, h compose.Handle) compose.Exit {
	t.Helper()
	if err := h.Signal(t.Context(), compose.Kill); err != nil {
		t.Fatal(err)
	}
	exit, err := h.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return exit
}

func TestTwoPlatformsDoNotTouchEachOther(t *testing.T) {
	needEngine(t)
	one, two := newPlatform(t, docker.Images{}), newPlatform(t, docker.Images{})
	a, b := start(t, one, webInstance("web-1")), start(t, two, webInstance("web-1"))
	if a.Addr("http") == b.Addr("http") || one.Gateway() == two.Gateway() {
		t.Errorf("they share %s and %s, or the gateway %s", a.Addr("http"), b.Addr("http"), one.Gateway())
	}
	if err := one.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := answers(b.Addr("http")); err != nil {
		t.Errorf("closing one took the other's instance: %v", err)
	}
	if _, err := net.Dial("tcp", a.Addr("http")); err == nil {
		t.Error("the closed one still answers")
	}
	start(t, two, webInstance("web-2")) // also without the guard of the other
}

// An address that is given to somebody else makes late datagrams count for
// the wrong instance.
func TestAnAddressBelongsToOneName(t *testing.T) {
	needEngine(t)
	p := newPlatform(t, docker.Images{})
	seen := map[string]string{p.Home(): "the harness"}
	for _, name := range []string{"web-1", "web-2", "web-3"} {
		i := webInstance(name)
		var told netip.Addr
		i.Placed = func(at netip.Addr) error { told = at; return nil }
		h := start(t, p, i)
		mine := h.(compose.Addressed).Address()
		if told != mine {
			t.Errorf("%s has the address %v, and %v was told before its start", name, mine, told)
		}
		if who, taken := seen[mine.String()]; taken {
			t.Errorf("%s has the address of %s", name, who)
		}
		seen[mine.String()] = name
		if err := answers(net.JoinHostPort(mine.String(), "8080")); err != nil {
			t.Errorf("%s does not answer at its own address: %v", name, err)
		}
		end(t, h)
	}
}

// The harness listens at the gateway and sees each instance under its own
// address; instances find each other by name.
func TestInstancesReachTheHarnessAndEachOther(t *testing.T) {
	needEngine(t)
	needImage(t, "haproxy:3.0")
	p := newPlatform(t, docker.Images{})
	start(t, p, webInstance("web-1"))
	home, err := net.ListenPacket("udp4", net.JoinHostPort(p.Home(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	_, port, _ := net.SplitHostPort(home.LocalAddr().String())
	script := fmt.Sprintf(`exec 3<>/dev/tcp/web-1/8080 && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && head -1 <&3 >/dev/udp/%s/%s; sleep 60`, p.Home(), port)
	h := start(t, p, compose.Instance{Name: "client-1", Program: compose.Program{Command: []string{"bash", "-c", script}, Image: "haproxy:3.0"}})
	if err := home.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 100)
	n, from, err := home.ReadFrom(line)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(line[:n]), "200 OK") {
		t.Errorf("web-1 answered %q", line[:n])
	}
	want := h.(interface{ Address() netip.Addr }).Address()
	if host, _, _ := net.SplitHostPort(from.String()); host != want.String() {
		t.Errorf("client-1 sent from %s and is at %s", host, want)
	}
}

func TestWhatIsFrozenSeesSIGTERMWhenThawed(t *testing.T) {
	needEngine(t)
	h := start(t, newPlatform(t, docker.Images{}), webInstance("web-1", "--exit", "3"))
	frozen := h.(compose.Pauser)
	if err := frozen.Resume(t.Context()); err != nil {
		t.Errorf("resume what runs: %v", err)
	}
	if err := frozen.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := frozen.Pause(t.Context()); err != nil {
		t.Errorf("once more: %v", err)
	}
	if err := h.Signal(t.Context(), compose.Terminate); err != nil {
		t.Fatal(err)
	}
	brief, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if exit, err := h.Wait(brief); err == nil {
		t.Fatalf("ended while it was frozen: %+v", exit)
	}
	if err := frozen.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exit, err := h.Wait(t.Context()); err != nil || exit.Code != 3 {
		t.Errorf("exit = %+v, %v, want status 3", exit, err)
	}
}

func needImage(t testing.TB, ref string) []string {
	t.Helper()
	words, err := docker.Image(t.Context(), ref)
	if err == nil {
		return words
	}
	t.Skipf("SKIPPED, NOTHING PROVED: %v", err)
	return nil
}

func TestWhatIsGoneIsKeptInTheRunDirectory(t *testing.T) {
	needEngine(t)
	dir := t.TempDir()
	p := newPlatformIn(t, docker.Config{Dir: dir, Run: unique(), Self: webBinary(t)})
	i := webInstance("web-1")
	i.Files = map[string]string{"notes.txt": "I am {{.Name}}"}
	exit := end(t, start(t, p, i))
	text, err := os.ReadFile(filepath.Join(dir, "exits", "web-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	var kept struct {
		Instance, Address, Signal string
		Code                      int
		Seen                      time.Time
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Instance != "web-1" || kept.Signal != "SIGKILL" || kept.Code != -1 || !kept.Seen.Equal(exit.At) || kept.Address == "" {
		t.Errorf("kept %s of %+v", text, exit)
	}
	if log, err := os.ReadFile(filepath.Join(dir, "logs", "web-1.log")); err != nil || !strings.Contains(string(log), "web: serving on") {
		t.Errorf("log %q, %v", log, err)
	}
	if told, err := os.ReadFile(filepath.Join(dir, "config", "web-1", "notes.txt")); err != nil || string(told) != "I am web-1" {
		t.Errorf("what it was told: %q, %v", told, err)
	}
}

// runner starts an instance, says where it is, and waits to be killed.
func runner(args []string) int {
	p, err := docker.New(context.Background(), docker.Config{Dir: args[0], Run: args[1], Self: args[2], Guard: []string{os.Args[0], "guard"}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	h, err := p.Start(context.Background(), webInstance("web-1", "--stubborn"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ready", h.Addr("http"))
	select {}
}

func portOf(t testing.TB, addr string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// BenchmarkStart is the time until an instance is ready, and then until it is
// gone and removed.
func BenchmarkStart(b *testing.B) {
	needEngine(b)
	p := newPlatform(b, docker.Images{})
	var starting, ending time.Duration
	n := 0
	for b.Loop() {
		n++
		begin := time.Now()
		h := start(b, p, webInstance(fmt.Sprintf("web-%d", n)))
		ready := time.Now()
		end(b, h)
		starting += ready.Sub(begin)
		ending += time.Since(ready)
	}
	b.ReportMetric(starting.Seconds()/float64(n), "s/ready")
	b.ReportMetric(ending.Seconds()/float64(n), "s/gone")
}

// Who reads all instances each second does not wait for the engine.
func TestAFootprintIsKnownWithoutTheEngine(t *testing.T) {
	needEngine(t)
	p := newPlatform(t, docker.Images{})
	h := start(t, p, webInstance("web-1"))
	nobody, cancel := context.WithCancel(t.Context())
	cancel()
	f, err := h.(compose.Measured).Footprint(nobody)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("docker", "inspect", "--format", "{{.State.Pid}}", h.(compose.Identified).ID()).CombinedOutput()
	if want := strings.TrimSpace(string(out)); err != nil || strconv.Itoa(f.PID) != want || !f.OwnCgroup {
		t.Errorf("footprint %+v; the engine has process %s (%v)", f, want, err)
	}
}
