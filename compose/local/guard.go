package local

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// guardReady is the line with which the guard says that it listens.
const guardReady = "throughline guard ready"

// Guard is the other half of the promise that nothing survives the runner. It
// runs in a process of its own, which the Platform starts, and reads from the
// runner one line for each event:
//
//	=DIR    the directory to remove in the end
//	+PGID   a process group was started
//	-PGID   it is gone (sent before its number can be given away)
//
// The stream ends when the runner does, however it ended: the kernel closes the
// pipe. Guard then kills the groups that are still listed and the processes with
// the run's mark, removes the directory and the cgroups of that name, and returns. This reaches also what
// PDEATHSIG does not: the children of a user's shell, and every system that has
// no PDEATHSIG.
func Guard(from io.Reader, ready io.Writer) error {
	// The guard must outlive what ends the runner, and what a terminal sends.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Reset(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	if _, err := fmt.Fprintln(ready, guardReady); err != nil {
		return fmt.Errorf("guard: %w", err)
	}
	groups := map[int]bool{}
	dir := ""
	lines := bufio.NewScanner(from)
	var bad error
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			continue
		}
		if line[0] == '=' {
			dir = line[1:]
			defer keepAlive(dir)()
			continue
		}
		group, err := strconv.Atoi(line[1:])
		if err != nil || group < 2 || (line[0] != '+' && line[0] != '-') {
			bad = fmt.Errorf("guard: %q is not a line of its protocol", line)
			continue
		}
		if line[0] == '+' {
			groups[group] = true
		} else {
			delete(groups, group)
		}
	}
	for group := range groups {
		_ = syscall.Kill(-group, syscall.SIGKILL) // an error says that it is gone
	}
	if dir == "" {
		return errors.Join(bad, lines.Err())
	}
	return errors.Join(bad, lines.Err(), removeAfter(dir, groups))
}

// removeAfter removes the directory once nobody can write into it any more.
func removeAfter(dir string, groups map[int]bool) error {
	deadline := time.Now().Add(2 * time.Second) // a killed process takes milliseconds
	for group := range groups {
		for groupAlive(group) && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	endStrays(filepath.Base(dir) + "/")
	return errors.Join(os.RemoveAll(dir), removeGroups(filepath.Base(dir)))
}

// guard is the runner's end.
type guard struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	pipe  io.WriteCloser // nil once stopped
	ended chan struct{}
}

func startGuard(self string, args []string, dir string) (*guard, error) {
	cmd := exec.Command(self, args...)
	cmd.Env = environment(nil)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal
	fail := func(err error) (*guard, error) {
		return nil, fmt.Errorf("guard (%s %s): %w", self, strings.Join(args, " "), err)
	}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fail(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	g := &guard{cmd: cmd, pipe: pipe, ended: make(chan struct{})}
	said := make(chan string, 1)
	go func() {
		defer close(g.ended)
		first, _ := bufio.NewReader(out).ReadString('\n')
		said <- strings.TrimSpace(first)
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}()
	late := time.NewTimer(killGrace)
	defer late.Stop()
	select {
	case line := <-said:
		if line == guardReady {
			return g, g.write("=" + dir)
		}
		err = fmt.Errorf("said %q instead of %q: is it the right program?", line, guardReady)
	case <-late.C:
		err = fmt.Errorf("did not say that it is ready within %v", killGrace)
	}
	_ = cmd.Process.Kill()
	<-g.ended
	return fail(err)
}

func (g *guard) watch(group int) error { return g.write("+" + strconv.Itoa(group)) }

// forget is not allowed to fail: a guard that is gone has nothing to forget.
func (g *guard) forget(group int) { _ = g.write("-" + strconv.Itoa(group)) }

func (g *guard) write(line string) error {
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

// stop ends the guard, which has no group left to kill.
func (g *guard) stop() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipe == nil {
		return nil
	}
	err := g.pipe.Close()
	g.pipe = nil
	late := time.NewTimer(killGrace)
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
