package forward

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

// link is a connection to a peer that has nothing to say. Somebody listens all
// the same: what is written to a connection after its peer went away is taken by
// the kernel and lost, without an error.
type link struct {
	net.Conn
	gone chan struct{} // closed when the connection is over
	told chan struct{} // closed when nobody listens any more
}

// errGone is told when the peer closes the connection.
var errGone = errors.New("the peer closed the connection")

// watcher is told of connections, one after the other.
type watcher interface {
	made()
	lost(error) // by the peer
}

// inKernel bounds, in bytes, what the kernel takes before the peer does: that
// much of a stream can be lost unseen. The peer's kernel adds its own.
const inKernel = 256 << 10

// newLink watches a stream.
func newLink(conn net.Conn, w watcher) *link {
	if c, ok := conn.(interface{ SetWriteBuffer(int) error }); ok {
		_ = c.SetWriteBuffer(inKernel) // else it is the system's
	}
	l := &link{Conn: conn, gone: make(chan struct{}), told: make(chan struct{})}
	w.made()
	go func() {
		defer close(l.told)
		_, err := io.Copy(io.Discard, conn)
		// Before anybody hears of it: who does may write at once, and must not
		// find this connection whole.
		close(l.gone)
		switch {
		case err == nil:
			w.lost(errGone)
		case !errors.Is(err, net.ErrClosed):
			w.lost(err)
		}
	}()
	return l
}

// broken is whether the peer is known to have gone.
func (l *link) broken() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// Close returns when nobody listens any more.
func (l *link) Close() error {
	err := l.Conn.Close()
	<-l.told
	return err
}

// limit lets what is written to conn fail when ctx ends, or after timeout. The
// caller calls done when it is written.
func limit(ctx context.Context, conn net.Conn, timeout time.Duration) (done func() bool) {
	_ = conn.SetWriteDeadline(time.Now().Add(timeout)) // fails only where the write fails too
	return context.AfterFunc(ctx, func() { _ = conn.SetWriteDeadline(time.Unix(1, 0)) })
}
