package forward

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"sync"
	"time"

	"throughline/collector"
)

// Format is how a Graphite is told the labels of a series.
type Format string

// The formats.
const (
	Tags Format = "tags" // name;instance=web-1, for carbon 1.1 and later
	Path Format = "path" // name.instance.web-1, which may be another series' name
)

// ParseFormat reads tags or path.
func ParseFormat(text string) (Format, error) {
	if f := Format(text); f == Tags || f == Path {
		return f, nil
	}
	return "", fmt.Errorf("%s: want tags or path", text)
}

// GraphiteConfig is what a Graphite is made of.
type GraphiteConfig struct {
	To     string // host:port of a carbon's plaintext receiver
	Format Format // "" = Tags
	Prefix string // begins every name; "" = stats, as etsy's StatsD has it
	Limits Limits
}

// Graphite gives samples to a carbon, or what takes its plaintext protocol:
// lines of path, value and time in whole seconds. So intervals shorter than a
// second cover each other there.
//
// Graphite has no cumulative values and no histograms: it is given what an
// interval brought, under the names that etsy's StatsD uses where it has one.
// NAME is the name as it came over the wire, or that of a polled series.
//
//	stats.counters.NAME.count          the increase in the interval
//	stats.counters.NAME.sampled_count  the same as it came, not corrected by sample rates
//	stats.gauges.NAME                  the value
//	stats.sets.NAME.count              the number of different members
//	stats.timers.NAME.count, .sum      of the interval's measurements
//	stats.timers.NAME.p50, .p95, .p99  their quantiles, as histogram_quantile has them
//
// The last three are not etsy's: its upper_95 is the largest of the lower 95 %.
//
// A hole stays a hole: what was only carried forward (Sample.Observed is 0) is
// not given, nor is the end of a series, nor the first value of a cumulative
// series that was not preceded by another, as its zero: nobody knows what of it
// is new. None of these counts as In.
//
// What breaks off with a connection is given again: a second point of the same
// time covers the first.
//
// Sources: https://graphite.readthedocs.io/en/latest/feeding-carbon.html,
// https://graphite.readthedocs.io/en/latest/tags.html,
// https://github.com/statsd/statsd/blob/master/backends/graphite.js
type Graphite struct {
	outbox
	writer graphiteWriter
	naming naming

	mu   sync.Mutex
	past history
}

// The bounds of what is written at once.
const (
	graphiteItems = 4096
	graphiteBytes = 64 << 10
)

// NewGraphite checks the address. A host that can not be looked up is an error.
func NewGraphite(cfg GraphiteConfig) (*Graphite, error) {
	limits, err := cfg.Limits.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("graphite: %w", err)
	}
	or(&cfg.Format, Tags)
	or(&cfg.Prefix, "stats")
	if cfg.Format != Tags && cfg.Format != Path {
		return nil, fmt.Errorf("graphite: %q is no format; use %s or %s", cfg.Format, Tags, Path)
	}
	if err := checkAddress("tcp", cfg.To); err != nil {
		return nil, fmt.Errorf("graphite at %q: %w", cfg.To, err)
	}
	g := &Graphite{
		outbox: outbox{queue: newQueue(limits), to: cfg.To, kind: "graphite", limits: limits,
			batch: batch{maxItems: graphiteItems, maxBytes: graphiteBytes}},
		naming: naming{format: cfg.Format, prefix: cfg.Prefix},
		past:   history{last: map[string]point{}},
	}
	g.writer = graphiteWriter{address: cfg.To, timeout: limits.Timeout, watcher: g}
	return g, nil
}

// Append implements collector.Sink. It never waits for the peer, and never
// returns an error: Figures tells of losses.
func (g *Graphite) Append(samples ...collector.Sample) error {
	var item []byte
	for i := range samples {
		s := &samples[i]
		var err error
		if item, err = g.lines(item[:0], s); err != nil {
			g.refuse(fmt.Errorf("%s at %s: %w", s.Name, s.At.UTC().Format(time.RFC3339Nano), err))
		} else if len(item) > 0 {
			g.put(item)
		}
	}
	return nil
}

