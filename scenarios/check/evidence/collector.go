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

// CollectorFigure sums one of the figures that the collector has of its own work, over all ways in. A
// collector that was started again counts from zero. Every account asks, so the sum over all that
// there are is made once.
func (e *Index) CollectorFigure(name string) int64 {
	n, known := e.figures[name]
	if !known {
		n = e.sumOfFigures(name)
		e.figures[name] = n
	}
	return n
}

func (e *Index) sumOfFigures(name string) int64 {
	var sum float64
	for _, s := range e.Polled[record.CollectorPrefix+name] {
		var base, last float64
		for _, p := range s.Points {
			if !p.HasNumber() {
				continue
			}
			if p.Value < last && strings.HasSuffix(name, record.TotalSuffix) {
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

// Cumulated is how many a point has counted so far: a counter's value, or how many values
// a timer had.
func Cumulated(p record.Point) float64 {
	if p.Histogram != nil {
		return p.Histogram.Count
	}
	return p.Value
}
