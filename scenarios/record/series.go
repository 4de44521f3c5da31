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
// that of measurements beside it.
func (s *Series) IsCounter() bool {
	return s.Meta.Sent != "" && s.Meta.Type == collector.Counter && strings.HasSuffix(s.Name, TotalSuffix) && !s.CountsSampled()
}

// CountsSampled tells whether s counts the measurements that came of a sampled counter,
// before they were scaled.
func (s *Series) CountsSampled() bool {
	return s.Meta.Type == collector.Counter && s.Meta.CameBy() == collector.ByStatsD && strings.HasSuffix(s.Name, SampledSuffix)
}

// Measured tells whether something was measured for the point: it is no marker of an end,
// and not only carried forward.
func (p Point) Measured() bool { return !p.Stale && p.Observed > 0 }

// HasNumber tells whether a point has a value that a counter can have.
func (p Point) HasNumber() bool {
	return !p.Stale && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0)
}
