//go:build !linux

package respawn

import (
	"os/exec"
	"syscall"
)

func withParent() *syscall.SysProcAttr { return nil }
func start(cmd *exec.Cmd) error        { return cmd.Start() }
