package fault

import (
	"context"
	"errors"
)

// OfMember is a fault that is done to one member of a database: to whom is known when it begins, and it is in force when the
// others have seen it.
type OfMember struct {
	Whom func(context.Context) (name string, err error)
	Do   func(name string) Fault
	// Seen returns when the others, and whoever can be asked, know of it; Back when the member has its place again.
	Seen, Back func(ctx context.Context, name string) error
}

// Possible is that of the fault, done to anybody.
func (f OfMember) Possible() error { return f.Do("").Possible() }

// Inject returns when the others have seen it. Where they do not, it is healed.
func (f OfMember) Inject(ctx context.Context) (Heal, error) {
	name, err := f.Whom(ctx)
	if err != nil {
		return nil, err
	}
	heal, err := f.Do(name).Inject(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.Seen(ctx, name); err != nil {
		_, healed := heal(context.WithoutCancel(ctx))
		return nil, errors.Join(err, healed)
	}
	return func(ctx context.Context) (Touched, error) {
		touched, err := heal(ctx)
		if err != nil {
			return touched, err
		}
		return touched, f.Back(ctx, name)
	}, nil
}
