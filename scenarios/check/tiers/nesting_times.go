package tiers

import (
	"fmt"
	"math"
	"slices"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// latencies are how long users waited for the acknowledged requests of a route, by the
// instance that answered: from sent to done, in seconds, sorted.
func latencies(e *evidence.Index, route string) map[string][]float64 {
	by := evidence.AckedBy(e, route, func(r *record.Request) float64 { return (r.Done - r.Sent).Seconds() })
	for _, took := range by {
		slices.Sort(took)
	}
	return by
}

// quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(1, int(math.Ceil(q*float64(len(sorted)))))-1]
}

func meanOf(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}

// millis writes seconds as people read latencies: "4.21 ms".
func millis(s float64) string {
	switch {
	case s >= 1:
		return fmt.Sprintf("%.3g s", s)
	case s < 0.000_1:
		return fmt.Sprintf("%.3g µs", 1e6*s)
	}
	return fmt.Sprintf("%.3g ms", 1000*s)
}
