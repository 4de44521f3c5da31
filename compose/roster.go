package compose

import (
	"errors"
	"sync"
)

// ErrClosed is what a platform's Start gives from Close on.
var ErrClosed = errors.New("the platform is closed")

// Roster is what platforms keep alike: which names were used, who was started, and
// whether the platform is closed. It is for platforms; what a run started is in its
// [Stack]. It is safe for concurrent use.
type Roster[T any] struct {
	starting sync.WaitGroup
	closing  chan struct{}

	mu      sync.Mutex
	closed  bool
	used    map[string]bool
	started map[string]T
}

// NewRoster returns an empty roster.
func NewRoster[T any]() *Roster[T] {
	return &Roster[T]{closing: make(chan struct{}), used: map[string]bool{}, started: map[string]T{}}
}

// Reserve takes a name for good, before its instance is started; done is to be
// called when it was, or when that failed. A name that was used before and a closed
// roster are errors.
func (r *Roster[T]) Reserve(name string) (done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, ErrClosed
	case r.used[name]:
		return nil, errors.New("the name was used before on this platform; take a new one")
	}
	r.used[name] = true
	r.starting.Add(1)
	return r.starting.Done, nil
}

// Add puts in an instance that Close must find, under the name that was reserved
// for it.
func (r *Roster[T]) Add(name string, instance T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started[name] = instance
}

// Closing is closed when Close begins.
func (r *Roster[T]) Closing() <-chan struct{} { return r.closing }

// Close takes nobody in any more, waits for those that are starting and has end see
// to all that were started, by name. A second Close waits for the first and has end
// see to them again.
func (r *Roster[T]) Close(end func(started map[string]T) error) error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.closing)
	}
	r.mu.Unlock()
	r.starting.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return end(r.started)
}
