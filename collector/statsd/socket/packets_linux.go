package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// packets is a socket of datagrams that is read with recvmmsg(2): many in one
// system call, without an allocation for any. One goroutine at a time may read.
//
// It is kept out of Go's poller on purpose: that is told of every datagram by
// itself, also while nobody wants to read, and to be told costs more than to
// read it.
type packets struct {
	fd      int // -1 when closed
	wake    int // an eventfd that interrupts wait
	address Address
	queue   int   // datagrams that a Unix socket holds at most
	kind    kind  // of room
	room    *room // what was read last; nil: nothing
	zones   zones
}

func openPackets(a Address, o Options) (*packets, error) {
	s := &packets{fd: -1, wake: -1, address: a, zones: zones{}, kind: kind{size: o.MaxPayload, sources: a.Network == UDP && o.Sources}}
	if err := s.bind(); err != nil {
		return nil, errors.Join(err, s.close())
	}
	if a.Network == UDP && o.ReceiveBuffer > 0 {
		// With privilege the buffer may be larger than the system's limit.
		// Without it, what was granted is seen by buffer.
		if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, o.ReceiveBuffer) != nil {
			_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.ReceiveBuffer)
		}
	}
	return s, nil
}

// bind makes the file descriptors.
func (s *packets) bind() (err error) {
	if s.address.Network == Unixgram {
		err = s.bindPath()
	} else {
		err = s.bindHost()
	}
	if err != nil {
		return err
	}
	s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return os.NewSyscallError("eventfd", err)
}

const datagram = unix.SOCK_DGRAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK

func (s *packets) bindPath() (err error) {
	if s.fd, err = unix.Socket(unix.AF_UNIX, datagram, 0); err != nil {
		return os.NewSyscallError("socket", err)
	}
	// The limit holds for sockets made after it was set, and lets one more
	// in than it says. Source: unix_recvq_full in net/unix/af_unix.c.
	s.queue = unbounded
	if text, err := os.ReadFile("/proc/sys/net/unix/max_dgram_qlen"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			s.queue = n + 1
		}
	}
	return os.NewSyscallError("bind", unix.Bind(s.fd, &unix.SockaddrUnix{Name: s.address.Path}))
}

// bindHost listens on all of IPv6 and IPv4 where the host is empty or [::], as
// Go's net package does.
func (s *packets) bindHost() error {
	at, err := net.ResolveUDPAddr("udp", s.address.Host)
	if err != nil {
		return err
	}
	family, bindTo := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: at.Port})
	switch ip := at.AddrPort().Addr().Unmap(); {
	case ip.Is4():
		family, bindTo = unix.AF_INET, &unix.SockaddrInet4{Port: at.Port, Addr: ip.As4()}
	case ip.Is6():
		zone, err := zoneID(ip.Zone())
		if err != nil {
			return err
		}
		bindTo = &unix.SockaddrInet6{Port: at.Port, Addr: ip.As16(), ZoneId: zone}
	}
	s.fd, err = unix.Socket(family, datagram, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) && at.IP == nil {
		family, bindTo = unix.AF_INET, &unix.SockaddrInet4{Port: at.Port}
		s.fd, err = unix.Socket(family, datagram, 0)
	}
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if family == unix.AF_INET6 && (at.IP == nil || at.IP.IsUnspecified()) {
		if err := unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.Bind(s.fd, bindTo); err != nil {
		return os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	s.address.Host = s.zones.addrPort(name).String()
	return nil
}

// zoneID is the number of the interface that a zone names, 0 for none.
func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if number, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(number), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("zone %s: %w", zone, err)
	}
	return uint32(i.Index), nil
}

func (s *packets) addr() Address { return s.address }

// wait returns when there may be something to read, or errInterrupted.
func (s *packets) wait() error {
	fds := [2]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}, {Fd: int32(s.wake), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds[:], -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError("poll", err)
		case fds[1].Revents != 0:
			return errInterrupted
		}
		return nil
	}
}

// interrupt makes wait return errInterrupted, now and from now on.
func (s *packets) interrupt() {
	if s.address.Network == Unixgram {
		// What comes later would be lost unseen; so its senders are told.
		// What waits can still be read. It cannot fail on an open socket.
		_ = unix.Shutdown(s.fd, unix.SHUT_RD)
	}
	// It cannot fail: the counter behind it is far from full.
	_, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// read reads what is there, up to batchSize datagrams, and returns how many; 0
// when there is nothing. It does not wait. What was read holds until release.
func (s *packets) read() (int, error) {
	if s.room == nil {
		s.room = rooms.take(s.kind)
	}
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.room.headers[0])), batchSize, 0, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("recvmmsg", errno)
		}
	}
}

// payload is the i-th of those that were read last. It is asked for once.
func (s *packets) payload(i int) Payload {
	p := Payload{Bytes: s.room.bytes(i), Truncated: s.room.headers[i].header.Flags&unix.MSG_TRUNC != 0}
	if s.kind.sources {
		p.From = s.source(s.room.name(i))
	}
	return p
}

// release gives up what was read last.
func (s *packets) release() {
	if s.room != nil {
		rooms.give(s.room)
		s.room = nil
	}
}

// pause waits in a system call. A timer of Go's would do so through its
// scheduler, which for a millisecond costs more than to read what comes in it.
func (s *packets) pause(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	// Cut short by a signal, the next pause is longer in effect.
	_ = unix.Nanosleep(&t, nil)
}

func (s *packets) source(name *unix.RawSockaddrInet6) netip.AddrPort {
	// The port is at the same place for both families, in the network's order.
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(name)).Addr), port)
	}
	return netip.AddrPortFrom(s.zones.address(name.Addr, name.Scope_id), port)
}

// buffer is the size of the receive buffer in the kernel, in bytes; 0: unknown,
// or without a meaning.
func (s *packets) buffer() int {
	if s.address.Network != UDP {
		return 0
	}
	size, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	return size
}

// drops is how many datagrams the kernel has thrown away at this socket, in a
// counter of 32 bits that wraps around; false where the kernel does not tell
// (Linux before 4.12). For a Unix socket that is always 0: its senders wait, or
// get EAGAIN.
// Source: SK_MEMINFO_DROPS in linux/sock_diag.h.
func (s *packets) drops() (uint32, bool) {
	info, ok := s.meminfo()
	return info[unix.SK_MEMINFO_DROPS], ok
}

// leastCharge is less than what the kernel charges a socket for any datagram,
// in bytes: its struct sk_buff and struct skb_shared_info alone are larger.
const leastCharge = 256

// waiting is how many datagrams wait in the kernel at most.
func (s *packets) waiting() int {
	if s.address.Network != UDP {
		return s.queue
	}
	info, ok := s.meminfo()
	if !ok {
		return unbounded
	}
	return int(info[unix.SK_MEMINFO_RMEM_ALLOC])/leastCharge + 1
}

func (s *packets) meminfo() (info [unix.SK_MEMINFO_VARS]uint32, ok bool) {
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	const whole = (unix.SK_MEMINFO_DROPS + 1) * 4
	return info, errno == 0 && size >= whole
}

func (s *packets) close() error {
	var errs []error
	for _, fd := range []*int{&s.fd, &s.wake} {
		if *fd >= 0 {
			errs = append(errs, os.NewSyscallError("close", unix.Close(*fd)))
			*fd = -1
		}
	}
	return errors.Join(errs...)
}
