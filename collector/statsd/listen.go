package statsd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// Listener is a way in.
type Listener struct {
	// Instance is who sends here; empty where nobody in particular does.
	// Every series of it carries Labels and, unless it is empty, the label
	// instance.
	Instance string
	Labels   collector.Labels
	Addr     socket.Address
	Origin   Origin
	Tag      string // whose value tells who sent a line, ByTag: "instance"
}

// Origin is how a Listener tells who sent a line.
type Origin uint8

// The ways to tell who sent a line.
const (
	ByListener  Origin = iota // all are the Listener's instance
	BySource                  // by the address it came from
	ByContainer               // by its container id (|c:); by the address if it has none
	ByTag                     // by the value of the Listener's Tag; what has no such tag is the Listener's instance's
)

// String is the way as it is in collector.Meta.Origin.
func (o Origin) String() string {
	switch o {
	case BySource:
		return "source"
	case ByContainer:
		return "container"
	case ByTag:
		return "tag"
	}
	return "listener"
}

// Listen opens a socket and returns its address. Payloads wait in the kernel
// until Run runs. An instance may have several listeners, all with the same
// labels; but once it is retired its name is never used again.
//
// What a BySource or ByContainer listener can not tell (a Unix socket has no
// source address, say) is its own instance's. Who was not assigned a name is
// called by its address or id, and has the labels of the listener that saw it
// first.
func (c *Collector) Listen(l Listener) (socket.Address, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == ended {
		return socket.Address{}, fmt.Errorf("listen for %s: the collector has ended", spell(l.Instance))
	}
	home, err := c.named(l.Instance, l.Labels)
	if err != nil {
		return socket.Address{}, fmt.Errorf("listen for %s: %w", spell(l.Instance), err)
	}
	in, err := socket.Open(l.Addr, socket.Options{ReceiveBuffer: c.cfg.ReceiveBuffer, MaxPayload: c.cfg.MaxDatagram, Sources: l.Origin != ByListener || l.Addr.Network == socket.UDP})
	if err != nil {
		return socket.Address{}, fmt.Errorf("listen for %s: %w", spell(l.Instance), err)
	}
	c.clients[l.Instance] = home
	opened := newListener(c, l, in)
	opened.home = route{lane: home.lane(opened)}
	c.listeners = append(c.listeners, opened)
	if c.state == running {
		opened.start()
	}
	return in.Addr(), nil
}

// named is the client of an instance, which is made if there is none yet, but
// not kept. c.mu is held.
func (c *Collector) named(instance string, labels collector.Labels) (*client, error) {
	if _, gone := c.retired[instance]; gone {
		return nil, errors.New("it was retired; give each instance a name of its own")
	}
	if instance != "" {
		labels = labels.With("instance", instance)
	}
	cl := c.clients[instance]
	switch {
	case cl == nil:
		return newClient(instance, labels, c.shared, c.grid), nil
	case cl.stranger:
		return nil, errors.New("an unknown origin of that name has sent already; give each instance a name of its own")
	case cl.leaving:
		return nil, errors.New("it is being retired; give each instance a name of its own")
	case !slices.Equal(cl.labels, labels):
		return nil, fmt.Errorf("it has the labels %v already, not %v; give each instance a name of its own", cl.labels, labels)
	}
	return cl, nil
}

// Assign names who sends from an origin: a source address ("10.0.0.3") or a
// container id, with or without the "ci-" of newer clients. It may be called
// before the origin sends or while it does; what it sent until then stays under
// the name of the origin, and is marked stale. An instance may have several
// origins, all with the same labels.
func (c *Collector) Assign(from, instance string, labels collector.Labels) error {
	if from == "" || instance == "" {
		return fmt.Errorf("assign %q to %q: an origin and an instance have names", from, instance)
	}
	key := originOf(from)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == ended {
		return fmt.Errorf("assign %s to %s: the collector has ended", from, instance)
	}
	if other, taken := c.assigned[key]; taken {
		return fmt.Errorf("assign %s to %s: it is assigned to %s; retire that first", from, instance, other.instance)
	}
	cl, err := c.named(instance, labels)
	if err != nil {
		return fmt.Errorf("assign %s to %s: %w", from, instance, err)
	}
	c.clients[instance], c.assigned[key] = cl, cl
	cl.origins = append(cl.origins, key)
	c.reroute(key)
	if before, sent := c.strangers[key]; sent {
		before.cede()
	}
	return nil
}

// reroute makes the listeners ask again where the lines of an origin belong.
// c.mu is held.
func (c *Collector) reroute(key origin) {
	for _, l := range c.listeners {
		l.reroute(key)
	}
}

// Retire is called when an instance is known to be gone. It reads what the
// instance sent until nothing is left in the kernel, closes its sockets and
// frees the origins that were assigned to it. The instance's last interval ends
// at its normal time; its series are marked stale one interval after that. It
// fails when ctx ends before the sockets are empty, and the instance is retired
// then, too. Before Run reads them, sockets that others send to as well are left
// alone: what waits there will be that of an unknown origin.
func (c *Collector) Retire(ctx context.Context, instance string) error {
	c.mu.Lock()
	cl := c.clients[instance]
	done := c.state == ended
	var own, others []*listener
	for _, l := range c.listeners {
		switch {
		case l.instance == instance:
			own = append(own, l)
		case l.origin != ByListener:
			others = append(others, l)
		}
	}
	assigned := cl != nil && len(cl.origins) > 0
	if cl != nil && !done && !cl.stranger {
		cl.leaving = true
	}
	c.mu.Unlock()
	switch {
	case done:
		return fmt.Errorf("retire %s: the collector has ended, and with it the listener", spell(instance))
	case cl == nil:
		return fmt.Errorf("retire %s: %w", spell(instance), collector.ErrUnknownInstance)
	case cl.stranger:
		return fmt.Errorf("retire %s: nobody assigned that origin; Config.Expire ends it", spell(instance))
	}
	var errs errorList
	var wg sync.WaitGroup
	for _, l := range own {
		wg.Go(func() { errs.add(l.close(ctx)) })
	}
	if assigned {
		for _, l := range others {
			wg.Go(func() { errs.add(l.settle(ctx)) })
		}
	}
	wg.Wait()
	c.mu.Lock()
	for _, key := range cl.origins {
		delete(c.assigned, key)
		c.reroute(key)
	}
	cl.origins = nil
	c.mu.Unlock()
	cl.retire()
	if err := errs.join(); err != nil {
		return fmt.Errorf("retire %s: %w", spell(instance), err)
	}
	return nil
}

// errorList gathers errors of several goroutines.
type errorList struct {
	mu   sync.Mutex
	errs []error
}

func (e *errorList) add(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errs = append(e.errs, err)
}

func (e *errorList) join() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(e.errs...)
}
