package forward

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// RelayConfig is what a Relay is made of.
type RelayConfig struct {
	// To is where the other StatsD listens, written as Datadog's clients do:
	//
	//	udp://host:port or host:port
	//	unixgram:///path    a socket of datagrams
	//	unixstream:///path  a stream, each datagram after its length in 4 bytes, the lowest first
	//	unix:///path        either, whichever is there
	//
	// Source: https://docs.datadoghq.com/developers/dogstatsd/unix_socket/
	To string
	// Rate is how many datagrams a second go over UDP, at most; 0 = 100,000.
	// UDP has no way to say "slower": a peer to which a long queue is given
	// all at once would lose most of it unseen. What is too much for the
	// rate waits, and at last is dropped and counted.
	Rate int
	// Lookup is how often the name of a host is looked up again; 0 = 30 s. A
	// peer that moved does not always leave somebody behind to say so.
	Lookup time.Duration
	Limits Limits
}

// Relay gives datagrams to another StatsD, byte for byte and in order.
//
// A socket path that is not there yet is waited for. A host is looked up again
// after a failure, and now and then.
//
// UDP can not tell what arrived. A peer on this machine that does not listen is
// noticed for each datagram, which is then kept and sent again; one further away
// is noticed a round trip later if it says so at all, and until then datagrams
// are lost that are counted as sent.
type Relay struct {
	outbox
	writer relayWriter
}

// The bounds of one take of datagrams.
const (
	relayItems = 256
	relayBytes = 1 << 18
)

// NewRelay checks the address. A host that can not be looked up is an error.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if cfg.Rate < 0 || cfg.Lookup < 0 {
		return nil, errors.New("relay: rate or lookup is negative; give a positive one, or 0 for the default")
	}
	or(&cfg.Rate, 100_000)
	or(&cfg.Lookup, 30*time.Second)
	peer, err := parseRelay(cfg.To)
	if err != nil {
		return nil, fmt.Errorf("relay to %q: %w", cfg.To, err)
	}
	r := &Relay{outbox: outbox{queue: newQueue(limits), to: peer.String(), kind: "relay", limits: limits,
		batch: batch{maxItems: relayItems, maxBytes: relayBytes}}}
	r.writer = relayWriter{peer: peer, dialer: net.Dialer{Timeout: limits.Timeout}, lookup: cfg.Lookup, watcher: r,
		pace: rate.NewLimiter(rate.Limit(cfg.Rate), relayItems)}
	return r, nil
}

// Send copies a datagram. It does not wait, and several goroutines may call it
// at once.
func (r *Relay) Send(datagram []byte) { r.put(datagram) }

// Run implements Forwarder.
func (r *Relay) Run(ctx context.Context) error { return r.run(ctx, &r.writer) }

// relayPeer is an address as net.Dial takes it. The network is udp, unixgram,
// unix, or eitherUnix.
type relayPeer struct{ network, address string }

// eitherUnix is unixgram or unix, whichever the socket is.
const eitherUnix = "unix?"

func (p relayPeer) String() string {
	switch p.network {
	case "unix":
		return "unixstream://" + p.address
	case eitherUnix:
		return "unix://" + p.address
	}
	return p.network + "://" + p.address
}

// longestPath is what fits into the kernel's sockaddr_un with its last zero.
const longestPath = 107

func parseRelay(to string) (relayPeer, error) {
	scheme, rest, found := strings.Cut(to, "://")
	if !found {
		scheme, rest = "udp", to
	}
	network, known := map[string]string{"udp": "udp", "unixgram": "unixgram", "unixstream": "unix", "unix": eitherUnix}[scheme]
	switch {
	case !known:
		return relayPeer{}, fmt.Errorf("%q is no way to a StatsD; use udp://host:port, unixgram:///path, unixstream:///path or unix:///path", scheme)
	case network == "udp":
		return relayPeer{network, rest}, checkAddress("udp", rest)
	case !strings.HasPrefix(rest, "/") || strings.ContainsRune(rest, 0):
		return relayPeer{}, fmt.Errorf("the path of a socket is absolute: %s:///path", scheme)
	case len(rest) > longestPath:
		return relayPeer{}, fmt.Errorf("the path of a socket has at most %d bytes, this one has %d", longestPath, len(rest))
	}
	return relayPeer{network, rest}, nil
}