// lines appends the lines of a sample; none if there is nothing to tell.
func (g *Graphite) lines(to []byte, s *collector.Sample) ([]byte, error) {
	kind := collector.Gauge
	if s.Meta != nil {
		kind = s.Meta.Type
	}
	var told []suffixed
	switch kind {
	case collector.Counter:
		increase, ok, err := g.increase(s)
		if !ok {
			return to, err
		}
		told = []suffixed{{counterSuffix(s), increase}}
	case collector.Summary:
		h, ok, err := g.histogram(s)
		if !ok {
			return to, err
		}
		told = []suffixed{{".count", h.Count}, {".sum", h.Sum}, {".p50", quantile(0.5, h)}, {".p95", quantile(0.95, h)}, {".p99", quantile(0.99, h)}}
	default:
		if s.Stale || s.Observed == 0 {
			return to, nil
		}
		told = []suffixed{{"", s.Value}}
		if kind == collector.Set {
			told[0].suffix = ".count"
		}
	}
	return g.write(to, s, told)
}

// increase is what a counter's interval brought, if that is known and was
// observed.
func (g *Graphite) increase(s *collector.Sample) (float64, bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last, ok, err := g.past.next(s)
	if !ok {
		return 0, false, err
	}
	if s.Value < last.value { // it began anew
		return s.Value, true, nil
	}
	return s.Value - last.value, true, nil
}

func (g *Graphite) histogram(s *collector.Sample) (*collector.Histogram, bool, error) {
	if s.Histogram == nil && !s.Stale {
		return nil, false, errors.New("a histogram without a histogram; set Sample.Histogram")
	}
	g.mu.Lock()
	last, ok, err := g.past.next(s)
	g.mu.Unlock()
	if !ok {
		return nil, false, err
	}
	h := since(last.histogram, s.Histogram)
	return h, h.Count > 0, nil
}

// suffixed is one number of a sample.
type suffixed struct {
	suffix string
	value  float64
}

// longestLine is the longest that carbon reads; at a longer one it closes the
// connection.
// Source: https://docs.twisted.org/en/stable/api/twisted.protocols.basic.LineOnlyReceiver.html
const longestLine = 16384

func (g *Graphite) write(to []byte, s *collector.Sample, told []suffixed) ([]byte, error) {
	for _, x := range told {
		if math.IsNaN(x.value) || math.IsInf(x.value, 0) {
			return to[:0], fmt.Errorf("%v is no number that Graphite keeps", x.value)
		}
		begin := len(to)
		to = g.naming.append(to, s, x.suffix)
		to = append(to, ' ')
		to = strconv.AppendFloat(to, x.value, 'g', -1, 64)
		to = append(to, ' ')
		to = strconv.AppendInt(to, s.At.Unix(), 10)
		if n := len(to) - begin; n > longestLine {
			return to[:0], fmt.Errorf("its line has %d bytes, and carbon takes %d", n, longestLine)
		}
		to = append(to, '\n')
	}
	return to, nil
}

// Run implements Forwarder.
func (g *Graphite) Run(ctx context.Context) error { return g.run(ctx, &g.writer) }

// graphiteWriter is the connection of a Graphite.
type graphiteWriter struct {
	address string
	timeout time.Duration
	watcher watcher
	link    *link // nil: none
}

// write settles all or nothing: lines are written again without harm.
func (w *graphiteWriter) write(ctx context.Context, b *batch) result {
	if w.link != nil && w.link.broken() {
		_ = w.close()
	}
	if w.link == nil {
		dialer := net.Dialer{Timeout: w.timeout}
		conn, err := dialer.DialContext(ctx, "tcp", w.address)
		if err != nil {
			return result{err: err}
		}
		w.link = newLink(conn, w.watcher)
	}
	lines := b.span(0, b.left())
	done := limit(ctx, w.link, w.timeout)
	defer done()
	if _, err := w.link.Write(lines); err != nil {
		_ = w.close() // what was wrong is told already
		return result{err: err}
	}
	return result{sent: b.left(), bytes: len(lines)}
}

func (w *graphiteWriter) close() error {
	if w.link == nil {
		return nil
	}
	err := w.link.Close()
	w.link = nil
	return err
}
