package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is how many datagrams one system call reads at most.
const batchSize = 32

// packets is a UDP socket that is read with recvmmsg(2): many datagrams in one
// system call, without an allocation for any. One goroutine at a time may read.
//
// It is kept out of Go's poller on purpose: that is told of every datagram by
// itself, also while nobody wants to read, and to be told costs more than to
// read it.
type packets struct {
	fd      int // -1 when closed
	wake    int // an eventfd that interrupts wait
	address string
	memory  []byte // batchSize datagrams
	size    int    // of one
	iovecs  [batchSize]unix.Iovec
	headers [batchSize]mmsghdr
}

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

func openPackets(addr string, buffer, size int) (*packets, error) {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, err
	}
	s := &packets{fd: -1, wake: -1, size: size}
	if err := s.bind(at); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", addr, err), s.close())
	}
	// With privilege the buffer may be larger than the system's limit.
	// Without it, what was granted is seen by buffer.
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer)
	}
	s.memory = make([]byte, batchSize*size)
	for i := range s.headers {
		s.iovecs[i].Base = &s.memory[i*size]
		s.iovecs[i].SetLen(size)
		s.headers[i].header.Iov = &s.iovecs[i]
		s.headers[i].header.SetIovlen(1)
	}
	return s, nil
}

// bind makes the file descriptors. Without an IP address it listens on all of
// IPv6 and IPv4, as Go's net package does.
func (s *packets) bind(at *net.UDPAddr) (err error) {
	family, bindTo := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: at.Port})
	switch ip := at.AddrPort().Addr().Unmap(); {
	case ip.Is4():
		family, bindTo = unix.AF_INET, &unix.SockaddrInet4{Port: at.Port, Addr: ip.As4()}
	case ip.Is6():
		zone := uint32(0)
		if i, err := net.InterfaceByName(ip.Zone()); err == nil {
			zone = uint32(i.Index)
		}
		bindTo = &unix.SockaddrInet6{Port: at.Port, Addr: ip.As16(), ZoneId: zone}
	}
	const flags = unix.SOCK_DGRAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	s.fd, err = unix.Socket(family, flags, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) && at.IP == nil {
		bindTo = &unix.SockaddrInet4{Port: at.Port}
		s.fd, err = unix.Socket(unix.AF_INET, flags, 0)
	}
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	if at.IP == nil {
		// Fails on an IPv4 socket only, where it has no meaning.
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err := unix.Bind(s.fd, bindTo); err != nil {
		return os.NewSyscallError("bind", err)
	}
	name, err := unix.Getsockname(s.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		s.address = netip.AddrPortFrom(netip.AddrFrom4(name.Addr), uint16(name.Port)).String()
	case *unix.SockaddrInet6:
		s.address = netip.AddrPortFrom(netip.AddrFrom16(name.Addr), uint16(name.Port)).String()
	}
	s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return os.NewSyscallError("eventfd", err)
}

func (s *packets) addr() string { return s.address }

// wait returns when there is something to read, or errInterrupted.
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
	// It cannot fail: the counter behind it is far from full.
	_, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// read reads what is there, up to batchSize datagrams, and returns how many; 0
// when there is nothing. It does not wait.
func (s *packets) read() (int, error) {
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.headers[0])), batchSize, 0, 0, 0)
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

// payload is the i-th of those that were read last.
func (s *packets) payload(i int) Payload {
	begin := i * s.size
	return Payload{Bytes: s.memory[begin : begin+int(s.headers[i].length)], Truncated: s.headers[i].header.Flags&unix.MSG_TRUNC != 0}
}

// buffer is the size of the receive buffer in the kernel, in bytes; 0: unknown.
func (s *packets) buffer() int {
	size, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	return size
}

// drops is how many datagrams the kernel has thrown away at this socket, in a
// counter of 32 bits that wraps around; false where the kernel does not tell
// (Linux before 4.12), and when the socket is closed.
// Source: SK_MEMINFO_DROPS in linux/sock_diag.h.
func (s *packets) drops() (uint32, bool) {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	const whole = (unix.SK_MEMINFO_DROPS + 1) * 4
	return info[unix.SK_MEMINFO_DROPS], errno == 0 && size >= whole
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
