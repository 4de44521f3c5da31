// Package collector is the vocabulary of measuring: samples and events, and what
// the parts of a collector are to each other (parts.go): a Source makes samples, a
// Sink takes them.
//
// It does no work, and does not know what is being proved with its numbers.
// collector/statsd and collector/poll are sources; collector/series,
// collector/forward and scenarios/record are sinks; collector/server runs any of
// them; collector/sourcetest holds the contract of a Source.
package collector

import (
	"slices"
	"strings"
	"time"
)

// Label is one dimension of a series.
type Label struct{ Name, Value string }

// Labels is sorted by name and has each name once; see NewLabels.
type Labels []Label

// NewLabels sorts pairs of name and value ("instance", "web-2", …). Of two
// pairs with one name the later wins. A name without a value is left out.
func NewLabels(pairs ...string) Labels {
	labels := make(Labels, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		// It is nobody else's yet, so nothing has to be copied.
		switch at, found := labels.find(pairs[i]); {
		case found:
			labels[at].Value = pairs[i+1]
		default:
			labels = slices.Insert(labels, at, Label{pairs[i], pairs[i+1]})
		}
	}
	return labels
}

// find tells where name is, or has to be.
func (l Labels) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(l, name, func(a Label, n string) int { return strings.Compare(a.Name, n) })
}

// With returns a copy in which name has value.
func (l Labels) With(name, value string) Labels {
	at, found := l.find(name)
	if found {
		out := slices.Clone(l)
		out[at].Value = value
		return out
	}
	return slices.Insert(slices.Clone(l), at, Label{name, value})
}

// Get returns the value of name, or "".
func (l Labels) Get(name string) string {
	for _, x := range l {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// Key tells the series of this name and these labels from all others.
func (l Labels) Key(name string) string { return string(l.AppendKey(nil, name)) }

// AppendKey appends Key to b, for those who look up a series for each sample.
func (l Labels) AppendKey(b []byte, name string) []byte {
	b = append(b, name...)
	for _, x := range l {
		// Neither byte is in UTF-8, so no value can look like the next label.
		b = append(append(b, 0xff), x.Name...)
		b = append(append(b, 0xfe), x.Value...)
	}
	return b
}

// Type is what a series means.
type Type string

// The types of series.
const (
	Counter Type = "counter"   // cumulative, never falls while its instance lives
	Gauge   Type = "gauge"     // the last value
	Summary Type = "histogram" // a cumulative native histogram
	Set     Type = "set"       // number of different members in the interval
)

// Way is how the numbers of a series came in.
type Way string

// The ways in.
const (
	ByStatsD Way = "statsd" // lines, added up by the collector
	ByOTLP   Way = "otlp"   // OpenTelemetry's protocol, pushed by the instance
	ByScrape Way = "scrape" // Prometheus' exposition, fetched from the instance
)

// LabelWay tells series apart that came in by another way than StatsD: the same thing may be counted twice, by two
// ways, while a team moves from one to the other.
const LabelWay = "way"

// Meta is what is known of a metric beside its numbers. Samples of one series
// share one Meta.
type Meta struct {
	Type Type
	// Sent is the name as its sender spells it ("fullstack.insert", "http.server.request.duration",
	// "words_total"); empty for what is no metric of an instance: polled series, and the collector's own.
	Sent string
	Way  Way    // how it came in; "" means ByStatsD where Sent is set
	Unit string // "seconds", "milliseconds", …, where known
	// Origin is how the label instance was found: by "listener", "source"
	// or "container"; empty where there is none, and for polled series.
	Origin string
}

// CameBy is the way in of a metric of an instance; "" of all else.
func (m Meta) CameBy() Way {
	if m.Sent != "" && m.Way == "" {
		return ByStatsD
	}
	return m.Way
}

// OwnPrefix begins the names of the series that a collector writes about itself.
const OwnPrefix = "throughline_collector_"

// Metric documents a series that the collector writes about itself.
type Metric struct {
	Name string
	Type Type
	Unit string // "seconds", "bytes", or "" for a number of things
	Help string
	Loss bool // above 0, something was lost
}

// Sample is one point of one series.
type Sample struct {
	Name   string // as Prometheus spells it: fullstack_insert_total
	Labels Labels
	Meta   *Meta // may be nil
	// At is the end of the interval the point stands for, or the moment of
	// the poll.
	At    time.Time
	Value float64
	// Observed is the number of measurements (StatsD values, or 1 for a
	// poll) that arrived for this series within the interval. 0 marks a
	// point that only carries the previous value forward: it does not count
	// as present when continuity is judged.
	Observed uint64
	// Stale marks the end of a series: its instance is gone. Value is
	// meaningless.
	Stale bool
	// Histogram is set for type Summary instead of Value.
	Histogram *Histogram
}

// Histogram is a cumulative Prometheus native histogram with exponential
// buckets: bucket i of Positive covers (base^(i-1), base^i] with
// base = 2^(2^-Schema).
// Source: https://prometheus.io/docs/specs/native_histograms/
type Histogram struct {
	Schema        int32    `json:"schema"`
	ZeroThreshold float64  `json:"zero_threshold"`
	ZeroCount     float64  `json:"zero_count"`
	Count         float64  `json:"count"`
	Sum           float64  `json:"sum"`
	Positive      []Bucket `json:"positive,omitempty"` // sorted by Index
	Negative      []Bucket `json:"negative,omitempty"` // sorted by Index
}

// Bucket is one bucket of a Histogram with its own (not cumulated) count.
type Bucket struct {
	Index int32   `json:"i"`
	Count float64 `json:"n"`
}

// Kind is what an Event is.
type Kind string

// The kinds of events.
const (
	Told         Kind = "event"         // DogStatsD's _e{…}
	ServiceCheck Kind = "service_check" // DogStatsD's _sc|…
	Outage       Kind = "outage"        // the collector itself did not run; Until is when it ran again
)

// Event is something told in words instead of numbers.
type Event struct {
	Kind     Kind      `json:"kind"`
	At       time.Time `json:"at"` // its own time if it brought one, else when it was read
	Until    time.Time `json:"until,omitzero"`
	Labels   Labels    `json:"labels,omitempty"` // of who told it, and its tags
	Title    string    `json:"title"`            // of a service check its name
	Text     string    `json:"text,omitempty"`
	Host     string    `json:"host,omitempty"`
	Key      string    `json:"key,omitempty"`      // events of one key belong together
	Priority string    `json:"priority,omitempty"` // normal or low
	Source   string    `json:"source,omitempty"`
	// Alert is how bad it is: error, warning, info or success for an event;
	// ok, warning, critical or unknown for a service check.
	Alert string `json:"alert,omitempty"`
}
