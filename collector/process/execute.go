package process

import (
	"errors"
	"net/rpc"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"throughline/collector/process/wire"
)

// duplex is a connection over two files of this process.
func duplex(in, out uintptr) wire.Duplex {
	return wire.Duplex{Reader: os.NewFile(in, "in"), WriteCloser: os.NewFile(out, "out")}
}

// execute starts the process, and serves what it says. When this process ends, however it does, the kernel closes its ends of the
// pipes, and the collector ends; on Linux it is killed besides.
func (p *Process) execute() error {
	server := rpc.NewServer()
	if err := server.RegisterName(wire.Parent, upstream{p}); err != nil {
		return err
	}
	var here, there [4]*os.File // orders to it and from it, samples from us and from it
	for i := range here {
		read, write, err := os.Pipe()
		if err != nil {
			return errors.Join(err, closeAll(here), closeAll(there))
		}
		if here[i], there[i] = read, write; i%2 == 0 {
			here[i], there[i] = write, read
		}
	}
	p.cmd = exec.Command(p.cfg.Command[0], p.cfg.Command[1:]...)
	p.cmd.Env = append(os.Environ(), p.cfg.Env...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = there[0], there[1], &p.said
	p.cmd.ExtraFiles = there[2:]
	p.cmd.SysProcAttr = ownGroup()
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the kernel takes the end of the thread that started it for that of the process
		err := p.cmd.Start()
		started <- errors.Join(err, closeAll(there))
		if err == nil {
			_ = p.cmd.Wait() // ProcessState tells
			close(p.dead)
		}
	}()
	if err := <-started; err != nil {
		return errors.Join(err, closeAll(here))
	}
	p.pipe = here[0]
	p.orders = rpc.NewClient(wire.Duplex{Reader: here[1], WriteCloser: here[0]})
	go func() {
		server.ServeConn(wire.Duplex{Reader: here[3], WriteCloser: here[2]}) // until it has ended, and all that it had called has returned
		<-p.dead
		_ = errors.Join(p.orders.Close(), here[1].Close(), here[3].Close()) // nothing more is said
		close(p.gone)
	}()
	return nil
}

func closeAll(files [4]*os.File) error {
	var errs []error
	for _, f := range files {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// signalName is like "SIGKILL".
func signalName(s syscall.Signal) string { return unix.SignalName(s) }

// head keeps the beginning of what a process says.
type head struct {
	mu    sync.Mutex
	first []byte
}

// longestHead is how much is kept: a crash says first what it is.
const longestHead = 4 << 10

// Write implements io.Writer.
func (t *head) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.first = append(t.first, p[:min(len(p), longestHead-len(t.first))]...)
	return len(p), nil
}

func (t *head) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.first))
}
