// Package poll fetches the numbers of what cannot push: HAProxy's statistics,
// MongoDB's server status, and what the host's kernel says of the CPU and memory
// of instances. It turns them into samples and asks at every interval; it
// decides nothing by them and stores none. The Loop is a collector.Source, which
// collector/server runs; whoever starts the stack adds the pollers.
package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"throughline/collector"
)

// Config is how to poll. The zero value of each field means its default.
type Config struct {
	// Timeout is how long one poll may take; default: one interval, but at
	// most 5 s.
	Timeout time.Duration
}

// longest is the default limit of one poll, however long the interval is.
const longest = 5 * time.Second

// Figures tell how a poller fared.
type Figures struct {
	Name      string
	Polls     uint64
	Failures  uint64 // of Polls
	Missed    uint64 // intervals without a poll, because the one before took too long
	LastError string // of the last failure
	Last      time.Duration
	Worst     time.Duration // the longest poll
}

// The series that a Loop writes about itself, with the label poller.
const (
	durationName = collector.OwnPrefix + "poll_duration_seconds"
	successName  = collector.OwnPrefix + "poll_success"
)

// Metrics implements collector.Source.
func (l *Loop) Metrics() []collector.Metric {
	return []collector.Metric{
		{Name: durationName, Type: collector.Gauge, Unit: "seconds", Help: "how long the poll took"},
		{Name: successName, Type: collector.Gauge, Help: "1 if it brought the whole picture; else 0, and its samples are missing"},
	}
}

// Loop asks every poller once per interval, aligned to whole intervals of the
// clock. A slow poller does not hold up the others. A poll that fails is
// counted, never fatal.
type Loop struct {
	cfg    Config
	intake collector.Intake

	mu      sync.Mutex
	pollers map[string]*poller
	running context.Context // nil unless Run runs
	ended   bool            // Run has ended, or Close was called instead
	wait    sync.WaitGroup
	failure error // the first that the sink did not take
}

type poller struct {
	collector.Poller
	one     sync.Mutex                  // one poll at a time
	last    time.Time                   // the time of the last samples
	seen    map[string]collector.Sample // the series of the last poll that succeeded
	carried map[string]bool             // those of which it had a last value alone
	figures Figures
}

// NewLoop returns a Loop that asks as often as in has intervals, and gives in what it
// hears.
func NewLoop(cfg Config, in collector.Intake) *Loop {
	in = in.WithDefaults()
	if cfg.Timeout <= 0 {
		cfg.Timeout = min(in.Interval, longest)
	}
	return &Loop{cfg: cfg, intake: in, pollers: map[string]*poller{}}
}

// Add adds a poller under a name of its own, which is the label poller of the
// figures. It may be called while Run runs.
func (l *Loop) Add(name string, p collector.Poller) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, taken := l.pollers[name]; taken {
		return fmt.Errorf("add poller %s: there is one of that name; choose another", name)
	}
	if l.ended {
		return fmt.Errorf("add poller %s: the collector has ended", name)
	}
	added := &poller{Poller: p, figures: Figures{Name: name}}
	l.pollers[name] = added
	if l.running != nil {
		l.start(added)
	}
	return nil
}

// Run polls until ctx ends and the polls that are under way have come back. It
// returns an error if the sink did not take samples.
func (l *Loop) Run(ctx context.Context) error {
	l.mu.Lock()
	if l.running != nil || l.ended {
		l.mu.Unlock()
		return errors.New("run the pollers: they ran before; make a new loop for each run")
	}
	l.running = ctx
	for _, p := range l.pollers {
		l.start(p)
	}
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	l.ended = true // no more is started
	l.mu.Unlock()
	l.wait.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failure
}

// start begins to poll p. l.mu is held.
func (l *Loop) start(p *poller) {
	ctx := l.running
	if l.ended {
		return
	}
	l.wait.Go(func() { l.repeat(ctx, p) })
}

func (l *Loop) repeat(ctx context.Context, p *poller) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	at := l.intake.IntervalEnd(time.Now())
	for {
		timer.Reset(time.Until(at))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		// A poll that is under way when ctx ends is not cut short: its
		// answer counts. The timeout bounds it.
		l.poll(context.WithoutCancel(ctx), p, at)
		next := l.intake.IntervalEnd(time.Now())
		if missed := next.Sub(at)/l.intake.Interval - 1; missed > 0 {
			l.mu.Lock()
			p.figures.Missed += uint64(missed)
			l.mu.Unlock()
		}
		at = next
	}
}

// Close implements collector.Source.
func (l *Loop) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running == nil {
		l.ended = true
	}
	return nil
}

