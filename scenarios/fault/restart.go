package fault

import (
	"context"
	"time"
)

// RestartCollector stops the collector, and starts another one in its place
// some time later. What instances send meanwhile is lost, as it is to a port
// that nobody listens on: relays keep their addresses, so that no client has to
// learn a new one.
type RestartCollector struct {
	Relays *Relays
	For    time.Duration // between the end of one and the start of the other
	// Stop lets the collector close its interval and end. Start begins
	// another on the same store and gives where it listens for whom, as
	// host:port by instance.
	Stop  func(context.Context) error
	Start func(context.Context) (map[string]string, error)
}

// Possible is nil: the runner has the collector in its hands.
func (RestartCollector) Possible() error { return nil }

// Inject returns when the new collector listens for everybody. It starts one
// also when ctx ends in between.
func (r RestartCollector) Inject(ctx context.Context) (Heal, error) {
	before := r.Relays.Astray()
	r.Relays.Cut()
	if err := r.Stop(ctx); err != nil {
		return nil, err
	}
	return successor{r.Relays, r.For, r.Start}.await(ctx, before)
}

// successor is another collector in the place of one that is gone.
type successor struct {
	relays *Relays
	after  time.Duration
	start  func(context.Context) (map[string]string, error)
}

// await starts it, also when ctx ends before its time has come. before is how many datagrams had
// gone nowhere when the other one went.
func (s successor) await(ctx context.Context, before Touched) (Heal, error) {
	away := time.NewTimer(s.after)
	defer away.Stop()
	select {
	case <-away.C:
	case <-ctx.Done():
	}
	addrs, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	for instance, addr := range addrs {
		if err := s.relays.Aim(instance, addr); err != nil {
			return nil, err
		}
	}
	touched := s.relays.Astray()
	for instance, n := range before {
		touched[instance] -= n
	}
	return func(context.Context) (Touched, error) { return touched, ctx.Err() }, nil
}
