// Package wire is what a collector in a process of its own and the process that started it say to each
// other: messages, as net/rpc carries them, and the times in them.
//
// It connects nobody and starts nothing; collector/process does, and is who uses it.
package wire

import (
	"context"
	"errors"
	"io"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/scrape"
	"throughline/collector/statsd"
)

// The names under which each side is called. Of the collector: Open, Listen, Assign, ListenOTLP, AssignOTLP, Scrape, Retire, AddPoller, Fetch, Run, End,
// Figures, Close. Of the parent: Take, Kept, Poll.
const (
	Collector = "Collector"
	Parent    = "Parent"
)

// Nothing is what a call without arguments, or without an answer, has. It has a field, for gob knows no empty struct.
type Nothing struct{ None bool }

// Setup is what a collector is made of; see pipeline.Config.
type Setup struct {
	Dir, HTTP string
	Relay     string
	Interval  time.Duration
	Late      time.Duration
	Tags      dogstatsd.Styles
	Base      time.Time // of the times of Owed
	Owed      []Sample
}

// Opened tells of a collector that has been made. Epoch is the base of the times of all samples from then on.
type Opened struct {
	Addr  string // of the HTTP API
	Epoch time.Time
}

// Assigned says whose lines come from an origin.
type Assigned struct {
	Origin, Instance string
	Labels           collector.Labels
}

// Listener is where the collector is to listen, for whom.
type Listener struct{ statsd.Listener }

// Target is what the collector is to scrape.
type Target struct{ scrape.Target }

// Bounded is a call about something that must end within a time; 0: whenever it does.
type Bounded struct {
	Name   string
	Within time.Duration
}

// Batch are samples on their way into the store.
type Batch struct {
	Number  uint64 // of this collector, from 1
	Samples []Sample
}

// Asked is a poll that is due.
type Asked struct {
	Poller string
	At     Time
	Within time.Duration
}

// Polled is what came of it; both may be there.
type Polled struct {
	Samples []Sample
	Failed  bool
	Error   string
}

// Failures are what went wrong in a call that has several parts.
type Failures struct{ All []Failure }

// Failure is one of them.
type Failure struct {
	Text   string
	Poller string // whose poll failed; "": it is no failed poll
}

// Sample is a collector.Sample.
type Sample struct {
	Name      string
	Labels    collector.Labels
	Meta      *collector.Meta
	At        Time
	Value     float64
	Observed  uint64
	Stale     bool
	Histogram *collector.Histogram
}

// Time is a time by both clocks: what the wall clock said, in ns since 1970, and how long after the epoch it was.
type Time struct {
	Wall  int64
	After time.Duration
}

// Clock has an epoch of which two processes each have their own reading by the monotonic clock, which is one for both. A time as
// others send it has none, and a step of the wall clock would show in every sample.
type Clock struct{ epoch time.Time }

// NewClock is the clock of whoever has read the epoch from its own clock.
func NewClock(epoch time.Time) Clock { return Clock{epoch} }

// Tied is the clock of who was told of an epoch at a time that is now, shortly after it.
func Tied(epoch, now time.Time) Clock { return Clock{now.Add(epoch.Sub(now.Round(0)))} }

// Tell gives a time as it is sent.
func (c Clock) Tell(at time.Time) Time { return Time{at.UnixNano(), at.Sub(c.epoch)} }

// oneReading is how far the two clocks may seem to be apart because they are not read at once.
const oneReading = time.Millisecond

// Hear gives a time as it was before it was sent, at a time that is now: by the wall clock to the nanosecond, and by the monotonic
// clock as exactly as both can be read together. A sender counts on from an old reading of the wall clock, or takes a new one;
// where that was set in between, only one of them tells.
func (c Clock) Hear(t Time, now time.Time) time.Time {
	at := c.epoch.Add(t.After)
	return meant(t.Wall, at, now.Add(at.Sub(now)))
}

// meant is the first of readings of a moment that is one with what the wall clock said at the sender, brought to that to the
// nanosecond, so that a time comes out the same whenever it comes; if none is, the first.
func meant(wall int64, readings ...time.Time) time.Time {
	for _, at := range readings {
		if off := time.Duration(wall - at.UnixNano()); off.Abs() < oneReading {
			return at.Add(off)
		}
	}
	return readings[0]
}

// Send gives samples as they are sent.
func (c Clock) Send(samples []collector.Sample) []Sample {
	out := make([]Sample, len(samples))
	for i, s := range samples {
		out[i] = Sample{s.Name, s.Labels, s.Meta, c.Tell(s.At), s.Value, s.Observed, s.Stale, s.Histogram}
	}
	return out
}

// Receive gives samples as they were before they were sent.
func (c Clock) Receive(samples []Sample) []collector.Sample {
	now := time.Now()
	out := make([]collector.Sample, len(samples))
	for i, s := range samples {
		out[i] = collector.Sample{Name: s.Name, Labels: s.Labels, Meta: s.Meta, At: c.Hear(s.At, now), Value: s.Value, Observed: s.Observed, Stale: s.Stale, Histogram: s.Histogram}
	}
	return out
}

// Within is how long what has until the end of ctx may take; 0: as long as it does.
func Within(ctx context.Context) time.Duration {
	if until, ok := ctx.Deadline(); ok {
		return max(time.Until(until), time.Millisecond)
	}
	return 0
}

// Context ends when what may take so long must be over.
func Context(within time.Duration) (context.Context, context.CancelFunc) {
	if within <= 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), within)
}

// Leaves are the errors that were joined in one.
func Leaves(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, Leaves(e)...)
	}
	return all
}

// Duplex is a connection made of what is read from and what is written to.
type Duplex struct {
	io.Reader
	io.WriteCloser
}
