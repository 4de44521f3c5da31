package crew

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"time"

	"throughline/loadgen"
	"throughline/loadgen/crew/wire"
)

const (
	// firstExchanges is how often a worker asks for the time before it says that it is ready.
	firstExchanges = lastExchanges
	// compareEvery is how often it asks from then on: in that time clocks move apart by 125 µs at most.
	compareEvery = 250 * time.Millisecond
	// silence is how long either side may hear nothing of the other before it takes it for lost. A worker that is lost
	// sends nothing any more.
	silence = 5 * time.Second
)

var errSilent = fmt.Errorf("nothing was heard for %v", silence)

// Worker is the end of a worker.
type Worker struct {
	Number int    // 1 to as many as there are
	Token  string // by which its coordinator knows it
	// Clock is what this machine's clock shows at an instant of this process', from any zero; nil: that of the process. It
	// is where tests have a clock that is wrong.
	Clock func(time.Time) time.Duration
	// Connect is that of loadgen.Config.
	Connect func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Work sends a worker's part of a load, over a connection to the coordinator, which it closes, and tells what came of each
// request. It returns when all of it has been told. When the connection breaks before, or the coordinator is silent, it sends
// no more and returns an error, without waiting for the requests under way.
func (w Worker) Work(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	if err := hello(conn, w.Token, w.Number); err != nil {
		return fmt.Errorf("worker %d: coordinator %s: %w", w.Number, conn.RemoteAddr(), err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	if w.Clock == nil {
		w.Clock = func(t time.Time) time.Duration { return t.Sub(began) }
	}
	j := &job{worker: w, began: began, coordinator: rpc.NewClient(conn)}
	defer j.coordinator.Close()
	defer context.AfterFunc(ctx, func() { _ = j.coordinator.Close() })() // it ends what is waited for
	err := j.do(ctx, cancel)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil {
		return fmt.Errorf("worker %d: coordinator %s: %w", w.Number, conn.RemoteAddr(), err)
	}
	return nil
}

// job is what a worker is at.
type job struct {
	worker      Worker
	began       time.Time // of this process' clock, the zero of the coordinator's in the times that the generator has
	coordinator *rpc.Client
	reckoning   Reckoning
	outbox      outbox
}

// clock is the coordinator's time at an instant of this process'.
func (j *job) clock(t time.Time) time.Time {
	at, _ := j.reckoning.At(j.worker.Clock(t))
	return j.began.Add(at)
}

// now is what this machine's clock shows.
func (j *job) now() time.Duration { return j.worker.Clock(time.Now()) }

func (j *job) do(ctx context.Context, fail context.CancelCauseFunc) error {
	var load wire.Load
	if err := j.call("Join", wire.Nothing{}, &load); err != nil {
		return err
	}
	j.outbox.zero = j.began
	config, err := load.Config(j.outbox.beacon)
	if err != nil {
		return err
	}
	for range firstExchanges {
		if err := j.compare(); err != nil {
			return err
		}
	}
	go j.keepComparing(ctx, fail)
	var start wire.Moment
	if err := j.call("Await", wire.Nothing{}, &start); err != nil {
		return err
	}
	config.Connect, config.Clock, config.Start = j.worker.Connect, j.clock, j.began.Add(start.At)
	generator, err := loadgen.New(config)
	if err != nil {
		return err
	}
	return j.send(ctx, fail, generator)
}

// send has the load sent and told.
func (j *job) send(ctx context.Context, fail context.CancelCauseFunc, generator *loadgen.Generator) error {
	go func() {
		var end wire.Moment
		if err := j.call("AwaitEnd", wire.Nothing{}, &end); err != nil {
			fail(err)
			return
		}
		generator.End(j.began.Add(end.At))
	}()
	tell := func(b wire.Batch) error { return j.call("Tell", b, new(wire.Nothing)) }
	telling, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		if err := j.outbox.run(telling, generator.Stats, tell); err != nil {
			fail(err)
		}
	}()
	ended := make(chan error, 1)
	go func() {
		_, err := generator.Run(ctx, j.outbox.row)
		ended <- err
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done(): // what is under way cannot be told any more
		err = context.Cause(ctx)
	}
	stop()
	<-told
	if err != nil {
		return err
	}
	if err := j.outbox.empty(generator.Stats, tell); err != nil {
		return err
	}
	stats := generator.Stats()
	return j.call("Finish", wire.Final{Sent: stats.Sent, Stats: stats, Clock: j.known()}, new(wire.Nothing))
}

// keepComparing compares the clocks until ctx ends, and ends all where nobody answers.
func (j *job) keepComparing(ctx context.Context, fail context.CancelCauseFunc) {
	ticker := time.NewTicker(compareEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := j.compare(); err != nil {
				fail(err)
				return
			}
		}
	}
}

// compare asks the coordinator for its time.
func (j *job) compare() error {
	var times wire.Times
	ask := j.known()
	late := time.NewTimer(silence)
	defer late.Stop()
	x := Exchange{Asked: j.now()}
	call := j.coordinator.Go(wire.Coordinator+".Compare", ask, &times, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
	case <-late.C:
		return errSilent
	}
	x.Told = j.now()
	if call.Error != nil {
		return broken(call.Error)
	}
	x.Received, x.Answered = times.Received, times.Answered
	j.reckoning.Add(x)
	return nil
}

// known is how well the clocks are compared.
func (j *job) known() wire.Ask {
	worst, offset, n := j.reckoning.Worst(j.now())
	return wire.Ask{Bound: worst, Offset: offset, Exchanges: n}
}

func (j *job) call(what string, args, reply any) error {
	return broken(j.coordinator.Call(wire.Coordinator+"."+what, args, reply))
}

// broken tells an answer of the coordinator's from a connection that is no more.
func broken(err error) error {
	var own rpc.ServerError
	if err == nil || errors.As(err, &own) {
		return err
	}
	return fmt.Errorf("the connection broke: %w", err)
}
