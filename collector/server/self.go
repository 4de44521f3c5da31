package server

import (
	"context"
	"slices"
	"time"

	"throughline/collector"
)

// outageName is the length of the time in which there was no collector, before
// this one.
const outageName = collector.OwnPrefix + "outage_seconds"

// Metrics are all series that the collector writes about itself: those of its sources,
// of its outputs, and the server's.
func (s *Server) Metrics() []collector.Metric {
	var all []collector.Metric
	for _, source := range s.sources {
		all = append(all, source.Metrics()...)
	}
	for _, o := range s.outputs {
		for _, m := range o.Metrics() {
			if !slices.Contains(all, m) { // several outputs have the same
				all = append(all, m)
			}
		}
	}
	return append(all,
		collector.Metric{Name: storeUpName, Type: collector.Gauge, Help: "1 while the store takes samples; 0: none of the last ones, or it hangs"},
		collector.Metric{Name: samplesLostName, Type: collector.Counter, Loss: true, Help: "samples that the store did not take"},
		collector.Metric{Name: outageName, Type: collector.Gauge, Unit: "seconds", Loss: true,
			Help: "how long there was no collector before this one, by its store; 0: the store was empty"})
}

// Self are the figures of the server and its outputs, for the source that polls.
func (s *Server) Self() collector.Poller {
	from, to, _ := s.store.Outage()
	return self{keeper: s.keeper, outputs: s.outputs, outage: to.Sub(from)}
}

// self polls what the Server itself knows.
type self struct {
	keeper  *keeper
	outputs []collector.Output
	outage  time.Duration
}

// Poll implements collector.Poller.
func (s self) Poll(_ context.Context, at time.Time) ([]collector.Sample, error) {
	samples := []collector.Sample{{Name: outageName, Meta: &collector.Meta{Type: collector.Gauge, Unit: "seconds"}, At: at, Value: s.outage.Seconds(), Observed: 1}}
	samples = append(samples, s.keeper.samples(at)...)
	for _, o := range s.outputs {
		samples = append(samples, o.Own(at)...)
	}
	return samples, nil
}
