package run

import (
	"errors"
	"net/url"

	"throughline/scenarios/fault"
	"throughline/scenarios/script"
)

// network is the links on the hops of a stack: those that a fault of the scenario needs, from the start of the run, so
// that healthy stretches go the same way as faulty ones. What the harness itself asks (is an instance ready, what does
// the database hold) does not go over them. It is safe for concurrent use.
type network struct {
	links map[script.Hop]*fault.Links // of the hops that have any
	peers *fault.Peers                // between the members of the database; nil: they speak directly
}

// newNetwork opens no link yet.
func newNetwork(c Config) *network {
	n := &network{links: map[script.Hop]*fault.Links{}}
	for _, hop := range script.Hops() {
		if c.needs(script.LinkOn(hop)) {
			// An instance that is gone never comes back. Load balancer and database have one address in a whole run.
			n.links[hop] = fault.NewLinks(c.Platform.Home(), hop == script.LBWeb)
		}
	}
	if c.needs(script.PeerProxies) {
		n.peers = fault.NewPeers(c.Platform.Home())
	}
	return n
}

// way is where the other end of a hop is reached, that the harness reaches at addr, host:port: at a link, if the hop has
// any, else directly.
func (n *network) way(hop script.Hop, name, direct, addr string) (string, error) {
	links := n.links[hop]
	if links == nil {
		return direct, nil
	}
	return links.Open(name, addr)
}

// frontend is the URL at which users reach what is served at another one.
func (n *network) frontend(served string) (string, error) {
	to, err := url.Parse(served)
	if err != nil {
		return "", err
	}
	to.Host, err = n.way(script.UsersLB, BalancerName, to.Host, to.Host)
	return to.String(), err
}

// slow, throttle, cut and reset make the faults.
func (n *network) slow(what script.SlowNetwork, on string) fault.Fault {
	return fault.Network{Name: what.Name(), Links: n.links[what.Hop], On: on, Latency: what.By}
}

func (n *network) throttle(what script.ThrottleNetwork, on string) fault.Fault {
	return fault.Network{Name: what.Name(), Links: n.links[what.Hop], On: on, Bandwidth: what.Bandwidth}
}

func (n *network) cut(what script.CutNetwork, on string) fault.Fault {
	return fault.Network{Name: what.Name(), Links: n.links[what.Hop], On: on, Cut: true}
}

func (n *network) reset(what script.ResetNetwork, on string) fault.Fault {
	return fault.ResetNetwork{Links: n.links[what.Hop], On: on}
}

// retire is called when a web instance is gone: whoever connects with it is refused.
func (n *network) retire(name string) {
	if links := n.links[script.LBWeb]; links != nil {
		links.Retire(name)
	}
}

// close ends all links, and what is still said over them.
func (n *network) close() error {
	var errs []error
	for _, links := range n.links {
		errs = append(errs, links.Close())
	}
	if n.peers != nil {
		errs = append(errs, n.peers.Close())
	}
	return errors.Join(errs...)
}
