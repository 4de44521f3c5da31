package socket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// streams takes connections in and reads each in a goroutine of its own.
type streams struct {
	address   Address
	options   Options
	listener  *os.File
	raw       syscall.RawConn // of listener
	accepting latch           // held while connections are taken in
	buffers   *sync.Pool
	running   sync.WaitGroup // those who use handle; it grows only while handle is set
	stopped   atomic.Bool

	mu          sync.Mutex
	handle      Handler // of the running Read; nil without one
	connections map[*connection]struct{}
	accepted    uint64
	refused     uint64
}

func openStreams(a Address, o Options) (*streams, error) {
	l, err := listen(&a)
	if err != nil {
		return nil, err
	}
	// As a file it can be accepted from by whoever is to: of net's listeners
	// only the goroutine in Accept can.
	file, err := l.File()
	if err = errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails where it could not be stopped
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &streams{address: a, options: o, listener: file, raw: raw, accepting: newLatch(),
		buffers: newBuffers(o.MaxPayload), connections: map[*connection]struct{}{}}, nil
}

// listener is what net's listeners have in common.
type listener interface {
	net.Listener
	File() (*os.File, error)
}

// listen sets the port of a that was found.
func listen(a *Address) (listener, error) {
	if a.Network == Unixstream {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: a.Path})
		if err == nil {
			l.SetUnlinkOnClose(false) // the file outlives this listener
		}
		return l, err
	}
	at, err := net.ResolveTCPAddr("tcp", a.Host)
	if err != nil {
		return nil, err
	}
	l, err := net.ListenTCP("tcp", at)
	if err == nil {
		a.Host = l.Addr().String()
	}
	return l, err
}

func (t *streams) read(handle Handler) error {
	t.serve(handle)
	var failed error
	err := t.raw.Read(func(fd uintptr) bool {
		failed = t.follow(int(fd))
		return failed != nil || t.stopped.Load()
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		t.stop() // or the connections would go on without it
	}
	t.serve(nil)
	t.running.Wait()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// serve says who takes payloads in.
func (t *streams) serve(handle Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handle = handle
}

// retry is how long to wait before connections are taken in again where the
// system could not; mostly since too many files are open. They wait meanwhile.
const retry = 20 * time.Millisecond

// follow takes in connections until there are none. It fails when there will
// never be any.
func (t *streams) follow(fd int) error {
	for !t.stopped.Load() {
		t.accepting.lock()
		err := t.accept(fd)
		t.accepting.unlock()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EBADF), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSOCK):
			return err
		}
		time.Sleep(retry)
	}
	return nil
}

// accept takes in the connections that wait. The latch accepting is held.
func (t *streams) accept(fd int) error {
	for {
		conn, from, err := accept(fd)
		switch {
		case err == nil:
			t.admit(conn, from)
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		default:
			return os.NewSyscallError("accept", err)
		}
	}
}

// admit takes in one connection, unless there are too many.
func (t *streams) admit(fd int, from unix.Sockaddr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.connections) >= t.options.MaxConnections {
		t.refused++
		_ = unix.Close(fd)
		return
	}
	t.accepted++
	c := &connection{file: os.NewFile(uintptr(fd), "connection"), buffers: t.buffers, busy: newLatch(),
		framer: newFramer(t.address.Network, t.options.MaxPayload), from: t.source(from)}
	c.raw, _ = c.file.SyscallConn() // fails on a nil file only
	t.connections[c] = struct{}{}
	if t.handle == nil || t.stopped.Load() {
		return // Drain reads it
	}
	handle := t.handle
	t.running.Go(func() { t.run(c, handle) })
}

func (t *streams) source(from unix.Sockaddr) netip.AddrPort {
	if !t.options.Sources {
		return netip.AddrPort{}
	}
	return zones{}.addrPort(from)
}

// run reads a connection until it ends or stop is called.
func (t *streams) run(c *connection, handle Handler) {
	err := c.raw.Read(func(fd uintptr) bool {
		for !t.stopped.Load() {
			c.busy.lock()
			n, over := c.next(int(fd), handle), c.end != flowing
			c.busy.unlock()
			if over || n == 0 {
				return over
			}
		}
		return true
	})
	if t.stopped.Load() {
		return // Drain reads the rest
	}
	c.busy.lock()
	defer c.busy.unlock()
	if err != nil {
		c.finish(handle) // the system cannot wait for it
	}
	t.drop(c)
}

