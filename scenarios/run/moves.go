package run

import (
	"context"

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
	doerOf((*clock).launch),
	doerOf((*clock).replace),
	doerOf((*clock).deploy),
	doerOf((*clock).rollback),
	doerOf((*clock).scale),
	doerOf((*clock).limit),
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

func (c *clock) kill(m script.Kill, within bounded) error {
	return within(func(ctx context.Context) error { return c.fleet.kill(ctx, m.Instance) })
}

func (c *clock) terminate(m script.Terminate, within bounded) error {
	return c.end(m.Instance, !m.Abrupt, within)
}

// end asks an instance to end.
func (c *clock) end(name string, drain bool, within bounded) error {
	return within(func(ctx context.Context) error { return c.fleet.terminate(ctx, name, drain) })
}

func (c *clock) launch(m script.Launch, within bounded) error {
	return within(func(ctx context.Context) error {
		_, err := c.fleet.launch(ctx, m.Count)
		return err
	})
}

// replace launches another instance for one, or for each that serves, before it
// terminates that.
func (c *clock) replace(m script.Replace, within bounded) error {
	old := []string{m.Instance}
	if m.Instance == script.ReplaceAll {
		old = c.fleet.serving()
	}
	for _, name := range old {
		if err := c.launch(script.Launch{Count: 1}, within); err != nil {
			return err
		}
		err := c.end(name, true, within)
		if err != nil && (m.Instance != script.ReplaceAll || !endedByOther(err)) {
			return err
		}
	}
	return nil
}

// scale launches, or terminates the newest, until as many instances serve as told.
// One that an actor ends first is ended all the same.
func (c *clock) scale(m script.Scale, within bounded) error {
	have := c.fleet.serving()
	if missing := m.Count - len(have); missing > 0 {
		return c.launch(script.Launch{Count: missing}, within)
	}
	for i := len(have) - 1; i >= m.Count; i-- {
		if err := c.end(have[i], true, within); err != nil && !endedByOther(err) {
			return err
		}
	}
	return nil
}

func (c *clock) limit(m script.Limit, within bounded) error {
	return within(func(ctx context.Context) error { return c.fleet.limit(ctx, m.Instance, m.CPUs) })
}

func (c *clock) begin(m script.BeginFault, within bounded) error {
	return within(func(ctx context.Context) error { return c.faults.inject(ctx, m) })
}

func (c *clock) heal(m script.Heal, within bounded) error {
	return within(func(ctx context.Context) error { return c.faults.heal(ctx, m.Fault) })
}
