package platformtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"throughline/compose"
)

type memoryInstance struct {
	name      string
	ports     map[string]*memoryPort
	log       *memoryLog
	cancel    context.CancelFunc
	gate      *gate
	terminate chan struct{}

	mu         sync.Mutex
	terminated bool
	killed     bool
	exit       compose.Exit
	gone       chan struct{} // closed after exit is set
}

func (i *memoryInstance) run(ctx context.Context, run Program, p *Process) {
	code := run(ctx, p)
	i.cancel()
	i.closePorts()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.exit = compose.Exit{Code: code, At: time.Now()}
	if i.killed {
		i.exit.Code, i.exit.Signal = -1, compose.Kill.String()
	}
	close(i.gone)
}

// listen hands out the listener that was opened for the address at the start.
func (i *memoryInstance) listen(addr string) (net.Listener, error) {
	for _, p := range i.ports {
		if p.Addr().String() != addr {
			continue
		}
		select {
		case <-p.opened:
			return nil, fmt.Errorf("listen %s: address already in use", addr)
		default:
			close(p.opened)
			return p, nil
		}
	}
	return nil, fmt.Errorf("listen %s: not one of the instance's ports", addr)
}

func (i *memoryInstance) closePorts() {
	for _, p := range i.ports {
		p.reset()
	}
}

func (i *memoryInstance) Name() string { return i.name }

func (i *memoryInstance) Addr(port string) string {
	if p, ok := i.ports[port]; ok {
		return p.Addr().String()
	}
	return ""
}

func (i *memoryInstance) PeerAddr(port string) string { return i.Addr(port) }

func (i *memoryInstance) Signal(_ context.Context, s compose.Signal) error {
	switch s {
	case compose.Terminate:
		if err := i.alive("terminate"); err != nil {
			return err
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		if !i.terminated {
			i.terminated = true
			close(i.terminate)
		}
		return nil
	case compose.Kill:
		if err := i.alive("kill"); err != nil {
			return err
		}
		i.kill()
		return nil
	}
	return fmt.Errorf("signal %s: %v", i.name, s)
}

func (i *memoryInstance) alive(verb string) error {
	select {
	case <-i.gone:
		return fmt.Errorf("%s %s: it is gone since %s", verb, i.name, i.exit.At.Format("15:04:05.000"))
	default:
		return nil
	}
}

func (i *memoryInstance) kill() {
	i.mu.Lock()
	select {
	case <-i.gone: // it came first
	default:
		i.killed = true
	}
	i.mu.Unlock()
	i.closePorts()
	i.gate.set(false)
	i.cancel()
}

func (i *memoryInstance) Wait(ctx context.Context) (compose.Exit, error) {
	select { // what is gone is gone, whatever ctx says
	case <-i.gone:
		return i.exit, nil
	default:
	}
	select {
	case <-i.gone:
		return i.exit, nil
	case <-ctx.Done():
		return compose.Exit{}, fmt.Errorf("wait for the end of %s: %w", i.name, context.Cause(ctx))
	}
}

func (i *memoryInstance) Logs(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(i.log.reader()), nil
}

func (i *memoryInstance) Pause(context.Context) error {
	if err := i.alive("pause"); err != nil {
		return err
	}
	i.gate.set(true)
	return nil
}

func (i *memoryInstance) Resume(context.Context) error {
	if err := i.alive("resume"); err != nil {
		return err
	}
	i.gate.set(false)
	return nil
}

// gate is shut while an instance is frozen.
type gate struct {
	mu   sync.Mutex
	cond *sync.Cond
	shut bool
}

func newGate() *gate {
	g := &gate{}
	g.cond = sync.NewCond(&g.mu)
	return g
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	g.cond.Broadcast()
}

func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.shut {
		g.cond.Wait()
	}
}

// memoryPort is a listener that can take its connections down with it.
type memoryPort struct {
	net.Listener
	gate   *gate
	opened chan struct{} // closed when the program listens

	mu    sync.Mutex
	down  bool
	conns map[*memoryConn]bool
}

func (p *memoryPort) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	p.gate.pass()
	conn := &memoryConn{Conn: c, port: p}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	p.conns[conn] = true
	return conn, nil
}

// reset closes everything the way the kernel does for a killed process.
func (p *memoryPort) reset() {
	_ = p.Listener.Close() // the program may have closed it
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.conns {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it may be closed
		}
		_ = c.Conn.Close()
	}
	clear(p.conns)
}

type memoryConn struct {
	net.Conn
	port *memoryPort
}

func (c *memoryConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.port.gate.pass()
	return n, err
}

func (c *memoryConn) Write(b []byte) (int, error) {
	c.port.gate.pass()
	return c.Conn.Write(b)
}

func (c *memoryConn) Close() error {
	c.port.mu.Lock()
	delete(c.port.conns, c)
	c.port.mu.Unlock()
	return c.Conn.Close()
}
