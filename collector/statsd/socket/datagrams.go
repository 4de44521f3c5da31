package socket

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// datagrams reads packets, of which each is a payload.
type datagrams struct {
	packets *packets
	busy    latch     // held while reading and handing out
	batch   []Payload // scratch
	handle  Handler   // of the running Read; nil without one

	drops   uint64 // guarded by Socket.mu, like counter
	counter uint32 // the kernel's own count of drops, which wraps around
}

func openDatagrams(a Address, o Options) (*datagrams, error) {
	p, err := openPackets(a, o)
	if err != nil {
		return nil, err
	}
	return &datagrams{packets: p, busy: newLatch(), batch: make([]Payload, 0, batchSize)}, nil
}

// errInterrupted is what wait returns after interrupt.
var errInterrupted = errors.New("interrupted")

// gather is how long the reader lets datagrams gather in the kernel when it has
// read all there were. To wake up for each datagram alone costs several times
// what the datagram itself does; the socket's buffer has room for far longer.
// That of a Unix socket has not: it holds 11 of them, and then senders wait.
const gather = time.Millisecond

func (d *datagrams) read(handle Handler) error {
	d.serve(handle)
	defer d.serve(nil)
	for {
		if err := d.packets.wait(); errors.Is(err, errInterrupted) {
			return nil
		} else if err != nil {
			return err
		}
		d.busy.lock()
		n, err := d.next(handle)
		d.busy.unlock()
		if err != nil {
			return err
		}
		if n < batchSize && d.packets.addr().Network == UDP {
			time.Sleep(gather)
		}
	}
}

// serve says who takes payloads in.
func (d *datagrams) serve(handle Handler) {
	d.busy.lock()
	defer d.busy.unlock()
	d.handle = handle
}

func (d *datagrams) stop() { d.packets.interrupt() }

// settle reads itself, in the reader's place, as many datagrams as can have
// been there: where they come without end, the socket is never seen empty.
func (d *datagrams) settle(ctx context.Context) error {
	if err := d.busy.lockOr(ctx); err != nil {
		return fmt.Errorf("%w while the handler was busy", err)
	}
	defer d.busy.unlock()
	if d.handle == nil {
		return nil
	}
	for left := d.packets.waiting(); left > 0; {
		n, err := d.next(d.handle)
		if err != nil || n == 0 {
			return err
		}
		if left -= n; ctx.Err() != nil {
			return fmt.Errorf("%w before all that had come was read", ctx.Err())
		}
	}
	return nil
}

func (d *datagrams) drain(ctx context.Context, handle Handler) error {
	if err := d.busy.lockOr(ctx); err != nil {
		return fmt.Errorf("%w while somebody reads", err)
	}
	defer d.busy.unlock()
	for {
		n, err := d.next(handle)
		if err != nil || n == 0 {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("datagrams still come in (%w): what came later is not counted", ctx.Err())
		}
	}
}

// next hands out what is there, up to batchSize payloads, without waiting, and
// returns how many. The latch is held.
func (d *datagrams) next(handle Handler) (int, error) {
	n, err := d.packets.read()
	if n == 0 || err != nil {
		return 0, err
	}
	d.batch = d.batch[:0]
	for i := range n {
		d.batch = append(d.batch, d.packets.payload(i))
	}
	handle(d.batch)
	return n, nil
}

func (d *datagrams) figures() Figures {
	now, known := d.packets.drops()
	if known {
		d.drops += uint64(now - d.counter)
		d.counter = now
	}
	return Figures{ReceiveBuffer: d.packets.buffer(), Drops: d.drops, DropsKnown: known}
}

func (d *datagrams) close() error { return d.packets.close() }

// unbounded is how much waits at most where the system does not tell.
const unbounded = math.MaxInt
