// Package process has a collector in a process of its own, so that it can be killed as a collector is in the field: without
// a word, with the interval under way, what it had not stored, and what waits in its sockets.
//
// Start is the end of whoever wants to collect, Serve that of the collector, which is the same program. They talk over pipes
// (package wire). What is sent as StatsD and what is stored the collector has for itself; what is polled it asks of the process
// that started it, which has the connections; and that is told of every sample before the store has it.
//
// It decides neither when a collector is killed nor what that means, and starts none again. scenarios/run calls it in scenarios
// that kill the collector; in all others the collector is in the process of the run (collector/pipeline).
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/otlp"
	"throughline/collector/pipeline"
	"throughline/collector/process/wire"
	"throughline/collector/scrape"
	"throughline/collector/statsd"
	"throughline/collector/statsd/socket"
)

// Config is what a collector in a process of its own is made of.
type Config struct {
	Command  []string // executes Serve
	Env      []string // in addition to this process's
	Dir      string   // as in pipeline.Config, like the next five
	Interval time.Duration
	HTTP     string
	Late     time.Duration
	Relay    string
	Tags     dogstatsd.Styles
	Owed     []collector.Sample // by one before, which was killed; see Owed
	Sink     collector.Sink     // gets every sample, before the store has it
	Stored   collector.Sink     // gets it again once the store has it
}

// Process is a collector in a process of its own. Its methods may be called by several goroutines at once.
type Process struct {
	cfg    Config
	cmd    *exec.Cmd
	orders *rpc.Client
	pipe   io.Closer // whose end is that of the collector
	addr   string
	said   head
	dead   chan struct{} // closed when it has ended, from when on cmd.ProcessState is set
	gone   chan struct{} // closed when also all that it had sent was taken
	close  func() error

	mu      sync.Mutex
	clock   wire.Clock
	pollers map[string]collector.Poller
	failed  map[string]error // the last failure of each
	owed    map[uint64][]collector.Sample
}

// startLimit is how long a collector may take until it has opened its store.
const startLimit = 30 * time.Second

// Start starts the process and makes the collector in it, which does not run yet. Close it in any case.
func Start(c Config) (*Process, error) {
	p := &Process{cfg: c, dead: make(chan struct{}), gone: make(chan struct{}),
		pollers: map[string]collector.Poller{}, failed: map[string]error{}, owed: map[uint64][]collector.Sample{}}
	p.close = sync.OnceValue(p.shut)
	if err := p.execute(); err != nil {
		return nil, fmt.Errorf("start the collector (%s): %w", strings.Join(c.Command, " "), err)
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), startLimit, fmt.Errorf("it did not open its store within %v", startLimit))
	defer cancel()
	base := time.Now().Round(0)
	var opened wire.Opened
	err := p.call(ctx, "Open", wire.Setup{Dir: c.Dir, HTTP: c.HTTP, Relay: c.Relay, Interval: c.Interval, Late: c.Late, Tags: c.Tags, Base: base, Owed: wire.NewClock(base).Send(c.Owed)}, &opened)
	if err != nil {
		p.abandon()
		return nil, fmt.Errorf("start the collector (%s): %w", strings.Join(c.Command, " "), err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addr, p.clock = opened.Addr, wire.Tied(opened.Epoch, time.Now())
	return p, nil
}

// call has the collector do something.
func (p *Process) call(ctx context.Context, what string, args, reply any) error {
	call := p.orders.Go(wire.Collector+"."+what, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		return p.meant(call.Error)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// meant says what the error of a call means: one that the collector gave is its own, and else it is gone.
func (p *Process) meant(err error) error {
	var own rpc.ServerError
	if err == nil || errors.As(err, &own) {
		return err
	}
	late := time.NewTimer(killGrace)
	defer late.Stop()
	select {
	case <-p.dead:
		return p.ended()
	case <-late.C:
		return fmt.Errorf("talk with the collector: %w", err)
	}
}

// ended tells how the process ended, and what it said.
func (p *Process) ended() error {
	err := fmt.Errorf("the collector's process has ended (%v)", p.cmd.ProcessState)
	if said := p.said.text(); said != "" {
		err = fmt.Errorf("%w, and said: %s", err, said)
	}
	return err
}

// ID is the number of the process.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Addr is where the HTTP API listens, or did; "" if nowhere.
func (p *Process) Addr() string { return p.addr }

// Listen opens a way in for StatsD.
func (p *Process) Listen(l statsd.Listener) (socket.Address, error) {
	var reply wire.Listener
	err := p.call(context.Background(), "Listen", wire.Listener{Listener: l}, &reply)
	return reply.Addr, err
}

// Assign says whose lines come from an origin.
func (p *Process) Assign(origin, instance string, labels collector.Labels) error {
	return p.call(context.Background(), "Assign", wire.Assigned{Origin: origin, Instance: instance, Labels: labels}, new(wire.Nothing))
}

// ListenOTLP opens a way in for OTLP.
func (p *Process) ListenOTLP(l otlp.Listener) (string, error) {
	var addr string
	err := p.call(context.Background(), "ListenOTLP", l, &addr)
	return addr, err
}

// AssignOTLP says whose OTLP comes from a source address.
func (p *Process) AssignOTLP(source, instance string, labels collector.Labels) error {
	return p.call(context.Background(), "AssignOTLP", wire.Assigned{Origin: source, Instance: instance, Labels: labels}, new(wire.Nothing))
}

// Retire takes in what an instance that is gone sent, and ends its series.
func (p *Process) Retire(ctx context.Context, instance string) error {
	return p.call(ctx, "Retire", wire.Bounded{Name: instance, Within: wire.Within(ctx)}, new(wire.Nothing))
}

// Scrape has an instance scraped from now on.
func (p *Process) Scrape(t scrape.Target) error {
	return p.call(context.Background(), "Scrape", wire.Target{Target: t}, new(wire.Nothing))
}

// AddPoller has the collector poll something: at its time, and as long as it lives, but in this process.
func (p *Process) AddPoller(name string, of collector.Poller) error {
	p.mu.Lock()
	p.pollers[name] = of
	p.mu.Unlock()
	return p.call(context.Background(), "AddPoller", name, new(wire.Nothing))
}

// Fetch polls everything now. The errors of pollers are those that they gave.
func (p *Process) Fetch(ctx context.Context) error {
	var reply wire.Failures
	if err := p.call(ctx, "Fetch", wire.Bounded{Within: wire.Within(ctx)}, &reply); err != nil {
		return err
	}
	return p.errors(reply)
}

// Run collects until ctx ends, or the process does, which is an error.
func (p *Process) Run(ctx context.Context) error {
	ending := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ending)
		_ = p.call(context.WithoutCancel(ctx), "End", wire.Nothing{}, new(wire.Nothing)) // an error says that it has ended
	})
	var reply wire.Failures
	err := p.call(context.WithoutCancel(ctx), "Run", wire.Nothing{}, &reply)
	if !stop() {
		<-ending
	}
	if err != nil {
		return err
	}
	return p.errors(reply)
}

