package fault

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Peers are the ways from each member of a replica set to each other one. A member reaches the others through a proxy of
// its own, by HTTP's CONNECT, so that it is known who speaks with whom: the port on which a member listens is the same for
// its peers and for clients, and a link before it could not cut the ones and spare the others.
type Peers struct {
	host string

	mu      sync.Mutex
	proxies []net.Listener
	names   map[string]string   // of the members, by the address under which others reach them
	links   map[[2]string]*link // from a member to a member
	alone   map[string]bool     // who is cut off
	closed  bool
	work    sync.WaitGroup
}

// connectTime is how long a member may take to say with whom it wants to speak.
const connectTime = 5 * time.Second

// NewPeers makes no way yet. The proxies will listen on host.
func NewPeers(host string) *Peers {
	return &Peers{host: host, names: map[string]string{}, links: map[[2]string]*link{}, alone: map[string]bool{}}
}

// Open makes the proxy of a member and gives its address.
func (ps *Peers) Open(name string) (string, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(ps.host, "0"))
	if err != nil {
		return "", fmt.Errorf("proxy of %s: %w", name, err)
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.proxies = append(ps.proxies, ln)
	ps.work.Go(func() { ps.accept(name, ln) })
	return ln.Addr().String(), nil
}

// Known tells under which address, host:port, a member is reached by the others.
func (ps *Peers) Known(name, addr string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.names[addr] = name
}

func (ps *Peers) accept(from string, ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return // it is closed
		}
		ps.work.Go(func() { ps.serve(from, conn.(*net.TCPConn)) })
	}
}

// serve carries one connection, or says why not. Over a way that is cut nobody is connected, and nobody hears why.
func (ps *Peers) serve(from string, conn *net.TCPConn) {
	to, err := asked(conn)
	if err != nil {
		_ = conn.Close()
		return
	}
	l, err := ps.way(from, to)
	if err == nil && !l.awaitHearing() {
		err = net.ErrClosed
	}
	var target net.Conn
	if err == nil {
		target, err = l.dial()
	}
	if err != nil {
		fmt.Fprintf(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nX-Error: %q\r\n\r\n", err)
		_ = conn.Close()
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_, _ = conn.Close(), target.Close() // whoever asked has gone
		return
	}
	l.carry(conn, target)
}

// asked reads with whom somebody wants to speak.
func asked(conn net.Conn) (addr string, err error) {
	if err := conn.SetReadDeadline(time.Now().Add(connectTime)); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	request, err := http.ReadRequest(r)
	switch {
	case err != nil:
		return "", err
	case request.Method != http.MethodConnect || r.Buffered() > 0:
		return "", fmt.Errorf("%s: want CONNECT, and silence until it is answered", request.Method)
	}
	return request.Host, conn.SetReadDeadline(time.Time{})
}

// way is the link from a member to the one at an address.
func (ps *Peers) way(from, addr string) (*link, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	to, known := ps.names[addr]
	switch {
	case ps.closed:
		return nil, net.ErrClosed
	case !known:
		return nil, fmt.Errorf("%s: no member of the set", addr)
	}
	pair := [2]string{from, to}
	if ps.links[pair] == nil {
		l := newLink(from+" to "+to, addr)
		l.now.cut = ps.alone[from] || ps.alone[to]
		ps.links[pair] = l
	}
	return ps.links[pair], nil
}

// isolate cuts a member off from the others, or joins it again, and gives how many pieces did not come through since it
// was last asked.
func (ps *Peers) isolate(name string, cut bool) (struck int64, err error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.alone[name] = cut
	for pair, l := range ps.links {
		if pair[0] == name || pair[1] == name {
			err = errors.Join(err, l.set(func(w *weather) { w.cut = ps.alone[pair[0]] || ps.alone[pair[1]] }))
			struck += l.struck(stopped)
		}
	}
	return struck, err
}

// Close ends all proxies and what goes through them.
func (ps *Peers) Close() error {
	ps.mu.Lock()
	ps.closed = true
	var errs []error
	for _, ln := range ps.proxies {
		errs = append(errs, ln.Close())
	}
	for _, l := range ps.links {
		errs = append(errs, l.close())
	}
	ps.mu.Unlock()
	ps.work.Wait()
	return errors.Join(errs...)
}

// Isolate cuts a member off from the others, in both directions. Nothing is reset: what they say to each other meanwhile
// arrives when it is healed, as with a network that comes back.
type Isolate struct {
	Peers *Peers
	Name  string
}

// Possible is nil: the ways are on every platform.
func (Isolate) Possible() error { return nil }

// Inject returns when nothing passes any more.
func (f Isolate) Inject(context.Context) (Heal, error) {
	if _, err := f.Peers.isolate(f.Name, true); err != nil {
		return nil, fmt.Errorf("isolate %s: %w", f.Name, err)
	}
	return func(context.Context) (Touched, error) {
		struck, err := f.Peers.isolate(f.Name, false)
		return Touched{f.Name: struck}, err
	}, nil
}
