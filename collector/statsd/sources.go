package statsd

import "net/netip"

// sources are the sockets that the datagrams of a lane came from. A server with
// several worker processes has one in each, and a worker that is replaced has
// another: so their number tells how many speak, and its rise that one began.
type sources struct {
	last  netip.AddrPort // of the datagram before
	known map[netip.AddrPort]struct{}
}

// maxSources is how many sockets are told apart for a lane. A server has a few
// dozen workers; a client with a socket for each datagram must not fill the
// memory.
const maxSources = 1024

func newSources() *sources { return &sources{known: map[netip.AddrPort]struct{}{}} }

// source counts the socket that a datagram came from, if it is a new one. It is
// called for each datagram: one from the same socket as the one before costs a
// comparison, and only a new socket allocates.
func (t *tally) source(from netip.AddrPort) {
	if t.sources == nil || t.sources.last == from {
		return
	}
	t.anotherSource(from)
}

func (t *tally) anotherSource(from netip.AddrPort) {
	if !from.IsValid() {
		return
	}
	s := t.sources
	s.last = from
	// A socket of both families sees a sender of IPv4 in either form.
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if _, before := s.known[from]; before || len(s.known) >= maxSources {
		return
	}
	s.known[from] = struct{}{}
	t.Sources++
}
