package statsd

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"throughline/collector"
)

// Counts are the figures of what came in. At any moment it balances: Lines =
// Accepted + Held + the sum of Bad + the sum of Refused + Events +
// ServiceChecks.
type Counts struct {
	Datagrams uint64 // payloads: of a stream, frames or runs of lines
	// Sources is how many different sockets, by address and port, the
	// datagrams came from. Of one instance at one listener the first 1,024
	// are told apart, and a later one is not counted. A socket that sends to
	// several listeners, or for several instances, counts for each of them.
	// Only UDP tells; of streams and Unix sockets it is 0.
	Sources       uint64
	Bytes         uint64
	Truncated     uint64 // datagrams longer than Config.MaxDatagram: what was cut off is lost
	Lines         uint64 // without empty ones; each typed sample of a line with several is one
	Accepted      uint64 // lines that were added up
	Held          uint64 // lines that wait for the time they brought with them
	Values        uint64 // in the accepted lines: packed lines have several
	Timestamped   uint64 // accepted lines with a time of their own
	Events        uint64 // given to the journal
	ServiceChecks uint64 // given to the journal, and added up
	// Bad are lines that make no sense, and Refused lines that a limit kept
	// out, by reason. Both are lost.
	Bad     map[string]uint64
	Refused map[string]uint64
	Series  int // series begun
	// KernelDrops are datagrams that reached the socket and were thrown
	// away by the kernel, mostly because its buffer was full. They are not
	// in Datagrams. Where KernelDropsKnown is false, the system does not
	// tell and nobody knows.
	KernelDrops      uint64
	KernelDropsKnown bool
}

func newCounts() Counts {
	return Counts{Bad: map[string]uint64{}, Refused: map[string]uint64{}, KernelDropsKnown: true}
}

// BadLines is the sum of Bad.
func (c Counts) BadLines() uint64 { return sum(c.Bad) }

// RefusedLines is the sum of Refused.
func (c Counts) RefusedLines() uint64 { return sum(c.Refused) }

func sum(counts map[string]uint64) uint64 {
	var n uint64
	for _, k := range counts {
		n += k
	}
	return n
}

func (c *Counts) add(d Counts) {
	c.Datagrams += d.Datagrams
	c.Bytes += d.Bytes
	c.Sources += d.Sources
	c.Truncated += d.Truncated
	c.Lines += d.Lines
	c.Accepted += d.Accepted
	c.Held += d.Held
	c.Values += d.Values
	c.Timestamped += d.Timestamped
	c.Events += d.Events
	c.ServiceChecks += d.ServiceChecks
	c.Series += d.Series
	c.KernelDrops += d.KernelDrops
	c.KernelDropsKnown = c.KernelDropsKnown && d.KernelDropsKnown
	for reason, n := range d.Bad {
		c.Bad[reason] += n
	}
	for reason, n := range d.Refused {
		c.Refused[reason] += n
	}
}

// ListenerFigures are those of one Listener. A datagram with lines of
// several containers is counted with whoever sent it.
type ListenerFigures struct {
	Instance      string // its own
	Addr          string
	Origin        Origin
	ReceiveBuffer int // bytes, as granted by the kernel; 0 = unknown
	// Connections were accepted by a stream's listener, of which Open are
	// there now; ConnectionsRefused were closed because there were too many.
	Connections        uint64
	Open               int
	ConnectionsRefused uint64
	// Failed: the socket can not be read any more. Why is told by Run.
	Failed bool
	Counts
}

// InstanceFigures are those of one instance, over all listeners. KernelDrops
// are those of its own.
type InstanceFigures struct {
	Instance string
	Unknown  bool // an origin that nobody assigned
	Counts
}

// Figures tell how a Collector fared: what came in, what was lost, how the flushes went.
type Figures struct {
	Total     Counts            // the sum of either list
	Listeners []ListenerFigures // by instance and address, closed ones included
	Instances []InstanceFigures // by name, retired ones included
	Findings  []Finding         // at most 1,000, in the order in which they were found
	// FindingsLeftOut is how many are not in the list.
	FindingsLeftOut uint64

	Started time.Time
	Flushes uint64
	Skipped uint64 // intervals that got no flush of their own, because one ran later than an interval
	// ClockSteps is how often the wall clock was set by an interval or more.
	ClockSteps    uint64
	Lateness      time.Duration // of the last flush after its interval's end
	WorstLateness time.Duration
	FlushTook     time.Duration // the last flush, with what the sink took for it
	WorstFlush    time.Duration
	AppendErrors  uint64 // flushes of which the sink did not take everything
	LastError     error  // the last of those
	JournalErrors uint64 // events and service checks that the journal did not take
}