// Figures are the figures so far, and after Run the final ones.
func (p *Process) Figures() (f pipeline.Figures, err error) {
	err = p.call(context.Background(), "Figures", wire.Nothing{}, &f)
	return f, err
}

// failure is something that went wrong at the collector.
type failure struct {
	text  string
	cause error // of a poll: what the poller gave
}

func (f failure) Error() string { return f.text }
func (f failure) Unwrap() error { return f.cause }

func (p *Process) errors(all wire.Failures) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, f := range all.All {
		errs = append(errs, failure{f.Text, p.failed[f.Poller]})
	}
	return errors.Join(errs...)
}

// Exit is how a process ended: by a signal, or with a status.
type Exit struct {
	Signal syscall.Signal // 0: by none
	Code   int            // -1: by a signal
}

// String is like "SIGKILL" or "exit status 3".
func (e Exit) String() string {
	if e.Signal != 0 {
		return signalName(e.Signal)
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// Kill ends the process with SIGKILL, and returns when it is gone and all that it had sent before was taken.
func (p *Process) Kill(ctx context.Context) (Exit, error) {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return Exit{}, fmt.Errorf("kill the collector, process %d: %w", p.ID(), err)
	}
	select {
	case <-p.gone:
		return p.Exit(), nil
	case <-ctx.Done():
		return Exit{}, fmt.Errorf("kill the collector, process %d: it is not gone: %w", p.ID(), context.Cause(ctx))
	}
}

// Ended tells whether the process has ended, however it did.
func (p *Process) Ended() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// Exit is how the process ended, which it has after Kill, Close, or a Run that failed by it.
func (p *Process) Exit() Exit {
	<-p.dead
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return Exit{Signal: status.Signal(), Code: -1}
	}
	return Exit{Code: p.cmd.ProcessState.ExitCode()}
}

// Owed are the samples that Sink was given and of which nobody knows, after Kill, whether the store has them. The collector that
// takes its place stores them first, so that Sink and store differ in nothing.
func (p *Process) Owed() (all []collector.Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	numbers := make([]uint64, 0, len(p.owed))
	for n := range p.owed {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		all = append(all, p.owed[n]...)
	}
	return all
}

// Close closes the collector, after Run or instead of it, and returns when its process is gone; of one that is gone already
// it is nil.
func (p *Process) Close() error { return p.close() }

func (p *Process) shut() error {
	if p.Ended() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	err := p.call(ctx, "Close", wire.Nothing{}, new(wire.Nothing))
	if err != nil {
		err = fmt.Errorf("close the collector: %w", err)
	}
	return errors.Join(err, p.pipe.Close(), p.awaitEnd())
}

const (
	// closeLimit is how long a collector may take to write down what is in memory.
	closeLimit = 15 * time.Second
	// killGrace is how long a process may take to end that has nothing left to do, or was killed.
	killGrace = 5 * time.Second
)

// abandon ends a process that did not come so far that it could be closed.
func (p *Process) abandon() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.dead
	_ = p.pipe.Close() // nothing more is said
}

// awaitEnd waits for the end of a process whose pipe is closed.
func (p *Process) awaitEnd() error {
	late := time.NewTimer(killGrace)
	defer late.Stop()
	select {
	case <-p.gone:
		return nil
	case <-late.C:
		p.abandon()
		return errors.New("close the collector: its process did not end and was killed")
	}
}
