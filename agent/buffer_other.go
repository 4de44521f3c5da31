//go:build !linux

package agent

import "net"

// widen gives the socket a large receive buffer. What the kernel does not give is no error: the buffer is smaller then.
func widen(in *net.UDPConn, bytes int) { _ = in.SetReadBuffer(bytes) }
