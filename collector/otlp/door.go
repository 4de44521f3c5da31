package otlp

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
)

// door is an open Listener: a TCP address, and who answers there.
type door struct {
	Listener
	addr string
	in   net.Listener
	http *http.Server // one of the two
	grpc *grpc.Server

	ending   sync.Once
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	serving  chan struct{} // closed when it serves no more; nil before serve
	shutting bool
	err      error // why it serves no more, if nobody wanted that

}

const (
	maxConns      = 1024
	maxHeader     = 16 << 10
	slowestClient = 10 * time.Second // for one request to come in
	longestIdle   = 5 * time.Minute  // SDKs keep a connection between exports, of which some are a minute apart
)

func (c *Collector) newDoor(l Listener, in net.Listener) *door {
	d := &door{Listener: l, addr: in.Addr().String(), conns: map[net.Conn]struct{}{}}
	d.in = counted{netutil.LimitListener(in, maxConns), d}
	if l.Protocol == GRPC {
		d.grpc = c.grpcServer(d)
		return d
	}
	d.http = &http.Server{Handler: c.httpHandler(d), ReadHeaderTimeout: slowestClient, ReadTimeout: slowestClient, WriteTimeout: slowestClient,
		IdleTimeout: longestIdle, MaxHeaderBytes: maxHeader}
	return d
}

// serve begins to answer. It is called once, by the Collector, which holds its lock.
func (d *door) serve() {
	d.serving = make(chan struct{})
	go func() {
		defer close(d.serving)
		var err error
		if d.grpc != nil {
			err = d.grpc.Serve(d.in)
		} else {
			err = d.http.Serve(d.in)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.shutting {
			d.err = err
		}
	}()
}

// failure is why it stopped to answer by itself.
func (d *door) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// settle returns when all connections that were made before it was called are accepted: they are in the order in which
// they were made, and so is one more.
func (d *door) settle(ctx context.Context) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", reachable(d.in.Addr()))
	if err != nil {
		return // nothing can be waiting where nobody can be connected
	}
	defer conn.Close()
	me := conn.LocalAddr().String()
	for !d.any(func(c net.Conn) bool { return c.RemoteAddr().String() == me }) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// reachable is where the address of a listener is reached from this machine.
func reachable(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	home := net.IPv4(127, 0, 0, 1)
	if tcp.IP.To4() == nil {
		home = net.IPv6loopback
	}
	return (&net.TCPAddr{IP: home, Port: tcp.Port}).String()
}

// drain returns when everything that came from an address which is gone ("": from anywhere) is read: its connections are
// closed then by themselves, for there is nothing left in them. Somebody else may hold one still, such as a child: that is waited
// for until ctx ends.
func (d *door) drain(ctx context.Context, from string) {
	d.settle(ctx)
	for d.any(func(c net.Conn) bool { return from == "" || sourceOf(c.RemoteAddr()) == from }) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
}

// sourceOf is the IP address of one with a port.
func sourceOf(addr net.Addr) string {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return ""
	}
	return at.Addr().Unmap().WithZone("").String()
}

// any tells whether there is such a connection.
func (d *door) any(is func(net.Conn) bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		if is(c) {
			return true
		}
	}
	return false
}

// shut answers what was asked until now, and stops.
func (d *door) shut(ctx context.Context) {
	d.ending.Do(func() {
		if d.serving == nil {
			d.in.Close()
			return
		}
		d.settle(ctx)
		d.mu.Lock()
		d.shutting = true
		d.mu.Unlock()
		if d.grpc != nil {
			forced := context.AfterFunc(ctx, d.grpc.Stop)
			d.grpc.GracefulStop()
			forced()
		} else if d.http.Shutdown(ctx) != nil {
			d.http.Close()
		}
		<-d.serving
	})
}

// abandon closes what never served.
func (d *door) abandon() error {
	var err error
	d.ending.Do(func() { err = d.in.Close() })
	return err
}

// counted tells a door of its connections.
type counted struct {
	net.Listener
	door *door
}

// Accept implements net.Listener.
func (l counted) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &countedConn{Conn: conn, door: l.door}
	l.door.mu.Lock()
	l.door.conns[c] = struct{}{}
	l.door.mu.Unlock()
	return c, nil
}

type countedConn struct {
	net.Conn
	door   *door
	closed sync.Once
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.closed.Do(func() {
		c.door.mu.Lock()
		delete(c.door.conns, c)
		c.door.mu.Unlock()
	})
	return c.Conn.Close()
}
