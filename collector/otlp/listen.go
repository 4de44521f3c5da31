package otlp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"throughline/collector"
)

// Protocol is what is spoken at a Listener.
type Protocol string

// The protocols.
const (
	HTTP Protocol = "http" // protobuf and JSON: a request says which
	GRPC Protocol = "grpc"
)

// Path is where metrics are posted over HTTP. Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
const Path = "/v1/metrics"

// Origin is how a Listener tells who sent a request.
type Origin uint8

// The ways to tell who sent a request.
const (
	ByListener Origin = iota // all are the Listener's instance
	BySource                 // by the address it came from, see Assign; the Listener's where nobody assigned that
	ByResource               // by service.instance.id, resource by resource; the Listener's where there is none
)

// String is the way as it is in collector.Meta.Origin.
func (o Origin) String() string {
	switch o {
	case BySource:
		return "source"
	case ByResource:
		return "resource"
	}
	return "listener"
}

// Listener is a way in.
type Listener struct {
	// Instance is who sends here; empty where nobody in particular does. Every series of it carries Labels and, unless it is
	// empty, the label instance.
	Instance string
	Labels   collector.Labels
	Addr     string // host:port
	Protocol Protocol
	Origin   Origin
}

// Listen opens an address and returns it as host:port. Who connects before Run waits. An instance may have several
// listeners, all with the same labels; but once it is retired its name is never used again.
func (c *Collector) Listen(l Listener) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.state == over:
		return "", fmt.Errorf("listen for OTLP of %s: the collector has ended", spell(l.Instance))
	case l.Protocol != HTTP && l.Protocol != GRPC:
		return "", fmt.Errorf("listen for OTLP of %s: protocol %q: want %s or %s", spell(l.Instance), l.Protocol, HTTP, GRPC)
	}
	s, err := c.named(l.Instance, l.Labels, ByListener)
	if err != nil {
		return "", fmt.Errorf("listen for OTLP of %s: %w", spell(l.Instance), err)
	}
	in, err := net.Listen("tcp", l.Addr)
	if err != nil {
		return "", fmt.Errorf("listen for OTLP of %s: %w; choose another address, or port 0 for any free one", spell(l.Instance), err)
	}
	c.senders[l.Instance] = s
	d := c.newDoor(l, in)
	c.doors = append(c.doors, d)
	if c.state == running {
		d.serve()
	}
	return d.addr, nil
}

// Assign names who sends from a source address ("10.0.0.3"), at listeners that tell by it.
func (c *Collector) Assign(from, instance string, labels collector.Labels) error {
	addr, err := netip.ParseAddr(from)
	if err != nil || instance == "" {
		return fmt.Errorf("assign %q to %q: want an address, and an instance's name", from, instance)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, taken := c.assigned[addr.Unmap().String()]; taken {
		return fmt.Errorf("assign %s to %s: it is assigned to %s; retire that first", from, instance, other.instance)
	}
	s, err := c.named(instance, labels, BySource)
	if err != nil {
		return fmt.Errorf("assign %s to %s: %w", from, instance, err)
	}
	c.senders[instance], c.assigned[addr.Unmap().String()] = s, s
	return nil
}

// named is the sender of an instance, which is made if there is none yet, but not kept. c.mu is held.
func (c *Collector) named(instance string, labels collector.Labels, origin Origin) (*sender, error) {
	if instance != "" {
		labels = labels.With("instance", instance)
	}
	labels = labels.With(collector.LabelWay, string(collector.ByOTLP))
	s := c.senders[instance]
	switch {
	case c.retired[instance]:
		return nil, errors.New("it was retired; give each instance a name of its own")
	case s == nil:
		return c.newSender(instance, labels, origin), nil
	case s.stage != serving:
		return nil, errors.New("it is being retired; give each instance a name of its own")
	case !slices.Equal(s.labels, labels):
		return nil, fmt.Errorf("it has the labels %v already, not %v; give each instance a name of its own", s.labels, labels)
	}
	return s, nil
}

// sender finds who sent: from is the address, id the resource's service.instance.id. nil: too many. c.mu is held.
func (c *Collector) sender(d *door, from, id string) *sender {
	home := c.senders[d.Instance]
	switch {
	case d.Origin == BySource:
		if s := c.assigned[from]; s != nil {
			return s
		}
	case d.Origin == ByResource && id != "":
		if s := c.senders[id]; s != nil {
			return s
		}
		if c.retired[id] || len(c.senders) > maxSenders || len(id) > c.cfg.MaxValue {
			return nil
		}
		s := c.newSender(id, d.Labels.With("instance", id).With(collector.LabelWay, string(collector.ByOTLP)), ByResource)
		c.senders[id] = s
		return s
	}
	return home
}

// maxSenders is how many instances are told apart that named themselves.
const maxSenders = 1000

// Retire implements collector.Retirer. What the instance sent is taken in: its connections are read to their end, its listeners
// closed. Its last interval ends at its normal time, and its series are marked one interval after that.
func (c *Collector) Retire(ctx context.Context, instance string) error {
	c.mu.Lock()
	s, state := c.senders[instance], c.state
	var own, others []*door
	for _, d := range c.doors {
		switch {
		case d.Instance == instance:
			own = append(own, d)
		case d.Origin != ByListener:
			others = append(others, d)
		}
	}
	var sources []string
	for from, of := range c.assigned {
		if of == s {
			sources = append(sources, from)
		}
	}
	c.mu.Unlock()
	switch {
	case s == nil:
		return fmt.Errorf("retire %s: %w", spell(instance), collector.ErrUnknownInstance)
	case state == over:
		return fmt.Errorf("retire %s: the collector has ended, and with it the listener", spell(instance))
	}
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	if state == running {
		for _, d := range others {
			for _, from := range sources {
				d.drain(ctx, from)
			}
		}
		for _, d := range own {
			d.drain(ctx, "")
		}
	}
	for _, d := range own {
		d.shut(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, from := range sources {
		delete(c.assigned, from)
	}
	c.advance(c.cfg.Now())
	s.stage = max(s.stage, closing)
	c.registry.retire(instance)
	return nil
}
