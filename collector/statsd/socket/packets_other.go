//go:build !linux

package socket

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams are read at once.
const batchSize = 1

// packets is a socket of datagrams as Go's net package has it, one at a time.
// One goroutine at a time may read.
type packets struct {
	conn    net.PacketConn
	raw     syscall.RawConn
	address Address
	memory  []byte
	last    Payload
	sources bool
	zones   zones
}

// pollable is what net.UDPConn and net.UnixConn have in common.
type pollable interface {
	net.PacketConn
	syscall.Conn
}

func openPackets(a Address, o Options) (*packets, error) {
	conn, err := listenPackets(a, o)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if a.Network == UDP {
		a.Host = conn.LocalAddr().String()
	}
	return &packets{conn: conn, raw: raw, address: a, memory: make([]byte, o.MaxPayload), sources: o.Sources, zones: zones{}}, nil
}

func listenPackets(a Address, o Options) (pollable, error) {
	if a.Network == Unixgram {
		return net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: a.Path})
	}
	at, err := net.ResolveUDPAddr("udp", a.Host)
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", at)
	if err == nil && o.ReceiveBuffer > 0 {
		// The system may grant less; there is no better to be had.
		_ = conn.SetReadBuffer(o.ReceiveBuffer)
	}
	return conn, err
}

func (s *packets) addr() Address { return s.address }

// wait returns when there may be something to read, or errInterrupted.
func (s *packets) wait() error {
	err := s.raw.Read(func(fd uintptr) bool {
		_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return !errors.Is(err, unix.EAGAIN)
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errInterrupted
	}
	return err
}

// interrupt makes wait return errInterrupted, now and from now on.
func (s *packets) interrupt() {
	// It fails only on a closed socket, from which wait returns as well.
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}

// read reads a datagram, if there is one, and returns how many.
func (s *packets) read() (n int, err error) {
	closed := s.raw.Control(func(fd uintptr) { n, err = s.receive(int(fd)) })
	return n, errors.Join(err, closed)
}

func (s *packets) receive(fd int) (int, error) {
	n, _, flags, from, err := unix.RecvmsgBuffers(fd, [][]byte{s.memory}, nil, unix.MSG_DONTWAIT)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, os.NewSyscallError("recvmsg", err)
	}
	s.last = Payload{Bytes: s.memory[:n], Truncated: flags&unix.MSG_TRUNC != 0}
	if s.sources {
		s.last.From = s.zones.addrPort(from)
	}
	return 1, nil
}

// payload is the one that was read last.
func (s *packets) payload(int) Payload { return s.last }

// release gives up what was read last.
func (s *packets) release() {}

// pause waits.
func (s *packets) pause(d time.Duration) { time.Sleep(d) }

// waiting is how many datagrams wait in the kernel at most.
func (s *packets) waiting() int { return unbounded }

// buffer is the size of the receive buffer in the kernel; 0: unknown.
func (s *packets) buffer() int { return 0 }

// drops is how many datagrams the kernel threw away: it does not tell.
func (s *packets) drops() (uint32, bool) { return 0, false }

func (s *packets) close() error { return s.conn.Close() }
