package fault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Links are the ways of the TCP connections of one hop, for example from the load balancer to each web instance, a link
// for each. Whoever connects is told a link's address in place of the target's.
//
// A link is a relay of our own and not github.com/Shopify/toxiproxy, whose latency and bandwidth would do, because a
// target that is dead looks alive behind that: it accepts whoever connects, and closes. Measured with its v2.12.0 and HAProxy
// 2.6, 300 requests a second on two servers of which one is killed: 32 to 45 users saw an error until the health checks had
// failed, and none did without it or over a link, which refuses as the target does. So a run with it would not be like one
// without. It also closes both directions when one has ended, leaves a connection that is idle as it is where all are reset,
// and closes all where a cut is healed. A relay for cut and reset was needed in any case; latency and bandwidth are
// fifty lines of it.
type Links struct {
	host   string
	mortal bool

	mu    sync.Mutex
	links []*link
	over  weatherOf // what is done to all, also to those that are opened later
}

// weatherOf changes a weather, for each fault that is in force.
type weatherOf map[string]Network

// NewLinks makes none yet. They listen on host. Mortal says that a target that refuses a connection is gone for good, as
// an instance is: its link refuses from then on.
func NewLinks(host string, mortal bool) *Links {
	return &Links{host: host, mortal: mortal, over: weatherOf{}}
}

// Open makes the link of an instance to a target, host:port, and gives its address.
func (ls *Links) Open(name, target string) (string, error) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.find(name) != nil {
		return "", fmt.Errorf("link of %s: there was one; give each instance a name of its own", name)
	}
	var now weather
	for _, f := range ls.over {
		if f.On == "" {
			f.begin(&now)
		}
	}
	one, err := openLink(name, ls.host, target, ls.mortal, now)
	if err != nil {
		return "", err
	}
	ls.links = append(ls.links, one)
	return one.port.addr(), nil
}

// find gives the link of an instance, nil if there is none. ls.mu is held.
func (ls *Links) find(name string) *link {
	at := slices.IndexFunc(ls.links, func(l *link) bool { return l.name == name })
	if at < 0 {
		return nil
	}
	return ls.links[at]
}

// on gives the links that a fault is done to. ls.mu is held.
func (ls *Links) on(name string) ([]*link, error) {
	if name == "" {
		return ls.links, nil
	}
	if one := ls.find(name); one != nil {
		return []*link{one}, nil
	}
	var have []string
	for _, l := range ls.links {
		have = append(have, l.name)
	}
	return nil, fmt.Errorf("no link carries the connections of %s (have %s)", name, strings.Join(have, ", "))
}

// Retire is called when an instance is gone: its link refuses whoever comes.
func (ls *Links) Retire(name string) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if one := ls.find(name); one != nil {
		one.refuse()
	}
}

// Close ends all links and what they carry.
func (ls *Links) Close() error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var errs []error
	for _, l := range ls.links {
		errs = append(errs, l.close())
	}
	ls.links = nil
	return errors.Join(errs...)
}