// relayWriter is the connection of a Relay.
type relayWriter struct {
	peer    relayPeer
	dialer  net.Dialer
	lookup  time.Duration
	pace    *rate.Limiter // of UDP
	watcher watcher
	conn    net.Conn  // nil: none. A *link for a stream
	since   time.Time // the connection was made
	frames  []byte
}

func (w *relayWriter) write(ctx context.Context, b *batch) result {
	if err := w.connect(ctx); err != nil {
		return result{err: err}
	}
	if w.peer.network == "udp" {
		if err := w.pace.WaitN(ctx, b.left()); err != nil {
			return result{err: err}
		}
	}
	done := limit(ctx, w.conn, w.dialer.Timeout)
	defer done()
	var r result
	if _, stream := w.conn.(*link); stream {
		r = w.stream(b)
	} else {
		r = w.datagrams(b)
	}
	if r.err != nil {
		_ = w.close() // what was wrong is told already
	}
	return r
}

func (w *relayWriter) connect(ctx context.Context) error {
	if l, stream := w.conn.(*link); stream && l.broken() {
		_ = w.close()
	}
	if w.conn != nil && (w.peer.network != "udp" || time.Since(w.since) < w.lookup) {
		return nil
	}
	conn, err := w.dial(ctx)
	w.since = time.Now()
	switch {
	case err != nil && w.conn == nil:
		return err
	case err != nil: // a name server that is away takes nothing from the peer
		return nil
	}
	_ = w.close()
	w.conn = conn
	return nil
}

func (w *relayWriter) dial(ctx context.Context) (net.Conn, error) {
	network := w.peer.network
	if network == eitherUnix {
		network = "unixgram"
	}
	conn, err := w.dialer.DialContext(ctx, network, w.peer.address)
	if errors.Is(err, syscall.EPROTOTYPE) && w.peer.network == eitherUnix {
		network = "unix"
		conn, err = w.dialer.DialContext(ctx, network, w.peer.address)
	}
	if err == nil && network == "unix" {
		conn = newLink(conn, w.watcher)
	}
	return conn, err
}

func (w *relayWriter) close() error {
	if w.conn == nil {
		return nil
	}
	err := w.conn.Close()
	w.conn = nil
	return err
}

// datagrams sends each item as a datagram.
func (w *relayWriter) datagrams(b *batch) result {
	var r result
	last := 0 // bytes of the last one, if it was sent
	for i := range b.left() {
		p := b.span(i, 1)
		_, err := w.conn.Write(p)
		switch {
		case err == nil:
			r.sent++
			r.bytes += len(p)
			last = len(p)
		case errors.Is(err, syscall.EMSGSIZE):
			r.refused++
			r.refusal = fmt.Errorf("a datagram of %d bytes is too long for the peer's socket: %w", len(p), err)
			last = -1
		default:
			r.err = err
			return w.unsend(r, i > 0, last)
		}
	}
	if r.err = pendingError(w.conn); r.err != nil {
		r = w.unsend(r, true, last)
	}
	return r
}

// unsend takes the last datagram back: over UDP, "connection refused" is the
// peer's answer to a datagram before, mostly the last.
func (w *relayWriter) unsend(r result, some bool, last int) result {
	if some && last >= 0 && w.peer.network == "udp" && errors.Is(r.err, syscall.ECONNREFUSED) {
		r.sent--
		r.bytes -= last
	}
	return r
}

// pendingError is what the kernel has to say of the datagrams before.
func pendingError(conn net.Conn) error {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return nil
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		return err
	}
	var code int
	var asked error
	err = raw.Control(func(fd uintptr) { code, asked = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR) })
	if err == nil && asked == nil && code != 0 {
		return fmt.Errorf("write to %s: %w", udp.RemoteAddr(), syscall.Errno(code))
	}
	return errors.Join(err, asked)
}

// stream sends each item after its length.
func (w *relayWriter) stream(b *batch) result {
	w.frames = w.frames[:0]
	for i := range b.left() {
		p := b.span(i, 1)
		w.frames = binary.LittleEndian.AppendUint32(w.frames, uint32(len(p)))
		w.frames = append(w.frames, p...)
	}
	n, err := w.conn.Write(w.frames)
	r := result{err: err}
	for i := range b.left() {
		size := len(b.span(i, 1))
		if n -= frameHead + size; n < 0 {
			break
		}
		r.sent++
		r.bytes += size
	}
	return r
}

// frameHead is the size of a length.
const frameHead = 4
