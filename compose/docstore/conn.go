package docstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/FerretDB/wire"

	"throughline/compose/docstore/replica"
)

// What all connections together may hold of messages is bounded: what is at
// most smallMessage long by the number of connections, the rest by a budget.
const (
	// maxConnections is how many may be open at a time; one more is closed.
	maxConnections = 8192
	// smallMessage is the longest message that is read without asking, which
	// every command of a usual application is. It is also the buffer of each
	// connection.
	smallMessage = 16 << 10
	// messageBudget is how many bytes the longer messages may have together,
	// from their header's coming to their answer's leaving: two of the longest.
	messageBudget = 128 << 20
	// admission is how long a message waits for its share of the budget.
	admission = 30 * time.Second
	// arrival is how long a message that has its share may take to come, so that
	// a client that stops in the middle does not keep it from others. It is less
	// than admission: whoever waits for such clients gets through.
	arrival = 20 * time.Second
)

var (
	errGone        = errors.New("the client is gone, or hung up on") // nobody's fault
	errConnections = errors.New("too many connections")
	errBudget      = errors.New("too many large messages at once")
	errPeer        = errors.New("a member of a replica set came to a server that stands alone")
	errArrival     = errors.New("message did not come in time")
)

// conn is one client connection.
type conn struct {
	net.Conn
	id int64

	mu     sync.Mutex
	hungUp bool // the read deadline is not to be moved any more
}

func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hungUp = true
	// A connection that is closed already needs no deadline.
	_ = c.SetReadDeadline(time.Unix(1, 0))
	_ = c.SetWriteDeadline(time.Now().Add(goodbye))
}

// readUntil sets the read deadline; the zero time is none.
func (c *conn) readUntil(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hungUp {
		_ = c.SetReadDeadline(t) // fails on a closed connection, as the next read does
	}
}

func (s *Server) connected(nc net.Conn) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= maxConnections {
		return nil, fmt.Errorf("%w: %d are open already", errConnections, maxConnections)
	}
	c := &conn{Conn: nc, id: s.stats.connections.Add(1)}
	s.conns[c] = true
	return c, nil
}

func (s *Server) disconnected(c *conn) {
	// Nothing is lost by a close that fails: every answer was written before.
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func (s *Server) currentConnections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// converse answers one command after the other, until the client is gone or ctx
// ends. The error is what the client did wrong.
func (s *Server) converse(ctx context.Context, c *conn) error {
	r := bufio.NewReaderSize(countingReader{c, &s.stats.bytesIn}, smallMessage)
	if first, err := r.Peek(len(replica.Magic)); err == nil && string(first) == replica.Magic {
		if s.set == nil {
			return errPeer
		}
		return s.set.member.Serve(c, r)
	}
	if err := foreign(r, c); err != nil {
		return err
	}
	for {
		if ctx.Err() != nil {
			// Accepted while the others were hung up, or busy meanwhile.
			return nil
		}
		answer, err := s.exchange(ctx, c, r)
		switch {
		case errors.Is(err, errGone):
			return nil
		case err != nil:
			return err
		case answer == nil:
			continue
		}
		s.stats.bytesOut.Add(int64(len(answer)))
		if _, err := c.Write(answer); err != nil {
			return nil // gone
		}
	}
}

// exchange reads one message and executes it. The answer is nil where none is
// wanted.
func (s *Server) exchange(ctx context.Context, c *conn, r *bufio.Reader) ([]byte, error) {
	h, err := readHeader(r)
	if err != nil && !errors.Is(err, errProtocol) {
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	if err != nil {
		return nil, err
	}
	if err := unsupported(h.OpCode); err != nil {
		return nil, err
	}
	done, err := s.admit(ctx, c, h)
	if err != nil {
		return nil, err
	}
	defer done()
	m, err := readBody(r, h)
	if err != nil {
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() && ctx.Err() == nil {
			return nil, fmt.Errorf("%w: a part only of %d bytes in %v", errArrival, h.MessageLength, arrival)
		}
		return nil, fmt.Errorf("%w: %w", errGone, err)
	}
	c.readUntil(time.Time{})
	s.stats.requests.Add(1)
	return s.answer(ctx, c, m)
}

// admit waits until the message fits into the budget. done gives its share
// back.
func (s *Server) admit(ctx context.Context, c *conn, h wire.MsgHeader) (done func(), err error) {
	n := int64(h.MessageLength)
	if n <= smallMessage {
		return func() {}, nil
	}
	if !s.messages.TryAcquire(n) {
		wait, cancel := context.WithTimeout(ctx, admission)
		defer cancel()
		if err := s.messages.Acquire(wait, n); err != nil {
			if ctx.Err() != nil {
				return nil, fmt.Errorf("%w: %w", errGone, ctx.Err())
			}
			return nil, fmt.Errorf("%w: %d bytes found no room among %d in %v: send smaller batches, or fewer at a time", errBudget, n, messageBudget, admission)
		}
	}
	c.readUntil(time.Now().Add(arrival))
	return func() { s.messages.Release(n) }, nil
}

// countingReader counts what is read.
type countingReader struct {
	io.Reader
	n *atomic.Int64
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n.Add(int64(n))
	return n, err
}
