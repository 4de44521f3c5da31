package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"throughline/scenarios/gallery"
)

// apart runs a command that runs a scenario, and gives the verdict that it printed.
func apart(ctx context.Context, command []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
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

var defectLine = regexp.MustCompile(`defect \S+: dropped=(\d+) extra=(\d+)`)

// loggedAmounts reads what defective instances logged at their end, in the record of
// their run.
func loggedAmounts(dir string) (map[string]gallery.Amount, error) {
	logs, err := filepath.Glob(filepath.Join(dir, "logs", "web-*.log"))
	if err != nil {
		return nil, err
	}
	out := map[string]gallery.Amount{}
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if m := defectLine.FindSubmatch(text); m != nil {
			dropped, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits
			extra, _ := strconv.ParseInt(string(m[2]), 10, 64)
			name := filepath.Base(path)
			out[name[:len(name)-len(".log")]] = gallery.Amount{Dropped: dropped, Extra: extra}
		}
	}
	return out, nil
}
