// Package sourcetest holds the contract of a collector.Source: what every way in does
// alike, whatever it speaks. It starts no collector and knows no way in; the tests of
// collector/statsd and collector/poll give it theirs, and Memory shows how little one
// needs.
package sourcetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"throughline/collector"
)

// Driver is a source under test, and how something comes in there.
type Driver struct {
	Source collector.Source
	Series string // the name of a counter
	// Nobodys: what it counts is of no instance.
	Nobodys bool
	// Count lets an instance called web-1 add n to that counter. When it returns, the
	// source or the kernel has it.
	Count func(n int)
	// Bad lets something come in that makes no sense; nil: nothing can, the source
	// only fetches.
	Bad func()
}

// fetches: points carry the moment of asking, the last ones are asked for by Fetch, and
// counters are the other side's.
func (d Driver) fetches() bool {
	_, can := d.Source.(collector.Fetcher)
	return can
}

// Interval is that of the intake that a Driver is opened with.
const Interval = 20 * time.Millisecond

// The laws, by which a test that fails is named.
const (
	lawLast       = "what came before the end is in the last interval"
	lawTimes      = "points have the times of intervals"
	lawBad        = "bad input is counted and hinders nothing"
	lawDocumented = "its own series are documented"
	lawOnce       = "it runs once"
	lawClosed     = "closed, it runs no more"
	lawRefused    = "it goes on when the sink refuses"
	lawResumed    = "counters go on where they were"
	lawReplaced   = "it gives no point for a time that has one"
	lawRetired    = "the series of an instance that is gone end"
)

// Contract holds sources against the contract. open makes a source that has not run.
func Contract(t *testing.T, open func(t *testing.T, in collector.Intake) Driver) {
	for _, law := range []struct {
		name string
		hold func(t *testing.T, b *bench)
	}{
		{lawLast, lastInterval},
		{lawTimes, times},
		{lawBad, badInput},
		{lawDocumented, documented},
		{lawOnce, once},
		{lawClosed, closed},
		{lawRefused, refused},
		{lawResumed, resumed},
		{lawReplaced, replaced},
		{lawRetired, retired},
	} {
		t.Run(law.name, func(t *testing.T) {
			b := &bench{t: t, sink: &sink{}}
			b.Driver = open(t, collector.Intake{Sink: b.sink, Interval: Interval, Journal: ignore{}, Resume: b})
			t.Cleanup(func() {
				if err := b.Source.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				if late := b.sink.late(); late > 0 {
					t.Errorf("%d samples came after Run had returned", late)
				}
			})
			law.hold(t, b)
		})
	}
}

func lastInterval(t *testing.T, b *bench) {
	end := b.run()
	total := 0
	for n := range 20 {
		b.Count(n)
		total += n
	}
	if err := end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	b.Count(1) // nobody is there
	b.is(float64(total))
}

func times(t *testing.T, b *bench) {
	end := b.run()
	b.Count(1)
	b.await("three points", func() bool { return len(b.points()) >= 3 })
	b.Count(1)
	if err := end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	last, observed := map[string]int64{}, uint64(0)
	for _, s := range b.sink.all() {
		key := s.Labels.Key(s.Name)
		if s.At.UnixMilli() <= last[key] {
			t.Errorf("%s: a point at %v, after one at %v", s.Name, s.At, time.UnixMilli(last[key]).UTC())
		}
		last[key] = s.At.UnixMilli()
		if past := s.At.UnixNano() % int64(Interval); past != 0 && !b.fetches() {
			t.Errorf("%s: a point at %v, which ends no interval", s.Name, s.At)
		}
		if s.Name == b.Series {
			observed += s.Observed
		}
	}
	if observed < 2 {
		t.Errorf("the points of %s say that %d measurements stand behind them, of 2 or more", b.Series, observed)
	}
}

func badInput(t *testing.T, b *bench) {
	if b.Bad == nil {
		t.Skip("it only fetches")
	}
	end := b.run()
	b.Bad()
	b.Count(2)
	if err := end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	b.is(2)
	lost := 0.0
	for _, m := range b.Source.Metrics() {
		if m.Loss {
			lost += b.sink.sum(m.Name)
		}
	}
	if lost < 1 {
		t.Error("nothing is lost, say the series of which Metrics says Loss")
	}
}

func documented(t *testing.T, b *bench) {
	end := b.run()
	b.Count(1)
	if b.Bad != nil {
		b.Bad()
	}
	if err := end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	metrics, seen := map[string]collector.Metric{}, 0
	for _, m := range b.Source.Metrics() {
		if _, twice := metrics[m.Name]; twice || m.Help == "" {
			t.Errorf("%s is documented twice, or by nothing", m.Name)
		}
		metrics[m.Name] = m
	}
	for _, s := range b.sink.all() {
		if !strings.HasPrefix(s.Name, collector.OwnPrefix) {
			continue
		}
		seen++
		if m, known := metrics[s.Name]; !known || s.Meta == nil || m.Type != s.Meta.Type || m.Unit != s.Meta.Unit {
			t.Errorf("%s is documented as %+v, and written as %+v", s.Name, m, s.Meta)
		}
	}
	if seen == 0 {
		t.Errorf("it says nothing of itself: no series begins with %s", collector.OwnPrefix)
	}
}

