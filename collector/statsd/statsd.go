// Package statsd receives StatsD over UDP and adds it up: sockets → parser →
// one sample per series and interval, and a ledger of what was received and
// what was lost on the way.
//
// Each instance sends to a socket of its own, so that a plain client without
// tags is told apart by where it sends to. The package stores nothing and
// answers no query: samples go to one collector.Sink. collector/server calls it.
//
// # What becomes of a line
//
//	a.b:3|c       a_b_total, cumulative; each value counts 1/rate times.
//	              Once a line had a rate below 1, a_b_sampled_total beside it
//	              is the sum of the values as they came.
//	a.b:3|g       a_b, the last value; +3 and -3 change the present one
//	a.b:3|ms      a_b, a cumulative native histogram of the values in the unit
//	              they were sent in; h and d are the same
//	a.b:x|s       a_b, the number of different members in the interval
//
// Characters that Prometheus does not know in names become underscores; the
// name as it was sent is in Meta.StatsD. A tag k:v becomes the label k="v", a
// tag without a colon k="true", several of one name k="v1,v2" (sorted), and one
// with an empty value none. The listener's own labels win: a tag of the same
// name becomes exported_k, as in Prometheus' scrapes.
//
// # Time
//
// Time is cut into whole intervals of the clock. A line belongs to the interval
// in which it was read from the socket, also when the samples are delivered
// late. Every series gives a point at the end of each interval until its
// instance is retired; a point without measurements has Observed 0.
package statsd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"throughline/collector"
	"throughline/collector/statsd/socket"
)

