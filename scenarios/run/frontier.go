package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// frontier knows up to which time one collector has taken in all there is: whoever asks the store
// for that time gets the same answer again from the record. It is the collector's last
// sink, so what it has been given, the store has taken before.
//
// All that was pushed in an interval comes in one Append, with the collector's own figures,
// which carry the interval's end. A poller's samples come with how long it took, which is told of a failed poll
// too. Lines that carry a time of their own come later than that, and are in no answer at first.
type frontier struct {
	mu      sync.Mutex
	pushed  time.Time            // the newest interval end of which all is in
	polled  map[string]time.Time // the newest poll by the name of the poller
	changed chan struct{}        // closed when it moves on
}

func newFrontier() *frontier {
	return &frontier{polled: map[string]time.Time{}, changed: make(chan struct{})}
}

// Append implements collector.Sink.
func (f *frontier) Append(samples ...collector.Sample) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	moved := false
	for _, s := range samples {
		switch s.Name {
		case record.FlushLateness:
			f.pushed, moved = s.At, true
		case record.PollDuration:
			f.polled[s.Labels.Get("poller")], moved = s.At, true
		}
	}
	if moved {
		close(f.changed)
		f.changed = make(chan struct{})
	}
	return nil
}

// end is the newest interval end that is not after t. It is one of those that pushed points have, to the nanosecond: every part
// of the collector has the same ends by the wall clock, but each takes them off the clock by itself.
func (f *frontier) end(t time.Time, interval time.Duration) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pushed.IsZero() {
		return t.Add(-time.Duration(t.UnixNano() % int64(interval)))
	}
	since := t.Sub(f.pushed)
	if past := since % interval; past < 0 {
		since -= interval + past
	} else {
		since -= past
	}
	return f.pushed.Add(since)
}

// behind names what has not come up to a time, or "", and gives what is closed when that may be otherwise. The store has times
// in whole milliseconds.
func (f *frontier) behind(at time.Time, pollers []string) (string, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pushed.UnixMilli() < at.UnixMilli() {
		return "what instances sent", f.changed
	}
	for _, name := range pollers {
		if f.polled[name].UnixMilli() < at.UnixMilli() {
			return "the poll of " + name, f.changed
		}
	}
	return "", f.changed
}

// errAway is what a question gets while there is no collector.
var errAway = errors.New("the collector does not run")

// await returns when the collector has all up to a time, or the error says why not.
func (c *collecting) await(ctx context.Context, at time.Time, pollers []string) error {
	for {
		missing, changed := c.frontier.behind(at, pollers)
		select {
		case <-c.ended:
			return errAway
		default:
		}
		if missing == "" {
			return nil
		}
		select {
		case <-changed:
		case <-c.ended:
			return errAway
		case <-ctx.Done():
			return fmt.Errorf("the collector does not have %s yet: %w", missing, context.Cause(ctx))
		}
	}
}
