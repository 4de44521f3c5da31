package run

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// clock goes through a scenario: each phase for its time, each step in its turn.
type clock struct {
	scenario script.Scenario
	progress Progress
	journal  *journal
	users    *users // nil: there is no load
	fleets   fleets // of all roles
	fleet    *fleet // of the role of the step under way
	faults   *faults
	members  *replicaSet // of the database; without any where it stands alone
	random   *rand.Rand  // draws whom the word any stands for
	whom     string      // for whom a word of the step under way stands; "": it has none
}

// run goes through the scenario until it ends, a step fails or ctx ends.
func (c *clock) run(ctx context.Context) {
	for i, phase := range c.scenario.Phases {
		end := time.Now().Add(phase.For)
		p := c.enter(ctx, phase.Name, i, end)
		err := c.steps(ctx, phase)
		if err == nil {
			err = sleepUntil(ctx, end)
		}
		p.end()
		if err != nil {
			return
		}
	}
}

// underway is a phase that has begun.
type underway struct {
	clock *clock
	name  string
	began time.Time
	quiet func() // ends what is told while it goes on
}

// enter begins a phase, which ends at a time; zero: nobody knows when.
func (c *clock) enter(ctx context.Context, name string, index int, end time.Time) *underway {
	c.progress.Phase(name, index)
	p := &underway{clock: c, name: name, began: time.Now(), quiet: func() {}}
	if c.users != nil {
		c.users.beginPhase()
		ticking, stop := context.WithCancel(ctx)
		ticked := make(chan struct{})
		go func() {
			defer close(ticked)
			c.users.tick(ticking, end, c.progress)
		}()
		p.quiet = func() { stop(); <-ticked }
	}
	c.journal.event(record.Event{Kind: record.PhaseBegin, Phase: name})
	return p
}

// end ends the phase and tells how long it was.
func (p *underway) end() time.Duration {
	p.quiet()
	p.clock.journal.event(record.Event{Kind: record.PhaseEnd, Phase: p.name})
	took := time.Since(p.began)
	if p.clock.users != nil {
		p.clock.progress.EndPhase(took, p.clock.users.endPhase(took))
	}
	return took
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
		if err := c.step(ctx, phase.Name, step); err != nil {
			return err
		}
	}
	return nil
}

// step does one step of a phase, and tells when it had its effect, or why it had none.
func (c *clock) step(ctx context.Context, phase string, step script.Step) error {
	begin := time.Now()
	c.journal.event(record.Event{Kind: record.StepBegin, Phase: phase, Step: step.String()})
	c.whom = ""
	if f := c.fleets.of(step.Role); f != nil {
		c.fleet = f
	}
	err := c.do(ctx, step)
	if err != nil {
		err = fmt.Errorf("%s: %w", step, err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ended := record.Event{Kind: record.StepEnd, Phase: phase, Step: step.String(), Instance: c.whom}
	if err != nil {
		ended.Error = err.Error()
	}
	c.journal.event(ended)
	c.progress.Step(step.String(), time.Since(begin), err)
	return err
}

// bounded is a way to make a move within the time that a step has for one.
type bounded func(move func(context.Context) error) error

// because puts before an error why its context has ended, if it has.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", context.Cause(ctx), err)
	}
	return err
}

// do does one step and returns when it has taken effect.
func (c *clock) do(ctx context.Context, step script.Step) error {
	within := func(move func(context.Context) error) error {
		limited, cancel := context.WithTimeoutCause(ctx, step.Within, fmt.Errorf("no effect within %v", step.Within))
		defer cancel()
		err := move(limited)
		if ctx.Err() != nil {
			return err
		}
		return because(limited, err)
	}
	for _, d := range doers {
		if d.kind == step.Kind() {
			return d.do(c, step.Move, within)
		}
	}
	return fmt.Errorf("%s: no such step", step.Kind())
}
