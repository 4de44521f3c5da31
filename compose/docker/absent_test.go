package docker_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

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

// A runner that is killed cannot clean up; the reaper does it.
func TestAKilledRunnerLeavesNothing(t *testing.T) {
	needEngine(t)
	run := unique()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "runner", t.TempDir(), run, webBinary(t))
	// A session of its own, as Prepare gives every process that has none.
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TESTCONTAINERS_SESSION_ID=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
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
	t.Logf("nothing left %v after the kill", time.Since(killed).Round(time.Second))
}
