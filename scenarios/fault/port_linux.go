package fault

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// canDeafen: Linux drops who connects where the queue of a port is full.
const canDeafen = true

// reserve finds a free port of a host, and holds its number until keep is called, beside whoever listens there: a socket
// that is bound and does not listen. While nobody listens, the port refuses, and nobody gets its number: else a new link
// might have that of one that is gone, and the load balancer, which has not seen it go yet, take the one for the other.
func reserve(host string) (addr string, keep func(), err error) {
	fail := func(err error) (string, func(), error) {
		return "", nil, fmt.Errorf("reserve a port of %s: %w", host, err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return fail(err)
	}
	family, at := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: ip.As16()})
	if ip.Is4() {
		family, at = unix.AF_INET, &unix.SockaddrInet4{Addr: ip.As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(os.NewSyscallError("socket", err))
	}
	var once sync.Once
	keep = func() { once.Do(func() { _ = unix.Close(fd) }) }
	// With this option of both, another socket may be bound to the port and listen; net.Listen sets it too.
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, at))
	if err == nil {
		at, err = unix.Getsockname(fd)
	}
	if err != nil {
		keep()
		return fail(err)
	}
	return addrOf(at), keep, nil
}

// fillLimit is how long, in ms, a connection on this machine may take that gets an answer.
const fillLimit = 500

// fill connects with a port that has room for one. It gives the address that it came from, "" if somebody else had the
// place already, and what takes the connection away again. It does not go through net.Dial, which may give up before it has
// begun on a machine that is busy.
func fill(port string) (from string, away func(), err error) {
	to, err := netip.ParseAddrPort(port)
	if err != nil {
		return "", nil, err
	}
	family, at := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())})
	if to.Addr().Is4() {
		family, at = unix.AF_INET, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	away = func() { _ = unix.Close(fd) } // nothing was said on it
	if err := unix.Connect(fd, at); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		away()
		return "", nil, os.NewSyscallError("connect", err)
	}
	wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n := 0
	for n, err = unix.Poll(wait, fillLimit); errors.Is(err, unix.EINTR); {
		n, err = unix.Poll(wait, fillLimit)
	}
	if err != nil {
		away()
		return "", nil, os.NewSyscallError("poll", err)
	}
	if n == 0 {
		return "", away, nil
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		away()
		return "", nil, os.NewSyscallError("getsockname", err)
	}
	return addrOf(local), away, nil
}

// addrOf writes an address as the net package does.
func addrOf(at unix.Sockaddr) string {
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port)).String()
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(at.Addr), uint16(at.Port)).String()
	}
	return ""
}

// backlog sets how many connections may wait to be accepted; with 0 it is one.
// Source: listen(2) on a socket that listens already changes only that; tcp_v4_conn_request in the kernel's
// net/ipv4/tcp_ipv4.c drops a SYN where sk_acceptq_is_full.
func (p *port) backlog(n int) error {
	raw, err := p.listen.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.Listen(int(fd), n) })
	return errors.Join(err, os.NewSyscallError("listen", failed))
}
