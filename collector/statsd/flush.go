package statsd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/collector"
)

// flushLedger is how the flushes went.
type flushLedger struct {
	flushes, skipped, clockSteps uint64
	lateness, worst              time.Duration
	refused                      uint64 // samples the sink did not take
	lastRefusal                  error
	born                         bool // its own counters were given a first zero
}

// flush delivers what ended at boundary, and returns the next one; now is when
// it runs.
func (c *Collector) flush(boundary, now time.Time) time.Time {
	c.mu.Lock()
	late := now.Sub(boundary)
	c.flushes.flushes++
	c.flushes.lateness, c.flushes.worst = late, max(c.flushes.worst, late)
	c.flushes.skipped += uint64(late / c.cfg.Interval)
	if c.grid.astray(now) {
		c.grid = newGrid(now, c.cfg.Interval)
		c.flushes.clockSteps++
	}
	grid := c.grid
	open := c.sorted()
	samples := c.own(boundary)
	c.mu.Unlock()

	for _, l := range open {
		ready, done := l.take(now, grid)
		samples = append(samples, ready...)
		if done {
			c.mu.Lock()
			c.forget(l)
			c.mu.Unlock()
		}
	}
	c.deliver(samples)
	return grid.after(now)
}

// forget keeps only the figures of a listener. c.mu is held.
func (c *Collector) forget(l *listener) {
	c.retired[l.instance] = l.ledger()
	delete(c.listeners, l.instance)
}

func (c *Collector) deliver(samples []collector.Sample) {
	if len(samples) == 0 {
		return
	}
	if err := c.sink.Append(samples...); err != nil {
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

func (c *Collector) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, err)
}

// sorted are the listeners by name. c.mu is held.
func (c *Collector) sorted() []*listener {
	open := make([]*listener, 0, len(c.listeners))
	for _, l := range c.listeners {
		open = append(open, l)
	}
	slices.SortFunc(open, func(a, b *listener) int { return strings.Compare(a.instance, b.instance) })
	return open
}

// own are the figures of the collector itself. c.mu is held.
func (c *Collector) own(at time.Time) []collector.Sample {
	f := &c.flushes
	m := meter{at: at, before: at.Add(-c.cfg.Interval)}
	m.gauge(prefix+"flush_lateness_seconds", secondsMeta, f.lateness.Seconds())
	m.counter(prefix+"intervals_skipped_total", float64(f.skipped), !f.born)
	m.counter(prefix+"clock_steps_total", float64(f.clockSteps), !f.born)
	m.counter(prefix+"append_errors_total", float64(f.refused), !f.born)
	f.born = true
	return m.samples
}
