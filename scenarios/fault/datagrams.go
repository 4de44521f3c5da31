package fault

import (
	"context"
	"math/rand/v2"
	"time"
)

// Datagrams is a fault of the way between instances and their collector. It is
// also done to instances that come later while it lasts, unless On names one.
type Datagrams struct {
	Name   string // its own; each goes on once at a time
	Relays *Relays
	On     string // an instance; "" = all
	Tamper Tamper
}

// Tamper does something to a datagram, or leaves it alone. It draws its luck
// from random, equally often for each datagram.
type Tamper func(p *Parcel, random *rand.Rand) (touched bool)

// Parcel is a datagram on its way.
type Parcel struct {
	Payload []byte        // may be cut, not changed
	Copies  int           // how often it is sent on; 0 = never
	Late    time.Duration // how long it is held back
	Behind  bool          // it is sent after the next one
	Waiting bool          // another one waits already to be sent after this one
}

// Possible is nil: relays are on every platform.
func (Datagrams) Possible() error { return nil }

// Inject begins to tamper with what comes. What is held back when it is healed
// is sent at once.
func (d Datagrams) Inject(context.Context) (Heal, error) {
	if err := d.Relays.begin(d); err != nil {
		return nil, err
	}
	return func(context.Context) (Touched, error) { return d.Relays.end(d.Name), nil }, nil
}
