package crew

import "syscall"

// ownGroup keeps the process out of reach of the terminal, and lets the kernel kill it when the thread ends that started it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
