package statsd

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
	"throughline/collector/histogram"
)

// Config is how to receive. The zero value of each field means its default.
type Config struct {
	// MaxSeries is how many series one instance may have, and
	// MaxSeriesTotal all instances together. Lines that would begin another
	// are refused and counted. Default 20,000 and 100,000.
	MaxSeries      int
	MaxSeriesTotal int
	// MaxOrigins is how many unknown origins (source addresses, container
	// ids) are told apart; the lines of further ones are refused and
	// counted. Default 1,000.
	MaxOrigins int
	// MaxTags is how many tags a line may have that begins a series; MaxName
	// and MaxTagValue how many bytes its name, the names of its tags and their
	// values. Longer ones are refused and counted. Default 64, 512, 1,024.
	MaxTags     int
	MaxName     int
	MaxTagValue int
	// TagValues is how many different values a tag of a metric may have
	// before that is a finding. Default 1,000.
	TagValues int
	// SetExact is how many members of a set are counted exactly in one
	// interval; beyond that the number is estimated. All sets together count
	// a hundred times as many exactly. Default 10,000.
	SetExact int

	// OutOfOrder is how long a series with timestamps waits for lines that
	// belong to an interval that is over, in whole intervals. Default 10 s;
	// below 0: not at all.
	OutOfOrder time.Duration
	// MaxHeld is how many values of one instance may wait for that; all
	// instances together have ten times the room. Lines beyond it are refused
	// and counted. Default 100,000.
	MaxHeld int
	// Expire is after how long without a line the series of an origin that
	// nobody assigned are marked stale. Their values are kept, and go on when
	// the origin returns. 0: never.
	Expire time.Duration
	// Gauges is how signed values of gauges are read. Default Auto.
	Gauges Gauges

	// Tags are the styles of tags in names that are understood, beside
	// Graphite's. A name that looks like one of another style is a finding.
	Tags dogstatsd.Styles

	// ReceiveBuffer is the size of each socket's buffer in the kernel, in
	// bytes. What was granted is in the figures: without privilege Linux
	// grants no more than net.core.rmem_max. Default 32 MiB; it is used
	// only while datagrams wait.
	ReceiveBuffer int
	// MaxDatagram is the longest datagram that is read whole, in bytes.
	// Default 65,535, the longest there is.
	MaxDatagram int

	// Relay gets every payload as it came, before it is looked at, from
	// several goroutines at once. It must neither keep nor change the payload,
	// and whatever waits for it waits for the sockets. May be nil.
	Relay func(datagram []byte)
	// Junk gets samples of lines that were bad or refused: JunkRate a second
	// (default 1) of each reason, from several goroutines at once. May be nil.
	Junk     func(Junk)
	JunkRate int
	// Found gets each finding that is new, one after the other, at the end of
	// the interval in which it was found. May be nil.
	Found func(Finding)

	// Now is the clock; default time.Now.
	Now func() time.Time
}

// mostAhead is how far the points of an earlier collector may be ahead of the clock:
// those of an interval that it ended early, and of lines with timestamps.
const mostAhead = time.Minute

// setBack tells from the last point of an earlier collector that the clock was set
// back since.
func (s setup) setBack(last, now time.Time) bool {
	return last.Sub(now) > max(mostAhead, s.Interval+s.OutOfOrder)
}

// Gauges is how a gauge's value with a sign is read.
type Gauges uint8

// The ways to read a gauge's value with a sign.
const (
	// Auto takes it for a change, as etsy's StatsD does, except for a negative
	// value in a line that only Datadog's clients send (one with |c:, |e:, |T
	// or |card:), which have no changes.
	Auto     Gauges = iota
	Deltas          // always a change
	Absolute        // never a change
)

// Junk is a line that did not become part of a number.
type Junk struct {
	Reason   string // as in Counts.Bad and Counts.Refused
	Instance string // who sent it, as far as that is known
	Listener string // where it came in
	From     netip.Addr
	Line     []byte
	// Suppressed is how many lines of this reason were not shown since the
	// last one that was.
	Suppressed uint64
}

// setup is a Config and what the collector gives to work with. Where the intake has
// no Journal, events and service checks are counted only.
type setup struct {
	Config
	collector.Intake
}

// newSetup sets what is not set.
func newSetup(c Config, in collector.Intake) setup {
	in = in.WithDefaults()
	for _, f := range []struct {
		field    *int
		standard int
	}{
		{&c.MaxSeries, 20_000}, {&c.MaxSeriesTotal, 100_000}, {&c.MaxOrigins, 1000}, {&c.MaxTags, 64}, {&c.MaxName, 512},
		{&c.MaxTagValue, 1024}, {&c.TagValues, 1000}, {&c.SetExact, 10_000}, {&c.MaxHeld, 100_000},
		{&c.ReceiveBuffer, 32 << 20}, {&c.MaxDatagram, 65_535}, {&c.JunkRate, 1},
	} {
		if *f.field <= 0 {
			*f.field = f.standard
		}
	}
	switch {
	case c.OutOfOrder == 0:
		c.OutOfOrder = 10 * time.Second
	case c.OutOfOrder < 0:
		c.OutOfOrder = 0
	}
	// A part of an interval can not be waited for.
	if part := c.OutOfOrder % in.Interval; part > 0 {
		c.OutOfOrder += in.Interval - part
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return setup{c, in}
}

// seriesBytes is how long the names and labels of series may be on the average;
// longer ones leave room for fewer than Config.MaxSeriesTotal.
const seriesBytes = 1024

// bucketsPerSeries is how many buckets histograms may have for each of
// Config.MaxSeriesTotal. Times from 1 ms to 1 s fall into 160; but few series are
// histograms.
const bucketsPerSeries = 40

// shared is what all clients have together. Nothing in it is touched by a line
// of a known series, except for sets and lines with timestamps.
type shared struct {
	cfg      setup
	seed     maphash.Seed
	bounds   *histogram.Bounds
	registry *registry
	junk     junkGate

	told time.Time // the last points that a collector before this one gave of itself; zero: there are none

	series  atomic.Int64 // series there are
	buckets atomic.Int64 // of their histograms
	bytes   atomic.Int64 // of their names and labels
	members atomic.Int64 // of sets, counted exactly
	held    atomic.Int64 // values that wait for their time
}

func newShared(cfg setup) *shared {
	s := &shared{cfg: cfg, seed: maphash.MakeSeed(), bounds: histogram.NewBounds(), registry: newRegistry(cfg.Config), junk: junkGate{rate: int64(cfg.JunkRate)}}
	if cfg.Resume != nil {
		if last, ok := cfg.Resume.Last(prefix+startName, nil); ok && !cfg.setBack(last.At, cfg.Now()) {
			s.told = last.At
		}
	}
	return s
}

// admit counts a series of a length in bytes; false when there is no room.
func (s *shared) admit(length int) bool {
	count, bytes := s.series.Add(1), s.bytes.Add(int64(length))
	if most := int64(s.cfg.MaxSeriesTotal); count > most || bytes > most*seriesBytes {
		s.dismiss(1, length)
		return false
	}
	return true
}

// dismiss takes back what admit counted.
func (s *shared) dismiss(series, length int) {
	s.series.Add(-int64(series))
	s.bytes.Add(-int64(length))
}
