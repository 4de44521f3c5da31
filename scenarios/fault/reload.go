package fault

import "context"

// ReloadLB reloads the load balancer: a new worker counts from zero, and what
// the old one still does is in no statistics.
type ReloadLB struct {
	LB   Reloader
	Name string // of its instance
	// Look polls the load balancer: just before, so that nearly all that
	// the old worker counted is known, and just after.
	Look func(context.Context) error
}

// Reloader is a load balancer that can start a new worker, to which the servers of
// the old one are known when Reload returns.
type Reloader interface {
	Reload(ctx context.Context) error
}

// Possible is nil: the load balancer runs in master-worker mode.
func (ReloadLB) Possible() error { return nil }

// Inject returns when the new worker has all servers.
func (r ReloadLB) Inject(ctx context.Context) (Heal, error) {
	if err := r.Look(ctx); err != nil {
		return nil, err
	}
	if err := r.LB.Reload(ctx); err != nil {
		return nil, err
	}
	if err := r.Look(ctx); err != nil {
		return nil, err
	}
	return func(context.Context) (Touched, error) { return Touched{r.Name: 1}, nil }, nil
}
