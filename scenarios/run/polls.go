package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"throughline/collector"
	"throughline/collector/poll"
)

// The names of the pollers of load balancer and database.
const (
	balancerPoller = "haproxy"
	mongoPoller    = "mongo"
)

// recovery is for how long after a fault that kept a poller from its answer a poll may still fail. One that
// began in it runs into its own timeout, of an interval, and the next may find
// that the driver has given its connections up and makes new ones.
const recovery = 3 * time.Second

// darkness knows when faults kept pollers from an answer. It is safe for
// concurrent use.
type darkness struct {
	mu    sync.Mutex
	spans []darkSpan // oldest first
}

type darkSpan struct {
	poller   string
	from, to time.Time // to is zero while the fault is in force
}

// begin notes that a fault keeps a poller from an answer from now on; "": none.
func (d *darkness) begin(poller string, at time.Time) {
	if poller != "" {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.spans = append(d.spans, darkSpan{poller: poller, from: at})
	}
}

// end notes that it does so no longer.
func (d *darkness) end(poller string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.spans {
		if s := &d.spans[i]; s.poller == poller && s.to.IsZero() {
			s.to = at
		}
	}
}

// covers tells whether a poll that began at from and ended at to was kept from its
// answer by a fault, or by what such a fault leaves behind for a little.
func (d *darkness) covers(poller string, from, to time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.spans {
		if s.poller == poller && s.from.Before(to) && (s.to.IsZero() || from.Before(s.to.Add(recovery))) {
			return true
		}
	}
	return false
}

// poller is a poller that every collector of the run gets. It keeps apart the
// failures that faults explain.
type poller struct {
	name string
	collector.Poller
	dark *darkness

	mu               sync.Mutex
	polls            uint64 // since they were last told, like the failures
	expected, failed failures
}

// failures are polls that failed, since they were last told.
type failures struct {
	count uint64
	last  string
}

// Poll implements collector.Poller.
func (p *poller) Poll(ctx context.Context, at time.Time) ([]collector.Sample, error) {
	begin := time.Now()
	samples, err := p.Poller.Poll(ctx, at)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polls++
	if err == nil {
		return samples, nil
	}
	if !p.dark.covers(p.name, begin, time.Now()) {
		p.failed.count, p.failed.last = p.failed.count+1, err.Error()
		return samples, err
	}
	p.expected.count, p.expected.last = p.expected.count+1, err.Error()
	return samples, silenced{err}
}

// silenced is the error of a poll that a fault kept from its answer.
type silenced struct{ error }

func (s silenced) Unwrap() error { return s.error }

// withoutExpected is what is left of joined errors without those of polls that a fault
// kept from their answers.
func withoutExpected(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var left []error
		for _, e := range joined.Unwrap() {
			left = append(left, withoutExpected(e))
		}
		return errors.Join(left...)
	}
	if errors.As(err, new(silenced)) {
		return nil
	}
	return err
}

// take gives polls and failures, and forgets them.
func (p *poller) take() (polls uint64, expected, failed failures) {
	p.mu.Lock()
	defer p.mu.Unlock()
	polls, expected, failed = p.polls, p.expected, p.failed
	p.polls, p.expected, p.failed = 0, failures{}, failures{}
	return polls, expected, failed
}

// pollers are what every collector of the run polls. They are safe for concurrent
// use.
type pollers struct {
	journal *journal
	dark    darkness

	mu  sync.Mutex
	all []*poller
}

// names are what they are called.
func (ps *pollers) names() []string {
	var names []string
	for _, p := range ps.list() {
		names = append(names, p.name)
	}
	return names
}

// add makes a poller one of them.
func (ps *pollers) add(name string, p collector.Poller) *poller {
	added := &poller{name: name, Poller: p, dark: &ps.dark}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.all = append(ps.all, added)
	return added
}

// list gives them in the order in which they were added.
func (ps *pollers) list() []*poller {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return slices.Clone(ps.all)
}

// journalFailures puts into the journal which polls of a collector that has ended failed:
// those that faults explain as a note, all others as a trouble.
func (ps *pollers) journalFailures(polls []poll.Figures) {
	ours := map[string]*poller{}
	for _, p := range ps.list() {
		ours[p.name] = p
	}
	for _, f := range polls {
		polls, failed := f.Polls, failures{f.Failures, f.LastError}
		if p, known := ours[f.Name]; known {
			var expected failures
			if polls, expected, failed = p.take(); expected.count > 0 {
				ps.journal.note("poller "+f.Name, int64(expected.count), fmt.Sprintf("%d of %d polls failed while a fault kept what they ask from answering, or just after: that is expected; the last with: %s",
					expected.count, polls, expected.last))
			}
		}
		if failed.count > 0 {
			ps.journal.trouble("poller "+f.Name, int64(failed.count), fmt.Sprintf("%d of %d polls failed, the last with: %s", failed.count, polls, failed.last))
		}
	}
}
