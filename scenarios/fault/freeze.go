package fault

import (
	"context"
	"errors"
	"fmt"

	"throughline/compose"
)

// Freeze stops instances in the middle of whatever they do (SIGSTOP) and lets
// them go on (SIGCONT).
type Freeze struct {
	Instances func() ([]compose.Handle, error) // whom
}

// Possible asks whether the platform can freeze.
func (f Freeze) Possible() error {
	_, err := f.pausers()
	return err
}

// frozen is an instance that can be frozen.
type frozen struct {
	compose.Handle
	compose.Pauser
}

func (f Freeze) pausers() ([]frozen, error) {
	handles, err := f.Instances()
	if err != nil {
		return nil, fmt.Errorf("freeze: %w", err)
	}
	var out []frozen
	for _, h := range handles {
		p, ok := h.(compose.Pauser)
		if !ok {
			return nil, fmt.Errorf("freeze %s: this platform cannot freeze instances; leave the fault out, or choose another platform", h.Name())
		}
		out = append(out, frozen{h, p})
	}
	return out, nil
}

// Inject returns when the instances stand still.
func (f Freeze) Inject(ctx context.Context) (Heal, error) {
	all, err := f.pausers()
	if err != nil {
		return nil, err
	}
	for i, p := range all {
		if err := p.Pause(ctx); err != nil {
			_, thawed := thaw(ctx, all[:i])
			return nil, errors.Join(err, thawed)
		}
	}
	return func(ctx context.Context) (Touched, error) { return thaw(ctx, all) }, nil
}

// thaw lets instances go on. One that was killed meanwhile needs it no more.
func thaw(ctx context.Context, all []frozen) (Touched, error) {
	touched := Touched{}
	var errs []error
	for _, p := range all {
		touched[p.Name()] = 1
		err := p.Resume(ctx)
		if err == nil {
			continue
		}
		now, cancel := context.WithCancel(ctx)
		cancel()
		if _, alive := p.Wait(now); alive != nil { // an instance that is gone gives its exit at once
			errs = append(errs, err)
		}
	}
	return touched, errors.Join(errs...)
}
