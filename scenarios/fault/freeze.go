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

// Inject returns when the instances stand still. Of several, those that have ended
// meanwhile are passed over.
func (f Freeze) Inject(ctx context.Context) (Heal, error) {
	all, err := f.pausers()
	if err != nil {
		return nil, err
	}
	var still []frozen
	var missed error
	for _, p := range all {
		switch err := p.Pause(ctx); {
		case err == nil:
			still = append(still, p)
		case p.ended(ctx):
			missed = errors.Join(missed, err)
		default:
			_, thawed := thaw(ctx, still)
			return nil, errors.Join(err, thawed)
		}
	}
	if len(still) == 0 && missed != nil {
		return nil, missed
	}
	return func(ctx context.Context) (Touched, error) { return thaw(ctx, still) }, nil
}

// ended tells whether the instance is gone: then its exit is there at once.
func (p frozen) ended(ctx context.Context) bool {
	now, cancel := context.WithCancel(ctx)
	cancel()
	_, alive := p.Wait(now)
	return alive == nil
}

// thaw lets instances go on. One that was killed meanwhile needs it no more.
func thaw(ctx context.Context, all []frozen) (Touched, error) {
	touched := Touched{}
	var errs []error
	for _, p := range all {
		touched[p.Name()] = 1
		if err := p.Resume(ctx); err != nil && !p.ended(ctx) {
			errs = append(errs, err)
		}
	}
	return touched, errors.Join(errs...)
}
