package statsd

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// stage is how far the life of a listener or a client is.
type stage uint8

const (
	open    stage = iota
	closing       // nothing more comes; the interval that was open then is not over yet
	closed        // that interval is over; the marks that its series ended are due one later
	over          // all is said
)

// listener is a socket and where what comes in through it belongs.
type listener struct {
	collector *Collector
	instance  string
	labels    collector.Labels // of the instance, and of unknown origins
	origin    Origin
	tag       []byte // ByTag: whose value tells who sent a line
	network   socket.Network
	addr      string
	told      collector.Labels // of its own figures
	home      route            // of its own instance
	readers   chan *reader     // those that are not in use

	ending  sync.Once
	reading chan struct{} // closed when the reader has ended; nil before start
	readErr error         // why the reader ended early; valid after reading is closed

	mu         sync.RWMutex
	ended      bool // no reader may start any more
	broken     bool // the reader ended by itself
	socket     *socket.Socket
	figures    socket.Figures // the last ones, when socket is nil
	sources    map[netip.Addr]route
	containers map[string]route

	// What follows is guarded by Collector.mu.
	stage stage
	begun bool   // its own series
	past  Counts // of clients that are over
}

// maxReaders is how many readers are kept for the next batch.
const maxReaders = 16

func newListener(c *Collector, l Listener, in *socket.Socket) *listener {
	out := &listener{collector: c, instance: l.Instance, labels: l.Labels, origin: l.Origin, tag: []byte(l.Tag), network: in.Addr().Network, addr: in.Addr().String(), socket: in,
		told:    ownLabels("instance", l.Instance, "listener", in.Addr().String()),
		readers: make(chan *reader, maxReaders), sources: map[netip.Addr]route{}, containers: map[string]route{}, past: newCounts()}
	return out
}

// start begins to read. It is called once, by the Collector.
func (l *listener) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.reading = make(chan struct{})
	in := l.socket
	go func() {
		defer close(l.reading)
		if l.readErr = in.Read(l.receive); l.readErr != nil {
			l.mu.Lock()
			l.broken = true
			l.mu.Unlock()
		}
	}()
}

// close stops the reader, reads what is left in the kernel and closes the
// socket. It returns an error when ctx ended before nothing was left.
func (l *listener) close(ctx context.Context) error {
	var err error
	l.ending.Do(func() {
		l.mu.Lock()
		l.ended = true
		reading, in := l.reading, l.socket
		l.mu.Unlock()
		if reading != nil {
			in.Stop()
			<-reading
			err = l.readErr
		}
		err = errors.Join(err, in.Drain(ctx, l.receive), in.Close())
		l.mu.Lock()
		// Its memory is not needed any more.
		l.figures, l.socket = in.Figures(), nil
		l.mu.Unlock()
	})
	return err
}

// abandon closes a socket that was never read.
func (l *listener) abandon() error {
	var err error
	l.ending.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = true
		err = l.socket.Close()
		l.figures, l.socket = l.socket.Figures(), nil
	})
	return err
}

// settle returns when what is in the kernel now has been taken in.
func (l *listener) settle(ctx context.Context) error {
	l.mu.RLock()
	in := l.socket
	l.mu.RUnlock()
	if in == nil {
		return nil
	}
	return in.Settle(ctx)
}

// remember keeps a route.
func (l *listener) remember(key origin, found route) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if key.container != "" {
		l.containers[key.container] = found
	} else {
		l.sources[key.addr] = found
	}
}

// reroute forgets a route.
func (l *listener) reroute(key origin) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.containers, key.container)
	delete(l.sources, key.addr)
}

// kernel is what is known of the socket, and whether it is closed.
func (l *listener) kernel() (f socket.Figures, closed bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.socket == nil {
		return l.figures, true
	}
	return l.socket.Figures(), false
}

// failed tells that the socket can not be read any more, though it should.
func (l *listener) failed() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.broken
}

// own appends the listener's figures, and its socket's. Collector.mu is held.
func (l *listener) own(m *meter) {
	figures, ended := l.kernel()
	if l.stage == open && ended {
		l.stage = closing
	}
	m.labels = l.told
	m.stale = l.stage == closed
	first := !l.begun
	l.begun = true
	if figures.DropsKnown {
		m.counter("kernel_drops_total", figures.Drops, first)
	}
	up := 1.0
	if l.failed() {
		up = 0
	}
	m.gauge("listener_up", up)
	m.gauge("receive_buffer_bytes", float64(figures.ReceiveBuffer))
	m.counter("connections_total", figures.Connections, first)
	m.gauge("connections", float64(figures.Open))
	m.counter("connections_refused_total", figures.Refused, first)
	switch l.stage {
	case closing:
		l.stage = closed
	case closed:
		l.stage = over
	}
	m.labels, m.stale = nil, false
}
