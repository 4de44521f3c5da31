package scrape

import (
	"bytes"
	"context"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"throughline/collector"
)

// target is a Target that is scraped.
type target struct {
	Target
	offset  time.Duration // of its scrapes from whole multiples of Every, so that not all targets are asked at once
	reader  *reader
	retired chan struct{} // closed when it is gone

	one  sync.Mutex   // one scrape at a time; guards what follows
	last time.Time    // the time of the last samples
	body bytes.Buffer // of the scrape under way; nothing that is kept points into it
	gone bool

	mu      sync.Mutex
	figures Figures
}

// Figures tell how a target fared.
type Figures struct {
	Instance, URL string
	Scrapes       uint64
	Failures      map[Failure]uint64 // of Scrapes, by reason
	Missed        uint64             // scrapes that were due while another one was under way, or the machine was late
	Dropped       map[Drop]uint64    // samples of good scrapes that could not be kept
	LastError     string             // of the last failure
	Last, Worst   time.Duration      // how long the last scrape took, and the longest
	Late          time.Duration      // how long after it was due the last scrape began
	Samples       int                // of the last good scrape
	Reached       bool               // the last scrape was good
}

func newTarget(t Target) *target {
	h := fnv.New64a()
	h.Write([]byte(t.Instance + "\x00" + t.URL))
	own := t.Labels.With("instance", t.Instance).With(collector.LabelWay, string(collector.ByScrape))
	return &target{Target: t, offset: time.Duration(h.Sum64() % uint64(t.Every)), reader: newReader(own, t.HonorLabels), retired: make(chan struct{}),
		figures: Figures{Instance: t.Instance, URL: t.URL, Failures: map[Failure]uint64{}, Dropped: map[Drop]uint64{}}}
}

// next is the first time after now at which t is due.
func (t *target) next(now time.Time) time.Time {
	past := time.Duration((now.UnixNano() - int64(t.offset)) % int64(t.Every))
	return now.Add(t.Every - past)
}

// free is the first time from at on for which there is no point yet. Times are kept in milliseconds, and no two points of a series
// share one. t.one is held.
func (t *target) free(at time.Time) time.Time {
	if at.UnixMilli() <= t.last.UnixMilli() {
		at = t.last.Add(time.Millisecond)
	}
	t.last = at
	return at
}

// scrape asks t, which was due at a time, and gives what it exposes to the sink. The error is the sink's.
func (c *Collector) scrape(ctx context.Context, t *target, due time.Time) error {
	t.one.Lock()
	defer t.one.Unlock()
	if t.gone {
		return nil
	}
	begin := time.Now()
	at := t.free(begin)
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	var read reading
	body, kind, err := c.get(ctx, t.Target, &t.body)
	if err == nil {
		read, err = t.reader.read(body, kind, c.cfg.MaxSamples, at)
	}
	if err != nil {
		read = reading{samples: t.reader.end(at)}
	}
	return c.keep(t, read.samples, func() []collector.Sample { return t.note(read, err, at, time.Since(begin), begin.Sub(due)) })
}

// keep gives samples of t to the sink, and then what t tells of itself. Where exposed labels are honoured several targets may write one series,
// each at its times: of two the older that comes later is dropped, as a server drops what is out of order.
func (c *Collector) keep(t *target, samples []collector.Sample, told func() []collector.Sample) error {
	if t.HonorLabels {
		c.sharing.Lock()
		defer c.sharing.Unlock()
		samples = slices.DeleteFunc(samples, func(s collector.Sample) bool {
			key, at := s.Labels.Key(s.Name), s.At.UnixMilli()
			if newest, known := c.newest[key]; known && at <= newest {
				t.drop(Disorder)
				return true
			}
			c.newest[key] = at
			return false
		})
	}
	if told != nil {
		samples = append(samples, told()...)
	}
	return c.refuse(t, c.intake.Sink.Append(samples...))
}

// retire ends t, and gives the marks of the end of its series.
func (t *target) retire(now time.Time) []collector.Sample {
	close(t.retired)
	t.one.Lock()
	defer t.one.Unlock()
	t.gone = true
	at := t.free(now)
	return append(t.reader.end(at), t.endOwn(at)...)
}
