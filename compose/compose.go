// Package compose is the vocabulary of what is started and stopped: instances,
// the platforms that run them and the stack they make up.
//
// It is not a platform itself (see the folders below it) and does not know why
// it is asked to kill something: scenarios/run and the command line call it.
package compose

import (
	"context"
	"io"
	"net/netip"
	"time"
)

// Instance says what to start. It holds nothing that only one platform could
// honour.
//
// The arguments of Program, the values of Env and the contents of Files are
// texts that the platform expands (see package expand) once it has chosen the ports:
// {{.Name}}, {{.Host}} (the address to listen on), {{.Port}} (the port named
// "http", or the only one), {{.Ports.NAME}} and {{.Dir}} (a directory that
// belongs to this instance alone and holds its Files), {{.Address}} (where others
// reach it: an address of its own, or that of {{.Host}}), and for an agent
// {{.StatsDHost}}, {{.StatsDPort}} and {{.OTLP}}.
type Instance struct {
	Name    string            // "web-2"; never reused within a run
	Program Program           // what to execute
	Env     map[string]string // added to a small clean environment
	Ports   map[string]int    // by name; 0 = any free one
	Files   map[string]string // written to {{.Dir}} before the start, by file name
	Ready   Probe             // when it counts as ready
	Stop    time.Duration     // how long a Stack lets it finish after SIGTERM, before SIGKILL; 0 = DefaultStop
	StatsD  string            // where an agent sends StatsD lines on to, host:port; empty: it is none
	OTLP    string            // where an agent pushes by OTLP, http://host:port; empty: it does not
	// Succeeds is the instance, gone, whose ports this one is given again: whoever was told of them need not be told anew.
	Succeeds string
	// Placed is told the address that the instance has of its own, where it has one (Located), before its program begins: who
	// hears what it sends has to know by then whose that is. An error fails the start. nil: nobody asks.
	Placed func(netip.Addr) error
}

// Program is what an instance executes: exactly one of Self and Command.
type Program struct {
	Self    []string // this binary again, with these arguments ("docstore", "--listen", …)
	Command []string // any executable, found on PATH, with its arguments
	Dir     string   // working directory of Command; empty = the instance's own
	Image   string   // that Command is executed in, where there are containers; empty = the platform's choice
}

// Probe says when an instance is ready: Port accepts a connection and, where
// Path is given, answers GET Path with 2xx. An instance without ports is ready
// as soon as it has started.
type Probe struct {
	Port   string        // name of a port; empty = "http", or the only one
	Path   string        // "/healthz"; empty = a TCP connection is enough
	Within time.Duration // how long that may take; 0 = 10 s
	// Datagrams names a port that has to take datagrams besides; empty: none. With it alone no connection is tried.
	Datagrams string
}

// Signal is what can be sent to an instance.
type Signal int

// The signals every platform has.
const (
	Terminate Signal = iota + 1 // SIGTERM: finish what is in flight and exit
	Kill                        // SIGKILL: gone at once
)

// String gives the POSIX name.
func (s Signal) String() string {
	switch s {
	case Terminate:
		return "SIGTERM"
	case Kill:
		return "SIGKILL"
	}
	return "no signal"
}

// Exit is how an instance ended.
type Exit struct {
	Code   int       // exit status; -1 when a signal ended it
	Signal string    // "SIGKILL"; empty when it exited by itself
	At     time.Time // when the platform saw it
}

// Platform starts instances.
type Platform interface {
	// Start returns when the instance is ready. A failed Start leaves nothing
	// running and its error ends in the instance's last log lines. A platform
	// never restarts what died.
	Start(ctx context.Context, i Instance) (Handle, error)
	// Home is the host under which instances reach the harness.
	Home() string
	// Close removes everything the platform made, also after a failed Start.
	Close(ctx context.Context) error
}

// Handle is one started instance.
type Handle interface {
	Name() string
	Addr(port string) string                         // host:port as the harness reaches it; "" if there is no such port
	PeerAddr(port string) string                     // host:port as other instances reach it
	Signal(ctx context.Context, s Signal) error      // an error when it is gone already
	Wait(ctx context.Context) (Exit, error)          // until it is really gone; may be called by many
	Logs(ctx context.Context) (io.ReadCloser, error) // all it wrote so far, both streams
}

// Identified is a Handle that knows the number the platform gave the instance
// (a process id), for the journal.
type Identified interface{ ID() string }

// Guarding is a Platform whose guard ends also what somebody else has started beside the instances.
type Guarding interface {
	// Guarded gives what a process of that name must have in its environment, from its start on.
	Guarded(name string) []string
}

// Located is a Platform on which every instance has an address of its own: the source
// of all it sends, and where other instances reach it without asking for names. It
// is told to Instance.Placed, and its Handle is Addressed. It is nobody else's while the
// instance lives.
type Located interface{ Located() }

// Addressed is a Handle of an instance that has an address of its own.
type Addressed interface{ Address() netip.Addr }

// Foreign is a Handle of an instance that the run has not started and must not end: a Stack that stops or closes lets go of it.
type Foreign interface {
	// Release ends every Wait, and touches the instance no more.
	Release()
}

// Pauser is a Handle whose instance can be frozen and thawed.
type Pauser interface {
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
}

// Executor is a Handle whose instance runs where this program cannot reach files and processes.
type Executor interface {
	// Exec executes a command, given with its arguments, beside the instance's program and as its user, and returns what it
	// wrote to its standard output. An error tells what it wrote to its standard error.
	Exec(ctx context.Context, command ...string) ([]byte, error)
}

// Dropper is a Handle that knows how many datagrams the kernel has dropped at a port, by its name, because the instance read too
// slowly. It is 0 when the instance is gone.
type Dropper interface {
	Dropped(port string) (int64, error)
}

// Measured is a Handle whose instance the host's kernel accounts for where this
// program can read it.
type Measured interface {
	Footprint(ctx context.Context) (Footprint, error)
}

// Footprint says where the host's kernel accounts for an instance.
type Footprint struct {
	PID int // its first process, as the host numbers it
	// OwnCgroup: the cgroup of PID holds the instance and nothing else. Without
	// it the instance is the process group PID.
	OwnCgroup bool
}

// Limiter is a Handle whose instance can be given less CPU while it runs.
type Limiter interface {
	// LimitCPU lets the instance use at most so many CPUs, 0.2 for a fifth of
	// one, from MinCPUs up; 0 lifts the limit. It returns when the host says
	// that it holds. The instance has a cgroup of its own from then on.
	LimitCPU(ctx context.Context, cpus float64) error
}

// MinCPUs is the least that an instance can be limited to: the kernel takes no
// quota below 1 ms of the usual period of 100 ms.
const MinCPUs = 0.01
