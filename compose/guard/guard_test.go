package guard_test

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/compose/guard"
)

// TestMain lets the test binary stand in for a guard, which writes down what it
// has heard.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "guard" {
		os.Exit(m.Run())
	}
	var heard bytes.Buffer
	err := guard.Listen(os.Stdin, os.Stdout, func(line string) error {
		if line == "?" {
			return guard.Unknown(line)
		}
		heard.WriteString(line + "\n")
		return nil
	})
	if err != nil {
		heard.WriteString(err.Error() + "\n")
	}
	if err := os.WriteFile(os.Args[2], heard.Bytes(), 0o600); err != nil {
		os.Exit(1)
	}
}

func startGuard(t *testing.T) (g *guard.Guard, heard func() string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := t.TempDir() + "/heard"
	if g, err = guard.Start([]string{self, "guard", path}, os.Environ()); err != nil {
		t.Fatal(err)
	}
	return g, func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestTheGuardHearsAllUntilTheEnd(t *testing.T) {
	g, heard := startGuard(t)
	for _, line := range []string{"one", "?", "", "two"} {
		if err := g.Tell(line); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	}
	if d := cmp.Diff("one\ntwo\nguard: \"?\" is not a line of its protocol\n", heard()); d != "" {
		t.Error(d)
	}
	if err := g.Tell("three"); err == nil || !strings.Contains(err.Error(), "stopped already") {
		t.Errorf("told after the end: %v", err)
	}
}

// What ends the runner must not end the guard before it has cleaned up.
func TestTheGuardOutlivesSignals(t *testing.T) {
	g, heard := startGuard(t)
	out, err := exec.Command("ps", "-o", "pid=,stat=", "--ppid", strconv.Itoa(os.Getpid())).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		// ps itself is a child too; the guard alone has a session of its own (s).
		if f := strings.Fields(line); len(f) == 2 && strings.Contains(f[1], "s") {
			number, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
				if err := syscall.Kill(number, s); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if err := g.Tell("still there"); err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
	if heard() != "still there\n" {
		t.Errorf("heard %q", heard())
	}
}
