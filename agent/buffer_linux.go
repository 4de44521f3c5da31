package agent

import (
	"net"

	"golang.org/x/sys/unix"
)

// widen gives the socket a large receive buffer, beyond the limit of the machine where that is allowed. What the kernel does not
// give is no error: the buffer is smaller then.
func widen(in *net.UDPConn, bytes int) {
	_ = in.SetReadBuffer(bytes)
	raw, err := in.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, bytes) })
}