// Fetch polls everything now, all at once, and returns when all have answered,
// failed or run into the timeout. It implements collector.Fetcher; the error tells of
// the pollers that failed.
func (l *Loop) Fetch(ctx context.Context) error {
	l.mu.Lock()
	all := make([]*poller, 0, len(l.pollers))
	for _, p := range l.pollers {
		all = append(all, p)
	}
	l.mu.Unlock()
	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, p := range all {
		wait.Go(func() { errs[i] = l.poll(ctx, p, time.Now()) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// poll asks p and keeps what it says, under the time at.
func (l *Loop) poll(ctx context.Context, p *poller, at time.Time) error {
	p.one.Lock()
	defer p.one.Unlock()
	// Times are kept in milliseconds, and no two points of a series share one.
	if at.UnixMilli() <= p.last.UnixMilli() {
		at = p.last.Add(time.Millisecond)
	}
	p.last = at
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	samples, err := p.Poll(ctx, at)
	took := time.Since(begin)
	success := 1.0
	if err != nil {
		// What a failed poll still brought is not the whole picture.
		samples, success = nil, 0
		err = fmt.Errorf("poll %s: %w", p.figures.Name, err)
	} else {
		samples = p.ended(samples, at)
	}
	label := collector.NewLabels("poller", p.figures.Name)
	samples = append(samples,
		collector.Sample{Name: durationName, Labels: label, Meta: durationMeta, At: at, Value: took.Seconds(), Observed: 1},
		collector.Sample{Name: successName, Labels: label, Meta: gaugeMeta, At: at, Value: success, Observed: 1})
	refused := l.intake.Sink.Append(samples...)

	l.mu.Lock()
	defer l.mu.Unlock()
	f := &p.figures
	f.Polls++
	f.Last, f.Worst = took, max(f.Worst, took)
	if err != nil {
		f.Failures++
		f.LastError = err.Error()
	}
	if refused != nil && l.failure == nil {
		l.failure = fmt.Errorf("keep samples of %s: %w", f.Name, refused)
	}
	return err
}

// ended adds marks that the series are over which the last poll had and this one
// has not, as Prometheus does when it scrapes. A poll that failed ends none:
// nothing is known then. What has a time of its own comes when it comes, and is no part of
// this (as in Prometheus): its poller says itself when it is over.
//
// What is carried on of something that is gone (nothing was observed) is kept once and
// ends then, or samples would come of all that there ever was, for as long as the loop
// runs. Another loop has it once more, which may have missed it.
func (p *poller) ended(samples []collector.Sample, at time.Time) []collector.Sample {
	seen := make(map[string]collector.Sample, len(samples))
	carried := map[string]bool{}
	kept := samples[:0]
	var key []byte
	for _, s := range samples {
		if !s.At.Equal(at) {
			kept = append(kept, s)
			continue
		}
		key = append(key[:0], s.Name...)
		for _, l := range s.Labels {
			key = append(append(append(append(key, 0xff), l.Name...), 0xfe), l.Value...)
		}
		if s.Observed == 0 && !s.Stale {
			carried[string(key)] = true
			if p.carried[string(key)] {
				continue
			}
		}
		seen[string(key)] = s
		kept = append(kept, s)
	}
	for key, s := range p.seen {
		if _, still := seen[key]; !still {
			kept = append(kept, collector.Sample{Name: s.Name, Labels: s.Labels, Meta: s.Meta, At: at, Stale: true})
		}
	}
	p.seen, p.carried = seen, carried
	return kept
}

// Figures are how the pollers fared so far, by name.
func (l *Loop) Figures() []Figures {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Figures, 0, len(l.pollers))
	for _, p := range l.pollers {
		out = append(out, p.figures)
	}
	slices.SortFunc(out, func(a, b Figures) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Tables implements collector.Tabler.
func (l *Loop) Tables() []collector.Table {
	t := collector.Table{Title: "Polls", Head: []string{"what", "polls", "failed", "last error"}}
	for _, f := range l.Figures() {
		t.Rows = append(t.Rows, []collector.Cell{{Text: f.Name}, {Text: fmt.Sprint(f.Polls), Number: true},
			{Text: fmt.Sprint(f.Failures), Number: true, Loss: f.Failures > 0}, {Text: f.LastError}})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []collector.Table{t}
}

// What polled series mean.
var (
	counterMeta  = &collector.Meta{Type: collector.Counter}
	gaugeMeta    = &collector.Meta{Type: collector.Gauge}
	durationMeta = &collector.Meta{Type: collector.Gauge, Unit: "seconds"}
)
