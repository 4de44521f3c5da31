package run

import (
	"fmt"
	"net"
	"time"

	"throughline/compose"
)

// What differs where instances have addresses of their own (compose.Located):
// there they all send to one StatsD port and are told apart by their addresses,
// so that an image needs to know no more than STATSD_HOST; and the load balancer
// is given addresses, because it resolves no names of servers added at run time, as is an Apache HTTP server, for which the
// name of what is gone would be an error of its configuration. The members of a replica set are called by their addresses
// too: a driver reaches a member under the name that the set has for it, the application's in a container as well as the
// harness's outside, which can resolve no name of a container's, but has a route to its address.

// statsdPort is where a client sends that is told a host only.
const statsdPort = "8125"

// behind is where the load balancer reaches an instance, or the Apache HTTP server before it.
func behind(handle compose.Handle) (string, error) {
	if before, ok := handle.(proxied); ok {
		handle = before.Handle
	}
	return byAddress(handle, "http")
}

// byAddress is host:port of an instance as others reach it, with its address in the place of its name where it has one of its own.
func byAddress(handle compose.Handle, name string) (string, error) {
	peer := handle.PeerAddr(name)
	addressed, ok := handle.(compose.Addressed)
	if !ok {
		return peer, nil
	}
	_, port, err := net.SplitHostPort(peer)
	if err != nil {
		return "", fmt.Errorf("address of %s: %w", handle.Name(), err)
	}
	return net.JoinHostPort(addressed.Address().String(), port), nil
}

// closeLimit bounds how long the stack may take to go down. A container or a pod
// is gone when it was removed, which a busy engine takes seconds for.
func (c Config) closeLimit() time.Duration {
	if _, ok := c.Platform.(compose.Located); ok {
		return 4 * drainLimit
	}
	return drainLimit
}
