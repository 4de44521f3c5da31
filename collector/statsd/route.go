package statsd

import (
	"bytes"
	"net/netip"
	"strings"

	"throughline/collector"
)

// origin is who sent a line: a source address, or a container id or a tag's value.
type origin struct {
	addr      netip.Addr
	container string
}

// containerPrefix is put before a container id by newer clients of Datadog's.
// Source: container_linux.go in https://github.com/DataDog/datadog-go
var containerPrefix = []byte("ci-")

func originOf(text string) origin {
	if addr, err := netip.ParseAddr(text); err == nil {
		return origin{addr: addr.Unmap()}
	}
	return origin{container: strings.TrimPrefix(text, string(containerPrefix))}
}

// route is where lines are booked, and how that was found.
type route struct {
	lane *lane
	by   Origin
}

// lane is what came from one client through one listener. It is guarded by the
// client's lock.
type lane struct {
	client   *client
	listener *listener
	labels   collector.Labels // of its own series
	tally    tally
}

// find is where lines of a container belong, or of whom a tag names, or of the payload's source; false
// for an unknown origin that is one too many. r holds no lock when it was not
// known yet.
func (l *listener) find(r *reader, container []byte) (route, bool) {
	switch {
	case l.origin == ByListener:
		return l.home, true
	case (l.origin == ByContainer || l.origin == ByTag) && len(container) > 0:
		return l.byContainer(r, container)
	case l.origin == ByTag:
		return l.home, true
	case r.from.IsValid():
		return l.bySource(r, r.from.Unmap())
	}
	return l.home, true
}

func (l *listener) bySource(r *reader, from netip.Addr) (route, bool) {
	if r.source == from && r.sourceRoute.lane != nil {
		return r.sourceRoute, true
	}
	l.mu.RLock()
	found, ok := l.sources[from]
	l.mu.RUnlock()
	if !ok {
		r.leave()
		found, ok = l.collector.resolve(l, origin{addr: from}, from.String())
	}
	if ok {
		r.source, r.sourceRoute = from, found
	}
	return found, ok
}

func (l *listener) byContainer(r *reader, id []byte) (route, bool) {
	id = bytes.TrimPrefix(id, containerPrefix)
	if r.containerRoute.lane != nil && bytes.Equal(r.container, id) {
		return r.containerRoute, true
	}
	l.mu.RLock()
	found, ok := l.containers[string(id)]
	l.mu.RUnlock()
	if !ok {
		r.leave()
		if len(id) > l.collector.cfg.MaxName {
			return route{}, false
		}
		name := strings.ToValidUTF8(string(id), "\uFFFD")
		found, ok = l.collector.resolve(l, origin{container: name}, name)
	}
	if ok {
		r.container, r.containerRoute = append(r.container[:0], id...), found
	}
	return found, ok
}

// resolve finds the client of an origin that l has not met yet, and makes one
// for an unknown origin; false when there are too many of those, or when its
// name is that of an instance. No other lock is held.
func (c *Collector) resolve(l *listener, key origin, name string) (route, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl := c.assigned[key]
	if cl == nil {
		cl = c.strangers[key]
	}
	if cl == nil {
		_, gone := c.retired[name]
		if _, taken := c.clients[name]; taken || gone || len(c.strangers) >= c.cfg.MaxOrigins {
			return route{}, false
		}
		cl = newClient(name, l.labels.With("instance", name), c.shared, c.grid)
		cl.stranger = true
		c.clients[name], c.strangers[key] = cl, cl
	}
	found := route{lane: cl.lane(l), by: BySource}
	if key.container != "" {
		found.by = l.origin // ByContainer or ByTag
	}
	l.remember(key, found)
	return found, true
}
