package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

// link carries the TCP connections of one hop to one target: what a user's machine and the load balancer's, say, have
// between them. It passes bytes, the end of each direction by itself, and resets. Whoever connects while nobody listens at
// the target is reset at once; where the target is an instance, which never comes back, the link's port then refuses, as
// the instance's does.
//
// A kernel answers whoever connects to a port that is listened on before any program hears of it, so that one connection
// of those to a dead target is accepted and then reset.
type link struct {
	name   string // of whose traffic it is: an instance
	target string // host:port
	mortal bool   // a target that refuses once is gone for good
	port   *port  // nil: whoever connects is handed over by somebody else
	dials  context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	now     weather
	changed chan struct{} // closed when now changes
	carried map[*carried]bool
	closed  bool
	free    [2]time.Time // by direction: when what was let through has passed a narrow link
	touched [faultsOfHops]int64
}

// weather is what a link does to what it carries. The zero value does nothing.
type weather struct {
	latency   time.Duration // what comes waits for so long, in each direction
	bandwidth int64         // bytes that pass in a second, in each direction, of all connections together; 0: any
	cut       bool          // nothing passes, and whoever connects gets no answer
}

// What is counted of the faults of a hop: how often each struck.
const (
	slowed     = iota // pieces that were held back
	throttled         // pieces that waited for their turn
	stopped           // pieces that came while the link was cut
	resetConns        // connections that were reset
	faultsOfHops
)

// openLink listens on any free port of host.
func openLink(name, host, target string, mortal bool, now weather) (*link, error) {
	p, err := openPort(host)
	if err != nil {
		return nil, fmt.Errorf("link of %s: %w", name, err)
	}
	l := newLink(name, target)
	l.mortal, l.port = mortal, p
	if err := l.set(func(w *weather) { *w = now }); err != nil {
		return nil, errors.Join(err, l.close())
	}
	l.work.Go(l.accept)
	return l, nil
}

// newLink listens nowhere.
func newLink(name, target string) *link {
	l := &link{name: name, target: target, changed: make(chan struct{}), carried: map[*carried]bool{}}
	l.dials, l.cancel = context.WithCancel(context.Background())
	return l
}

// set changes the weather.
func (l *link) set(change func(*weather)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.now
	change(&l.now)
	close(l.changed)
	l.changed = make(chan struct{})
	if l.now.bandwidth != before.bandwidth {
		l.free = [2]time.Time{}
	}
	switch {
	case l.now.cut == before.cut || l.port == nil:
		return nil
	case l.now.cut:
		return l.port.deafen()
	}
	return l.port.hear()
}

// conditions are the weather, and what is closed when it changes.
func (l *link) conditions() (weather, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now, l.changed
}

func (l *link) accept() {
	for {
		conn, err := l.port.accept()
		switch {
		case errors.Is(err, errDeaf):
			if !l.awaitHearing() {
				return
			}
		case err != nil:
			return // it refuses, or is closed
		default:
			l.work.Go(func() { l.connect(conn) })
		}
	}
}

// awaitHearing returns when the link is no longer cut; false: it is closed.
func (l *link) awaitHearing() bool {
	for {
		now, changed := l.conditions()
		if !now.cut {
			return l.dials.Err() == nil
		}
		select {
		case <-changed:
		case <-l.dials.Done():
			return false
		}
	}
}

// connect connects whoever has come with the target, and carries what they say until both have said all.
func (l *link) connect(from *net.TCPConn) {
	conn, err := l.dial()
	if err != nil {
		if l.mortal && errors.Is(err, syscall.ECONNREFUSED) {
			l.refuse() // first: who is reset may come again at once
		}
		reset(from)
		return
	}
	l.carry(from, conn)
}

// dial connects with the target.
func (l *link) dial() (net.Conn, error) { return new(net.Dialer).DialContext(l.dials, "tcp", l.target) }

// carry carries what two ends say until both have said all.
func (l *link) carry(from *net.TCPConn, conn net.Conn) {
	c := &carried{link: l, ends: [2]*net.TCPConn{from, conn.(*net.TCPConn)}, over: make(chan struct{})}
	l.mu.Lock()
	closed := l.closed
	l.carried[c] = true
	l.mu.Unlock()
	if closed {
		c.abort()
	}
	c.run()
	l.mu.Lock()
	delete(l.carried, c)
	l.mu.Unlock()
}

// strike counts what a fault did.
func (l *link) strike(what int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.touched[what]++
}

// struck tells how often a fault struck, and forgets it.
func (l *link) struck(what int) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.touched[what]
	l.touched[what] = 0
	return n
}

// turn tells when so many bytes in a direction have passed a link of that bandwidth, behind all that came before.
func (l *link) turn(direction, size int, bandwidth int64) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	begin := l.free[direction]
	if now := time.Now(); now.After(begin) {
		begin = now
	}
	l.free[direction] = begin.Add(time.Duration(float64(size) / float64(bandwidth) * float64(time.Second)))
	return l.free[direction]
}

// resetAll resets every connection that there is, and counts them.
func (l *link) resetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.carried {
		c.abort()
		l.touched[resetConns]++
	}
}

// refuse lets the port refuse whoever comes from now on, and gives up whom it is just connecting. Connections go on.
func (l *link) refuse() {
	l.cancel()
	if l.port != nil {
		l.port.refuse()
	}
}

// close ends the link and all its connections, and returns when nothing of it is left.
func (l *link) close() error {
	l.refuse()
	l.mu.Lock()
	l.closed = true
	for c := range l.carried {
		c.abort()
	}
	l.mu.Unlock()
	l.work.Wait()
	if l.port == nil {
		return nil
	}
	return l.port.close()
}

// reset closes a connection so that the other side is told it was reset.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0) // an error says that it is closed
	_ = conn.Close()
}
