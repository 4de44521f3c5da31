package socket

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"
)

// datagrams reads packets, of which each is a payload.
type datagrams struct {
	packets *packets
	busy    latch // held while reading and handing out
	stopped atomic.Bool
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

// The reader lets datagrams gather in the kernel when it has read all there were: to
// wake up for each alone costs several times what the datagram itself does.
//
// It does so for gather; and for gatherLong where the buffer is ample, which then has
// room for all that can be sent over the loopback meanwhile several times over. A Unix
// socket holds 11 datagrams, and then senders wait: there it does not.
const (
	gather     = time.Millisecond
	gatherLong = 2 * time.Millisecond
	ample      = 32 << 20 // bytes, as the kernel tells them
)

// yield is how long the reader sleeps at most before it goes through Go's scheduler.
// What has not for 10 ms is taken for stuck: its processor is handed on, and the
// runtime looks every 20 µs whether that must be done again, which costs as much as to
// read. Source: retake and sysmon in runtime/proc.go.
const yield = 6 * time.Millisecond

// read waits for datagrams where they come seldom. Where one comes soon after the
// other, it does not: it looks every now and then, so that none has to wake it.
func (d *datagrams) read(handle Handler) error {
	d.serve(handle)
	defer d.serve(nil)
	pause := d.pause()
	var before time.Time // when something was read last
	for slept := time.Duration(0); !d.stopped.Load(); {
		n, err := d.turn(handle)
		if err != nil {
			return err
		}
		if n == batchSize {
			continue // there may be more
		}
		if n > 0 && pause > 0 {
			now := time.Now()
			often := now.Sub(before) < 2*pause
			if before = now; often {
				d.packets.pause(pause)
				if slept += pause; slept >= yield {
					runtime.Gosched()
					slept = 0
				}
				continue
			}
		}
		if err := d.packets.wait(); errors.Is(err, errInterrupted) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// pause is how long datagrams may gather.
func (d *datagrams) pause() time.Duration {
	switch {
	case d.packets.addr().Network != UDP:
		return 0
	case d.packets.buffer() >= ample:
		return gatherLong
	}
	return gather
}

// turn is next, when nobody else reads.
func (d *datagrams) turn(handle Handler) (int, error) {
	d.busy.lock()
	defer d.busy.unlock()
	return d.next(handle)
}

// serve says who takes payloads in.
func (d *datagrams) serve(handle Handler) {
	d.busy.lock()
	defer d.busy.unlock()
	d.handle = handle
}

func (d *datagrams) stop() {
	d.stopped.Store(true)
	d.packets.interrupt()
}

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
	defer d.packets.release()
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
