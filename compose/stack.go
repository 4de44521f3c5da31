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

// DefaultStop is how long an instance may take from SIGTERM to its end when its
// Instance.Stop does not say.
const DefaultStop = 5 * time.Second

// killGrace is how long the platform may take to see that a killed instance is
// gone.
const killGrace = 10 * time.Second

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
	live   []living        // oldest first
}

// living is an instance that runs.
type living struct {
	Handle
	stop time.Duration // from SIGTERM to SIGKILL
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
	stop := i.Stop
	if stop <= 0 {
		stop = DefaultStop
	}
	s.live = append(s.live, living{h, stop})
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
			return h.Handle, nil
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
	s.live = slices.DeleteFunc(s.live, func(h living) bool {
		if h.Name() != name {
			return false
		}
		s.used[name] = true
		return true
	})
}

// Stop ends instances, all at once: each gets SIGTERM and, if that has not ended it
// within its Instance.Stop or when ctx ends, SIGKILL. Names that do not run are
// passed over. It gives the names of those that used their whole time up, in the
// order of their starts; the error names those that are still there.
func (s *Stack) Stop(ctx context.Context, names ...string) (overdue []string, err error) {
	s.mu.Lock()
	all := slices.DeleteFunc(slices.Clone(s.live), func(h living) bool { return !slices.Contains(names, h.Name()) })
	s.mu.Unlock()
	return stopAll(ctx, all)
}

// Close stops what runs, as Stop does; then it closes the platform. A start under
// way is called off. A second Close only closes the platform again.
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
	_, err := stopAll(ctx, live)
	return errors.Join(err, s.platform.Close(ctx))
}

func stopAll(ctx context.Context, all []living) (overdue []string, err error) {
	late, errs := make([]bool, len(all)), make([]error, len(all))
	var stopping sync.WaitGroup
	for i, h := range all {
		stopping.Go(func() {
			if late[i], errs[i] = h.end(ctx); errs[i] != nil {
				errs[i] = fmt.Errorf("stop %s: %w", h.Name(), errs[i])
			}
		})
	}
	stopping.Wait()
	for i, h := range all {
		if late[i] {
			overdue = append(overdue, h.Name())
		}
	}
	return overdue, errors.Join(errs...)
}

// end stops one instance; late tells that it had its whole time and lived on.
func (h living) end(ctx context.Context) (late bool, err error) {
	if foreign, ok := h.Handle.(Foreign); ok {
		foreign.Release()
		return false, nil
	}
	if frozen, ok := h.Handle.(Pauser); ok {
		_ = frozen.Resume(ctx) // one left frozen could not finish; one that runs does not mind
	}
	// A signal that fails is no news by itself: mostly the instance is gone
	// already, and then Wait says so.
	term := h.Signal(ctx, Terminate)
	if term == nil {
		if waitAtMost(ctx, h, h.stop) == nil {
			return false, nil
		}
		late = ctx.Err() == nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), killGrace)
	defer cancel()
	kill := h.Signal(last, Kill)
	if _, err := h.Wait(last); err != nil {
		return late, errors.Join(term, kill, err)
	}
	return late, nil
}

func waitAtMost(ctx context.Context, h Handle, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	_, err := h.Wait(ctx)
	return err
}
