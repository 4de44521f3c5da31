package kubernetes

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"throughline/compose/kubernetes/inside"
)

// gate is where the pods of a run come to ask what they are to execute.
type gate struct {
	listener net.Listener
	closed   chan struct{} // when nobody is let in any more

	mu       sync.Mutex
	expected map[string]*expected // by instance
}

// expected is a pod that is to come.
type expected struct {
	token string
	came  chan visitor // has room for one
}

// visitor is a pod that has said hello.
type visitor struct {
	*net.TCPConn
	hear  *json.Decoder
	hello inside.Hello
	from  netip.Addr
	at    time.Time // when it was heard
}

const helloLimit = 10 * time.Second // for whoever connects to say who it is

// openGate listens at an address of this machine.
func openGate(home netip.Addr) (*gate, error) {
	config := net.ListenConfig{KeepAliveConfig: inside.Alive}
	l, err := config.Listen(context.Background(), "tcp", netip.AddrPortFrom(home, 0).String())
	if err != nil {
		return nil, fmt.Errorf("listen for pods: %w; give an address of this machine with --harness-address", err)
	}
	g := &gate{listener: l, closed: make(chan struct{}), expected: map[string]*expected{}}
	go func() {
		defer close(g.closed)
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go g.let(conn.(*net.TCPConn))
			}
		}
	}()
	return g, nil
}

// addr is where it is, host:port.
func (g *gate) addr() string { return g.listener.Addr().String() }

// close lets nobody in any more. A second call does nothing.
func (g *gate) close() error {
	err := g.listener.Close()
	<-g.closed
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// expect lets the pod of an instance in, until forget.
func (g *gate) expect(instance string) (*expected, func()) {
	e := &expected{token: rand.Text(), came: make(chan visitor, 1)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.expected[instance] = e
	return e, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.expected[instance] == e {
			delete(g.expected, instance)
		}
		select {
		case v := <-e.came: // too late
			v.Close()
		default:
		}
	}
}

// let lets somebody in who is expected, once.
func (g *gate) let(conn *net.TCPConn) {
	v := visitor{TCPConn: conn, hear: json.NewDecoder(conn)}
	_ = conn.SetReadDeadline(time.Now().Add(helloLimit)) // an error of the connection shows when it is read
	if err := v.hear.Decode(&v.hello); err != nil || conn.SetReadDeadline(time.Time{}) != nil {
		conn.Close()
		return
	}
	v.at = time.Now()
	v.from = conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.expected[v.hello.Instance]
	if e == nil || subtle.ConstantTimeCompare([]byte(e.token), []byte(v.hello.Token)) != 1 {
		conn.Close()
		return
	}
	delete(g.expected, v.hello.Instance)
	e.came <- v
}

// clockLimit is by how much the clock of a node may be off: the load balancer's log is of its node's clock.
const clockLimit = time.Second

// sees tells why a pod that came is of no use: where it is not seen under its own address, or lives in another time.
func (v visitor) sees() error {
	own, err := netip.ParseAddr(v.hello.Address)
	if err != nil || own.Unmap() != v.from {
		return fmt.Errorf("the pod has the address %s, and is seen here as %s: what pods send is told apart by their addresses, which the cluster's network hides; "+
			"run this program in the cluster, or have the network leave addresses as they are (no masquerading)", v.hello.Address, v.from)
	}
	if off := v.hello.Clock.Sub(v.at); off.Abs() > clockLimit {
		return fmt.Errorf("the clock of its node is off by %v, as seen from here: times would be wrong; set both clocks right", off.Round(time.Millisecond))
	}
	return nil
}

// link is the conversation with the first process of a pod, once it has begun.
type link struct {
	conn visitor
	over chan struct{} // closed when it is, with end and at

	mu     sync.Mutex // held for one order and its answer
	say    *json.Encoder
	orders int
	said   chan inside.Report

	end *inside.Ended // nil: it broke off
	at  time.Time
}

// begin has a pod execute a program. It returns when that runs.
func begin(ctx context.Context, v visitor, what inside.Program) (*link, error) {
	l := &link{conn: v, over: make(chan struct{}), say: json.NewEncoder(v), said: make(chan inside.Report, 1)}
	go l.listen()
	return l, l.ask(ctx, inside.Order{Execute: &what})
}

// listen reads reports until the end.
func (l *link) listen() {
	defer close(l.over)
	defer l.conn.Close()
	for {
		var r inside.Report
		err := l.conn.hear.Decode(&r)
		l.at = time.Now()
		if err != nil {
			return
		}
		if r.Ended != nil {
			l.end = r.Ended
			return
		}
		select {
		case <-l.said: // nobody waited for it
		default:
		}
		l.said <- r
	}
}

// errOver is of an order that comes too late.
var errOver = errors.New("it has just ended")

// ask gives an order and waits for what came of it.
func (l *link) ask(ctx context.Context, o inside.Order) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.orders++
	o.ID = l.orders
	if err := l.say.Encode(o); err != nil {
		return fmt.Errorf("tell the pod: %w", err)
	}
	for {
		select {
		case r := <-l.said:
			switch {
			case r.ID != o.ID: // of one that nobody waited for any more
			case r.Error != "":
				return errors.New(r.Error)
			default:
				return nil
			}
		case <-l.over:
			return l.lastWord(o)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lastWord is the answer to an order that came just before the end.
func (l *link) lastWord(o inside.Order) error {
	select {
	case r := <-l.said:
		if r.ID == o.ID && r.Error == "" {
			return nil
		}
		if r.ID == o.ID {
			return errors.New(r.Error)
		}
	default:
	}
	return errOver
}
