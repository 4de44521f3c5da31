package loadgen

import (
	"context"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// ending is when a load ends, once that is known.
type ending struct {
	once  sync.Once
	known chan struct{} // closed when at is set
	at    time.Time
}

func newEnding() *ending { return &ending{known: make(chan struct{})} }

// set tells the end; the first one counts.
func (e *ending) set(at time.Time) {
	e.once.Do(func() {
		e.at = at
		close(e.known)
	})
}

// pacer lets vegeta send each request when the shape says it is due.
//
// vegeta sleeps for as long as Pace tells it, and nothing wakes it up before;
// so Pace does the waiting itself and always answers "now".
type pacer struct {
	config Config
	ending *ending
	timer  *time.Timer
	unhear func() bool // no longer has ctx end the load
}

func newPacer(ctx context.Context, c Config, e *ending) *pacer {
	p := &pacer{config: c, ending: e, timer: time.NewTimer(0)}
	if ctx.Err() != nil { // it had ended before the start: nothing is due
		e.set(c.Start)
	}
	p.unhear = context.AfterFunc(ctx, func() { e.set(p.now()) })
	return p
}

// now is the time by the clock of the schedule.
func (p *pacer) now() time.Time { return p.config.Clock(time.Now()) }

// Pace implements vegeta.Pacer: it waits until request number n is due.
func (p *pacer) Pace(_ time.Duration, n uint64) (wait time.Duration, stop bool) {
	offset, ok := p.config.Shape.Due(n)
	if !ok {
		<-p.ending.known
		return 0, true
	}
	due := p.config.Start.Add(offset)
	known := p.ending.known
	for {
		select {
		case <-known:
			if due.After(p.ending.at) {
				return 0, true
			}
			known = nil // it is due before the end, and waited for as any other
		default:
		}
		// The clock of the schedule may go otherwise than the timer: so it is asked again.
		wait := due.Sub(p.now())
		if wait <= 0 {
			return 0, false
		}
		p.timer.Reset(wait)
		select {
		case <-p.timer.C:
		case <-known:
		}
	}
}

// Rate implements vegeta.Pacer.
func (p *pacer) Rate(t time.Duration) float64 { return p.config.Shape.Rate(t) }

// stopAtEnd stops the attack when the end has come and the time of grace is
// over, also when vegeta waits for one of MaxInFlight requests to end. finish is called when the attack is over, and returns when all that
// stopAtEnd began has ended.
func (p *pacer) stopAtEnd(attacker *vegeta.Attacker) (finish func()) {
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-p.ending.known:
		case <-over:
			return
		}
		select {
		case <-time.After(p.ending.at.Add(p.config.LatenessP99).Sub(p.now())):
			attacker.Stop()
		case <-over:
		}
	})
	return func() {
		close(over)
		watch.Wait()
		p.timer.Stop()
		p.unhear()
		p.ending.set(p.now()) // for want of another
	}
}

// end is the offset at which the load ended, after finish.
func (p *pacer) end() time.Duration { return max(0, p.ending.at.Sub(p.config.Start)) }

// unsent counts the requests that were due when the load ended but are not
// among the first sent.
func (p *pacer) unsent(sent uint64) uint64 {
	return max(DueBy(p.config.Shape, p.end()), sent) - sent
}
