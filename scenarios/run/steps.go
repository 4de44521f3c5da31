package run

import (
	"context"
	"fmt"
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// steps does what a phase wants done, in order. The first step that has no
// effect ends the run: what comes after would prove nothing.
func steps(ctx context.Context, s *stack, phase script.Phase) error {
	for _, step := range phase.Do {
		begin := time.Now()
		s.event(record.Event{Kind: record.StepBegin, Phase: phase.Name, Step: step.String()})
		err := s.do(ctx, step)
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
		s.event(ended)
		s.cfg.Progress.Step(step.String(), time.Since(begin), err)
		if err != nil {
			return err
		}
	}
	return nil
}

// do does one step and returns when it has taken effect.
func (s *stack) do(ctx context.Context, step script.Step) error {
	within := func(move func(context.Context) error) error {
		limited, cancel := context.WithTimeoutCause(ctx, step.Within, fmt.Errorf("no effect within %v", step.Within))
		defer cancel()
		err := move(limited)
		if err != nil && limited.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("%w (%w)", context.Cause(limited), err)
		}
		return err
	}
	switch step.Kind {
	case script.Kill:
		return within(func(ctx context.Context) error { return s.kill(ctx, step.Instance) })
	case script.Terminate:
		return within(func(ctx context.Context) error { return s.terminate(ctx, step.Instance, !step.Abrupt) })
	case script.Launch:
		return within(func(ctx context.Context) error { return s.launch(ctx, step.Count) })
	case script.Replace:
		old := []string{step.Instance}
		if step.Instance == script.ReplaceAll {
			old = s.serving()
		}
		for _, name := range old {
			if err := within(func(ctx context.Context) error { return s.launch(ctx, 1) }); err != nil {
				return err
			}
			if err := within(func(ctx context.Context) error { return s.terminate(ctx, name, true) }); err != nil {
				return err
			}
		}
		return nil
	case script.BeginFault:
		return within(func(ctx context.Context) error { return s.inject(ctx, step) })
	case script.Heal:
		return within(func(ctx context.Context) error { return s.heal(ctx, step.Fault.Name) })
	case script.Scale:
		return s.scale(ctx, step.Count, within)
	case script.Limit:
		return within(func(ctx context.Context) error { return s.limit(ctx, step.Instance, step.CPUs) })
	}
	return fmt.Errorf("%s: no such step", step.Kind)
}

// scale launches, or terminates the newest, until count instances serve.
func (s *stack) scale(ctx context.Context, count int, within func(func(context.Context) error) error) error {
	have := s.serving()
	if missing := count - len(have); missing > 0 {
		return within(func(ctx context.Context) error { return s.launch(ctx, missing) })
	}
	for i := len(have) - 1; i >= count; i-- {
		if err := within(func(ctx context.Context) error { return s.terminate(ctx, have[i], true) }); err != nil {
			return err
		}
	}
	return nil
}
