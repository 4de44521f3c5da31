package inside

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test binary stand in for the first process of a pod, and for what that executes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "pod" {
		status, err := Run(context.Background(), os.Args[2], os.Args[3])
		if err != nil {
			fmt.Println(err)
			status = 99
		}
		os.Exit(status)
	}
	if len(os.Args) > 1 && os.Args[1] == "program" {
		os.Exit(program(os.Args[2]))
	}
	os.Exit(m.Run())
}

// program does something, and exits with 7 on SIGTERM.
func program(how string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	switch how {
	case "tell":
		text, err := os.ReadFile(filepath.Join(os.Getenv("DIR"), "notes.txt"))
		fmt.Println(string(text), err, os.Getenv("GREETING"), os.Getenv(TokenVariable), os.Getenv("KUBERNETES_SERVICE_HOST"))
		return 3
	}
	fmt.Println("up")
	<-term
	return 7
}

// runner is the other end.
type runner struct {
	net.Conn
	say  *json.Encoder
	hear *json.Decoder
}

// begin starts a pod and lets it say hello.
func begin(t *testing.T, how string) (r *runner, cmd *exec.Cmd, out func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(self, "pod", l.Addr().String(), "web-1")
	wrote, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer wrote.Close()
	cmd.Stdout, cmd.Stderr = wrote, wrote
	cmd.Env = append(os.Environ(), TokenVariable+"=secret", "KUBERNETES_SERVICE_HOST=10.0.0.1", "GREETING=the image's")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); _ = cmd.Process.Kill() })
	r = &runner{conn, json.NewEncoder(conn), json.NewDecoder(conn)}
	var hello Hello
	if err := r.hear.Decode(&hello); err != nil {
		t.Fatal(err)
	}
	if hello.Instance != "web-1" || hello.Token != "secret" || hello.Address != "127.0.0.1" || time.Since(hello.Clock) > time.Minute {
		t.Errorf("it says %+v", hello)
	}
	dir := filepath.Join(t.TempDir(), "own")
	r.order(t, Order{ID: 1, Execute: &Program{Self: true, Words: []string{"program", how}, Dir: dir,
		Env: map[string]string{"DIR": dir, "GREETING": "hello"}, Files: map[string]string{"notes.txt": "noted"}}}, Report{ID: 1})
	return r, cmd, func() string {
		text, err := os.ReadFile(wrote.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// order gives an order and demands an answer.
func (r *runner) order(t *testing.T, o Order, want Report) {
	t.Helper()
	if err := r.say.Encode(o); err != nil {
		t.Fatal(err)
	}
	r.expect(t, want)
}

func (r *runner) expect(t *testing.T, want Report) {
	t.Helper()
	var got Report
	if err := r.hear.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func (r *runner) ends(t *testing.T, cmd *exec.Cmd, want Ended, status int) {
	t.Helper()
	r.expect(t, Report{Ended: &want})
	r.Close()
	_ = cmd.Wait() // its status is looked at
	if got := cmd.ProcessState.ExitCode(); got != status {
		t.Errorf("the container's status is %d, want %d", got, status)
	}
}

func TestAProgramIsToldWhatItIsToBeTold(t *testing.T) {
	r, cmd, out := begin(t, "tell")
	r.ends(t, cmd, Ended{Code: 3}, 3)
	if got := strings.TrimSpace(out()); got != "noted <nil> hello" {
		t.Errorf("it was told %q", got)
	}
}

func TestSignalsReachTheProgram(t *testing.T) {
	r, cmd, _ := begin(t, "serve")
	r.order(t, Order{ID: 2, Signal: "SIGSTOP"}, Report{ID: 2})
	r.order(t, Order{ID: 3, Signal: "SIGHUP"}, Report{ID: 3, Error: `"SIGHUP" is no signal that is sent here`})
	r.order(t, Order{ID: 4, Signal: "SIGCONT"}, Report{ID: 4})
	r.order(t, Order{ID: 5, Signal: "SIGKILL"}, Report{ID: 5})
	r.ends(t, cmd, Ended{Code: -1, Signal: "SIGKILL"}, 137)
}

// The kubelet's SIGTERM is the program's.
func TestSIGTERMIsPassedOn(t *testing.T) {
	r, cmd, out := begin(t, "serve")
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && out() == ""; time.Sleep(time.Millisecond) {
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.ends(t, cmd, Ended{Code: 7}, 7)
}

// Nothing outlives the runner.
func TestWithoutARunnerItEnds(t *testing.T) {
	r, cmd, out := begin(t, "serve")
	r.Close()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 137 || !strings.Contains(out(), "the runner is gone") {
		t.Errorf("status %d: %q", got, out())
	}
}

func TestWhatTheImageHasNot(t *testing.T) {
	if _, _, err := executable(Program{Words: []string{"no-such-program"}}); err == nil || !strings.Contains(err.Error(), "the image has no program") {
		t.Errorf("%v", err)
	}
	if _, _, err := executable(Program{}); err == nil {
		t.Error("nothing can be executed")
	}
}

func TestCopy(t *testing.T) {
	dir := t.TempDir()
	if err := Copy(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, Binary)); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v %v", info, err)
	}
	if err := Copy(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("no error")
	}
}
