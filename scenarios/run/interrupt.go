package run

import (
	"context"
	"time"

	"throughline/scenarios/record"
)

// interrupt takes an instance away as a cloud does: the metadata service gives notice, and
// when that is over SIGTERM comes, whether the instance has asked or not, and whether its
// last request has ended or not. With drain the load balancer sends it nothing new from the
// notice on. One that ends by itself before gets no signal.
func (f *fleet) interrupt(ctx context.Context, name string, notice time.Duration, drain bool) error {
	return f.lives.end(ctx, name, interrupting, func(ctx context.Context, one *life) error {
		defer f.pool.holdReloads()()
		deadline, err := f.cloud.notice(ctx, name, notice)
		if err != nil {
			return err
		}
		if drain {
			if err := f.drainUntil(ctx, one, deadline); err != nil {
				return err
			}
		}
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		select {
		case <-one.gone:
			return f.remove(ctx, one)
		case <-timer.C:
			return f.askToEnd(ctx, one)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// drainUntil has the load balancer send an instance nothing new, and returns when no request
// is on it, or at the deadline.
func (f *fleet) drainUntil(ctx context.Context, one *life, deadline time.Time) error {
	f.journal.event(record.Event{Kind: record.Draining, Instance: one.Name(), Role: one.role})
	draining, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	err := f.pool.drain(draining, one.Name())
	if draining.Err() != nil && ctx.Err() == nil { // what is left of its requests must end on SIGTERM
		return nil
	}
	return err
}
