package fault

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
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
	number := 0
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		number = at.Port
	case *unix.SockaddrInet6:
		number = at.Port
	}
	return net.JoinHostPort(host, strconv.Itoa(number)), keep, nil
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
