//go:build linux

package host

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"throughline/cluster/plan"
)

// The switch to which nodes and machine are cabled is a bridge in a namespace of its own: a Docker engine has the packets of
// this machine's bridges filtered, and forwards none by default.

// ip runs several commands of ip(8), each in a line.
func ip(namespace string, lines ...string) error {
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("network: ip: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// cable makes the switch, plugs this machine in, and says by which node pods are reached.
func (c *Cluster) cable() error {
	name := c.Name()
	if err := ip("", "netns add "+name); err != nil {
		return err
	}
	if err := ip(name, "link set lo up", "link add switch type bridge", "link set switch up"); err != nil {
		return err
	}
	if err := ip("", fmt.Sprintf("link add %s type veth peer name host netns %s", name, name),
		fmt.Sprintf("addr add %s/%d dev %s", c.Host(), c.Network().Bits(), name), "link set "+name+" up"); err != nil {
		return err
	}
	if err := ip(name, "link set host master switch up"); err != nil {
		return err
	}
	for _, n := range c.All() {
		if err := ip("", fmt.Sprintf("route add %s via %s dev %s", n.Pods, n.Addr, name)); err != nil {
			return err
		}
	}
	return nil
}

// plug gives a node, told by its process 1, a network card that is cabled to the switch. It goes with the node.
func (c *Cluster) plug(n plan.Node, process int) error {
	if err := ip("", fmt.Sprintf("link add eth0 address %s netns %d type veth peer name %s netns %s", n.MAC, process, n.Port, c.Name())); err != nil {
		return err
	}
	return ip(c.Name(), fmt.Sprintf("link set %s master switch up", n.Port))
}

// routeServices has this machine reach Services by the first node that runs, as every node knows them all.
func (c *Cluster) routeServices() error {
	for _, n := range c.All() {
		if c.process(n) != 0 {
			return ip("", fmt.Sprintf("route replace %s via %s dev %s", c.Services(), n.Addr, c.Name()))
		}
	}
	return nil // no node runs, so no Service does
}

// unplug removes all that cable and plug have made; routes go with the link that they lead to.
func (c *Cluster) unplug() error {
	have, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return fmt.Errorf("network: ip netns: %w", err)
	}
	for _, line := range strings.Split(string(have), "\n") {
		if name, _, _ := strings.Cut(line, " "); name == c.Name() {
			if err := ip("", "netns del "+name); err != nil {
				return err
			}
		}
	}
	if exec.Command("ip", "link", "show", c.Name()).Run() != nil {
		return nil
	}
	return ip("", "link del "+c.Name())
}

// free says whose a network of the cluster is already.
func (c *Cluster) free() error {
	out, err := exec.Command("ip", "-json", "-4", "route", "show", "table", "all").Output()
	if err != nil {
		return fmt.Errorf("network: ip route: %w", err)
	}
	return overlap(out, c.Cluster)
}

// overlap reads routes as ip(8) tells them in JSON.
func overlap(routes []byte, c plan.Cluster) error {
	var have []struct{ Dst, Dev string }
	if err := json.Unmarshal(routes, &have); err != nil {
		return fmt.Errorf("network: routes: %w", err)
	}
	for _, r := range have {
		at, err := netip.ParsePrefix(r.Dst)
		if err != nil {
			addr, err := netip.ParseAddr(r.Dst)
			if err != nil {
				continue // "default"
			}
			at = netip.PrefixFrom(addr, addr.BitLen())
		}
		for _, own := range []netip.Prefix{c.Network(), c.Pods(), c.Services()} {
			if at.Bits() > 0 && own.Overlaps(at) {
				return fmt.Errorf("network %s: this machine has a route to %s by %s: choose another --index", own, at, r.Dev)
			}
		}
	}
	return nil
}
