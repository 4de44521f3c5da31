package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReload: the new worker counts from zero and has the servers that the old
// one had, those that were removed before aside, whose last numbers are kept.
func TestReload(t *testing.T) {
	l := startLB(t, Config{Master: true})
	first, second := startWeb(t, "web-1"), startWeb(t, "web-2")
	l.add(t, first)
	l.add(t, second)
	for range 6 {
		get(t, l.url+"/x")
	}
	if err := l.Remove(t.Context(), "web-2", 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for server, want := range map[string]float64{"web-1": 0, "web-2": 3, "FRONTEND": 0} {
		row := l.row(t, server)
		if got := row.Values["stot"]; got != want || row.Removed != (server == "web-2") {
			t.Errorf("after the reload %s has %v sessions (removed: %v), want %v", server, got, row.Removed, want)
		}
	}
	if res := get(t, l.url+"/x"); res.StatusCode != http.StatusOK || res.Header.Get(ServedBy) != "web-1" {
		t.Errorf("after the reload: %s from %q, want 200 from web-1", res.Status, res.Header.Get(ServedBy))
	}
	if err := l.WaitState(t.Context(), "web-1", Up); err != nil {
		t.Error(err)
	}
	if err := l.Add(t.Context(), "web-2", second.addr); err == nil {
		t.Error("a name was used again after a reload")
	}
}

// TestReloadUnderLoad: no request is lost but those that find a backend
// without servers, which HAProxy answers itself.
func TestReloadUnderLoad(t *testing.T) {
	l := startLB(t, Config{Master: true})
	l.add(t, startWeb(t, "web-1"))
	users := startLoad(t.Context(), l.url+"/x", 4)
	defer users.stop()
	for range 2 {
		if err := l.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		users.more(t, 20)
	}
	users.stop()
	users.mu.Lock()
	defer users.mu.Unlock()
	for _, bad := range users.bad {
		if !strings.Contains(bad, "503") && !strings.Contains(bad, "EOF") && !strings.Contains(bad, "reset") {
			t.Errorf("a user saw %s", bad)
		}
	}
}

func TestReloadNeedsAMaster(t *testing.T) {
	l := startLB(t, Config{})
	if err := l.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "master-worker mode") {
		t.Errorf("a lone worker was reloaded: %v", err)
	}
}

// TestRetryAll: a request whose answer never came is sent again, and executed
// twice; without RetryAll it is not.
func TestRetryAll(t *testing.T) {
	for _, all := range []bool{false, true} {
		l := startLB(t, Config{RetryAll: all, ServerTimeout: 300 * time.Millisecond})
		w := startWeb(t, "web-1")
		l.add(t, w)
		get(t, l.url+"/hang")
		w.mu.Lock()
		executed := w.executed
		w.mu.Unlock()
		if all != (executed > 1) {
			t.Errorf("RetryAll %v: the request came %d times", all, executed)
		}
	}
}

// again starts a program anew as it was started, once it is killed: what an init system does.
func again(t *testing.T, pid int, log io.Writer) (start func()) {
	t.Helper()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Skip(err)
	}
	args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	return func() {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
}

// TestCrash: who was killed and started again counts from zero, and has the servers that the one before had; the last
// numbers of those that were removed before are kept.
func TestCrash(t *testing.T) {
	l := startLB(t, Config{})
	l.add(t, startWeb(t, "web-1"))
	l.add(t, startWeb(t, "web-2"))
	for range 6 {
		get(t, l.url+"/x")
	}
	if err := l.Remove(t.Context(), "web-2", 0); err != nil {
		t.Fatal(err)
	}
	killed := 0
	err := l.Crash(t.Context(), func(pid int) error {
		killed = pid
		start := again(t, pid, io.Discard)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
		time.AfterFunc(100*time.Millisecond, start)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := l.pid(t.Context()); err != nil || now == strconv.Itoa(killed) {
		t.Errorf("process %s serves, %v, and %d was killed", now, err, killed)
	}
	for server, want := range map[string]float64{"web-1": 0, "web-2": 3, "FRONTEND": 0} {
		if row := l.row(t, server); row.Values["stot"] != want || row.Removed != (server == "web-2") {
			t.Errorf("after the crash %s has %v sessions (removed: %v), want %v", server, row.Values["stot"], row.Removed, want)
		}
	}
	if res := get(t, l.url+"/x"); res.StatusCode != http.StatusOK || res.Header.Get(ServedBy) != "web-1" {
		t.Errorf("after the crash: %s from %q, want 200 from web-1", res.Status, res.Header.Get(ServedBy))
	}
	refused := errors.New("not to be killed")
	if err := l.Crash(t.Context(), func(int) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("who cannot be killed: %v", err)
	}
}

// TestCrashForGood: nobody starts it again, and that is said.
func TestCrashForGood(t *testing.T) {
	l := startLB(t, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := l.Crash(ctx, func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) })
	if err == nil || !strings.HasPrefix(err.Error(), "crash haproxy: wait for a new worker: ") {
		t.Errorf("got %v", err)
	}
}
