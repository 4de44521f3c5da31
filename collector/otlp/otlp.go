// Package otlp is a way in for OpenTelemetry's protocol, OTLP: instances push their metrics over HTTP, as protobuf or JSON,
// or over gRPC, each request as often as its SDK exports.
//
//	requests → points → counted by stream → one sample per series and interval
//
// A Listener is a way in; an instance is who sent a request. Each instance may send to a listener of its own, so that it is
// told apart by where it sends to; or it is told by the address it sends from, or by its resource's service.instance.id.
// The package stores nothing and answers no query; it does not take traces or logs. The Collector is a collector.Source,
// which collector/pipeline puts together with the others.
//
// # What becomes of a point
//
//	monotonic sum      a_b_total, cumulative, of what came within each life
//	other sum, gauge   a_b, the last value; deltas are added up
//	histogram          a_b, a cumulative native histogram. Its number of values is exact. Explicit buckets tell no more
//	                   than their bounds: values count at the upper bound of theirs, those beyond the last bound just
//	                   above it; of a histogram without bounds all count at their mean
//	exponential        the same, brought to scale 4, or left at a coarser one. Schema 4 is that of all timers
//	summary            nothing: quantiles cannot be added up. They are counted as refused
//
// Names and units are spelled as Prometheus spells OTLP's (package otlptranslator): http.server.request.duration in s is
// http_server_request_duration_seconds. The name as it was sent is in Meta.Sent. Attributes of a point become labels, numbers
// as text; the instance's own labels, and way="otlp", win: an attribute of the same name becomes exported_…. Attributes of the
// resource and the scope become none: they tell streams apart, and several streams that make one series are added up in it.
//
// # Counting
//
// A stream is what OTLP calls one: resource, scope, name, type, unit, temporality and attributes. What it counted is the sum
// of increments: of deltas, each once, whoever sends them twice; of cumulative points the difference to the one before of the
// same start. A start that was not there before is another life, whose whole value counts. See stream.go for what is
// odd about starts and windows, which is told in Figures.Findings. A point that comes late changes nothing that a later one
// has told.
//
// Sources: https://opentelemetry.io/docs/specs/otel/metrics/data-model/ and https://opentelemetry.io/docs/specs/otlp/
//
// # Time
//
// A point belongs to the interval in which it came, whatever time it bears. Every series gives a point at the end of each
// interval until its instance is retired; one to which nothing came has Observed 0.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"throughline/collector"
	"throughline/collector/grid"
)

// Config is how to receive. The zero value of each field means its default.
type Config struct {
	// MaxSeries is how many series one instance may have, and MaxSeriesTotal all instances together. Points that would begin
	// another are refused and counted. Default 20,000 and 100,000.
	MaxSeries      int
	MaxSeriesTotal int
	// MaxAttributes is how many attributes a point may have; MaxName and MaxValue how many bytes its name, the names of
	// its attributes and their values. Default 64, 512, 1,024.
	MaxAttributes int
	MaxName       int
	MaxValue      int
	// MaxBody is how long a request may be, in bytes, unpacked. Default 4 MiB, which is what servers of gRPC take.
	MaxBody int
	// Now is the clock; default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	for _, f := range []struct {
		field    *int
		standard int
	}{{&c.MaxSeries, 20_000}, {&c.MaxSeriesTotal, 100_000}, {&c.MaxAttributes, 64}, {&c.MaxName, 512}, {&c.MaxValue, 1024}, {&c.MaxBody, 4 << 20}} {
		if *f.field <= 0 {
			*f.field = f.standard
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// state is how far a Collector is. It only goes on.
type state uint8

const (
	waiting state = iota
	running
	over
)

// drainLimit bounds how long Run goes on taking in from senders when it is told to end, and Retire from one that is gone.
const drainLimit = 2 * time.Second

// Collector owns the listeners and counts what they receive. All that is counted is guarded by mu; requests are unpacked
// before it is taken.
type Collector struct {
	cfg Config
	in  collector.Intake

	started time.Time

	mu       sync.Mutex
	state    state
	grid     grid.Grid
	end      time.Time // of the current interval
	given    time.Time // of the newest points of its own series, by it or one before it
	doors    []*door
	senders  map[string]*sender // by instance
	assigned map[string]*sender // by source address
	retired  map[string]bool
	registry registry
	ready    []collector.Sample // of intervals that are over
	size     size
	grown    uint64 // points that told of something new
	scratch  scratch
}

// size is what there is of all instances together.
type size struct{ series, bytes, buckets int }

// seriesBytes is how long the names and labels of series may be on the average, and bucketsPerSeries how many buckets
// histograms may have for each of Config.MaxSeriesTotal: a series has its own, and each stream in it those of its last point.
const seriesBytes, bucketsPerSeries = 1024, 80

// New makes a Collector that listens nowhere yet.
func New(c Config, in collector.Intake) *Collector {
	out := &Collector{cfg: c.withDefaults(), in: in.WithDefaults(), senders: map[string]*sender{}, assigned: map[string]*sender{}, retired: map[string]bool{}}
	now := out.cfg.Now()
	out.started, out.grid = now, grid.Of(out.in, now)
	out.end = out.grid.After(now)
	out.registry = newRegistry(out.cfg)
	if out.in.Resume != nil {
		if last, ok := out.in.Resume.Last(ownFindingsLeft, nil); ok && !out.setBack(last.At) {
			out.given = last.At
		}
	}
	return out
}

// mostAhead is how far the last points of a collector before this one may be ahead of the clock, where it ended within an
// interval.
const mostAhead = time.Minute

// setBack tells from the last point of an earlier collector that the clock was set back since.
func (c *Collector) setBack(last time.Time) bool {
	return last.Sub(c.cfg.Now()) > max(mostAhead, c.in.Interval)
}

// Run implements collector.Source.
func (c *Collector) Run(ctx context.Context) error {
	if err := c.enter(); err != nil {
		return err
	}
	var failed error
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c.mu.Lock()
		wait := c.end.Sub(c.cfg.Now())
		c.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-timer.C:
			c.mu.Lock()
			c.advance(c.cfg.Now())
			c.mu.Unlock()
			failed = first(failed, c.deliver())
		case <-ctx.Done():
			return errors.Join(first(failed, c.finish()), c.broken())
		}
	}
}

