//go:build !unix

package external

import "os/exec"

// apart leaves a command where it is: this system has no process groups.
func apart(*exec.Cmd) {}