// Config is how to receive. The zero value of each field means its default.
type Config struct {
	Interval time.Duration // default 1 s
	// MaxSeries is how many series one instance may have; lines that would
	// begin another are refused and counted. Default 20,000.
	MaxSeries int
	// ReceiveBuffer is the size of each socket's buffer in the kernel, in
	// bytes. What was granted is in the ledger: without privilege Linux
	// grants no more than net.core.rmem_max. Default 32 MiB; it is used
	// only while datagrams wait.
	ReceiveBuffer int
	// MaxDatagram is the longest datagram that is read whole, in bytes.
	// Default 65,535, the longest there is.
	MaxDatagram int
	// Now is the clock; default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Interval <= 0 {
		c.Interval = time.Second
	}
	if c.MaxSeries <= 0 {
		c.MaxSeries = 20_000
	}
	if c.ReceiveBuffer <= 0 {
		c.ReceiveBuffer = 32 << 20
	}
	if c.MaxDatagram <= 0 {
		c.MaxDatagram = 65_535
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// drainLimit bounds how long Run goes on reading from senders that do not stop
// when it is told to end.
const drainLimit = 2 * time.Second

// state is how far a Collector is.
type state uint8

const (
	waiting state = iota // Run was not called yet
	running
	ended
)

// Collector owns the sockets and adds up what they receive.
type Collector struct {
	cfg  Config
	sink collector.Sink

	mu        sync.Mutex
	state     state
	grid      grid
	listeners map[string]*listener // open, or retired and not yet marked stale
	retired   map[string]ListenerLedger
	flushes   flushLedger
	failures  []error // what Run is to return
}

// New returns a Collector that gives its samples to sink.
func New(cfg Config, sink collector.Sink) *Collector {
	cfg = cfg.withDefaults()
	return &Collector{cfg: cfg, sink: sink, grid: newGrid(cfg.Now(), cfg.Interval),
		listeners: map[string]*listener{}, retired: map[string]ListenerLedger{}}
}

// Listen opens a UDP socket for instance at addr ("127.0.0.1:0" for any free
// port) and returns its address. Every series from it carries labels and, where
// instance is not empty, the label instance. Datagrams wait in the kernel until
// Run runs. A name is never used twice.
func (c *Collector) Listen(instance string, labels collector.Labels, addr string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == ended {
		return "", fmt.Errorf("listen for %s: the collector has ended", spell(instance))
	}
	_, open := c.listeners[instance]
	_, gone := c.retired[instance]
	if open || gone {
		return "", fmt.Errorf("listen for %s: it has a listener already; give each instance a name of its own", spell(instance))
	}
	in, err := socket.Open(addr, socket.Options{ReceiveBuffer: c.cfg.ReceiveBuffer, MaxPayload: c.cfg.MaxDatagram})
	if err != nil {
		return "", fmt.Errorf("listen for %s: %w; choose another address, or port 0 for any free one", spell(instance), err)
	}
	if instance != "" {
		labels = labels.With("instance", instance)
	}
	l := newListener(instance, labels, in, c.cfg)
	l.grid, l.end = c.grid, c.grid.after(c.cfg.Now())
	c.listeners[instance] = l
	if c.state == running {
		l.start()
	}
	return in.Addr(), nil
}

// Retire is called when instance is known to be gone. It reads what the
// instance sent until nothing is left in the kernel and closes the socket. The
// instance's last interval ends at its normal time; its series are marked stale
// one interval after that. It fails when ctx ends before the socket is empty,
// and the socket is closed then, too.
func (c *Collector) Retire(ctx context.Context, instance string) error {
	c.mu.Lock()
	l, ok := c.listeners[instance]
	done := c.state == ended
	c.mu.Unlock()
	switch {
	case done:
		return fmt.Errorf("retire %s: the collector has ended, and with it the listener", spell(instance))
	case !ok:
		return fmt.Errorf("retire %s: no such instance is listened for", spell(instance))
	}
	if err := l.retire(ctx); err != nil {
		return fmt.Errorf("retire %s: %w", spell(instance), err)
	}
	return nil
}

// Run reads and flushes until ctx ends. Then it reads what is still in the
// kernel, gives the last, partial interval to the sink, with the end of that
// interval as its time, closes the sockets and returns. The error tells of
// samples that the sink did not take and of sockets that could not be read.
func (c *Collector) Run(ctx context.Context) error {
	boundary, err := c.begin()
	if err != nil {
		return err
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(boundary.Sub(c.cfg.Now()))
		select {
		case <-ctx.Done():
			return c.finish()
		case <-timer.C:
		}
		// A timer may fire a hair before the clock shows its time.
		if now := c.cfg.Now(); !now.Before(boundary) {
			// A flush that takes longer than an interval makes the next
			// late, which is measured.
			boundary = c.flush(boundary, now)
		}
	}
}

// begin starts the readers and returns the first boundary.
func (c *Collector) begin() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != waiting {
		return time.Time{}, errors.New("run the collector: it ran before or was closed; make a new one for each run")
	}
	c.state = running
	for _, l := range c.listeners {
		l.start()
	}
	return c.grid.after(c.cfg.Now()), nil
}

// Close closes the sockets of a Collector that was never run. After Run it does
// nothing.
func (c *Collector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != waiting {
		return nil
	}
	c.state = ended
	var errs []error
	for _, l := range c.listeners {
		errs = append(errs, l.socket.Close())
	}
	clear(c.listeners)
	return errors.Join(errs...)
}

// finish ends all readers and delivers the last interval.
func (c *Collector) finish() error {
	c.mu.Lock()
	c.state = ended
	open := c.sorted()
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	var wg sync.WaitGroup
	for _, l := range open {
		wg.Go(func() {
			if err := l.close(ctx); err != nil {
				c.fail(fmt.Errorf("end the listener of %s: %w", spell(l.instance), err))
			}
		})
	}
	wg.Wait()
	var samples []collector.Sample
	for _, l := range open {
		samples = append(samples, l.last(c.cfg.Now())...)
	}
	c.deliver(samples)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range open {
		c.forget(l)
	}
	return errors.Join(c.failures...)
}

// spell names an instance in a message.
func spell(instance string) string {
	if instance == "" {
		return "the plain listener"
	}
	return instance
}
