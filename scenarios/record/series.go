package record

import (
	"math"
	"slices"
	"strings"

	"throughline/collector"
	"throughline/scenarios/metric"
)

// The collector ends the name of a counter with one suffix, and the name of the series
// beside a sampled one with another: of 50 calls sent at a rate of 0.5, hits_total has
// 50 and hits_sampled_total the 25 or so that came.
const (
	TotalSuffix   = "_total"
	SampledSuffix = "_sampled_total"
)

// IsCounter tells whether s is a counter that an instance sent, and the count itself, not
// that of measurements beside it, which StatsD alone has. What is scraped has the name that it
// was given: a counter need not end in _total, the number of a histogram's measurements ends in
// _count, and its sum and its buckets count no calls.
func (s *Series) IsCounter() bool {
	switch {
	case s.Meta.Sent == "" || s.Meta.Type != collector.Counter:
		return false
	case s.Scraped():
		return !strings.HasSuffix(s.Name, "_sum") && !strings.HasSuffix(s.Name, "_bucket")
	case s.Meta.CameBy() != collector.ByStatsD:
		return true
	}
	return strings.HasSuffix(s.Name, TotalSuffix) && !s.CountsSampled()
}

// Scraped tells whether an instance was asked for the series: then its values are the
// instance's own, and fall when it begins to count anew.
func (s *Series) Scraped() bool { return s.Meta.CameBy() == collector.ByScrape }

// CountsSampled tells whether s counts the measurements that came of a sampled counter,
// before they were scaled.
func (s *Series) CountsSampled() bool {
	return s.Meta.Type == collector.Counter && strings.HasSuffix(s.Name, SampledSuffix) && (s.Meta.Sent == "" || s.Meta.CameBy() == collector.ByStatsD)
}

// Spelling is in whose spelling a metric's name is that of a series.
type Spelling int

// The spellings.
const (
	NotCalled    Spelling = iota // it is called otherwise
	ByPrometheus                 // fullstack_insert_total, of fullstack.insert
	BySender
)

// Called tells in whose spelling a series that an instance sent is called so. The series beside a sampled counter is called
// as that is; a native histogram that was scraped also as a classic one's count would be, which it has in itself.
func (s *Series) Called(name string) Spelling {
	switch {
	case s.Meta.Sent == "":
		return NotCalled
	case s.Meta.Sent == name, s.Scraped() && s.Meta.Type == collector.Summary && s.Meta.Sent+"_count" == name:
		return BySender
	case s.Name == name, s.CountsSampled() && strings.TrimSuffix(s.Name, SampledSuffix)+TotalSuffix == name:
		return ByPrometheus
	}
	return NotCalled
}

// Came tells whether a series came by the way that a selection wants, if it wants one.
func (s *Series) Came(of metric.Selection) bool {
	return of.Way == "" || string(s.Meta.CameBy()) == of.Way
}

// Fulfils tells whether the labels of a series are as a selection wants them.
func (s *Series) Fulfils(of metric.Selection) bool {
	for _, c := range of.Where {
		if !slices.ContainsFunc(s.Labels, func(l collector.Label) bool { return c.Is(l.Name) && c.Holds(l.Value) }) {
			return false
		}
	}
	return true
}

// Measured tells whether something was measured for the point: it is no marker of an end,
// and not only carried forward.
func (p Point) Measured() bool { return !p.Stale && p.Observed > 0 }

// HasNumber tells whether a point has a value that a counter can have.
func (p Point) HasNumber() bool {
	return !p.Stale && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0)
}
