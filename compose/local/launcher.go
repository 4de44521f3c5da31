package local

import (
	"os/exec"
	"runtime"
)

// launcher starts every child from one operating system thread that lives as
// long as the platform. PDEATHSIG fires when the *thread* that forked ends, not
// the process: started from an arbitrary goroutine, a child would be killed
// whenever the Go runtime retires a thread.
type launcher struct {
	requests chan launch
	ended    chan struct{}
}

type launch struct {
	cmd  *exec.Cmd
	done chan<- error
}

func newLauncher() *launcher {
	l := &launcher{requests: make(chan launch), ended: make(chan struct{})}
	go l.run()
	return l
}

func (l *launcher) run() {
	defer close(l.ended)
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	for r := range l.requests {
		r.done <- r.cmd.Start()
	}
}

func (l *launcher) start(cmd *exec.Cmd) error {
	done := make(chan error, 1)
	l.requests <- launch{cmd, done}
	return <-done
}

// stop ends the thread. Every child must be gone by then.
func (l *launcher) stop() {
	select {
	case <-l.ended:
	default:
		close(l.requests)
		<-l.ended
	}
}