func once(t *testing.T, b *bench) {
	if err := b.run()(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := b.Source.Run(over()); err == nil {
		t.Error("it ran a second time")
	}
}

func closed(t *testing.T, b *bench) {
	if err := b.Source.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := b.Source.Run(over()); err == nil {
		t.Error("it ran after Close")
	}
}

// over is a context that has ended, with which whoever runs all the same returns.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func refused(t *testing.T, b *bench) {
	full := errors.New("no space left on device")
	b.sink.refuse(full)
	end := b.run()
	b.Count(3)
	b.await("two refusals", func() bool { return b.sink.refusals() >= 2 })
	b.sink.refuse(nil)
	b.Count(4)
	if err := end(); !errors.Is(err, full) {
		t.Errorf("Run: %v, want what the sink said", err)
	}
	b.is(7)
}

func resumed(t *testing.T, b *bench) {
	if b.fetches() {
		t.Skip("what it counts is the other side's")
	}
	b.before, b.given = 100, time.Now().Add(-time.Minute)
	end := b.run()
	b.Count(3)
	if err := end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	b.is(103)
}

// replaced is about a source that takes the place of one which ended within an
// interval, and gave its points: it ends within the same interval, too.
func replaced(t *testing.T, b *bench) {
	if b.fetches() {
		t.Skip("its points have the moment of asking")
	}
	const far = 1000 // intervals: this one is not over before the test is
	b.before, b.given = 100, collector.Intake{Interval: far * Interval}.IntervalEnd(time.Now())
	end := b.run()
	b.Count(3)
	if err := end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	b.is(103)
	for _, s := range b.points() {
		if !s.At.After(b.given) {
			t.Errorf("a point at %v, and there is one up to %v", s.At, b.given)
		}
	}
}

func retired(t *testing.T, b *bench) {
	retirer, can := b.Source.(collector.Retirer)
	if !can {
		t.Skip("it tells no instances apart")
	}
	end := b.run()
	b.Count(5)
	if err := retirer.Retire(t.Context(), "web-1"); err != nil {
		t.Errorf("Retire: %v", err)
	}
	b.await("a mark of the end", func() bool {
		points := b.points()
		return len(points) > 0 && points[len(points)-1].Stale
	})
	if err := retirer.Retire(t.Context(), "web-9"); !errors.Is(err, collector.ErrUnknownInstance) {
		t.Errorf("of an instance that it does not know it says %v", err)
	}
	if err := end(); err != nil {
		t.Errorf("Run: %v", err)
	}
	b.is(5)
}

// bench is a source under test, its sink, and the time before it (collector.Resumer).
type bench struct {
	Driver
	t      *testing.T
	sink   *sink
	before float64   // the counter's last value; 0: there is none
	given  time.Time // when that was, which may be at the end of an interval that is not over
}

// Last implements collector.Resumer.
func (b *bench) Last(name string, labels collector.Labels) (collector.Sample, bool) {
	return collector.Sample{Name: name, Labels: labels, At: b.given, Value: b.before}, b.before > 0 && name == b.Series
}

// run runs the source. end ends it, has what is fetched fetched a last time, as a
// collector does, and gives what Run returned.
func (b *bench) run() (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Source.Run(ctx) }()
	end = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			if f, can := b.Source.(collector.Fetcher); can {
				err = errors.Join(err, f.Fetch(context.Background()))
			}
			b.sink.close()
			return err
		case <-time.After(patience):
			return fmt.Errorf("it does not return, %v after its context has ended", patience)
		}
	})
	b.t.Cleanup(func() { _ = end() }) // if the test did not come so far
	return end
}

// patience bounds what is waited for. Nothing takes nearly as long.
const patience = 30 * time.Second

func (b *bench) await(what string, is func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(Interval / 4) {
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// points are those of the counter that say something.
func (b *bench) points() []collector.Sample { return b.sink.named(b.Series) }

// is checks what web-1 counted.
func (b *bench) is(want float64) {
	b.t.Helper()
	if got := b.sink.sum(b.Series); got != want {
		b.t.Errorf("%s is %v, want %v", b.Series, got, want)
	}
	for _, s := range b.points() {
		if of := s.Labels.Get("instance"); b.Nobodys && of != "" || !b.Nobodys && of != "web-1" {
			b.t.Errorf("%s has the labels %v, and is it of web-1? %v", s.Name, s.Labels, !b.Nobodys)
			return
		}
	}
}

// sink keeps what it takes.
type sink struct {
	mu      sync.Mutex
	err     error // why it takes nothing; nil: it takes all
	refused int
	samples []collector.Sample
	closed  bool
	after   int // samples that came when it was closed
}

// Append implements collector.Sink.
func (s *sink) Append(samples ...collector.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.after += len(samples)
		return nil
	}
	if s.err != nil {
		s.refused++
		return s.err
	}
	s.samples = append(s.samples, samples...)
	return nil
}

func (s *sink) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *sink) refusals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// close tells that nothing may come any more.
func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

func (s *sink) late() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.after
}

func (s *sink) all() []collector.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]collector.Sample(nil), s.samples...)
}

func (s *sink) named(name string) (out []collector.Sample) {
	for _, x := range s.all() {
		if x.Name == name {
			out = append(out, x)
		}
	}
	return out
}

// sum adds the last values of a series over its labels.
func (s *sink) sum(name string) (sum float64) {
	last := map[string]float64{}
	for _, x := range s.named(name) {
		if !x.Stale {
			last[x.Labels.Key(name)] = x.Value
		}
	}
	for _, v := range last {
		sum += v
	}
	return sum
}

// ignore is a journal that takes all.
type ignore struct{}

// Note implements collector.Journal.
func (ignore) Note(...collector.Event) error { return nil }
