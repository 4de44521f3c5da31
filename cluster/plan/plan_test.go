package plan

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNumbersThatThereAreNoAddressesFor(t *testing.T) {
	for _, c := range []struct {
		index, nodes int
		want         string
	}{
		{-1, 1, "index -1: want one from 0 to 15"},
		{Clusters, 1, "index 16: want one from 0 to 15"},
		{0, 0, "nodes 0: want 1 to 9"},
		{0, MaxNodes + 1, "nodes 10: want 1 to 9"},
		{Clusters - 1, MaxNodes, ""},
	} {
		_, err := New(c.index, c.nodes)
		if got := text(err); got != c.want {
			t.Errorf("New(%d, %d): %q, want %q", c.index, c.nodes, got, c.want)
		}
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// No network of a cluster overlaps another's, nor another of its own, and every address is where it belongs.
func TestNothingOverlaps(t *testing.T) {
	var all []netip.Prefix
	add := func(p netip.Prefix) {
		for _, other := range all {
			if p.Overlaps(other) {
				t.Errorf("%s overlaps %s", p, other)
			}
		}
		all = append(all, p)
	}
	for i := range Clusters {
		c, err := New(i, MaxNodes)
		if err != nil {
			t.Fatal(err)
		}
		add(c.Network())
		add(c.Pods())
		add(c.Services())
		if !c.Network().Contains(c.Host()) || !c.Services().Contains(c.ServiceOfAPI()) || !c.Loopback().IsLoopback() {
			t.Errorf("cluster %d: %s, %s or %s is not where it belongs", i, c.Host(), c.ServiceOfAPI(), c.Loopback())
		}
		if len(c.Name()) > 15 {
			t.Errorf("%s: longer than the name of a link may be", c.Name())
		}
		var pods []netip.Prefix
		for _, n := range c.All() {
			if !c.Network().Contains(n.Addr) || n.Addr == c.Host() || !c.Pods().Contains(n.Pods.Addr()) {
				t.Errorf("%s of cluster %d: %s, pods %s: not within the cluster's networks", n.Name, i, n.Addr, n.Pods)
			}
			for _, other := range pods {
				if n.Pods.Overlaps(other) {
					t.Errorf("pods %s overlap %s", n.Pods, other)
				}
			}
			pods = append(pods, n.Pods)
		}
	}
}

func TestFind(t *testing.T) {
	c := Cluster{Nodes: 3}
	for _, name := range []string{"2", "node2"} {
		if n, err := c.Find(name); err != nil || n.Number != 2 || n.MAC != "02:00:0a:5a:00:0c" {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	for _, name := range []string{"", "0", "4", "node", "web-1"} {
		if _, err := c.Find(name); err == nil || !strings.Contains(err.Error(), "have node1 to node3") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
