package crew

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// network is one in memory, so that a load of a hundred workers takes no time but that of its own clock (package synctest).
type network struct {
	delay func() time.Duration // of each write, one way; nil: none

	mu   sync.Mutex
	open map[string]*listener
}

func (n *network) listen(addr string) *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := &listener{addr: address(addr), came: make(chan net.Conn), closed: make(chan struct{})}
	if n.open == nil {
		n.open = map[string]*listener{}
	}
	n.open[addr] = l
	return l
}

var errRefused = errors.New("connection refused")

func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.open[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, errRefused
	}
	here, there := net.Pipe()
	if n.delay != nil {
		here, there = delayed(here, n.delay), delayed(there, n.delay)
	}
	select {
	case l.came <- there:
		return here, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, errors.Join(errRefused, here.Close(), there.Close())
}

type listener struct {
	addr   address
	came   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.came:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

type address string

func (address) Network() string  { return "memory" }
func (a address) String() string { return string(a) }

// slow is a connection on which each write takes its time.
type slow struct {
	net.Conn
	delay func() time.Duration
	out   chan packet
	over  chan struct{}
	once  sync.Once
}

type packet struct {
	at   time.Time
	data []byte
}

func delayed(inner net.Conn, delay func() time.Duration) net.Conn {
	s := &slow{Conn: inner, delay: delay, out: make(chan packet, 1<<12), over: make(chan struct{})}
	go func() {
		defer inner.Close()
		for {
			select {
			case p := <-s.out:
				time.Sleep(time.Until(p.at))
				if _, err := inner.Write(p.data); err != nil {
					return
				}
			case <-s.over:
				return
			}
		}
	}()
	return s
}

func (s *slow) Write(p []byte) (int, error) {
	select {
	case s.out <- packet{time.Now().Add(s.delay()), append([]byte(nil), p...)}:
		return len(p), nil
	case <-s.over:
		return 0, net.ErrClosed
	}
}

func (s *slow) Close() error {
	s.once.Do(func() { close(s.over) })
	return s.Conn.Close()
}
