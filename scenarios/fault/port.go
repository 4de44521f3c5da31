package fault

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// port is where a link listens. It can be deaf: whoever connects gets no answer, as from behind a network that is cut. And
// it can refuse for good, without anybody else getting its number.
type port struct {
	listen *net.TCPListener
	keep   func() // gives the number back; see reserve

	mu     sync.Mutex
	deaf   bool
	filler func() // takes away what has the only place in the queue of a deaf port; nil: nothing has
	filled string // the address that it came from, until it is accepted
}

// errDeaf is what accept gives while the port is deaf.
var errDeaf = errors.New("deaf")

// openPort listens on any free port of a host.
func openPort(host string) (*port, error) {
	addr, keep, err := reserve(host)
	if err != nil {
		return nil, err
	}
	listen, err := net.Listen("tcp", addr)
	if err != nil {
		keep()
		return nil, err
	}
	return &port{listen: listen.(*net.TCPListener), keep: keep}, nil
}

func (p *port) addr() string { return p.listen.Addr().String() }

// accept gives who has come next; errDeaf: the port is deaf.
func (p *port) accept() (*net.TCPConn, error) {
	for {
		conn, err := p.listen.AcceptTCP()
		p.mu.Lock()
		deaf := p.deaf
		nobody := err == nil && conn.RemoteAddr().String() == p.filled
		if nobody {
			p.filled = ""
		}
		p.mu.Unlock()
		switch {
		case nobody:
			_ = conn.Close()
		case err == nil:
			return conn, nil
		case errors.Is(err, os.ErrDeadlineExceeded) && deaf:
			return nil, errDeaf
		case errors.Is(err, os.ErrDeadlineExceeded): // and hears again
		case errors.Is(err, net.ErrClosed):
			return nil, err
		default: // out of descriptors, say: whoever waits goes on waiting
			time.Sleep(acceptPause)
		}
	}
}

// acceptPause is how long nobody is accepted after that failed.
const acceptPause = 10 * time.Millisecond

// hear ends deafen. Whoever has tried meanwhile tries again by itself.
func (p *port) hear() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.deaf {
		return nil
	}
	p.deaf = false
	p.empty()
	return ignoreClosed(errors.Join(p.backlog(usualBacklog), p.listen.SetDeadline(time.Time{})))
}

// deafen lets the kernel answer nobody who connects: the queue of connections that wait to be accepted has room for one,
// which takes it itself, and is not looked at.
func (p *port) deafen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
	if err := errors.Join(p.listen.SetDeadline(time.Unix(1, 0)), p.backlog(0)); err != nil {
		return ignoreClosed(err)
	}
	var err error
	p.filled, p.filler, err = fill(p.addr())
	return err
}

// empty takes the filler away. p.mu is held.
func (p *port) empty() {
	if p.filler != nil {
		p.filler()
		p.filler = nil
	}
}

// usualBacklog is how many connections may wait to be accepted; the kernel takes it for its own limit, if that is less.
const usualBacklog = 4096

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// refuse refuses whoever comes from now on.
func (p *port) refuse() { _ = p.listen.Close() } // an error says that it does already

// close gives the number back.
func (p *port) close() error {
	p.refuse()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.empty()
	p.keep()
	return nil
}