// Figures are the figures so far. It can be asked at any time, and after Run
// for the final one.
func (c *Collector) Figures() Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.flushes
	out := Figures{Started: c.started, Flushes: f.flushes, Skipped: f.skipped, ClockSteps: f.clockSteps,
		Lateness: f.lateness, WorstLateness: f.worst, FlushTook: f.took, WorstFlush: f.longest,
		AppendErrors: f.refused, LastError: f.lastRefusal, JournalErrors: f.unnoted, Total: newCounts()}
	out.Findings, out.FindingsLeftOut = c.shared.registry.list()
	through := map[*listener]Counts{}
	for _, l := range c.listeners {
		through[l] = newCounts()
	}
	instances := maps.Clone(c.retired)
	for name, cl := range c.clients {
		instances[name] = cl.summary(through)
	}
	out.Listeners = slices.Clone(c.past)
	for _, l := range c.listeners {
		out.Listeners = append(out.Listeners, l.summary(through[l]))
	}
	for _, x := range out.Listeners {
		own := instances[x.Instance]
		own.KernelDrops += x.KernelDrops
		own.KernelDropsKnown = own.KernelDropsKnown && x.KernelDropsKnown
		instances[x.Instance] = own
	}
	for _, x := range instances {
		out.Instances = append(out.Instances, x)
		out.Total.add(x.Counts)
	}
	slices.SortFunc(out.Listeners, func(x, y ListenerFigures) int {
		return cmp.Or(strings.Compare(x.Instance, y.Instance), strings.Compare(x.Addr, y.Addr))
	})
	slices.SortFunc(out.Instances, func(x, y InstanceFigures) int { return strings.Compare(x.Instance, y.Instance) })
	return out
}

// summary are the figures so far; what came through each listener is added to
// through.
func (cl *client) summary(through map[*listener]Counts) InstanceFigures {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	out := InstanceFigures{Instance: cl.instance, Unknown: cl.stranger, Counts: newCounts()}
	for _, x := range cl.lanes {
		counts := x.tally.sum()
		out.add(counts)
		sum := through[x.listener]
		sum.add(counts)
		through[x.listener] = sum
	}
	return out
}

// summary are the figures so far, with what came through from clients that are
// not over. Collector.mu is held.
func (l *listener) summary(through Counts) ListenerFigures {
	figures, _ := l.kernel()
	out := ListenerFigures{Instance: l.instance, Addr: l.addr, Origin: l.origin, ReceiveBuffer: figures.ReceiveBuffer,
		Connections: figures.Connections, Open: figures.Open, ConnectionsRefused: figures.Refused, Failed: l.failed(), Counts: newCounts()}
	out.add(through)
	out.add(l.past)
	out.KernelDrops, out.KernelDropsKnown = figures.Drops, figures.DropsKnown
	return out
}

// tally is Counts as readers keep them.
type tally struct {
	Counts                // without Bad, Refused and the drops
	sources *sources      // nil where the listener's socket does not tell
	lost    [fates]uint64 // lines that are bad or refused
	born    [fates]bool   // whose series has begun
	begun   bool          // the other series have begun
}

// book counts the fate of a line.
func (t *tally) book(f fate) {
	switch f {
	case accepted:
		t.Accepted++
	case held:
		t.Held++
	case told:
		t.Events++
	case checked:
		t.ServiceChecks++
	default:
		t.lost[f]++
	}
}

// sum are the Counts whole.
func (t *tally) sum() Counts {
	out := newCounts()
	plain := t.Counts
	plain.KernelDropsKnown = true
	out.add(plain)
	for i, n := range t.lost {
		switch f := fate(i); {
		case n == 0:
		case f < bads:
			out.Bad[f.String()] = n
		default:
			out.Refused[f.String()] = n
		}
	}
	return out
}

// ownLabels are labels without those that are empty, which are the same as none.
func ownLabels(pairs ...string) collector.Labels {
	return slices.DeleteFunc(collector.NewLabels(pairs...), func(l collector.Label) bool { return l.Value == "" })
}
