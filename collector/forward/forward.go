// Package forward gives what the collector has to others: samples by
// Prometheus remote write and to Graphite, raw datagrams to another StatsD.
//
// It never slows whoever gives: what a peer does not take yet waits in a bounded
// queue, and what does not fit there is dropped and counted. It is no store: what
// waits is lost with the process. Each is a collector.Output, which collector/server
// runs; it stops what gives to them before it stops them.
package forward

import (
	"fmt"
	"time"

	"throughline/collector"
)

// Forwarder is a Relay, a RemoteWrite or a Graphite. When Run's context ends, what
// still waits is given for at most Limits.Flush.
type Forwarder interface {
	collector.Output
	Figures() Figures
}

// Figures tell what became of what a Forwarder was to give. Their unit is the datagram for a Relay,
// else the sample. They balance at any moment: In = Sent + Dropped + Queued.
type Figures struct {
	To   string // the peer's address, without a password
	Kind string // relay, remote_write or graphite
	// Queued is what waits, and what is on its way to the peer.
	Queued int
	In     uint64
	// Sent is what the peer took. Remote write has the peer's word for it.
	// For all else it is what the kernel took: a peer that dies with it
	// unread, or a network that loses it, is not seen.
	Sent    uint64
	Dropped uint64 // Full + Refused + Unsent
	Full    uint64 // the oldest, when the queue was full
	Refused uint64 // what the peer will never take, or has no form for it; see LastError
	Unsent  uint64 // what was left at the end, some of which may have arrived, and what came after it
	Retries uint64 // attempts that failed and were made again
	Bytes   uint64 // of what was Sent, before compression
	// LastError is why the last attempt failed or the last refusal was made;
	// it stays when all is well again.
	LastError string
	// Up is whether the last attempt reached the peer.
	Up bool
}

// prefix begins the names of the series.
const prefix = collector.OwnPrefix + "forward_"

// figure is a Metric with its value.
type figure struct {
	collector.Metric
	reason string // for the label reason; "" = none
	value  func(Figures) float64
}

func figures() []figure {
	const dropped = "What was dropped on the way to a peer, by reason: full (the oldest, when the queue was full), refused (the peer does not take it, or has no form for it), unsent (left when the collector stopped)."
	counter := func(name, help string, value func(Figures) uint64) figure {
		return figure{Metric: collector.Metric{Name: prefix + name, Type: collector.Counter, Help: help}, value: func(f Figures) float64 { return float64(value(f)) }}
	}
	loss := func(reason string, value func(Figures) uint64) figure {
		f := counter("dropped_total", dropped, value)
		f.Loss, f.reason = true, reason
		return f
	}
	up := func(f Figures) float64 {
		if f.Up {
			return 1
		}
		return 0
	}
	bytes := counter("bytes_total", "The size of what was sent, before compression.", func(f Figures) uint64 { return f.Bytes })
	bytes.Unit = "bytes"
	return []figure{
		counter("in_total", "Samples (of a relay: datagrams) to give to a peer. It is the sum of sent, dropped and queued.", func(f Figures) uint64 { return f.In }),
		counter("sent_total", "What the peer took; of a relay and of Graphite, what the kernel took for the peer.", func(f Figures) uint64 { return f.Sent }),
		loss("full", func(f Figures) uint64 { return f.Full }),
		loss("refused", func(f Figures) uint64 { return f.Refused }),
		loss("unsent", func(f Figures) uint64 { return f.Unsent }),
		counter("retries_total", "Attempts that failed and were made again.", func(f Figures) uint64 { return f.Retries }),
		bytes,
		{Metric: collector.Metric{Name: prefix + "queued", Type: collector.Gauge, Help: "What waits for the peer or is on its way."}, value: func(f Figures) float64 { return float64(f.Queued) }},
		{Metric: collector.Metric{Name: prefix + "up", Type: collector.Gauge, Help: "1 if the last attempt reached the peer."}, value: up},
	}
}

// String says in one line what became of what was to be given.
func (f Figures) String() string {
	text := fmt.Sprintf("%s to %s: %d of %d sent, %d dropped", f.Kind, f.To, f.Sent, f.In, f.Dropped)
	if f.LastError != "" {
		text += " (" + f.LastError + ")"
	}
	return text
}

// row is the line of the collector's page.
func (f Figures) row() []collector.Cell {
	number := func(n uint64) collector.Cell { return collector.Cell{Text: fmt.Sprint(n), Number: true} }
	dropped := number(f.Dropped)
	dropped.Loss = f.Dropped > 0
	return []collector.Cell{{Text: f.To}, {Text: f.Kind}, number(f.In), number(f.Sent), number(uint64(f.Queued)), dropped, number(f.Retries), {Text: f.LastError}}
}

// Own implements collector.Output.
func (o *outbox) Own(at time.Time) []collector.Sample { return Samples(at, o.Figures()) }

// Tables implements collector.Tabler.
func (o *outbox) Tables() []collector.Table {
	return []collector.Table{{Title: "What goes out", Head: []string{"to", "kind", "in", "sent", "queued", "dropped", "retries", "last error"},
		Rows: [][]collector.Cell{o.Figures().row()}}}
}

// Metrics implements collector.Output. Each series has the labels to and kind, and
// dropped_total has reason too.
func (o *outbox) Metrics() []collector.Metric {
	var out []collector.Metric
	for _, f := range figures() {
		if len(out) == 0 || out[len(out)-1] != f.Metric {
			out = append(out, f.Metric)
		}
	}
	return out
}

// Samples are figures as series of the collector's own.
func Samples(at time.Time, f Figures) []collector.Sample {
	labels := collector.NewLabels("to", f.To, "kind", f.Kind)
	var out []collector.Sample
	for _, x := range figures() {
		s := collector.Sample{Name: x.Name, Labels: labels, At: at, Value: x.value(f), Observed: 1,
			Meta: &collector.Meta{Type: x.Type, Unit: x.Unit}}
		if x.reason != "" {
			s.Labels = labels.With("reason", x.reason)
		}
		out = append(out, s)
	}
	return out
}
