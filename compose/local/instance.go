package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"throughline/compose"
)

// instance is one process group. Its leader is kept as a zombie until the rest
// of the group is gone: as long as it is not reaped the kernel gives its number
// to nobody else, so a signal can only hit the group that is meant.
type instance struct {
	name     string
	pid      int // of the leader, and the number of the group
	ports    map[string]int
	cmd      *exec.Cmd
	logPath  string
	mark     string // in the environment of its processes
	guard    book
	table    *table
	platform string // names the cgroups of the platform

	mu      sync.Mutex // a signal is sent before the leader is reaped, or not at all
	limited bool       // it is in a cgroup of its own
	reaped  bool
	exit    compose.Exit
	gone    chan struct{} // closed after exit is set
}

var (
	_ compose.Handle     = (*instance)(nil)
	_ compose.Identified = (*instance)(nil)
	_ compose.Pauser     = (*instance)(nil)
)

func (i *instance) Name() string { return i.name }

// ID is the process id of the group's leader.
func (i *instance) ID() string { return strconv.Itoa(i.pid) }

func (i *instance) Addr(port string) string {
	number, ok := i.ports[port]
	if !ok {
		return ""
	}
	return hostPort(number)
}

func (i *instance) PeerAddr(port string) string { return i.Addr(port) }

// Signal sends to every process of the group.
func (i *instance) Signal(_ context.Context, s compose.Signal) error {
	switch s {
	case compose.Terminate:
		return i.send("terminate", syscall.SIGTERM)
	case compose.Kill:
		return i.send("kill", syscall.SIGKILL)
	}
	return fmt.Errorf("signal %s: %v", i.name, s)
}

// Pause freezes the group; on Linux it returns when every process is stopped.
func (i *instance) Pause(ctx context.Context) error {
	if err := i.send("pause", syscall.SIGSTOP); err != nil {
		return err
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !groupStopped(i.pid) {
		select {
		case <-tick.C:
		case <-i.gone:
			return i.isGone("pause")
		case <-ctx.Done():
			return fmt.Errorf("pause %s: not stopped yet: %w", i.name, ctx.Err())
		}
	}
	return nil
}

// Resume thaws the group.
func (i *instance) Resume(context.Context) error { return i.send("resume", syscall.SIGCONT) }

func (i *instance) send(verb string, sig syscall.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.reaped {
		return i.isGone(verb)
	}
	if !i.table.groupAlive(i.pid) {
		return fmt.Errorf("%s %s: it has just ended", verb, i.name)
	}
	if err := syscall.Kill(-i.pid, sig); err != nil {
		if errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("%s %s: it has just ended", verb, i.name)
		}
		return fmt.Errorf("%s %s: process group %d: %w", verb, i.name, i.pid, err)
	}
	return nil
}

func (i *instance) isGone(verb string) error {
	return fmt.Errorf("%s %s: it is gone since %s (%s)",
		verb, i.name, i.exit.At.Format("15:04:05.000"), ended(i.exit))
}

func ended(e compose.Exit) string {
	if e.Signal != "" {
		return "ended by " + e.Signal
	}
	return fmt.Sprintf("exited with status %d", e.Code)
}

// Wait returns when no process of the group is left.
func (i *instance) Wait(ctx context.Context) (compose.Exit, error) {
	select {
	case <-i.gone:
		return i.exit, nil
	default:
	}
	select {
	case <-i.gone:
		return i.exit, nil
	case <-ctx.Done():
		return compose.Exit{}, fmt.Errorf("wait for the end of %s: %w", i.name, context.Cause(ctx))
	}
}

// Logs gives what both streams hold so far.
func (i *instance) Logs(context.Context) (io.ReadCloser, error) {
	f, err := os.Open(i.logPath)
	if err != nil {
		return nil, fmt.Errorf("logs of %s: %w", i.name, err)
	}
	return f, nil
}

func (i *instance) lastLines() []string {
	f, err := os.Open(i.logPath)
	if err != nil {
		return nil
	}
	defer f.Close()
	return compose.LastLines(f)
}

// reap runs for the instance's whole life.
func (i *instance) reap() {
	i.table.awaitGroup(i.pid, i.cmd)
	i.endStrays()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.guard.forget(i.pid) // before its number can be given away
	_ = i.cmd.Wait()      // its error only repeats the status
	i.reaped = true
	i.exit = exitOf(i.cmd.ProcessState, time.Now())
	close(i.gone)
}

// endStrays ends what left the group and says so where the instance's own words
// are.
func (i *instance) endStrays() {
	named := i.table.endStrays(i.mark)
	if len(named) == 0 {
		return
	}
	log, err := os.OpenFile(i.logPath, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return // the run directory was removed meanwhile
	}
	defer log.Close()
	for _, stray := range named {
		fmt.Fprintf(log, "throughline: %s had left the process group of %s and was killed after it\n", stray, i.name)
	}
}

// exitOf reads the leader's status.
func exitOf(state *os.ProcessState, at time.Time) compose.Exit {
	if state == nil {
		return compose.Exit{Code: -1, At: at}
	}
	exit := compose.Exit{Code: state.ExitCode(), At: at}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		exit.Signal = signalName(ws.Signal())
	}
	return exit
}

// end kills the group and waits until it is gone; it gives up after grace.
func (i *instance) end(grace time.Duration) {
	_ = i.send("kill", syscall.SIGKILL) // an error says that it is gone
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_, _ = i.Wait(ctx)
}
