// Package socket is the ways in: it opens an address and hands out the payloads
// that arrive there, with figures of what the kernel threw away. Datagrams
// come over UDP and Unix sockets, streams over Unix sockets (in frames) and TCP
// (in lines).
//
// It does not look into a payload: its callers take the lines apart,
// collector/statsd those of StatsD and scenarios/run those of HAProxy's log;
// scenarios/fault puts relays before it.
package socket

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
)

// Options are how to open a socket.
type Options struct {
	// ReceiveBuffer is the size of the buffer in the kernel, in bytes, for
	// UDP alone: of the others the sender's buffer counts. The system may
	// grant less: see Figures. 0 leaves what the system gives.
	ReceiveBuffer int
	// MaxPayload is the longest payload that is read whole, in bytes, from 1
	// to 1 MiB. None that is handed out is longer.
	MaxPayload int
	// MaxConnections is how many streams may be open at once; 0 is 1,000.
	// One more is closed at once: see Figures.Refused.
	MaxConnections int
	// Sources fills in Payload.From.
	Sources bool
}

// longest is the highest Options.MaxPayload.
const longest = 1 << 20

// defaultConnections is Options.MaxConnections where it is 0.
const defaultConnections = 1000

// Payload is one datagram, one frame, or some whole lines with their newlines.
type Payload struct {
	Bytes []byte
	// Truncated: something is missing at the end. It was longer than
	// Options.MaxPayload and the rest is lost, or its end never came, since
	// the connection broke off in the middle.
	Truncated bool
	// From is the socket that sent it, if Options.Sources asks for it: its
	// address, an IPv4 address as such, with its port. It is not valid for
	// Unix sockets, of which nobody knows.
	From netip.AddrPort
}

// Handler takes payloads in. They hold until it returns. Several goroutines may
// call it at once when the socket is one of streams.
type Handler func(payloads []Payload)

// Figures is what is known of a socket beside its payloads.
type Figures struct {
	ReceiveBuffer int // bytes, as granted by the kernel; 0 = unknown, or not UDP
	// Drops are the payloads that reached the socket and were thrown away
	// by the kernel, mostly because its buffer was full. Where DropsKnown is
	// false, the system does not tell. It is 0 for all but UDP: their
	// senders have to wait or are told when there is no room.
	Drops      uint64
	DropsKnown bool
	// Connections were taken in so far and Open of them are open now.
	// Refused were closed at once because there were too many: what they
	// sent is lost.
	Connections uint64
	Open        int
	Refused     uint64
}

// Socket is an open way in. Payloads wait in the kernel until Read runs.
type Socket struct {
	address Address
	in      reader
	own     resource
	file    *file // of a Unix socket, else nil

	mu     sync.Mutex
	closed bool
	last   Figures // valid when closed
}

// reader hands out what comes in: datagrams or streams.
type reader interface {
	read(Handler) error
	stop()
	settle(context.Context) error
	drain(context.Context, Handler) error
}

// resource is what a reader holds of the system.
type resource interface {
	figures() Figures
	close() error
}

// Open opens a socket. A file that an ended process left at the path of a Unix
// socket is replaced; one where somebody listens and any other file is not.
func Open(a Address, o Options) (*Socket, error) {
	if err := a.check(); err != nil {
		return nil, fmt.Errorf("address %q: %w", a.String(), err)
	}
	if o.MaxPayload < 1 || o.MaxPayload > longest {
		return nil, fmt.Errorf("%s: payloads of at most %d bytes: want a limit from 1 to %d", a, o.MaxPayload, longest)
	}
	if o.MaxConnections < 1 {
		o.MaxConnections = defaultConnections
	}
	s := &Socket{address: a}
	if a.Path != "" {
		if err := claim(a.Path); err != nil {
			return nil, fmt.Errorf("%s: %w", a, err)
		}
	}
	if err := s.open(o); err != nil {
		return nil, fmt.Errorf("%s: %w", a, explain(err))
	}
	if a.Path != "" {
		var err error
		if s.file, err = own(a.Path); err != nil {
			return nil, fmt.Errorf("%s: %w", a, errors.Join(err, s.own.close()))
		}
	}
	return s, nil
}

// open sets in, own and the address that was found.
func (s *Socket) open(o Options) error {
	switch s.address.Network {
	case UDP, Unixgram:
		d, err := openDatagrams(s.address, o)
		if err != nil {
			return err
		}
		s.address, s.in, s.own = d.packets.addr(), d, d
	default:
		t, err := openStreams(s.address, o)
		if err != nil {
			return err
		}
		s.address, s.in, s.own = t.address, t, t
	}
	return nil
}

// Addr is where the socket listens, with the port that was found for port 0.
func (s *Socket) Addr() Address { return s.address }

// Read hands out payloads as they come until Stop is called, which is no error.
// One goroutine at a time may read. A connection that breaks ends nothing but
// itself.
func (s *Socket) Read(handle Handler) error {
	if err := s.in.read(handle); err != nil {
		return fmt.Errorf("read %s: %w", s.address, err)
	}
	return nil
}

// Stop makes Read return, now and from now on. What is sent to a Unix datagram
// socket after it is refused, and its sender told.
func (s *Socket) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.in.stop()
	}
}

// Settle returns when all that was in the kernel when it was called has been
// handed to the handler of the running Read; some of it by Settle itself. What
// arrives meanwhile may wait. Without a running Read there is nobody to hand it
// to, and Settle returns at once. It fails when ctx ends before. A handler must
// not call it.
func (s *Socket) Settle(ctx context.Context) error {
	if err := s.in.settle(ctx); err != nil {
		return fmt.Errorf("settle %s: %w", s.address, err)
	}
	return nil
}

// Drain hands out what waits in the kernel and returns when nothing is left.
// The connections of a socket of streams are closed then; a last line or frame
// without its end is handed out as it is, as truncated. It fails when ctx ends
// before that. Read has ended before, or never ran.
func (s *Socket) Drain(ctx context.Context, handle Handler) error {
	if err := s.in.drain(ctx, handle); err != nil {
		return fmt.Errorf("drain %s: %w", s.address, err)
	}
	return nil
}

// Figures are the figures so far; after Close the last ones.
func (s *Socket) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.last
	}
	return s.own.figures()
}

// Close closes the socket, on which nobody reads any more, and removes its
// file, unless another file has taken its place.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	// The file goes first: while the socket is open, no other file can get
	// the number that ours is known by.
	err := s.file.remove()
	s.last, s.closed = s.own.figures(), true
	s.last.Open = 0
	if err := errors.Join(err, s.own.close()); err != nil {
		return fmt.Errorf("close %s: %w", s.address, err)
	}
	return nil
}
