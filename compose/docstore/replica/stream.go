package replica

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Magic is how a peer's connection begins; behind it come the length of the set's name,
// in a byte, and the name. As the length of one of MongoDB's messages it is negative, so that nothing else begins so.
const Magic = "RFT\xff"

// maxSetName is how long the name of a set may be.
const maxSetName = 127

// greetingTime is how long a peer may take to say of which set it is.
const greetingTime = 5 * time.Second

// ErrForeign says that a peer of another set came.
var ErrForeign = errors.New("a member of another replica set came")

// CheckName refuses a name of a set that cannot be told to peers.
func CheckName(set string) error {
	if set == "" || len(set) > maxSetName {
		return fmt.Errorf("%q: the name of a set has 1 to %d bytes", set, maxSetName)
	}
	return nil
}

// stream carries what members say to each other. It implements raft.StreamLayer.
type stream struct {
	cfg    Config
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newStream(c Config) *stream {
	return &stream{cfg: c, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Serve takes a connection over whose first bytes, still in r, are Magic, and returns when
// it is over.
func (m *Member) Serve(conn net.Conn, r *bufio.Reader) error {
	if err := conn.SetReadDeadline(time.Now().Add(greetingTime)); err != nil {
		return nil // it is closed already
	}
	head := make([]byte, len(Magic)+1)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil // gone
	}
	name := make([]byte, head[len(Magic)])
	if _, err := io.ReadFull(r, name); err != nil {
		return nil
	}
	if string(name) != m.cfg.Set {
		return fmt.Errorf("%w: it is of %q and this one of %q", ErrForeign, name, m.cfg.Set)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil
	}
	p := &peer{Conn: conn, r: r, over: make(chan struct{})}
	select {
	case m.stream.conns <- p:
	case <-m.stream.closed:
		return nil
	}
	select {
	case <-p.over:
	case <-m.stream.closed:
	}
	return nil
}

// peer is a connection of which some was read ahead.
type peer struct {
	net.Conn
	r    io.Reader
	once sync.Once
	over chan struct{}
}

func (p *peer) Read(b []byte) (int, error) { return p.r.Read(b) }

func (p *peer) Close() error {
	p.once.Do(func() { close(p.over) })
	return p.Conn.Close()
}

// Accept implements net.Listener.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *stream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// Addr implements net.Listener.
func (s *stream) Addr() net.Addr { return address(s.cfg.Me) }

// Dial implements raft.StreamLayer.
func (s *stream) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	conn, err := s.cfg.Dial(ctx, string(to))
	if err != nil {
		return nil, err
	}
	if err = conn.SetWriteDeadline(time.Now().Add(timeout)); err == nil {
		_, err = conn.Write(append([]byte(Magic+string(byte(len(s.cfg.Set)))), s.cfg.Set...))
	}
	if err == nil {
		err = conn.SetWriteDeadline(time.Time{})
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// address is a member's address as a net.Addr.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
