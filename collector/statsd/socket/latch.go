package socket

import "context"

// latch is a lock that one can give up waiting for. Whoever reads holds it, so
// that two goroutines can read in turns.
type latch chan struct{}

func newLatch() latch { return make(latch, 1) }

func (l latch) lock() { l <- struct{}{} }

func (l latch) unlock() { <-l }

// lockOr is lock, but fails when ctx ends first.
func (l latch) lockOr(ctx context.Context) error {
	select {
	case l <- struct{}{}:
		return nil
	default:
	}
	select {
	case l <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
