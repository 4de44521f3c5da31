package fault

import (
	"context"
	"time"
)

// KillCollector ends the collector's process with SIGKILL, and starts another one in its place some time later. What it had not
// stored is lost: the interval under way, and what waited in its sockets. So is what instances send meanwhile; how much that is the
// relays tell, of the rest nobody knows.
type KillCollector struct {
	Relays *Relays
	For    time.Duration // between the end of one and the start of the other
	// Kill returns when the process is gone. Start is that of RestartCollector.
	Kill  func(context.Context) error
	Start func(context.Context) (map[string]string, error)
}

// Possible is nil: the runner has started the collector's process itself.
func (KillCollector) Possible() error { return nil }

// Inject returns when the new collector listens for everybody. It starts one
// also when ctx ends in between.
func (k KillCollector) Inject(ctx context.Context) (Heal, error) {
	before := k.Relays.Astray()
	if err := k.Kill(ctx); err != nil {
		return nil, err
	}
	k.Relays.Cut() // lest what comes next at a port that is free again gets it
	return successor{k.Relays, k.For, k.Start}.await(ctx, before)
}
