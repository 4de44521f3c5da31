//go:build !linux

package crew

import "syscall"

// ownGroup keeps the process out of reach of the terminal.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
