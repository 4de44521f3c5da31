package owndisk

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// at tells the test program that it is to have a file system of its own there.
const at = "OWNDISK_AT"

func TestMain(m *testing.M) {
	dir := os.Getenv(at)
	if dir == "" {
		os.Exit(m.Run())
	}
	err := Exec(dir, 1<<20, "/bin/sh", []string{"sh", "-c", "echo here > " + filepath.Join(dir, "file") + " && echo ready && read line"})
	_, _ = io.WriteString(os.Stdout, err.Error()+"\n")
	os.Exit(1)
}

// A process with a disk of its own has it alone, others can reach it, and it goes with the process, however that ends.
func TestExec(t *testing.T) {
	if err := Possible(); err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(t.TempDir(), "disk")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), at+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	said, err := bufio.NewReader(out).ReadString('\n')
	if said != "ready\n" {
		if strings.Contains(said, "not permitted") {
			t.Skip(said) // in a sandbox that takes away more than it tells
		}
		t.Fatalf("it said %q, %v", said, err)
	}
	seen := Seen(cmd.Process.Pid, dir)
	if err := Fillable(seen); err != nil {
		t.Errorf("its own disk: %v", err)
	}
	if text, err := os.ReadFile(filepath.Join(seen, "file")); string(text) != "here\n" {
		t.Errorf("its file is %q, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "file")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("others have its file too: %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if err := os.RemoveAll(dir); err != nil {
		t.Errorf("when it is gone: %v", err)
	}
}

// Nobody's disk but a small one in memory is filled.
func TestFillable(t *testing.T) {
	for _, dir := range []string{"/", "/proc", "/nowhere/to/be/found"} {
		if Fillable(dir) == nil {
			t.Errorf("%s may be filled", dir)
		}
	}
}
