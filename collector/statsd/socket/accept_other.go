//go:build !linux

package socket

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// accept takes in a connection that waits; EAGAIN without one.
func accept(fd int) (int, unix.Sockaddr, error) {
	// No child may be born between the two calls, or it would inherit.
	syscall.ForkLock.RLock()
	conn, from, err := unix.Accept(fd)
	if err == nil {
		unix.CloseOnExec(conn)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, nil, err
	}
	if err := unix.SetNonblock(conn, true); err != nil {
		return -1, nil, errors.Join(err, unix.Close(conn))
	}
	// One whose peer is gone without a word ends in the end.
	_ = unix.SetsockoptInt(conn, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	return conn, from, nil
}

// arrived is how many bytes of a stream wait in the kernel at most.
func arrived(int) int { return unbounded }
