package compose

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// stopGrace is how long Close lets an instance finish after SIGTERM before it
// sends SIGKILL.
const stopGrace = 5 * time.Second

// Stack is what was started on a platform, in the order it was started. A name
// is used once in its life, also when that start failed: an instance is what
// its name says in logs, in metrics and in the record. It is safe for
// concurrent use.
type Stack struct {
	platform Platform
	starting sync.WaitGroup
	closing  chan struct{} // closed when Close begins

	mu     sync.Mutex
	closed bool
	used   map[string]bool // true: it was started and is gone
	live   []Handle        // oldest first
}

// NewStack returns an empty stack. Close it to close the platform.
func NewStack(p Platform) *Stack {
	return &Stack{platform: p, used: map[string]bool{}, closing: make(chan struct{})}
}

// ErrStackClosed is what Start gives from Close on.
var ErrStackClosed = errors.New("the stack is closed")

// Start starts an instance and returns when it is ready. It is refused when
// its name was used before.
func (s *Stack) Start(ctx context.Context, i Instance) (Handle, error) {
	if err := s.reserve(i.Name); err != nil {
		return nil, err
	}
	defer s.starting.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-s.closing:
			cancel(ErrStackClosed)
		case <-done:
		}
	}()
	h, err := s.platform.Start(ctx, i)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = append(s.live, h)
	return h, nil
}

func (s *Stack) reserve(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("start %s: %w", name, ErrStackClosed)
	}
	if _, ok := s.used[name]; ok {
		return fmt.Errorf("start %s: the name was used before in this run; take a new one", name)
	}
	s.used[name] = false
	s.starting.Add(1)
	return nil
}

// Find gives a running instance by name.
func (s *Stack) Find(name string) (Handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.live {
		if h.Name() == name {
			return h, nil
		}
	}
	have := "none"
	if names := s.names(); len(names) > 0 {
		have = strings.Join(names, ", ")
	}
	if s.used[name] {
		return nil, fmt.Errorf("%s: is gone (have %s)", name, have)
	}
	return nil, fmt.Errorf("%s: no such instance (have %s)", name, have)
}

// Names lists what runs, oldest first.
func (s *Stack) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names()
}

func (s *Stack) names() []string {
	names := make([]string, 0, len(s.live))
	for _, h := range s.live {
		names = append(names, h.Name())
	}
	return names
}

// Gone takes an instance off the stack because it was seen to be gone: Find no
// longer finds it and Close does not stop it. Its name stays used.
func (s *Stack) Gone(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = slices.DeleteFunc(s.live, func(h Handle) bool {
		if h.Name() != name {
			return false
		}
		s.used[name] = true
		return true
	})
}

// Close stops what runs, newest first, each with SIGTERM and, when that does
// not end it within five seconds, SIGKILL; then it closes the platform. A start
// under way is called off. A second Close only closes the platform again.
func (s *Stack) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	s.starting.Wait()

	s.mu.Lock()
	live := s.live
	s.live = nil
	for _, h := range live {
		s.used[h.Name()] = true
	}
	s.mu.Unlock()
	var errs []error
	for _, h := range slices.Backward(live) {
		if err := stop(ctx, h); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", h.Name(), err))
		}
	}
	if err := s.platform.Close(ctx); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func stop(ctx context.Context, h Handle) error {
	if frozen, ok := h.(Pauser); ok {
		_ = frozen.Resume(ctx) // one left frozen could not finish; one that runs does not mind
	}
	// A signal that fails is no news by itself: mostly the instance is gone
	// already, and then Wait says so.
	term := h.Signal(ctx, Terminate)
	if term == nil && waitAtMost(ctx, h, stopGrace) == nil {
		return nil
	}
	kill := h.Signal(ctx, Kill)
	if err := waitAtMost(ctx, h, stopGrace); err != nil {
		return errors.Join(term, kill, err)
	}
	return nil
}

func waitAtMost(ctx context.Context, h Handle, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_, err := h.Wait(ctx)
	return err
}
