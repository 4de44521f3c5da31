package process

import (
	"context"
	"errors"
	"io"
	"net/rpc"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"throughline/collector"
	"throughline/collector/otlp"
	"throughline/collector/pipeline"
	"throughline/collector/process/wire"
	"throughline/collector/statsd"
)

// Orders and Samples are the numbers of the files by which a collector in a process of its own is connected with its parent, two
// for each: what it reads from, and what it writes to.
const (
	ordersIn, ordersOut   = 0, 1
	samplesIn, samplesOut = 3, 4
)

// errOrphaned is how Serve ends when nobody is there for whom it collects.
var errOrphaned = errors.New("the process that started this collector is gone")

// Serve is the collector's end: it does what the process says that started it, over the files that Start gave it, until that has
// closed it. It returns at once, without a last interval, when that process is gone. The process must outlive
// what a terminal sends to all of them, so it ignores those signals from here on.
func Serve() error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	return serve(duplex(ordersIn, ordersOut), duplex(samplesIn, samplesOut))
}

func serve(orders, samples io.ReadWriteCloser) error {
	s := &served{parent: rpc.NewClient(samples), closed: make(chan struct{})}
	end := make(chan struct{})
	server := rpc.NewServer()
	if err := server.RegisterName(wire.Collector, s); err != nil {
		return err
	}
	// It returns only when what was called has returned, and a Run never may.
	go server.ServeConn(watched{orders, sync.OnceFunc(func() { close(end) })})
	<-end
	select {
	case <-s.closed:
		return nil
	default:
		return errOrphaned
	}
}

// watched tells when nothing more can be read.
type watched struct {
	io.ReadWriteCloser
	over func()
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.ReadWriteCloser.Read(p)
	if err != nil {
		w.over()
	}
	return n, err
}

// served is a collector as its parent calls it; see package wire. Its methods are called by several goroutines at once.
type served struct {
	parent *rpc.Client
	clock  wire.Clock
	number atomic.Uint64 // of batches
	closed chan struct{}

	pipeline *pipeline.Pipeline // from Open on
	stopping context.Context
	stop     context.CancelFunc
}

// Open makes the collector. It is the first call, and the only one until it has returned.
func (s *served) Open(c wire.Setup, reply *wire.Opened) error {
	p, err := pipeline.New(pipeline.Config{Dir: c.Dir, HTTP: c.HTTP, Relay: c.Relay, Interval: c.Interval, Late: c.Late, StatsD: statsd.Config{Tags: c.Tags},
		Owed: wire.NewClock(c.Base).Receive(c.Owed), Before: func(store collector.Sink) collector.Sink { return told{s, store} }})
	if err != nil {
		return err
	}
	s.pipeline = p
	s.stopping, s.stop = context.WithCancel(context.Background())
	epoch := time.Now()
	s.clock = wire.NewClock(epoch)
	*reply = wire.Opened{Addr: p.Addr(), Epoch: epoch}
	return nil
}

// Listen opens a way in for StatsD.
func (s *served) Listen(l wire.Listener, reply *wire.Listener) error {
	addr, err := s.pipeline.Listen(l.Listener)
	reply.Addr = addr
	return err
}

// Assign says whose lines come from an origin.
func (s *served) Assign(a wire.Assigned, _ *wire.Nothing) error {
	return s.pipeline.Assign(a.Origin, a.Instance, a.Labels)
}

// ListenOTLP opens a way in for OTLP.
func (s *served) ListenOTLP(l otlp.Listener, reply *string) (err error) {
	*reply, err = s.pipeline.ListenOTLP(l)
	return err
}

// AssignOTLP says whose OTLP comes from a source address.
func (s *served) AssignOTLP(a wire.Assigned, _ *wire.Nothing) error {
	return s.pipeline.AssignOTLP(a.Origin, a.Instance, a.Labels)
}

// Scrape has an instance scraped from now on.
func (s *served) Scrape(t wire.Target, _ *wire.Nothing) error { return s.pipeline.Scrape(t.Target) }

// Retire takes in what an instance that is gone sent, and ends its series.
func (s *served) Retire(of wire.Bounded, _ *wire.Nothing) error {
	ctx, cancel := wire.Context(of.Within)
	defer cancel()
	return s.pipeline.Retire(ctx, of.Name)
}

// AddPoller has the parent asked at every interval, for a poller that it has.
func (s *served) AddPoller(name string, _ *wire.Nothing) error {
	return s.pipeline.AddPoller(name, asking{s, name})
}

// Fetch polls everything now.
func (s *served) Fetch(of wire.Bounded, reply *wire.Failures) error {
	ctx, cancel := wire.Context(of.Within)
	defer cancel()
	*reply = failures(s.pipeline.Fetch(ctx))
	return nil
}

// Run collects until End.
func (s *served) Run(_ wire.Nothing, reply *wire.Failures) error {
	*reply = failures(s.pipeline.Run(s.stopping))
	return nil
}

// End has Run come to its end.
func (s *served) End(wire.Nothing, *wire.Nothing) error {
	s.stop()
	return nil
}

// Figures are the figures so far.
func (s *served) Figures(_ wire.Nothing, reply *pipeline.Figures) (err error) {
	*reply, err = s.pipeline.Figures()
	return err
}

// Close closes the collector. It is the last call.
func (s *served) Close(wire.Nothing, *wire.Nothing) error {
	defer close(s.closed)
	return s.pipeline.Close()
}

// told has the parent told of samples before they are stored, and when they are. So what the parent has is all that
// the store has, and perhaps what the store was about to take when the collector was killed.
type told struct {
	*served
	store collector.Sink
}

// Append implements collector.Sink.
func (t told) Append(samples ...collector.Sample) error {
	batch := wire.Batch{Number: t.number.Add(1), Samples: t.clock.Send(samples)}
	err := t.parent.Call(wire.Parent+".Take", batch, new(wire.Nothing))
	err = errors.Join(err, t.store.Append(samples...))
	return errors.Join(err, t.parent.Call(wire.Parent+".Kept", batch.Number, new(wire.Nothing)))
}

// asking is a poller of the parent's.
type asking struct {
	*served
	name string
}

// Poll implements collector.Poller.
func (a asking) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	var reply wire.Polled
	call := a.parent.Go(wire.Parent+".Poll", wire.Asked{Poller: a.name, At: a.clock.Tell(at), Within: wire.Within(ctx)}, &reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-ctx.Done():
		return nil, failedPoll{a.name, ctx.Err().Error()}
	}
	switch {
	case call.Error != nil:
		return nil, call.Error
	case reply.Failed:
		return a.clock.Receive(reply.Samples), failedPoll{a.name, reply.Error}
	}
	return a.clock.Receive(reply.Samples), nil
}

// failedPoll is a poll of the parent's that failed.
type failedPoll struct{ poller, text string }

func (f failedPoll) Error() string { return f.text }

// failures are what an error says, one by one.
func failures(err error) (out wire.Failures) {
	for _, e := range wire.Leaves(err) {
		one := wire.Failure{Text: e.Error()}
		if poll := (failedPoll{}); errors.As(e, &poll) {
			one.Poller = poll.poller
		}
		out.All = append(out.All, one)
	}
	return out
}
