// Package plan says which addresses and names a cluster and its nodes have. All follow from the cluster's number, so that
// several run side by side and what a killed one left can be found again. It does nothing and asks the machine for nothing;
// all other packages of this module go by it.
package plan

import (
	"fmt"
	"net/netip"
	"strconv"
)

// How many clusters there can be on a machine, and nodes in a cluster: as many as the addresses below have room for, and
// more than a test needs.
const (
	Clusters = 16
	MaxNodes = 9
)

// Cluster is told by its number and that of its nodes.
type Cluster struct {
	Index int // from 0
	Nodes int
}

// New refuses what there are no addresses for.
func New(index, nodes int) (Cluster, error) {
	if index < 0 || index >= Clusters {
		return Cluster{}, fmt.Errorf("index %d: want one from 0 to %d", index, Clusters-1)
	}
	if nodes < 1 || nodes > MaxNodes {
		return Cluster{}, fmt.Errorf("nodes %d: want 1 to %d", nodes, MaxNodes)
	}
	return Cluster{Index: index, Nodes: nodes}, nil
}

func (c Cluster) addr(second, third, last int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(second), byte(third), byte(last)})
}

// Name is that of its namespace, its folder and its control group. It fits the 15 bytes that the name of a link may have.
func (c Cluster) Name() string { return "tl-k8s-" + strconv.Itoa(c.Index) }

// Network is that of the nodes and of this machine among them.
func (c Cluster) Network() netip.Prefix { return netip.PrefixFrom(c.addr(90, c.Index, 0), 24) }

// Host is this machine's address in Network, where the API server listens.
func (c Cluster) Host() netip.Addr { return c.addr(90, c.Index, 1) }

// API is the URL of the API server.
func (c Cluster) API() string { return "https://" + netip.AddrPortFrom(c.Host(), 6443).String() }

// Loopback is where only this machine talks to itself: etcd, and what the control plane says of its health.
func (c Cluster) Loopback() netip.Addr {
	return netip.AddrFrom4([4]byte{127, 90, byte(c.Index), 1})
}

// Pods has all pods of all nodes in it.
func (c Cluster) Pods() netip.Prefix { return netip.PrefixFrom(c.addr(100+c.Index, 0, 0), 16) }

// Services are the addresses of Services (ClusterIP).
func (c Cluster) Services() netip.Prefix {
	return netip.PrefixFrom(c.addr(100+Clusters+c.Index, 0, 0), 16)
}

// ServiceOfAPI is the first address of Services, which Kubernetes gives to its own API.
func (c Cluster) ServiceOfAPI() netip.Addr { return c.Services().Addr().Next() }

// Node is one of the cluster's machines.
type Node struct {
	Number int // from 1
	Name   string
	Addr   netip.Addr
	Pods   netip.Prefix
	// MAC is the same each time that the node is started: who has it in mind from before it was killed reaches it at once.
	MAC  string
	Port string // its end of the cable at the switch
}

// Node gives that with a number, which All knows to be there.
func (c Cluster) Node(number int) Node {
	addr := c.addr(90, c.Index, 10+number)
	return Node{
		Number: number,
		Name:   "node" + strconv.Itoa(number),
		Addr:   addr,
		Pods:   netip.PrefixFrom(c.addr(100+c.Index, number, 0), 24),
		MAC:    fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", addr.As4()[0], addr.As4()[1], addr.As4()[2], addr.As4()[3]),
		Port:   "node" + strconv.Itoa(number),
	}
}

// All gives every node in order.
func (c Cluster) All() []Node {
	var nodes []Node
	for i := 1; i <= c.Nodes; i++ {
		nodes = append(nodes, c.Node(i))
	}
	return nodes
}

// Find gives the node that somebody named: 2 or node2.
func (c Cluster) Find(name string) (Node, error) {
	for _, n := range c.All() {
		if name == n.Name || name == strconv.Itoa(n.Number) {
			return n, nil
		}
	}
	return Node{}, fmt.Errorf("%s: no such node (have node1 to node%d)", name, c.Nodes)
}
