package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// runElsewhere runs a command that runs a scenario, in dir, and gives the verdict that it
// printed. What is in dir can be named to it without a path: the record tells the
// scenario's file as it was named, and a record that is kept for good must not tell of
// the machine.
func runElsewhere(ctx context.Context, dir string, command []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	if status := cmd.ProcessState.ExitCode(); status > int(Inconclusive) || status < 0 {
		return nil, fmt.Errorf("exit status %d: %s", status, lastLine(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

func lastLine(text []byte) string {
	text = bytes.TrimSpace(text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}
