package local_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"throughline/compose"
	"throughline/compose/local"
)

func web(name string, args ...string) compose.Instance {
	return compose.Instance{
		Name:    name,
		Program: compose.Program{Self: append([]string{"web", "--addr", "{{.Host}}:{{.Port}}"}, args...)},
		Ports:   map[string]int{"http": 0},
		Ready:   compose.Probe{Path: "/healthz", Within: 20 * time.Second},
	}
}

func start(t *testing.T, p *local.Platform, i compose.Instance) compose.Handle {
	t.Helper()
	h, err := p.Start(t.Context(), i)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
}

func TestAPortInUseIsRefusedBeforeTheStart(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := newPlatform(t)
	i := web("web-1")
	i.Ports["http"] = l.Addr().(*net.TCPAddr).Port
	_, err = p.Start(t.Context(), i)
	wantError(t, err, fmt.Sprintf("start web-1: port %d is in use by pid %d (local.test); choose another", i.Ports["http"], os.Getpid()))

	first := start(t, p, web("web-2"))
	_, port, err := net.SplitHostPort(first.Addr("http"))
	if err != nil {
		t.Fatal(err)
	}
	again := web("web-3")
	if again.Ports["http"], err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	_, err = p.Start(t.Context(), again)
	wantError(t, err, "start web-3: port "+port+" was given to web-2 in this run")
	other := newPlatform(t)
	_, err = other.Start(t.Context(), again)
	wantError(t, err, "start web-3: port "+port+" belongs to another run of throughline")
}

// TestAPortAskedForIsUsed also shows that ports are outside the kernel's range
// for outgoing connections.
func TestAPortAskedForIsUsed(t *testing.T) {
	p := newPlatform(t)
	first := start(t, p, web("web-1"))
	_, text, err := net.SplitHostPort(first.Addr("http"))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Fatal(err)
	}
	var low, high int
	if _, err := fmt.Sscan(string(data), &low, &high); err != nil {
		t.Fatal(err)
	}
	if low > 12000 && port >= low && port <= high {
		t.Errorf("port %d is in %d-%d, from which outgoing connections take theirs", port, low, high)
	}
	if err := first.Signal(t.Context(), compose.Kill); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	i := web("web-1")
	i.Ports["http"] = port // free again, with its platform
	if got := start(t, newPlatform(t), i).Addr("http"); got != first.Addr("http") {
		t.Errorf("it listens on %s, not on %s", got, first.Addr("http"))
	}
}

