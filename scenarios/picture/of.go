package picture

import (
	"cmp"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/metric"
	"throughline/scenarios/record"
)

// Of makes the picture of a whole record: it is told of everything in the order in which
// it happened, as if it had been there.
func Of(h record.History, counts Counts) *Picture {
	if counts.Metric == "" {
		counts.Metric = BusiestMetric(h)
	}
	p := New(h.Run, counts)
	for _, t := range p.tellings(h) {
		switch t.kind {
		case anEvent:
			p.Event(h.Events[t.of])
		case aRequest:
			p.Request(h.Requests[t.of])
		case aPoint:
			p.Sample(t.at, sampleOf(&h.Series[t.of], t.point))
		}
	}
	p.over = true
	return p
}

// telling is something of the record that is told next.
type telling struct {
	at    time.Duration
	kind  uint8
	of    int32 // event, request or series
	point int32
}

const (
	anEvent uint8 = iota
	aRequest
	aPoint
)

// tellings is all of the record that is drawn, in the order of time.
func (p *Picture) tellings(h record.History) []telling {
	out := make([]telling, 0, len(h.Events)+len(h.Requests))
	for i := range h.Events {
		out = append(out, telling{at: h.Events[i].At, kind: anEvent, of: int32(i)})
	}
	for i := range h.Requests {
		out = append(out, telling{at: h.Requests[i].Done, kind: aRequest, of: int32(i)})
	}
	for i := range h.Series {
		if !p.draws(&h.Series[i]) {
			continue
		}
		for k := range h.Series[i].Points {
			out = append(out, telling{at: h.Series[i].Points[k].At, kind: aPoint, of: int32(i), point: int32(k)})
		}
	}
	slices.SortStableFunc(out, func(a, b telling) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.kind, b.kind)) })
	return out
}

// draws tells whether anything of a series is drawn.
func (p *Picture) draws(s *record.Series) bool {
	sample := collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta}
	return is(p.of, &sample) || p.ofViews(&sample) || layerOf(s.Name) != nil
}

func sampleOf(s *record.Series, point int32) *collector.Sample {
	pt := s.Points[point]
	return &collector.Sample{Name: s.Name, Labels: s.Labels, Meta: &s.Meta, Value: pt.Value, Observed: pt.Observed, Stale: pt.Stale, Histogram: pt.Histogram}
}

// BusiestMetric is the counter of an instance that gained most: what to draw where no
// check says which metric counts the requests.
func BusiestMetric(h record.History) metric.Ref {
	most, busiest := 0.0, ""
	for i := range h.Series {
		s := &h.Series[i]
		if !s.IsCounter() {
			continue
		}
		var c counter
		var total float64
		for _, pt := range s.Points {
			if gained, _, ok := c.gain(pt.At, pt.Value, true); ok && !pt.Stale {
				total += gained
			}
		}
		if total > most {
			most, busiest = total, s.Meta.Sent
		}
	}
	if busiest == "" {
		return ""
	}
	return metric.Named(busiest)
}
