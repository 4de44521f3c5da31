package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crashVariable asks a process of the tests to crash in one of the ways of
// crashes while a command runs, or to have the command itself crash.
const (
	crashVariable  = "THROUGHLINE_TEST_CRASH"
	crashOfCommand = "command"
)

var crashes = map[string]struct {
	do   func()
	says string
}{
	"panic": {func() { panic("wanted by a test") }, "panic: wanted by a test"},
	//lint:ignore SA5000 it is to crash
	"nil map":        {func() { map[string]int(nil)["a"]++ }, "assignment to entry in nil map"},
	"nil pointer":    {func() { fmt.Println(*(*int)(nil)) }, "nil pointer dereference"},
	"deep stack":     {func() { debug.SetMaxStack(1 << 20); fmt.Println(deep(0)) }, "stack overflow"},
	"two map writes": {writeAtOnce, "fatal error: concurrent map writes"},
	"no memory":      {func() { hoard() }, "out of memory"},
	"SIGQUIT":        {func() { _ = syscall.Kill(os.Getpid(), syscall.SIGQUIT); select {} }, "SIGQUIT: quit"},
}

//lint:ignore SA5007 it is to overflow the stack
func deep(n int) int { return deep(n+1) + n }

func writeAtOnce() {
	m := map[int]int{}
	for range 4 {
		go func() {
			for i := 0; ; i++ {
				m[i%8] = i
			}
		}()
	}
	select {}
}

// hoard takes more memory than the process may have, in one piece.
func hoard() {
	limit := syscall.Rlimit{Cur: 4 << 30, Max: 4 << 30}
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &limit); err != nil {
		panic(err)
	}
	hoarded = make([]byte, 1<<40)
}

var hoarded []byte

// crash runs a command that does not end by itself, and crashes beside it. It
// never returns.
func crash(how string) {
	// A limit of the machine must not make the test pass.
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
	}
	if how == crashOfCommand {
		os.Args = nil // of which the command line takes the first
		os.Exit(Main())
	}
	os.Args = []string{"throughline", "collect", "--statsd", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--quiet"}
	go func() {
		time.Sleep(300 * time.Millisecond)
		crashes[how].do()
	}()
	os.Exit(Main())
}

// TestCrashIsNoVerdict really crashes a process in every way: it dies of
// SIGABRT, tells why, and leaves no core file.
func TestCrashIsNoVerdict(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for how, want := range crashes {
		t.Run(how, func(t *testing.T) {
			if raceDetected && (how == "two map writes" || how == "no memory") {
				t.Skip("the race detector has words of its own for it")
			}
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), crashVariable+"="+how, "TMPDIR="+dir)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			err := cmd.Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				t.Fatalf("it ended with %v", err)
			}
			status := exit.Sys().(syscall.WaitStatus)
			if !status.Signaled() || status.Signal() != syscall.SIGABRT || status.CoreDump() {
				t.Errorf("%v, want it to die of SIGABRT without a core", exit)
			}
			if !strings.Contains(stderr.String(), want.says) {
				t.Errorf("it does not say %q:\n%.2000s", want.says, stderr.String())
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if strings.HasPrefix(e.Name(), "core") {
					t.Errorf("it leaves %s", e.Name())
				}
			}
		})
	}
}

// TestCrashOfTheCommand: a panic of the command itself is told as a bug, with
// the status of a harness that could not run.
func TestCrashOfTheCommand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), crashVariable+"="+crashOfCommand)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitHarness || !strings.Contains(string(out), "throughline: crashed, which is a bug of it: runtime error: index out of range") {
		t.Errorf("%v: %s", err, out)
	}
}
