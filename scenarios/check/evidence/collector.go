package evidence

import (
	"slices"
	"strings"

	"throughline/scenarios/record"
)

// WithLabel gives the series that have a label with a value.
func WithLabel(series []*record.Series, label, value string) []*record.Series {
	var out []*record.Series
	for _, s := range series {
		if s.Labels.Get(label) == value {
			out = append(out, s)
		}
	}
	return out
}

// Senders gives the instances that sent anything, in order.
func (e *Index) Senders() []string {
	out := make([]string, 0, len(e.Pushed))
	for instance := range e.Pushed {
		out = append(out, instance)
	}
	slices.SortFunc(out, record.CompareNames)
	return out
}

// OwnCount sums one figure of the collector's own account over all ways in. A
// collector that was started again counts from zero.
func (e *Index) OwnCount(name string) int64 {
	var sum float64
	for _, s := range e.Polled[record.CollectorPrefix+name] {
		var base, last float64
		for _, p := range s.Points {
			if !IsCount(p) {
				continue
			}
			if p.Value < last && strings.HasSuffix(name, TotalSuffix) {
				base += last
			}
			last = p.Value
		}
		sum += base + last
	}
	return Whole(sum)
}

// LabelInstance is the label by which the collector tells instances apart.
const LabelInstance = "instance"

// MetricsOf lists the StatsD names that an instance sent.
func (e *Index) MetricsOf(instance string) []string {
	var names []string
	for _, s := range e.Pushed[instance] {
		names = append(names, s.Meta.StatsD)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Cumulated is the count of a point.
func Cumulated(p record.Point) float64 {
	if p.Histogram != nil {
		return p.Histogram.Count
	}
	return p.Value
}
