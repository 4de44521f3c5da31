package loadgen

import (
	"context"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// pacer lets vegeta send each request when the shape says it is due.
//
// vegeta sleeps for as long as Pace tells it, and nothing wakes it up before;
// so Pace does the waiting itself and always answers "now".
type pacer struct {
	ctx   context.Context
	shape Shape
	start time.Time
	grace time.Duration        // how long after the end what was due before may still be sent
	ended func() time.Duration // when ctx ended, since start; the first call says it was just now
	timer *time.Timer
}

func newPacer(ctx context.Context, c Config, start time.Time) *pacer {
	p := &pacer{
		ctx: ctx, shape: c.Shape, start: start, grace: c.LatenessP99,
		ended: sync.OnceValue(func() time.Duration { return time.Since(start) }),
		timer: time.NewTimer(0),
	}
	if ctx.Err() != nil { // it had ended before the start: nothing is due
		p.ended = func() time.Duration { return 0 }
	}
	return p
}

// Pace implements vegeta.Pacer: it waits until request number n is due.
func (p *pacer) Pace(_ time.Duration, n uint64) (wait time.Duration, stop bool) {
	due, ok := p.shape.Due(n)
	if !ok {
		<-p.ctx.Done()
		return 0, true
	}
	if p.ctx.Err() == nil {
		wait := due - time.Since(p.start)
		if wait <= 0 {
			return 0, false
		}
		p.timer.Reset(wait)
		select {
		case <-p.timer.C:
			return 0, false
		case <-p.ctx.Done():
		}
	}
	return 0, due > p.ended()
}

// Rate implements vegeta.Pacer.
func (p *pacer) Rate(t time.Duration) float64 { return p.shape.Rate(t) }

// stopAtEnd stops the attack when ctx has ended and the time of grace is
// over, also when vegeta waits for one of MaxInFlight requests to end. finish is called when the attack is over, and returns when all that
// stopAtEnd began has ended.
func (p *pacer) stopAtEnd(attacker *vegeta.Attacker) (finish func()) {
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-p.ctx.Done():
		case <-over:
			return
		}
		p.ended()
		select {
		case <-time.After(p.grace):
			attacker.Stop()
		case <-over:
		}
	})
	return func() {
		close(over)
		watch.Wait()
		p.timer.Stop()
	}
}

// unsent counts the requests that were due when the load ended but are not
// among the first sent.
func (p *pacer) unsent(sent uint64) uint64 {
	end, n := p.ended(), sent
	for {
		due, ok := p.shape.Due(n)
		if !ok || due > end {
			return n - sent
		}
		n++
	}
}
