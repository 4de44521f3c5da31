package socket

import "golang.org/x/sys/unix"

// accept takes in a connection that waits; EAGAIN without one.
func accept(fd int) (int, unix.Sockaddr, error) {
	conn, from, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err == nil {
		notice(conn)
	}
	return conn, from, err
}

// notice sees to it that a connection whose peer is gone without a word ends,
// after 2 minutes. It would count against the limit of connections for ever.
func notice(conn int) {
	// These fail on a Unix socket, where such a thing does not happen.
	_ = unix.SetsockoptInt(conn, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	_ = unix.SetsockoptInt(conn, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60)
	_ = unix.SetsockoptInt(conn, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15)
	_ = unix.SetsockoptInt(conn, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4)
}

// arrived is how many bytes of a stream wait in the kernel at most.
func arrived(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
	if err != nil {
		return unbounded
	}
	return n
}
