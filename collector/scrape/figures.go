package scrape

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"throughline/collector"
)

// The series that it writes about itself, with the label instance.
const (
	own          = collector.OwnPrefix + "scrape_"
	ownSuccess   = own + "success"
	ownDuration  = own + "duration_seconds"
	ownLateness  = own + "lateness_seconds"
	ownSamples   = own + "samples"
	ownScrapes   = own + "scrapes_total"
	ownFailures  = own + "failures_total"
	ownMissed    = own + "missed_total"
	ownDropped   = own + "dropped_samples_total"
	labelReason  = "reason"
	labelOfWhose = "instance"
)

// The meanings of its series.
var (
	counterMeta = &collector.Meta{Type: collector.Counter}
	gaugeMeta   = &collector.Meta{Type: collector.Gauge}
	secondsMeta = &collector.Meta{Type: collector.Gauge, Unit: "seconds"}
)

// Metrics implements collector.Source.
func (c *Collector) Metrics() []collector.Metric { return OwnMetrics() }

// OwnMetrics document the series of every such source.
func OwnMetrics() []collector.Metric {
	return []collector.Metric{
		{Name: ownSuccess, Type: collector.Gauge, Help: "1 if the scrape was kept, else 0, as Prometheus' up"},
		{Name: ownDuration, Type: collector.Gauge, Unit: "seconds", Help: "how long the scrape took: what it gives is of a moment from its time on until so much later"},
		{Name: ownLateness, Type: collector.Gauge, Unit: "seconds", Help: "how long after it was due the scrape began"},
		{Name: ownSamples, Type: collector.Gauge, Help: "samples in the exposition; 0 where the scrape failed"},
		{Name: ownScrapes, Type: collector.Counter, Help: "scrapes so far"},
		{Name: ownFailures, Type: collector.Counter, Help: "of those, the ones of which nothing was kept, by reason", Loss: true},
		{Name: ownMissed, Type: collector.Counter, Help: "scrapes that were due and not begun, because another one was under way or the machine was late", Loss: true},
		{Name: ownDropped, Type: collector.Counter, Help: "samples of good scrapes that were not kept, by reason", Loss: true},
	}
}

// reached tells whether the last scrape was good.
func (t *target) reached() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.figures.Reached || t.figures.Scrapes == 0
}

// missed counts scrapes that were due and not begun.
func (t *target) missed(n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.figures.Missed += n
}

// drop counts a sample that is not kept.
func (t *target) drop(why Drop) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.figures.Dropped[why]++
}

// note counts a scrape, and gives the figures as they are then.
func (t *target) note(read reading, err error, at time.Time, took, late time.Duration) []collector.Sample {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := &t.figures
	f.Scrapes++
	f.Reached = err == nil
	f.Last, f.Worst, f.Late, f.Samples = took, max(f.Worst, took), late, read.exposed
	if err != nil {
		f.LastError = err.Error()
		if why := (failed{}); errors.As(err, &why) {
			f.Failures[why.why]++
		}
	}
	for why, n := range read.dropped {
		f.Dropped[why] += n
	}
	success := 1.0
	if err != nil {
		success = 0
	}
	whose := t.whose()
	out := []collector.Sample{
		{Name: ownSuccess, Labels: whose, Meta: gaugeMeta, At: at, Value: success, Observed: 1},
		{Name: ownDuration, Labels: whose, Meta: secondsMeta, At: at, Value: took.Seconds(), Observed: 1},
		{Name: ownLateness, Labels: whose, Meta: secondsMeta, At: at, Value: late.Seconds(), Observed: 1},
		{Name: ownSamples, Labels: whose, Meta: gaugeMeta, At: at, Value: float64(f.Samples), Observed: 1},
		{Name: ownScrapes, Labels: whose, Meta: counterMeta, At: at, Value: float64(f.Scrapes), Observed: 1},
		{Name: ownMissed, Labels: whose, Meta: counterMeta, At: at, Value: float64(f.Missed), Observed: 1},
	}
	for _, why := range failures {
		out = append(out, collector.Sample{Name: ownFailures, Labels: whose.With(labelReason, string(why)), Meta: counterMeta, At: at, Value: float64(f.Failures[why]), Observed: 1})
	}
	for _, why := range drops {
		out = append(out, collector.Sample{Name: ownDropped, Labels: whose.With(labelReason, string(why)), Meta: counterMeta, At: at, Value: float64(f.Dropped[why]), Observed: 1})
	}
	return out
}

func (t *target) whose() collector.Labels { return collector.NewLabels(labelOfWhose, t.Instance) }

// endOwn ends the gauges of a target that is gone. Its counters keep what they came to.
func (t *target) endOwn(at time.Time) (out []collector.Sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.figures.Scrapes == 0 {
		return nil
	}
	for _, name := range []string{ownSuccess, ownSamples} {
		out = append(out, collector.Sample{Name: name, Labels: t.whose(), Meta: gaugeMeta, At: at, Stale: true})
	}
	for _, name := range []string{ownDuration, ownLateness} {
		out = append(out, collector.Sample{Name: name, Labels: t.whose(), Meta: secondsMeta, At: at, Stale: true})
	}
	return out
}

// Figures are how the targets fared so far that are still there, by instance.
func (c *Collector) Figures() []Figures {
	c.mu.Lock()
	all := make([]*target, 0, len(c.targets))
	for _, t := range c.targets {
		all = append(all, t)
	}
	c.mu.Unlock()
	out := make([]Figures, 0, len(all))
	for _, t := range all {
		t.mu.Lock()
		f := t.figures
		f.Failures, f.Dropped = maps.Clone(f.Failures), maps.Clone(f.Dropped)
		t.mu.Unlock()
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b Figures) int { return strings.Compare(a.Instance, b.Instance) })
	return out
}

func sum[K comparable](m map[K]uint64) (n uint64) {
	for _, x := range m {
		n += x
	}
	return n
}

// Tables implements collector.Tabler.
func (c *Collector) Tables() []collector.Table {
	t := collector.Table{Title: "Scrapes", Head: []string{"instance", "address", "scrapes", "failed", "missed", "samples", "dropped", "last error"}}
	number := func(n uint64, loss bool) collector.Cell {
		return collector.Cell{Text: fmt.Sprint(n), Number: true, Loss: loss && n > 0}
	}
	for _, f := range c.Figures() {
		t.Rows = append(t.Rows, []collector.Cell{{Text: f.Instance}, {Text: f.URL}, number(f.Scrapes, false), number(sum(f.Failures), true), number(f.Missed, true),
			number(uint64(f.Samples), false), number(sum(f.Dropped), true), {Text: f.LastError}})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return []collector.Table{t}
}
