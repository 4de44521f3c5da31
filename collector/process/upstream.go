package process

import (
	"fmt"
	"time"

	"throughline/collector/process/wire"
)

// upstream is the parent as the collector calls it; see package wire. Its methods are called by several goroutines at once.
type upstream struct{ of *Process }

// Take hands samples on that the store does not have yet.
func (u upstream) Take(b wire.Batch, _ *wire.Nothing) error {
	u.of.mu.Lock()
	samples := u.of.clock.Receive(b.Samples)
	u.of.owed[b.Number] = samples
	u.of.mu.Unlock()
	return u.of.cfg.Sink.Append(samples...)
}

// Kept hands samples on that the store has now.
func (u upstream) Kept(number uint64, _ *wire.Nothing) error {
	u.of.mu.Lock()
	samples := u.of.owed[number]
	delete(u.of.owed, number)
	u.of.mu.Unlock()
	return u.of.cfg.Stored.Append(samples...)
}

// Poll polls what the collector cannot.
func (u upstream) Poll(a wire.Asked, reply *wire.Polled) error {
	u.of.mu.Lock()
	poller, clock := u.of.pollers[a.Poller], u.of.clock
	u.of.mu.Unlock()
	if poller == nil {
		return fmt.Errorf("poll %s: there is no poller of that name", a.Poller)
	}
	ctx, cancel := wire.Context(a.Within)
	defer cancel()
	samples, err := poller.Poll(ctx, clock.Hear(a.At, time.Now()))
	reply.Samples = clock.Send(samples)
	if err != nil {
		reply.Failed, reply.Error = true, err.Error()
		u.of.mu.Lock()
		u.of.failed[a.Poller] = err
		u.of.mu.Unlock()
	}
	return nil
}
