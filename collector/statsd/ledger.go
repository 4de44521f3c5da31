package statsd

import (
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/collector/dogstatsd"
)

// prefix begins the names of the collector's own series.
const prefix = "throughline_collector_"

// The reasons for bad lines that only show when a line meets its series, after
// those of the parser.
const (
	conflict      = dogstatsd.Reasons + iota // its series' name belongs to another metric or type
	negativeCount                            // a counter can not fall
	overflow                                 // the sum would be no finite number
	reasons                                  // how many reasons there are
)

func reasonName(r dogstatsd.Reason) string {
	switch r {
	case conflict:
		return "conflict"
	case negativeCount:
		return "negative_count"
	case overflow:
		return "overflow"
	}
	return r.String()
}

// Counts is the account of what came in. It balances: Lines = Accepted + the
// sum of Bad + Refused + Events + ServiceChecks.
type Counts struct {
	Datagrams     uint64
	Bytes         uint64
	Truncated     uint64 // datagrams longer than Config.MaxDatagram: what was cut off is lost
	Lines         uint64 // without empty ones
	Accepted      uint64 // lines that were added up
	Values        uint64 // in the accepted lines: packed lines have several
	Timestamped   uint64 // accepted lines with a timestamp of their own, which is not used
	Refused       uint64 // lines that would have begun a series beyond Config.MaxSeries
	Events        uint64 // recognised and not kept
	ServiceChecks uint64 // recognised and not kept
	Bad           map[string]uint64
	Series        int // series begun
	// KernelDrops are datagrams that reached the socket and were thrown
	// away by the kernel, mostly because its buffer was full. They are not
	// in Datagrams. Where KernelDropsKnown is false, the system does not
	// tell and nobody knows.
	KernelDrops      uint64
	KernelDropsKnown bool
}

// BadLines is the sum of Bad.
func (c Counts) BadLines() uint64 {
	var n uint64
	for _, k := range c.Bad {
		n += k
	}
	return n
}

func (c *Counts) add(d Counts) {
	c.Datagrams += d.Datagrams
	c.Bytes += d.Bytes
	c.Truncated += d.Truncated
	c.Lines += d.Lines
	c.Accepted += d.Accepted
	c.Values += d.Values
	c.Timestamped += d.Timestamped
	c.Refused += d.Refused
	c.Events += d.Events
	c.ServiceChecks += d.ServiceChecks
	c.Series += d.Series
	c.KernelDrops += d.KernelDrops
	c.KernelDropsKnown = c.KernelDropsKnown && d.KernelDropsKnown
	for reason, n := range d.Bad {
		c.Bad[reason] += n
	}
}

// ListenerLedger is the account of one instance.
type ListenerLedger struct {
	Instance      string
	Addr          string
	ReceiveBuffer int // bytes, as granted by the kernel; 0 = unknown
	Counts
}

// Ledger is the account of a Collector.
type Ledger struct {
	Total     Counts
	Listeners []ListenerLedger // by name, retired ones included
	Flushes   uint64
	Skipped   uint64 // intervals that got no flush of their own, because one ran later than an interval
	// ClockSteps is how often the wall clock was set by an interval or more.
	ClockSteps    uint64
	Lateness      time.Duration // of the last flush after its interval's end
	WorstLateness time.Duration
	AppendErrors  uint64 // flushes of which the sink did not take everything
	LastError     error  // the last of those
}

// Ledger returns the account so far. It can be asked at any time, and after Run
// for the final one.
func (c *Collector) Ledger() Ledger {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flushes
	out := Ledger{Flushes: f.flushes, Skipped: f.skipped, ClockSteps: f.clockSteps, Lateness: f.lateness,
		WorstLateness: f.worst, AppendErrors: f.refused, LastError: f.lastRefusal,
		Total: Counts{Bad: map[string]uint64{}, KernelDropsKnown: true}}
	for _, l := range c.listeners {
		out.Listeners = append(out.Listeners, l.ledger())
	}
	for _, l := range c.retired {
		out.Listeners = append(out.Listeners, l)
	}
	sortLedgers(out.Listeners)
	for _, l := range out.Listeners {
		out.Total.add(l.Counts)
	}
	return out
}

// tally is Counts as the reader keeps them.
type tally struct {
	Counts                 // without Bad, Series and the drops
	bad    [reasons]uint64 // by reason
	born   [reasons]bool   // whose series has begun
	begun  bool            // the other series have begun
}

// The meanings of the collector's own series.
var (
	counterMeta = &collector.Meta{Type: collector.Counter}
	gaugeMeta   = &collector.Meta{Type: collector.Gauge}
	secondsMeta = &collector.Meta{Type: collector.Gauge, Unit: "seconds"}
	bytesMeta   = &collector.Meta{Type: collector.Gauge, Unit: "bytes"}
)

// meter writes samples of the collector's own series.
type meter struct {
	at, before time.Time // the end of the interval, and of the one before
	labels     collector.Labels
	stale      bool // the series end
	samples    []collector.Sample
}

func (m *meter) gauge(name string, meta *collector.Meta, value float64) {
	m.samples = append(m.samples, collector.Sample{Name: name, Labels: m.labels, Meta: meta, At: m.at, Value: value, Observed: 1, Stale: m.stale})
}

// counter writes a cumulative value. The first of a series is preceded by a
// zero: rate() sees an increase only between two points.
// Source: https://github.com/prometheus/prometheus/issues/3886
func (m *meter) counter(name string, value float64, first bool) {
	if first && !m.stale {
		m.samples = append(m.samples, collector.Sample{Name: name, Labels: m.labels, Meta: counterMeta, At: m.before})
	}
	m.samples = append(m.samples, collector.Sample{Name: name, Labels: m.labels, Meta: counterMeta, At: m.at, Value: value, Observed: 1, Stale: m.stale})
}

func sortLedgers(all []ListenerLedger) {
	slices.SortFunc(all, func(a, b ListenerLedger) int { return strings.Compare(a.Instance, b.Instance) })
}
