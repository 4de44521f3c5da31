package statsd

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"throughline/collector"
	"throughline/collector/dogstatsd"
)

// Finding is something that makes numbers hard to trust though no line was bad.
type Finding struct {
	// Kind is name_collision (two StatsD names, or a name and a companion,
	// give one name of a series), type_change (one StatsD name has several
	// types), tag_explosion (a tag of a metric has more than
	// Config.TagValues values) or tags_in_name (a name looks as if it had tags
	// in it, in a style that is not in Config.Tags: they are a part of the
	// name now). Where both would have been one series, the
	// later lines are refused as a conflict; else all are kept.
	Kind     string
	Metric   string // the StatsD name; tags_in_name: without the tags
	Other    string // name_collision: the other name; type_change: the types, "counter, gauge"; tags_in_name: the style
	Tag      string // tag_explosion: the tag, as a label
	Instance string // where it was first seen
	At       time.Time
	Lines    uint64 // that were refused for it, or that began a series with it
}

// The kinds of findings.
const (
	nameCollision = "name_collision"
	typeChange    = "type_change"
	tagExplosion  = "tag_explosion"
	TagsInName    = "tags_in_name"
)

// finding is a Finding that goes on.
type finding struct {
	what  Finding // without Lines
	lines atomic.Uint64
}

// maxFindings is how many findings are kept.
const maxFindings = 1000

// maxTagValues is how many values of tags are remembered for each series there
// may be.
const maxTagValues = 10

// registry knows the names, types and tags of all clients. It is asked only
// when a series is born or refused.
type registry struct {
	cfg Config

	mu       sync.Mutex
	findings []*finding // in the order in which they were found
	byKey    map[Finding]*finding
	left     uint64 // findings that are not kept
	told     int    // how many of findings Config.Found was given

	// What was seen is forgotten when it is too much: then a finding may be
	// missed, but none is made up.
	names  map[string]string         // by the name of the series: the first StatsD name
	types  map[string]collector.Type // by the StatsD name: the first type
	values map[tagKey]map[uint64]struct{}
	count  int // of values
}

type tagKey struct{ metric, tag string }

func newRegistry(cfg Config) *registry {
	r := &registry{cfg: cfg, byKey: map[Finding]*finding{}}
	r.reset()
	return r
}

func (r *registry) reset() {
	r.names, r.types, r.values, r.count = map[string]string{}, map[string]collector.Type{}, map[tagKey]map[uint64]struct{}{}, 0
}

// conflict notes that lines of s are refused, because owner has its name; nil
// stands for the collector itself.
func (r *registry) conflict(s, owner *series, cl *client) *finding {
	what := Finding{Kind: nameCollision, Metric: s.meta.Sent, Other: s.name, Instance: cl.instance}
	if owner != nil {
		what.Other = owner.meta.Sent
		if owner.meta.Sent == s.meta.Sent {
			what.Kind, what.Other = typeChange, string(owner.meta.Type+", "+s.meta.Type)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.find(what)
}

// born looks at a new series.
func (r *registry) born(s *series, cl *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) >= r.cfg.MaxSeriesTotal || len(r.types) >= r.cfg.MaxSeriesTotal || r.count >= maxTagValues*r.cfg.MaxSeriesTotal {
		r.reset()
	}
	metric := s.meta.Sent
	if s.check { // its name is a label
		metric = checkName
	} else {
		for _, name := range s.names() {
			switch first, known := r.names[name]; {
			case !known:
				r.names[name] = metric
			case first != metric:
				r.find(Finding{Kind: nameCollision, Metric: metric, Other: first, Instance: cl.instance})
			}
		}
		switch first, known := r.types[metric]; {
		case !known:
			r.types[metric] = s.meta.Type
		case first != s.meta.Type:
			r.find(Finding{Kind: typeChange, Metric: metric, Other: string(first + ", " + s.meta.Type), Instance: cl.instance})
		}
		others := dogstatsd.AllStyles &^ r.cfg.Tags
		if base, _, style := others.SplitName([]byte(metric)); style != dogstatsd.NoStyle {
			r.find(Finding{Kind: TagsInName, Metric: string(base), Other: style.String(), Instance: cl.instance})
		}
	}
	for _, l := range s.labels {
		if cl.labels.Get(l.Name) == "" {
			r.tag(tagKey{metric, l.Name}, l.Value, cl.instance)
		}
	}
}

// tag looks at a tag of a new series. r.mu is held.
func (r *registry) tag(key tagKey, value, instance string) {
	seen := r.values[key]
	if seen == nil {
		seen = map[uint64]struct{}{}
		r.values[key] = seen
	}
	hash := xxhash.Sum64String(value)
	if _, known := seen[hash]; known {
		return
	}
	if len(seen) >= r.cfg.TagValues {
		r.find(Finding{Kind: tagExplosion, Metric: key.metric, Tag: key.tag, Instance: instance})
		return
	}
	seen[hash] = struct{}{}
	r.count++
}

// find counts a line for a finding, which is new or was there; what is not kept
// is counted nowhere else. r.mu is held.
func (r *registry) find(what Finding) *finding {
	key := what
	key.Instance = ""
	f := r.byKey[key]
	if f == nil && what.Kind == nameCollision {
		turned := key
		turned.Metric, turned.Other = key.Other, key.Metric
		f = r.byKey[turned]
	}
	if f == nil {
		what.At = r.cfg.Now()
		f = &finding{what: what}
		if len(r.findings) < maxFindings {
			r.findings = append(r.findings, f)
			r.byKey[key] = f
		} else {
			r.left++
		}
	}
	f.lines.Add(1)
	return f
}

// list are the findings so far, and how many were not kept.
func (r *registry) list() ([]Finding, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Finding, len(r.findings))
	for i, f := range r.findings {
		out[i] = f.what
		out[i].Lines = f.lines.Load()
	}
	return out, r.left
}

// fresh are the findings that it has not given before.
func (r *registry) fresh() (out []Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.findings[r.told:] {
		what := f.what
		what.Lines = f.lines.Load()
		out = append(out, what)
	}
	r.told = len(r.findings)
	return out
}

// tellFindings gives what is new to Config.Found. No lock is held.
func (c *Collector) tellFindings() {
	if c.cfg.Found == nil {
		return
	}
	for _, f := range c.shared.registry.fresh() {
		c.cfg.Found(f)
	}
}

// own appends the findings as series.
func (r *registry) own(m *meter) {
	list, left := r.list()
	slices.SortStableFunc(list, func(x, y Finding) int {
		return cmp.Or(strings.Compare(x.Kind, y.Kind), strings.Compare(x.Metric, y.Metric))
	})
	for _, f := range list {
		m.labels = ownLabels("kind", f.Kind, "metric", f.Metric, "other", f.Other, "tag", f.Tag, "instance", f.Instance)
		m.gauge("findings", float64(f.Lines))
	}
	m.labels = nil
	m.gauge("findings_left_out", float64(left))
}

// reserved tells that a name is for the collector's own series.
func reserved(name string) bool { return strings.HasPrefix(name, prefix) || name == checkName }
