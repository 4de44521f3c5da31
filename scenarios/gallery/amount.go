package gallery

import (
	"math"

	"throughline/collector"
	"throughline/scenarios/record"
)

// The amount is taken from the record's raw rows, by another way than the
// judge's: as few steps as possible, so that it can be checked by eye.

const (
	counted = "fullstack.insert"
	insert  = "insert"
)

// uncounted is how many inserts the instance acknowledged to users beyond those
// that its counter came to.
func uncounted(h record.History, instance string) int64 {
	var n int64
	for _, r := range h.Requests {
		if r.Route == insert && r.Outcome == record.Acked && r.Instance == instance {
			n++
		}
	}
	for _, s := range h.Series {
		if s.Meta.StatsD == counted && s.Meta.Type == collector.Counter && s.Labels.Get("instance") == instance &&
			s.Name == "fullstack_insert_total" {
			n -= last(s)
		}
	}
	return n
}

// last is the value of the last point that is no staleness marker.
func last(s record.Series) int64 {
	for i := len(s.Points) - 1; i >= 0; i-- {
		if !s.Points[i].Stale {
			return int64(math.Round(s.Points[i].Value))
		}
	}
	return 0
}