// TestAStolenPortIsNoticed: the instance does not listen on its port, but
// somebody else does, and would be taken for it.
func TestAStolenPortIsNoticed(t *testing.T) {
	p := newPlatform(t)
	dir := t.TempDir()
	i := compose.Instance{
		Name: "web-1",
		Program: compose.Program{Command: []string{"sh", "-c",
			"echo {{.Port}} > " + dir + "/port; echo I listen elsewhere; exec sleep 1000"}},
		Ports: map[string]int{"http": 0},
		Ready: compose.Probe{Within: 20 * time.Second},
	}
	thief := make(chan error, 1)
	go func() {
		for t.Context().Err() == nil {
			data, _ := os.ReadFile(filepath.Join(dir, "port"))
			if port, whole := strings.CutSuffix(string(data), "\n"); whole {
				l, err := net.Listen("tcp4", "127.0.0.1:"+port)
				thief <- err
				if err == nil {
					<-t.Context().Done()
					l.Close()
				}
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := p.Start(t.Context(), i)
	if e := <-thief; e != nil {
		t.Fatal(e)
	}
	wantError(t, err, "start web-1", "port http", fmt.Sprintf("was taken by pid %d (local.test)", os.Getpid()), "web-1 | I listen elsewhere")
}

// TestAShellsChildMayListen: the proof follows the group, not the process.
func TestAShellsChildMayListen(t *testing.T) {
	p := newPlatform(t)
	i := web("web-1")
	i.Program = compose.Program{Command: []string{"sh", "-c", self(t) + " web --addr {{.Host}}:{{.Port}} --exit 5; exit $?"}}
	h := start(t, p, i)
	if err := h.Signal(t.Context(), compose.Terminate); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := h.Logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if log := strings.Join(compose.LastLines(r), "\n"); !strings.Contains(log, "web: finished") {
		t.Errorf("SIGTERM did not reach the shell's child: %s", log)
	}
}

func TestChildrenAreInGroupsOfTheirOwn(t *testing.T) {
	p := newPlatform(t)
	h := start(t, p, web("web-1"))
	pid, err := strconv.Atoi(h.(compose.Identified).ID())
	if err != nil {
		t.Fatal(err)
	}
	group, err := syscall.Getpgid(pid)
	if err != nil || group != pid || group == syscall.Getpgrp() {
		t.Errorf("process %d is in group %d, %v; the runner's is %d", pid, group, err, syscall.Getpgrp())
	}
}

// TestChildrenOutliveTheThreadThatAskedForThem: PDEATHSIG looks at threads.
func TestChildrenOutliveTheThreadThatAskedForThem(t *testing.T) {
	p := newPlatform(t)
	got := make(chan compose.Handle, 1)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		h, err := p.Start(t.Context(), web("web-1"))
		failed <- err
		got <- h
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	h := <-got
	brief, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if exit, err := h.Wait(brief); err == nil {
		t.Errorf("it died with the thread: %+v", exit)
	}
}

func TestPossibleNamesWhatIsMissing(t *testing.T) {
	p := newPlatform(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program compose.Program
		want    string // "" = possible
	}{
		{compose.Program{Self: []string{"app"}}, ""},
		{compose.Program{Command: []string{"sh"}}, ""},
		{compose.Program{Command: []string{"./app"}, Dir: dir}, ""},
		{compose.Program{Command: []string{dir + "/app"}}, ""},
		{compose.Program{Command: []string{"no-such-program"}}, `program "no-such-program": not found on PATH`},
		{compose.Program{Command: []string{"./app"}}, `program "./app": cannot be executed`},
		{compose.Program{Command: []string{"./data"}, Dir: dir}, `program "./data": cannot be executed`},
		{compose.Program{}, "nothing to execute"},
	} {
		err := local.Possible(c.program)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.program, err, c.want)
		}
	}
	i := web("web-1")
	i.Program = compose.Program{Command: []string{"no-such-program"}}
	_, err := p.Start(t.Context(), i)
	wantError(t, err, `start web-1: program "no-such-program": not found on PATH`)
}

func TestNewNeedsAGuard(t *testing.T) {
	_, err := local.New(local.Config{Dir: t.TempDir(), Self: self(t), Guard: []string{"silent"}})
	wantError(t, err, "guard", "is it the right program?")
	_, err = local.New(local.Config{Dir: t.TempDir(), Self: "/no/such/binary"})
	wantError(t, err, "guard", "/no/such/binary")
	_, err = local.New(local.Config{Self: self(t)})
	wantError(t, err, "run directory")
}

// TestNothingStartsWithoutTheGuard kills the guard, which is the runner's only
// child before anything was started.
func TestNothingStartsWithoutTheGuard(t *testing.T) {
	p := newPlatform(t)
	guard := guardOf(t, os.Getpid())
	if err := syscall.Kill(guard, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitDeath(t, guard)
	_, err := p.Start(t.Context(), web("web-1"))
	wantError(t, err, "start web-1", "guard")
}

func TestLogsAndConfigurationStayInTheRunDirectory(t *testing.T) {
	dir := t.TempDir()
	p, err := local.New(local.Config{Dir: dir, Self: self(t)})
	if err != nil {
		t.Fatal(err)
	}
	i := web("web-1")
	i.Files = map[string]string{"x.cfg": "port {{.Port}}\n"}
	h := start(t, p, i)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(h.Addr("http"))
	for path, want := range map[string]string{"logs/web-1.log": "web: serving on " + h.Addr("http"), "config/web-1/x.cfg": "port " + port + "\n"} {
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || !strings.Contains(string(data), want) {
			t.Errorf("%s holds %q, %v; want %q", path, data, err, want)
		}
	}
}
