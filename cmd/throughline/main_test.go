package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"throughline/browsertest"
	"throughline/scenarios/trial"
)

// binary is the program under test, built once without the race detector: the
// instances of a stack are this binary, and are to be as fast as a user's. It is given
// the version that saved verdicts name.
var binary string

func TestMain(m *testing.M) {
	if how := os.Getenv(crashVariable); how != "" {
		crash(how)
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "throughline-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "throughline")
	build := exec.Command("go", "build", "-ldflags", "-X throughline/cmd/throughline/cli.stamp=tests", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // static, as make builds it: it runs alone in images
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build throughline: %v\n%s", err, out)
		return 1
	}
	return browsertest.Main(m)
}

// TestScripts runs the command line as a user does; see testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"))
			records, err := filepath.Abs(saved)
			if err != nil {
				return err
			}
			env.Setenv("RECORDS", records)
			return occupy(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": cmdStatus,
			"big":    cmdBig,
		},
	})
}

// occupy takes a TCP and a UDP port and tells their numbers.
func occupy(env *testscript.Env) error {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { tcp.Close() })
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { udp.Close() })
	env.Setenv("BUSY_PORT", fmt.Sprint(tcp.Addr().(*net.TCPAddr).Port))
	env.Setenv("BUSY_UDP", fmt.Sprint(udp.LocalAddr().(*net.UDPAddr).Port))
	return nil
}

// cmdStatus runs a command and compares its exit status: status 3 throughline
// check x.yaml. stdout and stderr can be looked at afterwards.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if err != nil {
		code = -1
		if exit, ok := err.(*exec.ExitError); ok {
			code = exit.ExitCode()
		}
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
}

// cmdBig writes a file of so many megabytes: big FILE N.
func cmdBig(ts *testscript.TestScript, _ bool, args []string) {
	line := "# " + strings.Repeat("x", 1021) + "\n"
	var n int
	if _, err := fmt.Sscan(args[1], &n); err != nil {
		ts.Fatalf("big: %v", err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat(line, n*1024)), 0o644))
}

// A run that could not be is told as any work that could not be done.
func TestExitStatusesAgree(t *testing.T) {
	if int(trial.Unrun) != exitHarness {
		t.Errorf("a trial that could not be run is status %d, and a program that could not do its work %d", trial.Unrun, exitHarness)
	}
}
