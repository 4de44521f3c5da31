package run

import (
	"context"
	"fmt"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// clock goes through a scenario: each phase for its time, each step in its turn.
type clock struct {
	scenario script.Scenario
	progress Progress
	journal  *journal
	users    *users
	fleet    *fleet
	faults   *faults
}

// run goes through the scenario until it ends, a step fails or ctx ends.
func (c *clock) run(ctx context.Context) {
	for i, phase := range c.scenario.Phases {
		c.progress.Phase(phase.Name, i)
		begin := time.Now()
		c.users.beginPhase()
		c.journal.event(record.Event{Kind: record.PhaseBegin, Phase: phase.Name})
		ticking, stop := context.WithCancel(ctx)
		ticked := make(chan struct{})
		go func() {
			defer close(ticked)
			c.users.tick(ticking, begin.Add(phase.For), c.progress)
		}()
		err := c.steps(ctx, phase)
		if err == nil {
			err = sleepUntil(ctx, begin.Add(phase.For))
		}
		stop()
		<-ticked
		c.journal.event(record.Event{Kind: record.PhaseEnd, Phase: phase.Name})
		c.progress.EndPhase(time.Since(begin), c.users.endPhase(time.Since(begin)))
		if err != nil {
			return
		}
	}
}

// sleepUntil waits for a moment of the clock.
func sleepUntil(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// steps does what a phase wants done, in order. The first step that has no
// effect ends the run: what comes after would prove nothing.
func (c *clock) steps(ctx context.Context, phase script.Phase) error {
	for _, step := range phase.Do {
		begin := time.Now()
		c.journal.event(record.Event{Kind: record.StepBegin, Phase: phase.Name, Step: step.String()})
		err := c.do(ctx, step)
		if err != nil {
			err = fmt.Errorf("%s: %w", step, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		ended := record.Event{Kind: record.StepEnd, Phase: phase.Name, Step: step.String()}
		if err != nil {
			ended.Error = err.Error()
		}
		c.journal.event(ended)
		c.progress.Step(step.String(), time.Since(begin), err)
		if err != nil {
			return err
		}
	}
	return nil
}

// bounded is a way to make a move within the time that a step has for one.
type bounded func(move func(context.Context) error) error

// do does one step and returns when it has taken effect.
func (c *clock) do(ctx context.Context, step script.Step) error {
	within := func(move func(context.Context) error) error {
		limited, cancel := context.WithTimeoutCause(ctx, step.Within, fmt.Errorf("no effect within %v", step.Within))
		defer cancel()
		err := move(limited)
		if err != nil && limited.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("%w (%w)", context.Cause(limited), err)
		}
		return err
	}
	for _, d := range doers {
		if d.kind == step.Kind() {
			return d.do(c, step.Move, within)
		}
	}
	return fmt.Errorf("%s: no such step", step.Kind())
}
