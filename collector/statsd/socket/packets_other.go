//go:build !linux

package socket

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// batchSize is how many datagrams are read at once.
const batchSize = 1

// packets is a UDP socket as Go's net package has it, one datagram at a time.
// One goroutine at a time may read.
type packets struct {
	conn        *net.UDPConn
	memory      []byte // one more than the longest datagram, to see that one is longer
	length      int
	waiting     bool // wait has read a datagram already
	interrupted atomic.Bool
}

func openPackets(addr string, buffer, size int) (*packets, error) {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, err
	}
	// The system may grant less; there is no better to be had.
	_ = conn.SetReadBuffer(buffer)
	return &packets{conn: conn, memory: make([]byte, size+1)}, nil
}

func (s *packets) addr() string { return s.conn.LocalAddr().String() }

// wait returns when there is something to read, or errInterrupted.
func (s *packets) wait() error {
	n, _, err := s.conn.ReadFromUDPAddrPort(s.memory)
	if err != nil {
		if s.interrupted.Load() {
			return errInterrupted
		}
		return err
	}
	s.length, s.waiting = n, true
	return nil
}

// interrupt makes wait return errInterrupted, now and from now on.
func (s *packets) interrupt() {
	s.interrupted.Store(true)
	// It fails only on a closed socket, from which wait returns as well.
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}

// patience is how long read looks for a datagram: the portable interface has no
// look without waiting.
const patience = 10 * time.Millisecond

// read reads a datagram, if there is one, and returns how many.
func (s *packets) read() (int, error) {
	if s.waiting {
		s.waiting = false
		return 1, nil
	}
	if !s.interrupted.Load() {
		return 0, nil // wait reads
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	n, _, err := s.conn.ReadFromUDPAddrPort(s.memory)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	}
	s.length = n
	return 1, err
}

// payload is the one that was read last.
func (s *packets) payload(int) Payload {
	longest := len(s.memory) - 1
	return Payload{Bytes: s.memory[:min(s.length, longest)], Truncated: s.length > longest}
}

// buffer is the size of the receive buffer in the kernel; 0: unknown.
func (s *packets) buffer() int { return 0 }

// drops is how many datagrams the kernel threw away: it does not tell.
func (s *packets) drops() (uint32, bool) { return 0, false }

func (s *packets) close() error { return s.conn.Close() }
