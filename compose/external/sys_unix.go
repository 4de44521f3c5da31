//go:build unix

package external

import (
	"os/exec"
	"syscall"
)

// apart gives a command a process group of its own, all of which is killed when it is called off.
func apart(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
}
