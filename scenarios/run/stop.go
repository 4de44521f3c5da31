package run

import (
	"context"
	"fmt"
	"time"

	"throughline/compose"
	"throughline/scenarios/record"
)

// terminate lets the load balancer drain an instance, unless it is told not to,
// asks it to end and waits until it has.
func (s *stack) terminate(ctx context.Context, name string, drain bool) error {
	handle, life, err := s.condemn(name)
	if err != nil {
		return err
	}
	if drain {
		s.event(record.Event{Kind: record.Draining, Instance: name, Role: life.role})
		if err := s.lb.Drain(ctx, name); err != nil {
			return err
		}
		if err := s.awaitIdle(ctx, name); err != nil {
			return err
		}
	}
	s.event(record.Event{Kind: record.Signalled, Instance: name, Role: life.role, Signal: compose.Terminate.String()})
	if err := handle.Signal(ctx, compose.Terminate); err != nil {
		return err
	}
	if err := s.awaitStop(ctx, handle, life); err != nil {
		return fmt.Errorf("it did not end on SIGTERM: %w", err)
	}
	return s.remove(ctx, name)
}

// awaitStop waits for the end of an instance that got SIGTERM. One that has used
// its time up is killed, as whoever runs containers does it, which the journal
// tells.
func (s *stack) awaitStop(ctx context.Context, handle compose.Handle, life *life) error {
	name := handle.Name()
	patient, cancel := context.WithTimeout(ctx, s.cfg.Scenario.Stack.Web.Stop)
	defer cancel()
	if err := awaitDeath(patient, name, life); err == nil || ctx.Err() != nil {
		return err
	}
	s.overdue(name)
	s.event(record.Event{Kind: record.Signalled, Instance: name, Role: life.role, Signal: compose.Kill.String()})
	_ = handle.Signal(ctx, compose.Kill) // an error says that it has just ended
	return awaitDeath(ctx, name, life)
}

// overdue notes that a web instance had to be killed because it had not ended in
// time.
func (s *stack) overdue(name string) {
	s.event(record.Event{Kind: record.Note, About: "stop of " + name, Instance: name, Role: record.Web,
		Error: fmt.Sprintf("it had not ended %v after SIGTERM (stack.web.stop) and was killed", s.cfg.Scenario.Stack.Web.Stop)})
}

// hurry is how long web instances may take to end when the run was interrupted:
// somebody waits at a terminal.
const hurry = 5 * time.Second

// patience is how long the end of the web instances is waited for without a word.
const patience = 2 * time.Second

// stopWeb ends all web instances side by side, before database and load balancer
// are taken from them. Who has not ended within stack.web.stop is killed, which the
// journal tells; when ctx ends while they stop, they are killed at once.
func (s *stack) stopWeb(ctx context.Context) {
	s.mu.Lock()
	s.ending = true
	var names []string
	for name, life := range s.lives {
		if life.role == record.Web {
			names = append(names, name)
		}
	}
	s.mu.Unlock()
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), hurry)
		defer cancel()
	}
	slow := time.AfterFunc(patience, func() { s.cfg.Progress.Note("waiting for the web instances to end") })
	defer slow.Stop()
	overdue, err := s.parts.Stop(ctx, names...)
	for _, name := range overdue {
		s.overdue(name)
	}
	if err != nil {
		s.note("stop", 0, err.Error())
	}
}
