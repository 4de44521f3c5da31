package server

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	// mostReaders is how many connections the HTTP API has at a time, as in
	// Prometheus.
	mostReaders = 512
	// mostOfOne is how many of them one client address has.
	mostOfOne = 128
	// slowToBegin is how long a new connection may be silent and keep its place
	// before another.
	slowToBegin = time.Second
)

// door lets in as many connections as there is room for, in all and from one
// address. Where there is none, the connection that has been idle the longest
// makes room; a new one is refused only where all are at work.
type door struct {
	net.Listener
	most, ofOne int
	now         func() time.Time

	mu     sync.Mutex
	guests map[*guest]bool
	from   map[netip.Addr]int
}

func newDoor(l net.Listener) *door {
	return &door{Listener: l, most: mostReaders, ofOne: mostOfOne, now: time.Now, guests: map[*guest]bool{}, from: map[netip.Addr]int{}}
}

// guest is a connection that was let in.
type guest struct {
	net.Conn
	door  *door
	addr  netip.Addr
	state http.ConnState // guarded by door.mu, as is since
	since time.Time
	leave sync.Once
	err   error
}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := d.admit(conn); g != nil {
			return g, nil
		}
		refuse(conn)
	}
}

// admit makes a guest of a connection; nil if there is no room.
func (d *door) admit(conn net.Conn) *guest {
	g := &guest{Conn: conn, door: d, addr: clientOf(conn), since: d.now()}
	d.mu.Lock()
	var goes *guest
	room := true
	switch {
	case d.from[g.addr] >= d.ofOne:
		goes = d.idlest(func(o *guest) bool { return o.addr == g.addr })
		room = goes != nil
	case len(d.guests) >= d.most:
		goes = d.idlest(func(*guest) bool { return true })
		room = goes != nil
	}
	if goes != nil {
		d.forget(goes)
	}
	if room {
		d.guests[g] = true
		d.from[g.addr]++
	}
	d.mu.Unlock()
	if goes != nil {
		_ = goes.Close() // nobody waits for it
	}
	if !room {
		return nil
	}
	return g
}

// idlest is the guest of those asked for that has had nothing to do for the
// longest time; nil if all have. d.mu is held.
func (d *door) idlest(of func(*guest) bool) (found *guest) {
	for g := range d.guests {
		idle := g.state == http.StateIdle || g.state == http.StateNew && d.now().Sub(g.since) >= slowToBegin
		if idle && of(g) && (found == nil || g.since.Before(found.since)) {
			found = g
		}
	}
	return found
}

// forget gives the place of a guest back. d.mu is held.
func (d *door) forget(g *guest) {
	if !d.guests[g] {
		return
	}
	delete(d.guests, g)
	if d.from[g.addr]--; d.from[g.addr] == 0 {
		delete(d.from, g.addr)
	}
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.leave.Do(func() {
		g.door.mu.Lock()
		g.door.forget(g)
		g.door.mu.Unlock()
		g.err = g.Conn.Close()
	})
	return g.err
}

// state notes what a connection does; it is a http.Server's ConnState.
func (d *door) state(conn net.Conn, state http.ConnState) {
	if g, ok := conn.(*guest); ok {
		d.mu.Lock()
		g.state, g.since = state, d.now()
		d.mu.Unlock()
	}
}

func clientOf(conn net.Conn) netip.Addr {
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return addr.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// refuse tells a client that there is no room for it.
func refuse(conn net.Conn) {
	const text = "too many connections at work: ask again later, over fewer connections\n"
	_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // an empty buffer takes it at once
	_, _ = conn.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" +
		"Retry-After: 1\r\nConnection: close\r\n\r\n" + text))
	_ = conn.Close()
}
