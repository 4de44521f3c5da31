// Package socket is the ways in: it opens an address and hands out the payloads
// that arrive there, with an account of what the kernel threw away.
//
// It does not look into a payload: collector/statsd, its only caller, takes the
// lines apart.
package socket

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Options are how to open a socket.
type Options struct {
	// ReceiveBuffer is the size of the buffer in the kernel, in bytes. The
	// system may grant less: see Figures.
	ReceiveBuffer int
	// MaxPayload is the longest payload that is read whole, in bytes.
	MaxPayload int
}

// Payload is one datagram.
type Payload struct {
	Bytes     []byte
	Truncated bool       // it was longer than Options.MaxPayload; the rest is lost
	From      netip.Addr // who sent it, where that is known
}

// Handler takes payloads in. They hold until it returns.
type Handler func(payloads []Payload)

// Figures is what is known of a socket beside its payloads.
type Figures struct {
	ReceiveBuffer int // bytes, as granted by the kernel; 0 = unknown
	// Drops are the payloads that reached the socket and were thrown away
	// by the kernel, mostly because its buffer was full. Where DropsKnown is
	// false, the system does not tell.
	Drops      uint64
	DropsKnown bool
}

// Socket is an open way in. Payloads wait in the kernel until Read runs.
type Socket struct {
	packets *packets
	batch   []Payload // scratch of whoever reads

	mu      sync.Mutex
	closed  bool
	figures Figures
	counter uint32 // the kernel's own count of drops, which wraps around
}

// Open opens a UDP socket at addr (host:port; port 0 for any free one).
func Open(addr string, o Options) (*Socket, error) {
	p, err := openPackets(addr, o.ReceiveBuffer, o.MaxPayload)
	if err != nil {
		return nil, err
	}
	return &Socket{packets: p, batch: make([]Payload, 0, batchSize), figures: Figures{ReceiveBuffer: p.buffer()}}, nil
}

// Addr is where the socket listens.
func (s *Socket) Addr() string { return s.packets.addr() }

// errInterrupted is what wait returns after interrupt.
var errInterrupted = errors.New("interrupted")

// gather is how long the reader lets datagrams gather in the kernel when it has
// read all there were. To wake up for each datagram alone costs several times
// what the datagram itself does; the socket's buffer has room for far longer.
const gather = time.Millisecond

// Read hands out payloads as they come until Stop is called, which is no error.
// One goroutine at a time may read.
func (s *Socket) Read(handle Handler) error {
	for {
		err := s.packets.wait()
		if errors.Is(err, errInterrupted) {
			return nil
		}
		n := 0
		if err == nil {
			n, err = s.read(handle)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s.Addr(), err)
		}
		if n < batchSize {
			time.Sleep(gather)
		}
	}
}

// Stop makes Read return, now and from now on.
func (s *Socket) Stop() { s.packets.interrupt() }

// Drain hands out what waits in the kernel and returns when nothing is left. It
// fails when ctx ends before that. Nobody else may read meanwhile.
func (s *Socket) Drain(ctx context.Context, handle Handler) error {
	for {
		n, err := s.read(handle)
		if err != nil {
			return fmt.Errorf("drain %s: %w", s.Addr(), err)
		}
		if n == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("drain %s: datagrams still come in (%w): what came later is not counted", s.Addr(), ctx.Err())
		}
	}
}

// read hands out what is there, up to batchSize payloads, without waiting.
func (s *Socket) read(handle Handler) (int, error) {
	n, err := s.packets.read()
	if n == 0 || err != nil {
		return 0, err
	}
	s.batch = s.batch[:0]
	for i := range n {
		s.batch = append(s.batch, s.packets.payload(i))
	}
	handle(s.batch)
	return n, nil
}

// Figures are the figures so far; after Close the last ones.
func (s *Socket) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.update()
	return s.figures
}

// update asks the kernel for its drops. s.mu is held.
func (s *Socket) update() {
	if s.closed {
		return
	}
	now, ok := s.packets.drops()
	if !ok {
		return
	}
	s.figures.Drops += uint64(now - s.counter)
	s.counter, s.figures.DropsKnown = now, true
}

// Close closes the socket, on which nobody reads any more.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.update()
	s.closed = true
	return s.packets.close()
}
