package respawn

import (
	"os/exec"
	"runtime"
	"syscall"
)

// withParent lets the kernel kill the program when this process is killed.
func withParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// start starts the program from a thread that lasts: the kernel takes the end of the thread for that of the process.
// Source: PR_SET_PDEATHSIG(2const), and https://go.dev/issue/27505.
func start(cmd *exec.Cmd) error {
	runtime.LockOSThread() // until Run, and with it this process, has ended
	return cmd.Start()
}
