package evidence

import (
	"throughline/collector"
	"throughline/scenarios/record"
)

// Timers gives the series of an instance's timer.
func (e *Index) Timers(instance, metric string) []*record.Series {
	var out []*record.Series
	for _, s := range e.Pushed[instance] {
		if s.Meta.Sent == metric && s.Meta.Type == collector.Summary && metric != "" {
			out = append(out, s)
		}
	}
	return out
}
