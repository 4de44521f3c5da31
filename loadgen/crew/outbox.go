package crew

import (
	"context"
	"slices"
	"sync"
	"time"

	"throughline/loadgen"
	"throughline/loadgen/crew/wire"
)

const (
	tellEvery = 50 * time.Millisecond // how often a worker tells what has become known
	// mostRows is how many rows are told at once: more would keep the exchange of times waiting behind them.
	mostRows = 500
)

// outbox has what a worker is still to tell. Putting something in waits for nobody, however slow the coordinator is:
// it grows instead.
type outbox struct {
	zero time.Time

	mu      sync.Mutex
	rows    []wire.Row
	beacons []wire.Beacon

	told loadgen.Stats // of whoever tells
}

func (o *outbox) row(r loadgen.Row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rows = append(o.rows, wire.RowOf(r, o.zero))
}

func (o *outbox) beacon(b loadgen.Beacon) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.beacons = append(o.beacons, wire.BeaconOf(b, o.zero))
}

// next takes out what is told next, and says whether more is there.
func (o *outbox) next() (b wire.Batch, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b.Rows, o.rows = head(o.rows)
	b.Beacons, o.beacons = head(o.beacons)
	return b, len(o.rows)+len(o.beacons) > 0
}

// head is the first of all, as many as are told at once, and the rest.
func head[T any](all []T) (first, rest []T) {
	if len(all) <= mostRows {
		return all, nil
	}
	return slices.Clone(all[:mostRows]), all[mostRows:]
}

// empty tells all that is there, with the figures at that time; nothing, where there is nothing new.
func (o *outbox) empty(stats func() loadgen.Stats, tell func(wire.Batch) error) error {
	for {
		b, more := o.next()
		b.Stats = stats()
		if len(b.Rows)+len(b.Beacons) == 0 && b.Stats == o.told {
			return nil
		}
		if err := tell(b); err != nil || !more {
			return err
		}
		o.told = b.Stats
	}
}

// run empties the outbox until ctx ends, or telling fails.
func (o *outbox) run(ctx context.Context, stats func() loadgen.Stats, tell func(wire.Batch) error) error {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			if err := o.empty(stats, tell); err != nil {
				return err
			}
		}
	}
}
