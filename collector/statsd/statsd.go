// Package statsd receives StatsD and adds it up: sockets → parser → one sample
// per series and interval, and figures of what was received and what was lost
// on the way.
//
// A Listener is a way in; an instance is who sent a line. Each instance may
// send to a socket of its own, so that a plain client without tags is told
// apart by where it sends to; or it is told by the address it sends from, or by
// the container id in its lines. The package stores nothing and answers no
// query: samples go to one collector.Sink. The Collector is a collector.Source, which
// collector/server runs; whoever puts the two together says where to listen.
//
// # What becomes of a line
//
//	a.b:3|c       a_b_total, cumulative; each value counts 1/rate times.
//	              Once a line had a rate below 1, a_b_sampled_total beside it
//	              is the sum of the values as they came; until then it would be
//	              the same as a_b_total and is not there.
//	a.b:3|g       a_b, the last value; +3 and -3 change the present one. But
//	              -3 is a value in a line of a Datadog client, which is known
//	              by |c:, |e:, |T or |card:; see Config.Gauges.
//	a.b:3|ms      a_b, a cumulative native histogram of the values in the unit
//	              they were sent in; h and d are the same
//	a.b:x|s       a_b, the number of different members in the interval: exact up
//	              to Config.SetExact of them, beyond that estimated, for most
//	              within 2 %. Once it was estimated, a_b_estimated beside it
//	              tells whether a point is: 1 or 0.
//	a.b:1|c:2|ms  as two lines: a.b:1|c and a.b:2|ms
//	_sc|db|0      a service check: throughline_service_check{check="db"}, 0 for
//	              ok to 3 for unknown; and like an event (_e{…}) it goes to
//	              the journal
//
// Letters, digits and all that can be printed beyond ASCII stay in names, the
// rest becomes an underscore; the name as it was sent is in Meta.Sent. A tag k:v becomes the
// label k="v", a tag without a colon k="true", several of one name k="v1,v2"
// (sorted), and one with an empty value none. Graphite's tags in the name
// (a.b;k=v) are tags, too, and so are those of Config.Tags. The instance's own labels win: a tag of the same name
// becomes exported_k, as in Prometheus' scrapes.
//
// Two metrics that would be one series are not merged: lines of the later are
// refused as a "conflict". That, and other things that make numbers hard to
// trust, are told in Figures.Findings.
//
// # Time
//
// Time is cut into whole intervals of the clock. A line belongs to the interval
// in which it was read from the socket, also when the samples are delivered
// late; a line with a timestamp (|T) to the interval in which that second lies.
// From its first timestamp on, all points of a series come Config.OutOfOrder
// late, so that each is final. Every series gives a point at the end of each
// interval until its instance is retired; a point without measurements has
// Observed 0.
//
// A Collector that ends within an interval gives the points of that interval. One
// that takes its place before the interval is over (Config.Resume) counts what it
// reads until then in the next interval, in series that have a point already: a
// series has one point at a time.
package statsd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"throughline/collector"
	"throughline/collector/grid"
)

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
//
// Locks are taken in this order: Collector.mu, listener.mu, client.mu. Whoever
// reads holds that of one client, once for a batch of payloads.
type Collector struct {
	cfg    setup
	shared *shared

	mu        sync.Mutex
	state     state
	started   time.Time
	grid      grid.Grid
	told      time.Time          // of the last points of its own series
	listeners []*listener        // of which something is still to be said, in the order of their opening
	past      []ListenerFigures  // of the others
	clients   map[string]*client // by instance; those of which something is still to be said
	assigned  map[origin]*client // origins that were given a name
	strangers map[origin]*client // origins that nobody named
	retired   map[string]InstanceFigures
	flushes   flushFigures
	delivered int     // how many samples the last flush gave
	failures  []error // what Run is to return
}

// New returns a Collector that gives in what it receives.
func New(config Config, in collector.Intake) *Collector {
	cfg := newSetup(config, in)
	now := cfg.Now()
	shared := newShared(cfg)
	return &Collector{cfg: cfg, shared: shared, started: now, grid: grid.Of(cfg.Intake, now), told: shared.told,
		clients: map[string]*client{}, assigned: map[origin]*client{}, strangers: map[origin]*client{},
		retired: map[string]InstanceFigures{}}
}

// Run reads and flushes until ctx ends. Then it reads what is still in the
// kernel, gives the last, partial interval to the sink, with the end of that
// interval as its time, and all that was held for its own time; closes the
// sockets and returns. The error tells of samples that the sink did not take and
// of sockets that could not be read.
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
	return c.grid.After(c.cfg.Now()), nil
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
		errs = append(errs, l.abandon())
	}
	return errors.Join(errs...)
}

// finish ends all readers and delivers the last interval.
func (c *Collector) finish() error {
	c.mu.Lock()
	c.state = ended
	listeners := c.listeners
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	var wg sync.WaitGroup
	for _, l := range listeners {
		wg.Go(func() {
			if err := l.close(ctx); err != nil {
				c.fail(fmt.Errorf("end the listener of %s: %w", spell(l.instance), err))
			}
		})
	}
	wg.Wait()
	now := c.cfg.Now()
	c.mu.Lock()
	clients := c.sorted()
	samples := c.own(nil, c.grid.After(now), true)
	c.mu.Unlock()
	for _, cl := range clients {
		samples = append(samples, cl.lastSamples(now)...)
	}
	c.deliver(samples)
	c.tellFindings()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range clients {
		c.forget(cl)
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
