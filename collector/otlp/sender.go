package otlp

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"throughline/collector"
)

// stage is how far the life of a sender is.
type stage uint8

const (
	serving stage = iota
	closing       // nothing more comes; its last interval is not over yet
	closed        // that is over; the marks that its series ended are due one later
	ended         // all is said
)

// sender is an instance, or whoever sends without a name, and what it sent.
type sender struct {
	instance  string
	labels    collector.Labels // of all its series
	told      collector.Labels // of its own figures
	stage     stage
	collector *Collector
	origin    string // how it was told apart, as in collector.Meta
	streams   map[string]*stream
	owners    map[string]*series // by collector.Labels.Key
	series    []*series          // in the order of their birth
	figures   figures
	given     time.Time // of the newest points of its figures, by it or before it
	bytes     int       // of names and labels, and of the keys of streams
}

func (c *Collector) newSender(instance string, labels collector.Labels, origin Origin) *sender {
	return &sender{collector: c, given: c.given, origin: origin.String(), instance: instance, labels: labels, told: collector.NewLabels("instance", instance), streams: map[string]*stream{}, owners: map[string]*series{}}
}

// streamsPerSeries is how many streams there may be for each series an instance may have: several resources and scopes may make
// one series together.
const streamsPerSeries = 4

// stream finds a point's stream, and makes it if there is room. It allocates little where the like came before.
func (c *Collector) stream(m metric, attributes pcommon.Map) (*stream, fate) {
	s := m.where
	sorted := c.sorted(attributes)
	key := append(append(c.scratch.key[:0], m.from[:]...), byte(m.kind))
	key = append(append(append(append(key, m.name...), 0xff), m.unit...), 0xff)
	for _, p := range sorted {
		key = p.append(key)
	}
	c.scratch.key = key
	if known := s.streams[string(key)]; known != nil {
		return known, accepted
	}
	switch {
	case m.name == "":
		return nil, noName
	case len(m.name) > c.cfg.MaxName || len(m.unit) > c.cfg.MaxName:
		return nil, longName
	case len(s.streams) >= streamsPerSeries*c.cfg.MaxSeries || len(s.series) >= c.cfg.MaxSeries && c.size.series >= c.cfg.MaxSeriesTotal:
		return nil, manySeries
	}
	labels, f := c.labels(s.labels, sorted)
	if f != accepted {
		return nil, f
	}
	if c.size.bytes+len(key) > c.cfg.MaxSeriesTotal*seriesBytes {
		return nil, manyTotal
	}
	to, f := s.adopt(m, labels)
	if f != accepted {
		return nil, f
	}
	s.own(len(key))
	out := &stream{metric: to.meta.Sent, kind: m.kind, series: to}
	s.streams[string(key)] = out
	return out, accepted
}

// own counts the length of names that a sender has.
func (s *sender) own(length int) {
	s.bytes += length
	s.collector.size.bytes += length
}

// adopt gives the series of a metric and labels, and makes it if there is room.
func (s *sender) adopt(m metric, labels collector.Labels) (*series, fate) {
	c := s.collector
	name, err := seriesName(m)
	if err != nil {
		return nil, noName
	}
	sent := valid(m.name)
	key := labels.Key(name)
	if owner := s.owners[key]; owner != nil {
		switch {
		case owner.meta.Sent != sent:
			s.find(nameCollision, sent, owner.meta.Sent)
			return nil, conflict
		case owner.meta.Type != m.kind.family():
			s.find(typeChange, sent, string(owner.meta.Type+", "+m.kind.family()))
			return nil, conflict
		}
		return owner, accepted
	}
	length := len(key) + len(sent)
	switch {
	case reserved(name):
		s.find(nameCollision, sent, name)
		return nil, conflict
	case len(s.series) >= c.cfg.MaxSeries:
		return nil, manySeries
	case c.size.series >= c.cfg.MaxSeriesTotal, c.size.bytes+length > c.cfg.MaxSeriesTotal*seriesBytes:
		return nil, manyTotal
	}
	out := &series{name: name, labels: labels, meta: &collector.Meta{Type: m.kind.family(), Sent: sent, Way: collector.ByOTLP, Unit: units.Build(m.unit)}}
	if s.instance != "" {
		out.meta.Origin = s.origin
	}
	if out.meta.Type == collector.Summary {
		out.hist = empty()
	}
	out.resume(c)
	s.owners[key] = out
	s.series = append(s.series, out)
	s.own(length)
	c.size.series++
	c.registry.born(out, s)
	return out, accepted
}

// closeInterval puts the samples of the current interval into ready; last tells that there will be no other. c.mu is held.
func (c *Collector) closeInterval(last bool) {
	for _, name := range slices.Sorted(maps.Keys(c.senders)) {
		s := c.senders[name]
		s.closeInterval(c.end, last)
		if s.stage == ended {
			s.release()
			delete(c.senders, name)
			c.retired[name] = true
		}
	}
	c.own(last)
}

// inOrder are the senders by name. c.mu is held.
func (c *Collector) inOrder() []*sender {
	return slices.SortedFunc(maps.Values(c.senders), func(a, b *sender) int { return strings.Compare(a.instance, b.instance) })
}

// closeInterval appends the points of the interval that ends at a time.
func (s *sender) closeInterval(at time.Time, last bool) {
	switch s.stage {
	case closed:
		s.mark(at)
		s.stage = ended
		return
	case closing:
		s.stage = closed
	}
	final := last || s.stage == closed
	c := s.collector
	for _, x := range s.series {
		if free := c.grid.Free(at, x.resumed); final || free.Equal(at) {
			c.ready = x.flush(c.ready, free, free.Add(-c.in.Interval))
		}
	}
	s.tell(at, final)
	if last && s.stage == closed {
		s.mark(at.Add(c.in.Interval))
		s.stage = ended
	}
}

// mark appends the marks that all series are over.
func (s *sender) mark(at time.Time) {
	c := s.collector
	for _, x := range s.series {
		end := at
		if !end.After(x.last) {
			end = x.last.Add(c.in.Interval)
		}
		c.ready = x.end(c.ready, end)
	}
	s.endFigures(at)
}

// release gives back what the sender had of what is shared.
func (s *sender) release() {
	size := &s.collector.size
	size.series -= len(s.series)
	size.bytes -= s.bytes
	for _, x := range s.series {
		size.buckets -= amount{hist: x.hist}.buckets()
	}
	for _, x := range s.streams {
		for _, l := range x.lives {
			size.buckets -= l.buckets()
		}
	}
	s.streams, s.owners, s.series = nil, nil, nil
}
