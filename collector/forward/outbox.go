package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Limits bound what waits for a peer, and for how long. Zero means the default.
type Limits struct {
	Items    int           // that wait: 131,072
	Bytes    int           // that wait, as they go over the wire before compression: 32 MiB
	RetryMin time.Duration // about the wait after a first failure: 100 ms
	RetryMax time.Duration // about the longest wait, which it grows to: 10 s
	Timeout  time.Duration // of one attempt, to connect or to write: 5 s
	Flush    time.Duration // to send what waits when Run is to end: 2 s
}

func (l Limits) withDefaults() (Limits, error) {
	for name, d := range map[string]int64{"items": int64(l.Items), "bytes": int64(l.Bytes), "shortest wait": int64(l.RetryMin),
		"longest wait": int64(l.RetryMax), "timeout": int64(l.Timeout), "flush": int64(l.Flush)} {
		if d < 0 {
			return l, fmt.Errorf("the limit of %s is negative; give a positive one, or 0 for the default", name)
		}
	}
	or(&l.Items, 1<<17)
	or(&l.Bytes, 32<<20)
	or(&l.RetryMin, 100*time.Millisecond)
	or(&l.RetryMax, 10*time.Second)
	or(&l.Timeout, 5*time.Second)
	or(&l.Flush, 2*time.Second)
	return l, nil
}

// or gives *v a value if it has none.
func or[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// result is what an attempt brought: sent + refused items from the front of the
// batch are settled. With an err the rest is to be tried again.
type result struct {
	sent, refused int
	bytes         int           // of the sent ones
	refusal       error         // why they were refused
	err           error         // why the rest was not sent
	after         time.Duration // the peer asks not to be tried before
}

// writer gives a batch to the peer; ctx ends the attempt. It settles something
// or returns an error.
type writer interface {
	write(ctx context.Context, b *batch) result
	close() error
}

// outbox is a queue and who empties it.
type outbox struct {
	*queue
	to, kind string
	limits   Limits
	batch    batch         // its bounds
	age      time.Duration // how long an incomplete batch may wait
	began    atomic.Bool
}

// Figures are the figures so far. They can be asked at any time.
func (o *outbox) Figures() Figures {
	f := o.figures()
	f.To, f.Kind = o.to, o.kind
	return f
}

// run empties the queue into w until ctx ends, and for Limits.Flush after that.
func (o *outbox) run(ctx context.Context, w writer) error {
	if !o.began.CompareAndSwap(false, true) {
		return fmt.Errorf("%s to %s: it ran before, or still does; make another", o.kind, o.to)
	}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(o.limits.Flush, cancel) })
	defer stop()
	b := o.batch
	for o.next(ctx, work, &b) {
		if !o.deliver(ctx, work, w, &b) {
			break
		}
	}
	o.close()
	if err := w.close(); err != nil {
		return fmt.Errorf("%s to %s: %w", o.kind, o.to, err)
	}
	return nil
}

// next waits for a batch. It returns false when there is none and none to come,
// or no time to send one.
func (o *outbox) next(ctx, work context.Context, b *batch) bool {
	var ripe <-chan time.Time
	for old := o.age == 0; ; {
		if work.Err() != nil {
			return false
		}
		ending := ctx.Err() != nil
		switch n := o.waiting(); {
		case n >= b.maxItems, n > 0 && (old || ending):
			o.take(b)
			return true
		case ending:
			return false
		case n > 0 && ripe == nil:
			ripe = time.After(o.age)
		}
		select {
		case <-o.wake:
		case <-ripe:
			old = true
		case <-ctx.Done():
		}
	}
}

// deliver gives a batch to the peer, as often as it takes. It returns false when
// the time is over.
//
// How long to wait is told by github.com/cenkalti/backoff; its Retry is not used,
// for the end of ctx is to bring the next attempt forward. jpillora/backoff,
// last changed in 2019, was turned down.
func (o *outbox) deliver(ctx, work context.Context, w writer, b *batch) bool {
	waits := &backoff.ExponentialBackOff{InitialInterval: o.limits.RetryMin, MaxInterval: o.limits.RetryMax,
		Multiplier: 2, RandomizationFactor: 0.5}
	for b.left() > 0 {
		r := w.write(work, b)
		settled := r.sent + r.refused
		if settled == 0 && r.err == nil {
			r.err = errors.New("nothing was sent, for no reason known")
		}
		o.settle(r)
		b.done += settled
		if settled > 0 {
			waits.Reset()
		}
		if r.err == nil {
			continue
		}
		wait := max(waits.NextBackOff(), patientFor(r.after))
		if ctx.Err() != nil {
			wait = min(wait, o.limits.RetryMin) // there is no time for more
		}
		if !pause(ctx, work, wait) {
			return false
		}
		o.retry()
	}
	return true
}

// longestAsked bounds what a peer may ask for: a mistaken date must not make it
// be left alone for years.
const longestAsked = time.Minute

func patientFor(asked time.Duration) time.Duration { return min(asked, longestAsked) }

// pause waits, until ctx ends at the longest: then there is only a little time
// left to try. It returns false if there is none.
func pause(ctx, work context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	end := ctx.Done()
	if ctx.Err() != nil {
		end = nil // it was brought forward already
	}
	select {
	case <-timer.C:
	case <-end:
	case <-work.Done():
	}
	return work.Err() == nil
}

// checkAddress checks host:port of a peer, and that the host is known.
func checkAddress(network, address string) error {
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return fmt.Errorf("%w; give host:port", err)
	case host == "" || port == "" || port == "0":
		return errors.New("host and port are needed: host:port")
	}
	if network == "udp" {
		_, err = net.ResolveUDPAddr(network, address)
	} else {
		_, err = net.ResolveTCPAddr(network, address)
	}
	if err != nil {
		return fmt.Errorf("%w; is the name right, and known to this machine?", err)
	}
	return nil
}
