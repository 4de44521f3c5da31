package crew

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Processes starts workers as processes of this machine. When the one ends that started them, however it does, the kernel
// closes the connections, and they end; on Linux they are killed besides.
type Processes struct {
	Command []string                  // executes the other end: Invited, and Dial
	Env     func(worker int) []string // in addition to this process's; nil: nothing
}

// What a process is invited by, in its environment.
const (
	coordinatorVariable = "THROUGHLINE_COORDINATOR"
	numberVariable      = "THROUGHLINE_WORKER"
	tokenVariable       = "THROUGHLINE_WORKER_TOKEN"
)

// Start starts a worker.
func (p Processes) Start(i Invitation) (Started, error) {
	s := &process{cmd: exec.Command(p.Command[0], p.Command[1:]...), gone: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), coordinatorVariable+"="+i.Coordinator, numberVariable+"="+strconv.Itoa(i.Number), tokenVariable+"="+i.Token)
	if p.Env != nil {
		s.cmd.Env = append(s.cmd.Env, p.Env(i.Number)...)
	}
	s.cmd.Stderr = &s.said
	s.cmd.SysProcAttr = ownGroup()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the kernel takes the end of the thread that started it for that of the process
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait() // ProcessState tells
			close(s.gone)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(p.Command, " "), err)
	}
	return s, nil
}

// process is a worker that is a process of this machine.
type process struct {
	cmd  *exec.Cmd
	gone chan struct{} // closed when it has ended, from when on cmd.ProcessState is set
	said beginning
}

// ID implements Started.
func (p *process) ID() string { return strconv.Itoa(p.cmd.Process.Pid) }

// Gone implements Started.
func (p *process) Gone() <-chan struct{} { return p.gone }

// End implements Started.
func (p *process) End() string {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.gone
	how := fmt.Sprintf("exit status %d", p.cmd.ProcessState.ExitCode())
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		how = unix.SignalName(status.Signal())
	}
	if said := p.said.text(); said != "" {
		how += ", and it said: " + said
	}
	return how
}

// beginning keeps the beginning of what a process says.
type beginning struct {
	mu    sync.Mutex
	first []byte
}

// longestSaid is how much is kept: a crash says first what it is.
const longestSaid = 1 << 10

// Write implements io.Writer.
func (b *beginning) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.first = append(b.first, p[:min(len(p), longestSaid-len(b.first))]...)
	return len(p), nil
}

func (b *beginning) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.TrimSpace(string(b.first))
}

// Invited is what the process was invited by that Processes, or somebody else, has started. It takes the token out of the
// environment, which whatever this process starts would inherit.
func Invited() (Invitation, error) {
	i := Invitation{Coordinator: os.Getenv(coordinatorVariable), Token: os.Getenv(tokenVariable)}
	number, err := strconv.Atoi(os.Getenv(numberVariable))
	if err != nil || number < 1 || i.Coordinator == "" || i.Token == "" {
		return i, fmt.Errorf("a worker is started by its coordinator, with %s (host:port), %s (1, 2, …) and %s in its environment", coordinatorVariable, numberVariable, tokenVariable)
	}
	i.Number = number
	return i, os.Unsetenv(tokenVariable)
}

// Dial connects a worker with its coordinator.
func (i Invitation) Dial() (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", i.Coordinator, helloLimit)
	if err != nil {
		return nil, fmt.Errorf("worker %d: coordinator %s: %w", i.Number, i.Coordinator, err)
	}
	return conn, nil
}
