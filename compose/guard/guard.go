// Package guard keeps a second process of this program, which cleans up behind
// the first however that ended: a runner that is killed cannot, and the kernel
// closes its end of their pipe all the same.
//
// It is not a supervisor: it restarts nothing, and does not know what there is
// to clean up. A platform says that in lines of its own.
package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ready is the line with which the guard says that it listens.
const ready = "throughline guard ready"

// grace is how long a guard may take to say that it is ready, and to end when
// there is nothing to clean up; more than that is an error.
const grace = 10 * time.Second

// Listen is the guard's end. It hands every line that the runner writes to take
// and returns when there are no more, because the runner has ended. What take
// refuses is reported in the end: the lines after it still count.
//
// The process must outlive what ends the runner, and what a terminal sends, so
// it ignores the signals of both, from here on.
func Listen(from io.Reader, to io.Writer, take func(line string) error) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if _, err := fmt.Fprintln(to, ready); err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	lines := bufio.NewScanner(from)
	var bad error
	for lines.Scan() {
		if line := lines.Text(); line != "" {
			if err := take(line); err != nil {
				bad = fmt.Errorf("guard: %w", err)
			}
		}
	}
	return errors.Join(bad, lines.Err())
}

// Unknown refuses a line that is none of the protocol.
func Unknown(line string) error { return fmt.Errorf("%q is not a line of its protocol", line) }

// Guard is the runner's end.
type Guard struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	pipe  io.WriteCloser // nil once stopped
	ended chan struct{}
}

// Start executes the words of command with the environment env, and returns
// when that process listens; it has to call Listen.
func Start(command, env []string) (*Guard, error) {
	fail := func(err error) (*Guard, error) {
		return nil, fmt.Errorf("guard (%s): %w", strings.Join(command, " "), err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fail(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		return fail(errors.Join(err, pipe.Close()))
	}
	cmd.Stdout, cmd.Stderr = in, in // why it cannot listen is what it says instead
	if err := errors.Join(cmd.Start(), in.Close()); err != nil {
		return fail(errors.Join(err, pipe.Close(), out.Close()))
	}
	g := &Guard{cmd: cmd, pipe: pipe, ended: make(chan struct{})}
	said := make(chan string, 1)
	go func() {
		defer close(g.ended)
		defer out.Close()
		reader := bufio.NewReader(out)
		first, _ := reader.ReadString('\n')
		said <- strings.TrimSpace(first)
		_, _ = io.Copy(io.Discard, reader)
		_ = cmd.Wait()
	}()
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case line := <-said:
		if line == ready {
			return g, nil
		}
		err = fmt.Errorf("said %q instead of %q: is it the right program?", line, ready)
	case <-late.C:
		err = fmt.Errorf("did not say that it is ready within %v", grace)
	}
	_ = cmd.Process.Kill()
	<-g.ended
	return fail(err)
}

// Tell hands the guard a line. Where that fails the guard is gone, and nothing
// must be started that it would have to clean up.
func (g *Guard) Tell(line string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipe == nil {
		return errors.New("guard: stopped already")
	}
	if _, err := io.WriteString(g.pipe, line+"\n"); err != nil {
		return fmt.Errorf("guard: it is gone, so nothing new is started: %w", err)
	}
	return nil
}

// Stop ends a guard that has nothing left to clean up. A second call does
// nothing.
func (g *Guard) Stop() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipe == nil {
		return nil
	}
	err := g.pipe.Close()
	g.pipe = nil
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-g.ended:
		if errors.Is(err, os.ErrClosed) { // its death closed the pipe before we did
			return nil
		}
		return err
	case <-late.C:
		_ = g.cmd.Process.Kill()
		<-g.ended
		return errors.Join(err, errors.New("guard: did not end with the platform and was killed"))
	}
}
