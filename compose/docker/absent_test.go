package docker_test

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"throughline/compose"
	"throughline/compose/docker"
)

func TestNoEngineIsOneClearError(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
	_, newErr := docker.New(t.Context(), docker.Config{Dir: t.TempDir(), Run: "r"})
	_, imageErr := docker.Image(t.Context(), "haproxy:3.0")
	for what, err := range map[string]error{"Possible": docker.Possible(t.Context()), "New": newErr, "Image": imageErr} {
		if err == nil {
			t.Errorf("%s: no error", what)
			continue
		}
		for _, want := range []string{"unix:///nonexistent/docker.sock", "start Docker", "--platform local"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error lacks %q: %v", what, want, err)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %v", what, err)
		}
	}
}

func TestWhatCannotRunIsRefused(t *testing.T) {
	needEngine(t)
	for name, c := range map[string]docker.Config{
		"directory": {Run: "r"},
		"a/b":       {Dir: t.TempDir(), Run: "a/b"},
		"Linux":     {Dir: t.TempDir(), Run: unique(), Self: "docker.go"},
		"libraries": {Dir: t.TempDir(), Run: unique(), Self: "/bin/sh"},
	} {
		if _, err := docker.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%+v: %v, want an error with %q", c, err, name)
		}
	}
	run := unique()
	p := newPlatformIn(t, docker.Config{Dir: t.TempDir(), Run: run})
	for want, program := range map[string]compose.Program{
		"Images.Self":       {Self: []string{"web"}},
		"no image":          {Command: []string{"sh"}},
		"working directory": {Command: []string{"haproxy"}, Dir: "/srv"},
	} {
		_, err := p.Start(t.Context(), compose.Instance{Name: "x" + strings.ReplaceAll(want, " ", ""), Program: program})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want an error with %q", program, err, want)
		}
	}
	if left := labelled(t, docker.Label+"="+run); len(left) != 1 {
		t.Errorf("want the network alone: %v", left)
	}
}

func TestAnImageThatIsNowhere(t *testing.T) {
	needEngine(t)
	p := newPlatform(t, docker.Images{Named: map[string]string{"web-1": "localhost:1/throughline/none:1"}})
	_, err := p.Start(t.Context(), webInstance("web-1"))
	if err == nil || !strings.Contains(err.Error(), "localhost:1/throughline/none:1") || !strings.Contains(err.Error(), "cannot be pulled") {
		t.Errorf("%v, want an error that names the image", err)
	}
}

func TestAPortInUse(t *testing.T) {
	needEngine(t)
	p := newPlatform(t, docker.Images{})
	first := start(t, p, webInstance("web-1"))
	i := webInstance("web-2")
	taken := portOf(t, first.Addr("http"))
	i.Ports = map[string]int{"http": taken}
	if _, err := p.Start(t.Context(), i); err == nil || !strings.Contains(err.Error(), "allocated") {
		t.Errorf("%v, want an error that says so", err)
	}
	end(t, first)
	i.Name = "web-3"
	if got := portOf(t, start(t, p, i).Addr("http")); got != taken {
		t.Errorf("asked for port %d, got %d", taken, got)
	}
}

// startRunner starts a runner with one instance in a process of its own, and
// gives that instance's address.
func startRunner(t *testing.T, run string) (cmd *exec.Cmd, addr string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(exe, "runner", t.TempDir(), run, webBinary(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the runner said %q, %v", line, err)
	}
	return cmd, addr
}

// A runner that is killed cannot clean up; the guard does it.
func TestAKilledRunnerLeavesNothing(t *testing.T) {
	needEngine(t)
	run := unique()
	cmd, addr := startRunner(t, run)
	// A neighbour that lives on must not keep what the dead one left.
	start(t, newPlatform(t, docker.Images{}), webInstance("web-1"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	killed := time.Now()
	if err := answers(addr); err != nil {
		t.Logf("gone at once: %v", err)
	}
	for left := labelled(t, docker.Label+"="+run); len(left) > 0; left = labelled(t, docker.Label+"="+run) {
		if time.Since(killed) > time.Minute {
			t.Fatalf("a minute later there is still %v", left)
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Logf("nothing left %v after the kill", time.Since(killed).Round(time.Millisecond))
}

func TestNewNeedsAGuard(t *testing.T) {
	needEngine(t)
	for want, command := range map[string][]string{
		"needs the command":        nil,
		"is it the right program?": {"/bin/true"},
		"/no/such/program":         {"/no/such/program"},
	} {
		run := unique()
		_, err := docker.New(t.Context(), docker.Config{Dir: t.TempDir(), Run: run, Guard: command})
		if err == nil || !strings.Contains(err.Error(), "guard") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want an error with %q", command, err, want)
		}
		if left := labelled(t, docker.Label+"="+run); len(left) > 0 {
			t.Errorf("%v: left %v", command, left)
		}
	}
}

// Without the guard nothing starts that nobody would remove.
func TestNothingStartsWithoutTheGuard(t *testing.T) {
	needEngine(t)
	p := newPlatform(t, docker.Images{})
	end(t, start(t, p, webInstance("web-1")))
	guards := children(t, "guard")
	if len(guards) != 1 {
		t.Fatalf("want one guard among the children: %v", guards)
	}
	if err := syscall.Kill(guards[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// Until it is waited for: before, a thread of it may still hold the pipe open.
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(guards[0], 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the guard does not die")
		}
	}
	if _, err := p.Start(t.Context(), webInstance("web-2")); err == nil || !strings.Contains(err.Error(), "guard: it is gone") {
		t.Errorf("%v, want that the guard is gone", err)
	}
}

// children are the processes that this one has started and whose first argument
// this is.
func children(t *testing.T, argument string) []int {
	t.Helper()
	out, err := exec.Command("ps", "-o", "pid=,args=", "--ppid", strconv.Itoa(os.Getpid())).Output()
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == argument {
			pid, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, pid)
		}
	}
	return found
}

func TestTheGuardKnowsItsProtocol(t *testing.T) {
	needEngine(t)
	cmd := exec.Command(guarded(t)[0], "guard")
	run := unique()
	cmd.Stdin = strings.NewReader("=" + run + "\n\n*" + run + "\n=\n-" + run + "\n")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is not a line of its protocol") {
		t.Errorf("%v, said %q", err, out)
	}
}

// The loopback promise holds for all that this process has started, what a
// library starts for it too: testcontainers would publish a port to the engine's
// socket on every address of the machine.
func TestPortsArePublishedOnLoopbackAlone(t *testing.T) {
	needEngine(t)
	start(t, newPlatform(t, docker.Images{}), webInstance("web-1"))
	engine, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	mine := make(client.Filters).Add("label", "org.testcontainers.sessionId="+os.Getenv(session))
	containers, err := engine.ContainerList(t.Context(), client.ContainerListOptions{Filters: mine})
	if err != nil {
		t.Fatal(err)
	}
	published := 0
	for _, c := range containers.Items {
		for _, port := range c.Ports {
			if port.PublicPort == 0 {
				continue
			}
			published++
			if !port.IP.IsLoopback() {
				t.Errorf("%s publishes %d on %s", strings.Join(c.Names, " "), port.PrivatePort, port.IP)
			}
		}
	}
	if published == 0 {
		t.Errorf("want the port of web-1 among those of %v", containers.Items)
	}
}
