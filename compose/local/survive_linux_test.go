package local_test

import (
	"bufio"
	"context"
	"errors"
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
)

// TestNothingSurvivesAKilledRunner kills the runner, and not only it: without
// the guard the shells' children would live on.
func TestNothingSurvivesAKilledRunner(t *testing.T) {
	temp := t.TempDir()
	cmd, pids := startRunner(t, temp)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for _, pid := range pids {
		for runs(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d still runs 5 s after the runner was killed", pid)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	for {
		left, err := filepath.Glob(filepath.Join(temp, "throughline-*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %v", left)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// startRunner starts a runner that makes its temporary directory in temp, and
// gives all processes of its instances, which run.
func startRunner(t *testing.T, temp string) (cmd *exec.Cmd, pids []int) {
	t.Helper()
	dir := t.TempDir()
	cmd = exec.Command(self(t), "runner", dir)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("runner: %s", lines.Text())
		}
		pids = append(pids, pid)
	}
	if len(pids) != 3 {
		t.Fatalf("the runner started %d of 3 instances", len(pids))
	}
	for _, name := range []string{"web-2", "web-3"} {
		for _, file := range shellFiles {
			pids = append(pids, awaitPid(t, filepath.Join(dir, name+file)))
		}
	}
	for _, pid := range pids {
		if !runs(pid) {
			t.Fatalf("process %d does not run before the kill, so its absence would prove nothing", pid)
		}
	}
	return cmd, pids
}

func awaitPid(t *testing.T, path string) int {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		data, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if text, whole := strings.CutSuffix(string(data), "\n"); whole {
			pid, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s was never written", path)
		}
	}
}

// runs is false for a zombie, for it is dead, and who reaps it is not ours to
// say; but not while threads of it still end, for they hold its files open.
func runs(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	return f[0] != "X" && (f[0] != "Z" || f[17] != "1")
}

// TestAGroupIsGoneOnlyAsAWhole: the shell dies at once, its children ignore
// SIGTERM for a moment; Wait must not return before they are gone.
func TestAGroupIsGoneOnlyAsAWhole(t *testing.T) {
	dir := t.TempDir()
	p := newPlatform(t)
	h, err := p.Start(t.Context(), shell(dir, "web-1"))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range shellFiles {
		pids = append(pids, awaitPid(t, filepath.Join(dir, "web-1"+file)))
	}
	leader, err := strconv.Atoi(h.(compose.Identified).ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(leader, syscall.SIGKILL); err != nil { // the leader alone
		t.Fatal(err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if exit, err := h.Wait(brief); err == nil {
		t.Fatalf("gone as %+v while its children run", exit)
	}
	if err := h.Signal(t.Context(), compose.Terminate); err != nil {
		t.Fatalf("what is left of the group cannot be signalled: %v", err)
	}
	exit, err := h.Wait(t.Context())
	if err != nil || exit.Signal != "SIGKILL" {
		t.Errorf("exit = %+v, %v; want the leader's SIGKILL", exit, err)
	}
	for _, pid := range pids {
		if runs(pid) {
			t.Errorf("process %d still runs", pid)
		}
	}
}
