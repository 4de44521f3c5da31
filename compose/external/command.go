package external

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Ran is a command of the user's that was executed.
type Ran struct {
	Command    []string
	Instance   string // for which; "": for none
	Begin, End time.Time
	Code       int    // exit status; -1: a signal ended it, or it was never started
	Output     string // what it wrote, both streams, as one text; of much the end
	Err        error  // why it could not be started, or was ended
}

// Failed is why a command did not do what it should; nil if it did.
func (r Ran) Failed() error {
	if r.Err == nil && r.Code == 0 {
		return nil
	}
	why := fmt.Sprintf("exit status %d", r.Code)
	if r.Err != nil {
		why = r.Err.Error()
	}
	if r.Output != "" {
		why += ": " + r.Output
	}
	return fmt.Errorf("%s: %s", strings.Join(r.Command, " "), why)
}

// Find tells whether there is a program of a command, as it is given or on PATH. One with a slash is looked for from dir.
func Find(command []string, dir string) error {
	name := command[0]
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	if _, err := exec.LookPath(name); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			err = errors.New("no such program on PATH")
		} else if about := (*exec.Error)(nil); errors.As(err, &about) {
			err = about.Err
		}
		if at := (*fs.PathError)(nil); errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

// expanded is a command with the words that are replaced in it. What else is in {{ }} stays, for Docker has templates of its own.
func expanded(command []string, name string, count int) []string {
	out := make([]string, len(command))
	replace := strings.NewReplacer("{{.Name}}", name, "{{.Count}}", strconv.Itoa(count))
	for i, word := range command {
		out[i] = replace.Replace(word)
	}
	return out
}

// mostOutput is how much of what a command wrote is kept, in bytes.
const mostOutput = 2000

// grace is how long a command's children may hold its output open after it has ended, or after it was told to.
const grace = 2 * time.Second

// run executes a command and returns when it has ended, or ctx has and it was killed. It is in a process group of its own: a Ctrl-C at
// the terminal is the run's, which lets a command that changes the stack end.
func run(ctx context.Context, command []string, dir string) Ran {
	r := Ran{Command: command, Begin: time.Now(), Code: -1}
	if strings.Contains(command[0], "/") && !filepath.IsAbs(command[0]) {
		command = append([]string{filepath.Join(dir, command[0])}, command[1:]...)
	}
	out := &tail{} // for both, so that os/exec writes to it from one goroutine
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Dir, c.Stdout, c.Stderr, c.WaitDelay = dir, out, out, grace
	apart(c)
	err := c.Run()
	r.End = time.Now()
	if c.ProcessState != nil {
		r.Code = c.ProcessState.ExitCode()
	}
	switch {
	case ctx.Err() != nil:
		r.Err = context.Cause(ctx)
	case err != nil && !errors.As(err, new(*exec.ExitError)) && !errors.Is(err, exec.ErrWaitDelay): // a daemon that it started may hold its output
		r.Err = err
	}
	r.Output = strings.Join(strings.Fields(strings.ToValidUTF8(string(out.kept), "\uFFFD")), " ")
	return r
}

// tail keeps the end of what is written to it, by one goroutine.
type tail struct{ kept []byte }

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - mostOutput; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(b), nil
}
