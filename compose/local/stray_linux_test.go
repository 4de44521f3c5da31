package local_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"throughline/compose"
	"throughline/compose/local"
)

// TestWhatLeftTheGroupEndsWithTheInstance: a daemon of the patient would go on
// counting, in nobody's name.
func TestWhatLeftTheGroupEndsWithTheInstance(t *testing.T) {
	dir := t.TempDir()
	p := newPlatform(t)
	script := func(name string) compose.Instance {
		return compose.Instance{Name: name, Program: compose.Program{Command: []string{"sh", "-c", fmt.Sprintf(
			// A daemon: a new session, its parent gone, nothing inherited open.
			`setsid sh -c '(sleep 1003 <&- >&- 2>&- & echo $! > %s/%s)'; exec sleep 1000`, dir, name)}}}
	}
	one := start(t, p, script("web-1"))
	start(t, p, script("web-2"))
	stray, others := awaitPid(t, filepath.Join(dir, "web-1")), awaitPid(t, filepath.Join(dir, "web-2"))
	if group, err := syscall.Getpgid(stray); err != nil || strconv.Itoa(group) == one.(compose.Identified).ID() {
		t.Fatalf("process %d is in the group of its instance (%v), so the test proves nothing", stray, err)
	}
	for { // until it has executed what it is named for
		if name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", stray)); string(name) == "sleep\n" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := one.Signal(t.Context(), compose.Terminate); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if runs(stray) {
		t.Errorf("process %d still runs after its instance is gone", stray)
	}
	if !runs(others) {
		t.Errorf("process %d of another instance was ended too", others)
	}
	r, err := one.Logs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if log, want := strings.Join(compose.LastLines(r), "\n"), fmt.Sprintf("throughline: process %d (sleep) had left the process group of web-1", stray); !strings.Contains(log, want) {
		t.Errorf("the log has %q, want %q", log, want)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if runs(others) {
		t.Errorf("process %d still runs after the platform is closed", others)
	}
}

// guardOf finds the guard of a runner, which is its first child.
func guardOf(t *testing.T, runner int) int {
	t.Helper()
	out, err := exec.Command("ps", "-o", "pid=,args=", "--ppid", strconv.Itoa(runner)).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "guard" {
			pid, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatalf("no guard among the children of %d:\n%s", runner, out)
	return 0
}

func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); runs(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not die", pid)
		}
	}
}

// TestTheNextRunnerCleansUp after one that was killed together with its guard.
func TestTheNextRunnerCleansUp(t *testing.T) {
	temp := t.TempDir()
	cmd, pids := startRunner(t, temp)
	guard := guardOf(t, cmd.Process.Pid)
	for _, pid := range []int{guard, cmd.Process.Pid} {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() // says that it was killed
	awaitDeath(t, guard)
	left := 0
	for _, pid := range pids {
		if runs(pid) {
			left++
		}
	}
	if left == 0 {
		t.Fatal("nothing outlived the two, so the test proves nothing")
	}
	t.Setenv("TMPDIR", temp)
	p, err := local.New(local.Config{Dir: t.TempDir(), Self: self(t)})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if runs(pid) {
			t.Errorf("process %d still runs", pid)
		}
	}
	if dirs, err := filepath.Glob(filepath.Join(temp, "throughline-*")); err != nil || len(dirs) > 0 {
		t.Errorf("left behind: %q, %v", dirs, err)
	}
}

// TestCloseNeedsNoGuard: a guard that was killed leaves its work to Close.
func TestCloseNeedsNoGuard(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	p, err := local.New(local.Config{Dir: t.TempDir(), Self: self(t)})
	if err != nil {
		t.Fatal(err)
	}
	h := start(t, p, compose.Instance{Name: "web-1", Program: compose.Program{Command: []string{"sleep", "1000"}}})
	limits := local.CanLimitCPU() == nil
	var groups string
	if limits {
		if err := h.(compose.Limiter).LimitCPU(t.Context(), 0.5); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile("/proc/" + h.(compose.Identified).ID() + "/cgroup")
		if err != nil {
			t.Fatal(err)
		}
		groups = string(data)
		if !strings.Contains(groups, "/throughline-") {
			t.Fatalf("it is in no cgroup of its own: %s", groups)
		}
	}
	guard := guardOf(t, os.Getpid())
	if err := syscall.Kill(guard, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitDeath(t, guard)
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if dirs, err := filepath.Glob(filepath.Join(temp, "throughline-*")); err != nil || len(dirs) > 0 {
		t.Errorf("left behind: %q, %v", dirs, err)
	}
	if !limits {
		return
	}
	_, rest, _ := strings.Cut(groups, "/throughline-")
	name, _, _ := strings.Cut(rest, "/")
	for _, pattern := range []string{"/sys/fs/cgroup/throughline-" + name, "/sys/fs/cgroup/*/throughline-" + name, "/sys/fs/cgroup/*/*/throughline-" + name} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	}
}
