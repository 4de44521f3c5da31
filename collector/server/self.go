package server

import (
	"context"
	"slices"
	"time"

	"throughline/collector"
	"throughline/collector/forward"
	"throughline/collector/poll"
	"throughline/collector/statsd"
)

// outageName is the length of the time in which there was no collector, before
// this one.
const outageName = "throughline_collector_outage_seconds"

// Metrics are all series that a Server writes about itself, those of its parts
// included.
func Metrics() []collector.Metric {
	return append(slices.Concat(statsd.Metrics(), poll.Metrics(), forward.Metrics()),
		collector.Metric{Name: storeUpName, Type: collector.Gauge, Help: "1 while the store takes samples; 0: none of the last ones, or it hangs"},
		collector.Metric{Name: samplesLostName, Type: collector.Counter, Loss: true, Help: "samples that the store did not take"},
		collector.Metric{Name: outageName, Type: collector.Gauge, Unit: "seconds", Loss: true,
			Help: "how long there was no collector before this one, by its store; 0: the store was empty"})
}

// self polls what the Server itself knows.
type self struct {
	keeper *keeper
	out    []forward.Forwarder
	outage time.Duration
}

func (s *Server) self() self {
	from, to, _ := s.store.Outage()
	return self{keeper: s.keeper, out: s.out, outage: to.Sub(from)}
}

// Poll implements collector.Poller.
func (s self) Poll(_ context.Context, at time.Time) ([]collector.Sample, error) {
	samples := []collector.Sample{{Name: outageName, Meta: &collector.Meta{Type: collector.Gauge, Unit: "seconds"}, At: at, Value: s.outage.Seconds(), Observed: 1}}
	samples = append(samples, s.keeper.samples(at)...)
	for _, f := range s.out {
		samples = append(samples, forward.Samples(at, f.Figures())...)
	}
	return samples, nil
}
