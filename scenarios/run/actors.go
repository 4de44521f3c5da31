package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// actor is something that acts on the fleet by itself, beside the steps of the
// scenario: an autoscaler.
type actor interface {
	// name is what its troubles are about.
	name() string
	// act begins when the load does and makes moves until ctx ends, which is
	// before the load does. It returns when its last move has. A move that has
	// begun had better be finished: give it a context that outlives ctx
	// (context.WithoutCancel) and has a timeout. When the run is interrupted, the
	// fleet calls it off. An error is a trouble of the run.
	act(ctx context.Context, on moves) error
}

// lastMoves bounds how long actors may take to finish the moves that they have
// begun, beside the time that a web instance has to end.
const lastMoves = 30 * time.Second

// acting is the actors of a run at work.
type acting struct {
	journal *journal
	cancel  context.CancelFunc
	done    chan struct{} // closed when all have returned

	mu      sync.Mutex
	stopped bool // their errors are no news any more
}

// startActors lets them act until stop, or until ctx ends.
func startActors(ctx context.Context, actors []actor, on moves, journal *journal) *acting {
	ctx, cancel := context.WithCancel(ctx)
	a := &acting{journal: journal, cancel: cancel, done: make(chan struct{})}
	var group sync.WaitGroup
	for _, one := range actors {
		group.Go(func() {
			if err := one.act(ctx, on); err != nil && !errors.Is(err, context.Canceled) {
				a.trouble(one.name(), err)
			}
		})
	}
	go func() {
		defer close(a.done)
		group.Wait()
	}()
	return a
}

// stop has the actors stop, and returns when they have or have not within a time.
func (a *acting) stop(within time.Duration) {
	a.cancel()
	late := time.NewTimer(within)
	defer late.Stop()
	select {
	case <-a.done:
	case <-late.C:
		a.trouble("actors", fmt.Errorf("still at work %v after they were told to stop; what they do is called off with the stack", within))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
}

// trouble journals what went wrong with an actor, unless the run has gone on
// without it.
func (a *acting) trouble(about string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopped {
		a.journal.trouble(about, 0, err.Error())
	}
}