// first keeps one of a kind: a sink that is broken says so at each interval.
func first(failed, next error) error {
	if failed != nil {
		return failed
	}
	return next
}

func (c *Collector) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != waiting {
		return errors.New("take OTLP: it ran before or was closed; make a new one for each run")
	}
	c.state = running
	for _, d := range c.doors {
		d.serve()
	}
	return nil
}

// deliver gives the sink what is ready.
func (c *Collector) deliver() error {
	c.mu.Lock()
	samples := c.ready
	c.ready = make([]collector.Sample, 0, len(samples))
	c.mu.Unlock()
	if len(samples) == 0 {
		return nil
	}
	if err := c.in.Sink.Append(samples...); err != nil {
		return fmt.Errorf("keep samples of OTLP: %w", err)
	}
	return nil
}

// finish takes in what was sent before the end, and gives the last interval.
func (c *Collector) finish() error {
	c.mu.Lock()
	doors := c.doors
	c.mu.Unlock()
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	for _, d := range doors {
		wg.Go(func() { d.shut(ctx) })
	}
	wg.Wait()
	c.mu.Lock()
	c.advance(c.cfg.Now())
	c.state = over
	c.closeInterval(true)
	c.mu.Unlock()
	return c.deliver()
}

// broken are the listeners that failed by themselves.
func (c *Collector) broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, d := range c.doors {
		if err := d.failure(); err != nil {
			errs = append(errs, fmt.Errorf("listen for OTLP of %s at %s: %w", spell(d.Instance), d.addr, err))
		}
	}
	return errors.Join(errs...)
}

// Close implements collector.Source.
func (c *Collector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != waiting {
		return nil
	}
	c.state = over
	var errs []error
	for _, d := range c.doors {
		errs = append(errs, d.abandon())
	}
	return errors.Join(errs...)
}

// advance closes the current interval if now is past its end. It is called before anything is taken in, and when an
// interval is over: so each point is in the interval in which it came, however late that is told. c.mu is held.
func (c *Collector) advance(now time.Time) {
	if now.Before(c.end) || c.state == over {
		return
	}
	c.closeInterval(false)
	if c.grid.Astray(now) {
		c.grid = grid.New(now, c.in.Interval)
	}
	c.end = c.grid.After(now)
}

// Grown is how many points told of something that had not been counted: an SDK exports all the while, whether anything happens
// or not.
func (c *Collector) Grown() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grown
}

// spell names an instance in a message.
func spell(instance string) string {
	if instance == "" {
		return "nobody in particular"
	}
	return instance
}
