package docstore

import (
	"context"
	"errors"
	"net"
	"sync"
)

// cuts is the network between the members of a test: who cannot reach whom.
type cuts struct {
	mu    sync.Mutex
	alone map[string]bool // cut off from all others
	conns map[*cutConn]bool
}

func newCuts() *cuts { return &cuts{alone: map[string]bool{}, conns: map[*cutConn]bool{}} }

// isolate cuts a member off from its peers, or joins it again.
func (c *cuts) isolate(addr string, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone[addr] = cut
	for conn := range c.conns {
		if conn.from == addr || conn.to == addr {
			_ = conn.Conn.Close() // it is cut
		}
	}
}

// cutter dials for one member.
type cutter struct {
	cuts *cuts
	mu   sync.Mutex
	me   string
}

func (c *cutter) set(me string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.me = me
}

func (c *cutter) dial(ctx context.Context, to string) (net.Conn, error) {
	c.mu.Lock()
	me := c.me
	c.mu.Unlock()
	c.cuts.mu.Lock()
	defer c.cuts.mu.Unlock()
	if c.cuts.alone[me] || c.cuts.alone[to] {
		return nil, errors.New("cut off")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	one := &cutConn{Conn: conn, cuts: c.cuts, from: me, to: to}
	c.cuts.conns[one] = true
	return one, nil
}

// cutConn is a connection between two members.
type cutConn struct {
	net.Conn
	cuts     *cuts
	from, to string
}

func (c *cutConn) Close() error {
	c.cuts.mu.Lock()
	defer c.cuts.mu.Unlock()
	delete(c.cuts.conns, c)
	return c.Conn.Close()
}
