package fault

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Relays are the ways of the instances' datagrams to the collector, one for
// each instance. Instances are told a relay's address in place of the
// collector's. A relay adds no loss of its own without telling: see Lost.
type Relays struct {
	seed uint64

	mu      sync.Mutex
	relays  []*relay // in the order of Open, also those that are closed
	lasting []Datagrams
}

// NewRelays makes none yet. The seed decides which datagrams faults strike.
func NewRelays(seed uint64) *Relays { return &Relays{seed: seed} }

// Open makes the relay of an instance, which sends on to the target, host:port,
// and gives its address on the same host.
func (r *Relays) Open(instance, target string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.find(instance) != nil {
		return "", fmt.Errorf("relay for %s: there was one; give each instance a name of its own", instance)
	}
	one, err := openRelay(instance, target, r.seed)
	if err != nil {
		return "", err
	}
	for _, d := range r.lasting {
		if d.On == "" {
			one.treat(d.Name, d.Tamper)
		}
	}
	r.relays = append(r.relays, one)
	return one.in.Addr().Host, nil
}

// find gives the relay of an instance, nil if there is none. r.mu is held.
func (r *Relays) find(instance string) *relay {
	at := slices.IndexFunc(r.relays, func(one *relay) bool { return one.instance == instance })
	if at < 0 {
		return nil
	}
	return r.relays[at]
}

func (r *Relays) begin(d Datagrams) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.lasting, func(other Datagrams) bool { return other.Name == d.Name }) {
		return fmt.Errorf("%s: goes on already; heal it first", d.Name)
	}
	if d.On != "" && r.find(d.On) == nil {
		return fmt.Errorf("%s on %s: no relay carries its datagrams (have %s)", d.Name, d.On, r.names())
	}
	r.lasting = append(r.lasting, d)
	for _, one := range r.relays {
		if d.On == "" || d.On == one.instance {
			one.treat(d.Name, d.Tamper)
		}
	}
	return nil
}

func (r *Relays) names() string {
	if len(r.relays) == 0 {
		return "none"
	}
	var names []string
	for _, one := range r.relays {
		names = append(names, one.instance)
	}
	return strings.Join(names, ", ")
}

func (r *Relays) end(name string) Touched {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lasting = slices.DeleteFunc(r.lasting, func(d Datagrams) bool { return d.Name == name })
	touched := Touched{}
	for _, one := range r.relays {
		if n := one.leave(name); n > 0 {
			touched[one.instance] = n
		}
	}
	return touched
}

// Cut lets all datagrams go nowhere, as while no collector listens, until Aim
// says where to.
func (r *Relays) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.relays {
		one.aim(netip.AddrPort{})
	}
}

// Aim sends the datagrams of an instance to another address, host:port.
func (r *Relays) Aim(instance, target string) error {
	to, err := netip.ParseAddrPort(target)
	if err != nil {
		return fmt.Errorf("relay for %s: target: %w", instance, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	one := r.find(instance)
	if one == nil {
		return fmt.Errorf("relay for %s: there is none (have %s)", instance, r.names())
	}
	one.aim(to)
	return nil
}

// Astray counts the datagrams that went nowhere, by instance.
func (r *Relays) Astray() Touched {
	r.mu.Lock()
	defer r.mu.Unlock()
	touched := Touched{}
	for _, one := range r.relays {
		one.mu.Lock()
		touched[one.instance] = one.astray
		one.mu.Unlock()
	}
	return touched
}

// Retire is called when an instance is gone: what it sent is sent on to the
// end, at once also what a fault holds back.
func (r *Relays) Retire(ctx context.Context, instance string) error {
	r.mu.Lock()
	one := r.find(instance)
	r.mu.Unlock()
	if one == nil || !one.closing() {
		return nil
	}
	return one.close(ctx)
}

// closing marks the relay as being closed; false: it was before.
func (r *relay) closing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.ending
	r.ending = true
	return !before
}

// Close closes all relays that are left, like Retire.
func (r *Relays) Close(ctx context.Context) error {
	r.mu.Lock()
	all := slices.Clone(r.relays)
	r.mu.Unlock()
	var errs []error
	for _, one := range all {
		errs = append(errs, r.Retire(ctx, one.instance))
	}
	return errors.Join(errs...)
}

// Loss is what a relay lost although no fault asked for it.
type Loss struct {
	Instance string
	Count    int64
	Why      string
}

// Lost tells of every closed relay that lost datagrams by itself.
func (r *Relays) Lost() []Loss {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Loss
	for _, one := range r.relays {
		one.mu.Lock()
		if one.drops > 0 {
			out = append(out, Loss{one.instance, int64(one.drops), "the kernel dropped them before the relay: its buffer was full"})
		}
		if one.failed > 0 {
			out = append(out, Loss{one.instance, one.failed, "the relay could not send them on: " + one.why.Error()})
		}
		one.mu.Unlock()
	}
	return out
}
