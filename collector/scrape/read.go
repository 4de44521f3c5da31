package scrape

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"

	"throughline/collector"
	"throughline/collector/prom"
)

// Drop is why a sample of a good scrape was not kept: the label reason of its figure.
type Drop string

// The reasons.
const (
	Twice   Drop = "duplicate"        // the exposition has its series a second time
	NoName  Drop = "name"             // its name, or that of a label, is none that a store takes
	Uncut   Drop = "histogram-schema" // a native histogram whose buckets are not exponential
	IsStale Drop = "stale"            // its value is the mark of a series' end, which is Prometheus' own
	// Disorder: another target, whose labels are honoured too, has written its series since it was asked for.
	Disorder Drop = "out-of-order"
)

var drops = []Drop{Twice, NoName, Uncut, IsStale, Disorder}

// reader makes samples of the expositions of one target. It remembers which series the last one had.
type reader struct {
	own     collector.Labels
	honor   bool // an exposed label wins over one of own
	metas   map[collector.Meta]*collector.Meta
	series  map[string]*series // of the last good scrape, by the labels as they were exposed
	texts   map[string]*series // by the text in which they were exposed: it is read once, as Prometheus does it; also of series that are gone
	created map[string]float64 // when a series began, by the key of NAME_created
	round   uint64             // of scrapes; tells which series are of the last
	reads   uint64             // of expositions, also of those that came to no good end
	most    int                // samples of the last good one, by which the next has its room
}

// series is one series of a target.
type series struct {
	key    string // its labels as they were exposed
	name   string
	labels collector.Labels
	meta   *collector.Meta
	live   bool   // it is in reader.series
	round  uint64 // in which it was exposed last
	taken  uint64 // the read that took a sample of it last
}

// reading is what came of an exposition.
type reading struct {
	samples []collector.Sample
	exposed int // samples in it
	dropped map[Drop]uint64
}

func newReader(own collector.Labels, honor bool) *reader {
	return &reader{own: own, honor: honor, metas: map[collector.Meta]*collector.Meta{}, series: map[string]*series{}, texts: map[string]*series{}, created: map[string]float64{}}
}

// end gives marks that all series are over.
func (r *reader) end(at time.Time) []collector.Sample {
	r.round++
	return r.ended(nil, at)
}

// spareTexts is how many more texts than twice its series a reader may remember.
const spareTexts = 100

// ended appends marks of the series that are not of this round, and forgets them.
func (r *reader) ended(out []collector.Sample, at time.Time) []collector.Sample {
	for key, s := range r.series {
		if s.round != r.round {
			out = append(out, collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: at, Stale: true})
			delete(r.series, key)
			s.live = false
		}
	}
	return out
}

// read makes samples of an exposition. After an error nothing of it is kept, and the series of before stand as they were.
func (r *reader) read(body []byte, contentType string, most int, at time.Time) (reading, error) {
	if len(r.texts) > 2*len(r.series)+spareTexts { // of series that are gone, or of expositions that came to no good end
		clear(r.texts)
	}
	parser, err := textparse.New(body, contentType, labels.NewSymbolTable(), textparse.ParserOptions{
		KeepClassicOnClassicAndNativeHistograms: true, OpenMetricsSkipSTSeries: true})
	if parser == nil {
		return reading{}, failed{BadType, err}
	}
	e := exposition{reader: r, at: at, types: map[string]model.MetricType{}, units: map[string]string{}, dropped: map[Drop]uint64{}, begun: map[string]float64{}, fresh: map[string]*series{},
		samples: make([]collector.Sample, 0, r.most+spareSamples), found: make([]*series, 0, r.most)}
	r.reads++
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return reading{}, failed{Malformed, err}
		}
		if err := e.take(parser, entry); err != nil {
			return reading{}, failed{Malformed, err}
		}
		if e.exposed > most {
			return reading{}, failf(TooMany, "its exposition has more than %d samples", most)
		}
	}
	return e.keep(), nil
}

// exposition is one that is being read. Until it has been read to its end nothing of it is the reader's.
type exposition struct {
	*reader
	at      time.Time
	types   map[string]model.MetricType // by the name of the family
	units   map[string]string
	samples []collector.Sample
	found   []*series          // whose the samples are
	fresh   map[string]*series // that are none of the reader's yet, by their keys
	named   string             // the name of the series before, of which meant is the meaning
	meant   *collector.Meta
	native  bool
	exposed int
	dropped map[Drop]uint64
	begun   map[string]float64
	times   []collector.Sample
}

// spareSamples is room for what is told beside the samples of an exposition: of the scrape itself, and of series that end.
const spareSamples = 64

// take takes one entry in.
func (e *exposition) take(p textparse.Parser, entry textparse.Entry) error {
	switch entry {
	case textparse.EntryType:
		name, kind := p.Type()
		e.types[string(name)] = kind
		e.meant = nil
	case textparse.EntryUnit:
		name, unit := p.Unit()
		e.units[string(name)] = string(unit)
		e.meant = nil
	case textparse.EntrySeries:
		text, _, v := p.Series()
		e.exposed++
		if value.IsStaleNaN(v) {
			e.dropped[IsStale]++
			return nil
		}
		if s := e.find(p, text, false); s != nil {
			e.add(s, v, nil, p.StartTimestamp())
		}
	case textparse.EntryHistogram:
		text, _, whole, parts := p.Histogram()
		e.exposed++
		if whole != nil {
			if err := whole.Validate(); err != nil {
				return err
			}
			parts = whole.ToFloat(nil)
		} else if err := parts.Validate(); err != nil {
			return err
		}
		converted, ok := prom.Exponential(parts)
		if !ok {
			e.dropped[Uncut]++
			return nil
		}
		if s := e.find(p, text, true); s != nil {
			e.add(s, 0, converted, p.StartTimestamp())
		}
	}
	return nil
}

