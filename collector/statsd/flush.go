package statsd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/grid"
)

// flushFigures is how the flushes went.
type flushFigures struct {
	flushes, skipped, clockSteps uint64
	lateness, worst              time.Duration
	took, longest                time.Duration
	refused                      uint64 // flushes of which the sink did not take everything
	lastRefusal                  error
	unnoted                      uint64 // events the journal did not take
	unnotedBefore                bool
	born                         bool // its own counters were given a first zero
}

// flush delivers what ended at boundary, and returns the next one; now is when
// it runs.
func (c *Collector) flush(boundary, now time.Time) time.Time {
	c.mu.Lock()
	f, delay := &c.flushes, now.Sub(boundary)
	f.flushes++
	f.lateness, f.worst = delay, max(f.worst, delay)
	f.skipped += uint64(delay / c.cfg.Interval)
	if c.grid.Astray(now) {
		c.grid = grid.New(now, c.cfg.Interval)
		f.clockSteps++
	}
	cut := c.grid
	clients := c.sorted()
	// An interval has about as many samples as the one before.
	samples := c.own(make([]collector.Sample, 0, c.delivered+c.delivered/8), boundary, false)
	c.mu.Unlock()

	for _, cl := range clients {
		var done bool
		if samples, done = cl.take(samples, now, cut); done {
			c.mu.Lock()
			c.forget(cl)
			c.mu.Unlock()
		}
	}
	c.deliver(samples)
	c.tellFindings()
	c.mu.Lock()
	c.shelve()
	c.delivered = len(samples)
	f.took = c.cfg.Now().Sub(now)
	f.longest = max(f.longest, f.took)
	c.mu.Unlock()
	return cut.After(now)
}

// forget keeps only the figures of a client. c.mu is held.
func (c *Collector) forget(cl *client) {
	through := map[*listener]Counts{}
	for _, x := range cl.lanes { // no new one comes
		through[x.listener] = newCounts()
	}
	c.retired[cl.instance] = cl.summary(through)
	for l, counts := range through {
		l.past.add(counts)
	}
	for _, x := range cl.lanes {
		if x.listener.home.lane == x {
			x.listener.home = route{} // its socket is closed; the series need not stay in memory
		}
	}
	delete(c.clients, cl.instance)
	cl.close()
}

// shelve keeps only the figures of listeners that are over, so that a flush costs what is
// there and not what ever was. c.mu is held.
func (c *Collector) shelve() {
	c.listeners = slices.DeleteFunc(c.listeners, func(l *listener) bool {
		// The lines of others may have come through it, whose figures still move.
		if _, here := c.clients[l.instance]; here || l.stage != over || l.origin != ByListener {
			return false
		}
		c.past = append(c.past, l.summary(newCounts()))
		return true
	})
}

func (c *Collector) deliver(samples []collector.Sample) {
	if len(samples) == 0 {
		return
	}
	if err := c.cfg.Sink.Append(samples...); err != nil {
		c.mu.Lock()
		c.flushes.refused++
		first := c.flushes.lastRefusal == nil
		c.flushes.lastRefusal = err
		c.mu.Unlock()
		// One of a kind is enough: a sink that is broken says so each interval.
		if first {
			c.fail(fmt.Errorf("keep samples: %w", err))
		}
	}
}

// journalFailed counts events that the journal did not take.
func (c *Collector) journalFailed(err error, events int) {
	c.mu.Lock()
	c.flushes.unnoted += uint64(events)
	first := !c.flushes.unnotedBefore
	c.flushes.unnotedBefore = true
	c.mu.Unlock()
	if first {
		c.fail(fmt.Errorf("keep events: %w", err))
	}
}

func (c *Collector) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, err)
}

// sorted are the clients by name. c.mu is held.
func (c *Collector) sorted() []*client {
	out := make([]*client, 0, len(c.clients))
	for _, cl := range c.clients {
		out = append(out, cl)
	}
	slices.SortFunc(out, func(cl, b *client) int { return strings.Compare(cl.instance, b.instance) })
	return out
}

// own appends the figures of the collector itself and of its sockets; last tells that
// there will be no others. c.mu is held.
func (c *Collector) own(samples []collector.Sample, at time.Time, last bool) []collector.Sample {
	f := &c.flushes
	m, ok := meterAt(at, c.grid, &c.told, last)
	if !ok {
		return samples
	}
	m.samples = samples
	m.gauge(startName, float64(c.started.UnixMilli())/1000)
	m.gauge("flush_lateness_seconds", f.lateness.Seconds())
	m.gauge("flush_duration_seconds", f.took.Seconds())
	m.counter("intervals_skipped_total", f.skipped, !f.born)
	m.counter("clock_steps_total", f.clockSteps, !f.born)
	m.counter("append_errors_total", f.refused, !f.born)
	m.counter("journal_errors_total", f.unnoted, !f.born)
	f.born = true
	m.gauge("origins", float64(len(c.strangers)))
	c.shared.registry.own(&m)
	for _, l := range c.listeners {
		if l.stage != over {
			l.own(&m)
		}
	}
	return m.samples
}
