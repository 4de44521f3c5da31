package compose

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// StartError is why an instance did not start, with the end of what it wrote.
type StartError struct {
	Name string // the instance
	Err  error
	Log  []string // its last lines, oldest first
}

// Error is one line for the reason and one for each line of the log.
func (e *StartError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "start %s: %v", e.Name, e.Err)
	if len(e.Log) == 0 {
		b.WriteString(" (it wrote nothing)")
	} else {
		b.WriteString("; it wrote last:")
	}
	for _, line := range e.Log {
		b.WriteString("\n  " + e.Name + " | " + line)
	}
	return b.String()
}

// Unwrap gives the reason.
func (e *StartError) Unwrap() error { return e.Err }

const (
	lastLines = 20      // enough for a stack trace's head
	lastBytes = 1 << 14 // and never more than that
)

// LastLines returns the last 20 lines (of the last 16 KiB) of a log. What
// cannot be read is left out: it goes into an error that says something else.
func LastLines(log io.Reader) []string {
	var tail []byte
	buf := make([]byte, lastBytes)
	for {
		n, err := log.Read(buf)
		tail = append(tail, buf[:n]...)
		if cut := len(tail) - lastBytes; cut > 0 {
			tail = append(tail[:0], tail[cut:]...)
		}
		if err != nil {
			break
		}
	}
	tail = bytes.TrimRight(tail, "\n")
	if len(tail) == 0 {
		return nil
	}
	lines := strings.Split(string(tail), "\n")
	return lines[max(0, len(lines)-lastLines):]
}
