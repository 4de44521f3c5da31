package fault

import (
	"errors"
	"net"
	"net/netip"
)

// senders are the sockets that a relay sends on from: for each sender of the
// instance one of its own, so that the collector sees as many as there would be
// without the relay. A server has one sender in each of its worker processes, and
// one that is replaced comes with another.
//
// Of those beyond the bounds some share a socket. Who once shared goes on to do
// so: one that got a socket again would look like a worker that has just begun.
type senders struct {
	host   netip.Addr
	shared *net.UDPConn // for all who have none of their own
	known  map[netip.AddrPort]*sender
	open   int    // of known have a socket
	turns  uint64 // datagrams so far
}

// sender is a socket of the instance that datagrams came from, and what they are sent on by.
type sender struct {
	own  *net.UDPConn // nil: it was closed for a new sender, or could not be opened
	last uint64       // the turn of its last datagram
}

const (
	// mostOpen is how many sockets of senders one relay has open. A new
	// sender takes the place of the one that was silent the longest.
	mostOpen = 256
	// mostSenders is how many senders get a socket at all. The collector
	// tells no more apart for one instance.
	mostSenders = 1024
)

// newSenders opens the shared socket, on a host of this machine.
func newSenders(host netip.Addr) (*senders, error) {
	s := &senders{host: host, known: map[netip.AddrPort]*sender{}}
	var err error
	s.shared, err = s.listen()
	return s, err
}

// listen opens a socket. It is not connected: what one datagram met must not befall
// the next.
func (s *senders) listen() (*net.UDPConn, error) {
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.host, 0)))
}

// find is the socket from which to send on what came from a sender.
func (s *senders) find(from netip.AddrPort) *net.UDPConn {
	s.turns++
	one, ok := s.known[from]
	if !ok {
		if !from.IsValid() || len(s.known) >= mostSenders {
			return s.shared
		}
		one = s.makeSender()
		s.known[from] = one
	}
	one.last = s.turns
	if one.own == nil {
		return s.shared
	}
	return one.own
}

// makeSender gives a new sender its socket.
func (s *senders) makeSender() *sender {
	if s.open >= mostOpen {
		s.makeRoom()
	}
	own, err := s.listen()
	if err != nil {
		return &sender{} // the system has no more of them: the datagram matters more
	}
	s.open++
	return &sender{own: own}
}

// makeRoom closes the socket that was not used for the longest.
func (s *senders) makeRoom() {
	var oldest *sender
	for _, one := range s.known {
		if one.own != nil && (oldest == nil || one.last < oldest.last) {
			oldest = one
		}
	}
	// What was written to it is on its way, so nothing can be lost by it.
	_ = oldest.own.Close()
	oldest.own = nil
	s.open--
}

// close closes all sockets.
func (s *senders) close() error {
	errs := []error{s.shared.Close()}
	for _, one := range s.known {
		if one.own != nil {
			errs = append(errs, one.own.Close())
			one.own = nil
		}
	}
	s.open = 0
	return errors.Join(errs...)
}