// find finds the series of the parser's present sample, which is exposed with a text; nil: it has no name that a store takes.
func (e *exposition) find(p textparse.Parser, text []byte, native bool) *series {
	s := e.texts[string(text)]
	if s == nil || !s.live {
		if s = e.resolve(p, s); s == nil {
			e.dropped[NoName]++
			return nil
		}
		e.texts[string(text)] = s
	}
	if e.meant == nil || e.named != s.name || e.native != native {
		e.named, e.native, e.meant = s.name, native, e.meaning(s.name, native)
	}
	s.meta = e.meant
	return s
}

// resolve finds a series by its labels, for a text that is new or meant one that had ended (was).
func (e *exposition) resolve(p textparse.Parser, was *series) *series {
	key := ""
	var exposed labels.Labels
	if was != nil {
		key = was.key
	} else {
		p.Labels(&exposed)
		key = exposed.String()
	}
	if s := e.series[key]; s != nil {
		return s
	}
	if s := e.fresh[key]; s != nil {
		return s
	}
	s := was
	if s == nil {
		name := exposed.Get(model.MetricNameLabel)
		own, ok := e.labels(exposed)
		if !ok || !model.UTF8Validation.IsValidMetricName(name) {
			return nil
		}
		s = &series{key: key, name: name, labels: own}
	}
	e.fresh[key] = s
	return s
}

// exported marks a label whose name is one of the target's.
const exported = "exported_"

// labels are the target's own and those of a sample, of which the own ones win, or the exposed ones where they are honoured: of these way
// alone is the collector's.
func (r *reader) labels(exposed labels.Labels) (out collector.Labels, ok bool) {
	out, ok = slices.Clone(r.own), true
	taken := func(name string) bool { return r.own.Get(name) != "" || exposed.Get(name) != "" }
	exposed.Range(func(l labels.Label) {
		if l.Name == model.MetricNameLabel || l.Value == "" {
			return
		}
		if !model.UTF8Validation.IsValidLabelName(l.Name) || !utf8.ValidString(l.Value) {
			ok = false
			return
		}
		name := l.Name
		if r.own.Get(name) != "" && (!r.honor || name == collector.LabelWay) {
			for name = exported + name; taken(name); {
				name = exported + name
			}
		}
		out = out.With(name, l.Value)
	})
	return out, ok
}

// meaning is what a series means, by what is told of its family.
func (e *exposition) meaning(name string, native bool) *collector.Meta {
	kind, family := prom.TypeOf(name, e.types, native)
	m := collector.Meta{Type: kind, Sent: name, Way: collector.ByScrape, Unit: e.units[family], Origin: origin}
	if r := e.metas[m]; r != nil {
		return r
	}
	e.metas[m] = &m
	return &m
}

// origin is how a target's instance is found: by the target.
const origin = "target"

// add takes a sample in, unless its series has one, and when its series began, in milliseconds since 1970; 0: it does not tell.
func (e *exposition) add(s *series, value float64, h *collector.Histogram, created int64) {
	if s.taken == e.reads {
		e.dropped[Twice]++
	} else {
		s.taken = e.reads
		e.found = append(e.found, s)
		e.samples = append(e.samples, collector.Sample{Name: s.name, Labels: s.labels, Meta: s.meta, At: e.at, Value: value, Histogram: h, Observed: 1})
	}
	if created == 0 || s.meta.Type == collector.Gauge || strings.HasSuffix(s.name, "_bucket") || strings.HasSuffix(s.name, "_sum") {
		return
	}
	name := strings.TrimSuffix(strings.TrimSuffix(s.name, "_total"), "_count") + CreatedSuffix
	e.begun[s.labels.Key(name)] = float64(created) / 1000
	e.times = append(e.times, collector.Sample{Name: name, Labels: s.labels, Meta: createdMeta, At: e.at, Value: float64(created) / 1000, Observed: 1})
}

// CreatedSuffix ends the name of the series that tells when another one began, in seconds since 1970.
const CreatedSuffix = "_created"

var createdMeta = &collector.Meta{Type: collector.Gauge, Way: collector.ByScrape, Unit: "seconds"}

// keep makes what was read the reader's.
func (e *exposition) keep() reading {
	e.round++
	for _, s := range e.found {
		s.round = e.round
		if !s.live {
			e.series[s.key], s.live = s, true
		}
	}
	e.most = len(e.found)
	out := reading{samples: e.samples, exposed: e.exposed, dropped: e.dropped}
	for _, s := range e.times {
		key := s.Labels.Key(s.Name)
		if was, told := e.created[key]; told && was == s.Value {
			continue
		}
		e.created[key] = s.Value
		out.samples = append(out.samples, s)
	}
	for key := range e.created { // who comes back tells it again
		if _, still := e.begun[key]; !still {
			delete(e.created, key)
		}
	}
	out.samples = e.ended(out.samples, e.at)
	return out
}
