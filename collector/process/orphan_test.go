package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestKilledWithItsParent: when the process that collects by it is killed, a collector ends, too.
func TestKilledWithItsParent(t *testing.T) {
	parent := exec.Command(os.Args[0], "parent", t.TempDir())
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	var pid int
	if _, err := fmt.Sscan(line, &pid); err != nil {
		t.Fatalf("it says %q", line)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the collector, process %d: %v", pid, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait() // it was killed
	for late := time.Now().Add(20 * time.Second); alive(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("the collector, process %d, has outlived who started it", pid)
		}
	}
}

// alive is false also of a process that has ended and whose new parent has not asked for it yet.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !os.IsNotExist(err)
	}
	var name string
	var state byte
	_, err = fmt.Sscanf(string(stat), "%d %s %c", &pid, &name, &state)
	return err != nil || state != 'Z'
}
