package respawn

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// counting is a shell command that notes each of its starts, and then does something.
func counting(t *testing.T, then string) (command []string, starts func() []int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pids")
	return []string{"/bin/sh", "-c", "echo $$ >> " + file + "; " + then}, func() []int {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil
		}
		var pids []int
		for line := range strings.Lines(string(text)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && strings.HasSuffix(line, "\n") {
				pids = append(pids, pid)
			}
		}
		return pids
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestRunStartsAgainWhatWasKilled(t *testing.T) {
	command, starts := counting(t, "exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- Run(ctx, command, &said, &said) }()
	for n := 1; n <= 2; n++ {
		await(t, "a start", func() bool { return len(starts()) == n })
		if err := syscall.Kill(starts()[n-1], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the third start", func() bool { return len(starts()) == 3 })
	cancel() // whoever asks this process to end asks the program too
	if err := syscall.Kill(starts()[2], syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if len(starts()) != 3 || strings.Count(said.String(), "(signal: killed); starting it again") != 2 {
		t.Errorf("%d starts, and it said %q", len(starts()), said.String())
	}
}

func TestRunEnds(t *testing.T) {
	command, starts := counting(t, "exit 0")
	if err := Run(t.Context(), command, nil, &bytes.Buffer{}); err != nil || len(starts()) != 1 {
		t.Errorf("a program that ended well: %v, %d starts", err, len(starts()))
	}
	command, starts = counting(t, "exit 3")
	ctx, cancel := context.WithTimeout(t.Context(), pause*5)
	defer cancel()
	if err := Run(ctx, command, nil, &bytes.Buffer{}); err != nil || len(starts()) < 2 {
		t.Errorf("a program that fails: %v, %d starts, want it started again", err, len(starts()))
	}
	if err := Run(t.Context(), []string{"/nowhere/to/be/found"}, nil, &bytes.Buffer{}); err == nil {
		t.Error("a program that is not there was run")
	}
}

// The shell's script is to a command what Run is.
func TestShellStartsAgainWhatWasKilled(t *testing.T) {
	begin := func(then string) (cmd *exec.Cmd, starts func() []int, said *bytes.Buffer) {
		command, starts := counting(t, then)
		words := Shell(command)
		cmd, said = exec.Command(words[0], words[1:]...), &bytes.Buffer{}
		cmd.Stderr = said
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // an error says that all have ended
		return cmd, starts, said
	}
	cmd, starts, said := begin(`trap "echo asked >&2; exit 0" TERM; while :; do sleep 0.05; done`)
	for n := 1; n <= 2; n++ {
		await(t, "a start", func() bool { return len(starts()) == n })
		if err := syscall.Kill(starts()[n-1], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the third start", func() bool { return len(starts()) == 3 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil { // itself alone: in a container nobody else is asked
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if len(starts()) != 3 || strings.Count(said.String(), "respawn: /bin/sh ended (137); starting it again") != 2 {
		t.Errorf("%d starts, and it said %q", len(starts()), said.String())
	}
	cmd, starts, _ = begin("exit 0")
	if err := cmd.Wait(); err != nil || len(starts()) != 1 {
		t.Errorf("a program that ended well: %v, %d starts", err, len(starts()))
	}
}
