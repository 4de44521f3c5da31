package record

import (
	"math"
	"strings"

	"throughline/collector"
)

// The collector ends the name of a counter with one suffix, and the name of the series
// beside a sampled one with another: of 50 calls sent at a rate of 0.5, hits_total has
// 50 and hits_sampled_total the 25 or so that came.
const (
	TotalSuffix   = "_total"
	SampledSuffix = "_sampled_total"
)

// IsCounter tells whether s is a counter that an instance sent, and the count itself, not
// that of measurements beside it. What is scraped has the name that it was given: a counter
// need not end in _total, the number of a histogram's measurements ends in _count, and its
// sum and its buckets count no calls.
func (s *Series) IsCounter() bool {
	switch {
	case s.Meta.Sent == "" || s.Meta.Type != collector.Counter || s.CountsSampled():
		return false
	case s.Scraped():
		return !strings.HasSuffix(s.Name, "_sum") && !strings.HasSuffix(s.Name, "_bucket")
	}
	return strings.HasSuffix(s.Name, TotalSuffix)
}

// Scraped tells whether an instance was asked for the series: then its values are the
// instance's own, and fall when it begins to count anew.
func (s *Series) Scraped() bool { return s.Meta.CameBy() == collector.ByScrape }

// CountsSampled tells whether s counts the measurements that came of a sampled counter,
// before they were scaled.
func (s *Series) CountsSampled() bool {
	return s.Meta.Type == collector.Counter && strings.HasSuffix(s.Name, SampledSuffix) && !s.Scraped()
}

// Measured tells whether something was measured for the point: it is no marker of an end,
// and not only carried forward.
func (p Point) Measured() bool { return !p.Stale && p.Observed > 0 }

// HasNumber tells whether a point has a value that a counter can have.
func (p Point) HasNumber() bool {
	return !p.Stale && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0)
}