// drop closes a connection at which nobody waits any more.
func (t *streams) drop(c *connection) {
	t.mu.Lock()
	delete(t.connections, c)
	t.mu.Unlock()
	// Nothing can be done about an error, and nothing is lost by it.
	_ = c.file.Close()
}

// past is a deadline that wakes up whoever waits.
var past = time.Unix(1, 0)

func (t *streams) stop() {
	t.stopped.Store(true)
	// It fails only on closed files, at which nobody waits.
	_ = t.listener.SetReadDeadline(past)
	for _, c := range t.all() {
		_ = c.file.SetReadDeadline(past)
	}
}

// all are the connections that are open.
func (t *streams) all() []*connection {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.connections))
}

// settle reads itself, in the readers' place.
func (t *streams) settle(ctx context.Context) error {
	handle := t.join()
	if handle == nil {
		return nil
	}
	defer t.running.Done()
	if err := t.acceptNow(ctx); err != nil {
		return err
	}
	for _, c := range t.all() {
		if err := t.settleOne(ctx, c, handle); err != nil {
			return err
		}
	}
	return nil
}

// join gives the handler of the running Read, which will not return before
// running is told that it was done with; nil without one.
func (t *streams) join() Handler {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.handle != nil {
		t.running.Add(1)
	}
	return t.handle
}

// settleOne reads as much as a connection has now, and its end.
func (t *streams) settleOne(ctx context.Context, c *connection, handle Handler) error {
	if err := c.busy.lockOr(ctx); err != nil {
		return fmt.Errorf("%w while the handler was busy", err)
	}
	defer c.busy.unlock()
	// It fails when the connection was closed meanwhile: nothing is left.
	_ = c.raw.Control(func(fd uintptr) {
		for left := arrived(int(fd)); left >= 0 && ctx.Err() == nil; {
			n := c.next(int(fd), handle)
			if n == 0 {
				return
			}
			left -= n
		}
	})
	if c.end != flowing {
		// Wakes its own reader up, which closes it.
		_ = c.file.SetReadDeadline(past)
	}
	return ctx.Err()
}

// acceptNow takes in the connections that wait.
func (t *streams) acceptNow(ctx context.Context) error {
	if err := t.accepting.lockOr(ctx); err != nil {
		return fmt.Errorf("%w while connections are taken in", err)
	}
	defer t.accepting.unlock()
	var err error
	closed := t.raw.Control(func(fd uintptr) { err = t.accept(int(fd)) })
	return errors.Join(err, closed)
}

// drain reads the connections in turns, so that one that never falls silent
// does not keep the others waiting.
func (t *streams) drain(ctx context.Context, handle Handler) error {
	for {
		err := t.acceptNow(ctx)
		all := t.all()
		for _, c := range all {
			if err := t.drainOne(ctx, c, handle); err != nil {
				return err
			}
		}
		switch {
		case len(all) == 0:
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("connections still send (%w): what came later is not counted", ctx.Err())
		}
	}
}

// drainOne reads a connection once, and closes it when nothing is there.
func (t *streams) drainOne(ctx context.Context, c *connection, handle Handler) error {
	if err := c.busy.lockOr(ctx); err != nil {
		return fmt.Errorf("%w while somebody reads", err)
	}
	defer c.busy.unlock()
	n := 0
	if err := c.raw.Control(func(fd uintptr) { n = c.next(int(fd), handle) }); err != nil || n == 0 {
		c.finish(handle)
		t.drop(c)
	}
	return nil
}

// figures: a stream loses nothing in the kernel. Its sender waits.
func (t *streams) figures() Figures {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Figures{DropsKnown: true, Connections: t.accepted, Open: len(t.connections), Refused: t.refused}
}

func (t *streams) close() error {
	err := t.listener.Close()
	for _, c := range t.all() {
		t.drop(c)
	}
	return err
}
