package run

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"throughline/compose"
	"throughline/scenarios/script"
)

// doer does the steps of one kind.
type doer struct {
	kind string // as the language has it
	do   func(c *clock, m script.Move, within bounded) error
}

// doerOf is the doer of one type of move.
func doerOf[M script.Move](do func(*clock, M, bounded) error) doer {
	var zero M
	return doer{zero.Kind(), func(c *clock, m script.Move, within bounded) error { return do(c, m.(M), within) }}
}

// doers do all that the language has.
var doers = []doer{
	doerOf((*clock).kill),
	doerOf((*clock).terminate),
	doerOf((*clock).interrupt),
	doerOf((*clock).launch),
	doerOf((*clock).replace),
	doerOf((*clock).deploy),
	doerOf((*clock).rollback),
	doerOf((*clock).scale),
	doerOf((*clock).limit),
	doerOf((*clock).stepDown),
	doerOf((*clock).begin),
	doerOf((*clock).heal),
}

// Steps names the kinds of steps that a run can do: all of the language's.
func Steps() []string {
	var names []string
	for _, d := range doers {
		names = append(names, d.kind)
	}
	return names
}

// named does something to an instance that a step names, or for which its word stands. Whom somebody else just
// ends, no word stands for.
func (c *clock) named(instance string, do func(name string) error) error {
	if !script.StandsIn(instance) {
		return do(instance)
	}
	for {
		serving := c.fleet.serving()
		if len(serving) == 0 {
			return errors.New("no instance serves")
		}
		switch instance {
		case script.Oldest:
			c.whom = serving[0]
		case script.Newest:
			c.whom = serving[len(serving)-1]
		default:
			c.whom = serving[c.random.IntN(len(serving))]
		}
		if err := do(c.whom); !endedByOther(err) {
			return err
		}
	}
}

func (c *clock) kill(m script.Kill, within bounded) error {
	if m.Instance == script.Primary {
		return c.killPrimary(within)
	}
	if number, agent := script.AgentNumber(m.Instance); agent {
		return c.endAgent(number, compose.Kill, m.Away, within)
	}
	return c.named(m.Instance, func(name string) error {
		return within(func(ctx context.Context) error { return c.fleet.kill(ctx, name) })
	})
}

// endAgent ends an agent, and has another take its place.
func (c *clock) endAgent(number int, how compose.Signal, away time.Duration, within bounded) error {
	return within(func(ctx context.Context) error { return c.fleet.agents.replace(ctx, number, how, away) })
}

func (c *clock) terminate(m script.Terminate, within bounded) error {
	if number, agent := script.AgentNumber(m.Instance); agent {
		return c.endAgent(number, compose.Terminate, m.Away, within)
	}
	return c.named(m.Instance, func(name string) error { return c.end(name, !m.Abrupt, within) })
}

// end asks an instance to end.
func (c *clock) end(name string, drain bool, within bounded) error {
	return within(func(ctx context.Context) error { return c.fleet.terminate(ctx, name, drain) })
}

func (c *clock) interrupt(m script.Interrupt, within bounded) error {
	return c.named(m.Instance, func(name string) error {
		return within(func(ctx context.Context) error { return c.fleet.interrupt(ctx, name, m.Notice, !m.Abrupt) })
	})
}

func (c *clock) launch(m script.Launch, within bounded) error {
	if m.Member {
		return within(c.members.launch)
	}
	return within(func(ctx context.Context) error {
		_, err := c.fleet.launch(ctx, m.Count)
		return err
	})
}

// replace launches another instance for one, or for each that serves, before it
// terminates that.
func (c *clock) replace(m script.Replace, within bounded) error {
	if m.Instance != script.ReplaceAll {
		return c.named(m.Instance, func(name string) error { return c.replaceOne(name, within) })
	}
	for _, name := range c.fleet.serving() {
		if err := c.replaceOne(name, within); err != nil && !endedByOther(err) {
			return err
		}
	}
	return nil
}

func (c *clock) replaceOne(name string, within bounded) error {
	defer c.fleet.replacing(name)()
	if err := c.launch(script.Launch{Count: 1}, within); err != nil {
		return err
	}
	return c.end(name, true, within)
}

// scale launches, or terminates the newest, until as many instances serve as told, all of
// them side by side, as autoscalers do. One that an actor ends first is ended all the same.
func (c *clock) scale(m script.Scale, within bounded) error {
	have := c.fleet.serving()
	if missing := m.Count - len(have); missing > 0 {
		return c.launch(script.Launch{Count: missing}, within)
	}
	var ending errgroup.Group
	for _, name := range have[m.Count:] {
		ending.Go(func() error {
			if err := c.end(name, true, within); err != nil && !endedByOther(err) {
				return err
			}
			return nil
		})
	}
	return ending.Wait()
}

func (c *clock) limit(m script.Limit, within bounded) error {
	return within(func(ctx context.Context) error { return c.fleet.limit(ctx, m.Instance, m.CPUs) })
}

func (c *clock) begin(m script.BeginFault, within bounded) error {
	return c.named(m.Instance, func(name string) error {
		m.Instance = name
		err := within(func(ctx context.Context) error { return c.faults.inject(ctx, m) })
		if c.faults.whom != "" {
			c.whom = c.faults.whom
		}
		return err
	})
}

func (c *clock) heal(m script.Heal, within bounded) error {
	return within(func(ctx context.Context) error { return c.faults.heal(ctx, m.Fault) })
}
