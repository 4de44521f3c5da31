package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	enginenet "github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
)

// network is the run's own. It gives out the addresses itself, upwards from the
// gateway, none of them twice.
type network struct {
	name    string
	subnet  netip.Prefix
	gateway netip.Addr

	mu    sync.Mutex
	last  netip.Addr
	given map[string]netip.Addr // by instance
}

// subnetTries bounds how often another run may be faster to take the subnet
// that the engine offered.
const subnetTries = 10

// newNetwork makes a network in a subnet of the engine's choice. Addresses can
// only be given out in a subnet that was asked for by name, so the engine is
// let choose one first, and then asked for that.
func newNetwork(ctx context.Context, provider *testcontainers.DockerProvider, run string) (*network, error) {
	name := "throughline-" + run
	var last error
	for range subnetTries {
		offer, err := createNetwork(ctx, provider, run, nil)
		if err != nil {
			return nil, fmt.Errorf("network %s: %w", name, err)
		}
		config, err := offered(ctx, provider.Client(), name)
		if err := errors.Join(err, offer.Remove(ctx)); err != nil {
			return nil, fmt.Errorf("network %s: %w", name, err)
		}
		ipam := &enginenet.IPAM{Config: []enginenet.IPAMConfig{config}}
		if _, last = createNetwork(ctx, provider, run, ipam); last == nil {
			return &network{name: name, subnet: config.Subnet, gateway: config.Gateway, last: config.Gateway,
				given: map[string]netip.Addr{}}, nil
		}
		if !strings.Contains(last.Error(), "overlap") { // the engine has no code of its own for it
			break
		}
	}
	return nil, fmt.Errorf("network %s: %w", name, last)
}

// removable is a network of testcontainers', which has no other name for it
// that is to stay.
type removable interface {
	Remove(ctx context.Context) error
}

func createNetwork(ctx context.Context, provider *testcontainers.DockerProvider, run string, ipam *enginenet.IPAM) (removable, error) {
	//lint:ignore SA1019 what replaces it makes up a name of its own
	return provider.CreateNetwork(ctx, testcontainers.NetworkRequest{
		Name: "throughline-" + run, Driver: "bridge", Labels: map[string]string{Label: run}, IPAM: ipam,
	})
}

// offered is the subnet that the engine chose, which must end on this machine.
func offered(ctx context.Context, engine client.APIClient, name string) (enginenet.IPAMConfig, error) {
	found, err := engine.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
	if err != nil {
		return enginenet.IPAMConfig{}, err
	}
	for _, c := range found.Network.IPAM.Config {
		if !c.Gateway.Is4() || !c.Subnet.IsValid() {
			continue
		}
		if !isOurs(func(a netip.Addr) bool { return a == c.Gateway }) {
			return enginenet.IPAMConfig{}, notHere(c.Gateway.String())
		}
		return enginenet.IPAMConfig{Subnet: c.Subnet.Masked(), Gateway: c.Gateway}, nil
	}
	return enginenet.IPAMConfig{}, errors.New("the engine gave it no IPv4 subnet with a gateway")
}

// isOurs tells whether an address of this machine is meant.
func isOurs(meant func(netip.Addr) bool) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, have := range addrs {
		if prefix, err := netip.ParsePrefix(have.String()); err == nil && meant(prefix.Addr().Unmap()) {
			return true
		}
	}
	return false
}

func notHere(where string) error {
	return fmt.Errorf("the engine's containers cannot reach this program: their network (%s) ends on another machine "+
		"(a remote engine, Docker Desktop, or this program inside a container); use an engine on this machine, or --platform local", where)
}

// locate gives the address of the instance, a new one the first time.
func (n *network) locate(name string) (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.given[name]; ok {
		return a, nil
	}
	next := n.last.Next()
	if !n.subnet.Contains(next.Next()) { // the last address of a subnet is for broadcasts
		return netip.Addr{}, fmt.Errorf("network %s: every address of %s was given out in this run; start fewer instances", n.name, n.subnet)
	}
	n.last = next
	n.given[name] = next
	return next, nil
}
