package otlp

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"throughline/collector"
)

// Finding is something that makes numbers hard to trust though no point was bad.
type Finding struct {
	Kind     string // one of those below
	Metric   string // its OTLP name; "": all that the instance sends
	Other    string // name_collision: the other name; type_change: the types; wrong_temporality: what the points say they are; shared_resource: the other instance
	Instance string
	At       time.Time // when it was found first
	Points   uint64    // that it was found at
}

// The kinds of findings. All but the first two are against the data model: a backend counts otherwise than the sender.
const (
	nameCollision    = "name_collision"    // two OTLP names give one name of a series: the later is refused
	typeChange       = "type_change"       // one OTLP name has several types in one series: the later is refused
	twoWriters       = "two_writers"       // two starts alternate in one stream: whoever sends does not tell its processes apart
	sharedResource   = "shared_resource"   // two instances that live at once say that they are the same resource
	noInstanceID     = "no_instance_id"    // a resource without service.instance.id, where instances are told apart by it
	valueFell        = "value_fell"        // a cumulative value is less than it was, with the same start
	bucketsFell      = "buckets_fell"      // a bucket of a cumulative histogram is, though there are more values
	startMissing     = "start_missing"     // a start is not given, or is the time of the point: nobody knows what was counted since
	startMoves       = "start_moves"       // a cumulative stream has another start at each point, and its value goes on
	wrongTemporality = "wrong_temporality" // cumulative points whose windows abut as those of deltas, or deltas that all begin at one time
	windowsOverlap   = "windows_overlap"   // a delta begins before the one before has ended
	otherValue       = "other_value"       // the same start and time, and another value
	unresumed        = "unresumed"         // it cannot be told what an earlier collector had counted of a stream
)

// maxFindings is how many findings are kept.
const maxFindings = 1000

// registry knows what was found, and who said that it was which resource.
type registry struct {
	cfg       Config
	findings  []*Finding // in the order in which they were found
	byKey     map[Finding]*Finding
	left      uint64 // findings that are not kept
	types     map[string]collector.Type
	resources map[[sha256.Size]byte]string // the instance that was heard last with it
	of        map[string]int               // how many of resources are an instance's
}

func newRegistry(cfg Config) registry {
	return registry{cfg: cfg, byKey: map[Finding]*Finding{}, types: map[string]collector.Type{}, resources: map[[sha256.Size]byte]string{}, of: map[string]int{}}
}

// mostResources is how many resources of an instance are remembered.
const mostResources = 64

// resource looks at a resource that a sender says it is. Where that has no service.instance.id, whoever was heard first is no more
// right than whoever comes later.
func (r *registry) resource(key [sha256.Size]byte, id string, s *sender, d *door) {
	if d.Origin == ByResource && id == "" {
		r.find(Finding{Kind: noInstanceID, Instance: s.instance})
	}
	switch before, known := r.resources[key]; {
	case known && before != s.instance:
		r.find(Finding{Kind: sharedResource, Other: before, Instance: s.instance})
		if id == "" {
			r.find(Finding{Kind: sharedResource, Other: s.instance, Instance: before})
		}
	case !known && r.of[s.instance] < mostResources:
		r.resources[key] = s.instance
		r.of[s.instance]++
	}
}

// retire forgets who an instance said it was: another may be it now.
func (r *registry) retire(instance string) {
	for key, of := range r.resources {
		if of == instance {
			delete(r.resources, key)
		}
	}
	delete(r.of, instance)
}

// born looks at the type of a new series.
func (r *registry) born(s *series, of *sender) {
	switch first, known := r.types[s.meta.Sent]; {
	case known && first != s.meta.Type:
		r.find(Finding{Kind: typeChange, Metric: s.meta.Sent, Other: string(first + ", " + s.meta.Type), Instance: of.instance})
	case !known && len(r.types) < r.cfg.MaxSeriesTotal:
		r.types[s.meta.Sent] = s.meta.Type
	}
}

// find counts a point for a finding, which is new or was there.
func (r *registry) find(what Finding) {
	f := r.byKey[what]
	if f == nil {
		if len(r.findings) >= maxFindings {
			r.left++
			return
		}
		found := what
		found.At = r.cfg.Now()
		f = &found
		r.byKey[what] = f
		r.findings = append(r.findings, f)
	}
	f.Points++
}

// find counts a point of the sender's for a finding.
func (s *sender) find(kind, metric, other string) {
	s.collector.registry.find(Finding{Kind: kind, Metric: metric, Other: other, Instance: s.instance})
}

// Findings are those so far.
func (c *Collector) Findings() []Finding {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.registry.list()
}

func (r *registry) list() []Finding {
	out := make([]Finding, len(r.findings))
	for i, f := range r.findings {
		out[i] = *f
	}
	slices.SortStableFunc(out, func(x, y Finding) int {
		return cmp.Or(strings.Compare(x.Kind, y.Kind), strings.Compare(x.Metric, y.Metric), strings.Compare(x.Instance, y.Instance))
	})
	return out
}
