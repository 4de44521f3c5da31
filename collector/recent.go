package collector

import (
	"context"
	"time"
)

// Recents tells what a store was given of late, for a page that shows it.
type Recents interface {
	Recent(ctx context.Context, want Wanted) (Recent, error)
}

// Wanted is what of a store's series is to be shown, and how much of it.
type Wanted struct {
	// Words have to be in the name or the labels of a series, all of them, whatever
	// their case. A dot or dash is also found as the underscore that a name has for it.
	Words []string
	// Own tells whether those that the collector writes about itself are among them.
	Own  bool
	Span time.Duration // how far back from now
	// Series is how many are shown at most; OfName is how many of one name, where there
	// are several names.
	Series, OfName int
}

// Recent is what was found: the first metrics by name, and how much there is in all.
type Recent struct {
	Metrics []RecentMetric
	Names   int // that have a series which was wanted
	Series  int // that were wanted
}

// RecentMetric is a name and its series, in the order of their labels.
type RecentMetric struct {
	Name   string
	Meta   *Meta // nil: not known
	Series []RecentSeries
	Of     int // how many were wanted
}

// RecentSeries is one series of a RecentMetric.
type RecentSeries struct {
	Labels Labels
	Points []RecentPoint // in the order of time
	Ended  bool          // was marked at its end: its instance is gone
}

// RecentPoint is one point; of a histogram, Value is how many values it counted, and
// Sum is their sum.
type RecentPoint struct {
	At         time.Time
	Value, Sum float64
}
