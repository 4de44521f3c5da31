package main

import (
	"context"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// defect is what is wrong with the instrumentation.
type defect struct {
	about    string
	noFlush  bool                   // it ends without a last export
	nameless bool                   // its resource does not tell it from its replicas
	interval time.Duration          // how often it exports, whatever it is told; 0: as it is told
	workers  int                    // how many providers count as one; 0: one
	restarts time.Duration          // after how long its instruments begin anew; 0: never
	says     metricdata.Temporality // what its points say they are; 0: what they are
	are      metricdata.Temporality // what they are then
	start    bool                   // all its points say that they began when the process did
}

// defects are those there are, by the word that DEFECT takes.
var defects = map[string]defect{
	"no-shutdown":         {about: "a SIGTERM ends it without a last export", noFlush: true},
	"no-instance-id":      {about: "its resource has no service.instance.id: a backend takes its replicas for one", nameless: true},
	"long-interval":       {about: "it exports every 30 s, whatever it is told", interval: 30 * time.Second},
	"two-writers":         {about: "two providers count in one stream, as workers do that were forked", workers: 2},
	"delta-as-cumulative": {about: "it exports deltas, and says that they are cumulative", says: metricdata.CumulativeTemporality, are: metricdata.DeltaTemporality},
	"cumulative-as-delta": {about: "it exports cumulative values, and says that they are deltas", says: metricdata.DeltaTemporality, are: metricdata.CumulativeTemporality},
	"old-start":           {about: "its instruments begin anew after 4 s, and keep their old start", restarts: 4 * time.Second, start: true},
}

func defectNames() string { return strings.Join(slices.Sorted(maps.Keys(defects)), ", ") }

// newTelemetry makes what counts, with its defect.
func newTelemetry(exporter sdk.Exporter, d defect) (*telemetry, error) {
	t := &telemetry{defect: d, begun: time.Now()}
	t.again = func() (*sdk.MeterProvider, error) {
		options := []sdk.Option{}
		if d.nameless {
			// WithResource merges what the environment says.
			if err := os.Unsetenv("OTEL_RESOURCE_ATTRIBUTES"); err != nil {
				return nil, err
			}
			options = append(options, sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "words"))))
		} else {
			r, err := resource.New(context.Background(), resource.WithFromEnv(), resource.WithTelemetrySDK())
			if err != nil {
				return nil, err
			}
			options = append(options, sdk.WithResource(r))
		}
		var reading []sdk.PeriodicReaderOption
		if d.interval > 0 {
			reading = append(reading, sdk.WithInterval(d.interval))
		}
		wrong := &mislabelled{Exporter: exporter, defect: d, begun: t.begun}
		return sdk.NewMeterProvider(append(options, sdk.WithReader(sdk.NewPeriodicReader(wrong, reading...)))...), nil
	}
	for range max(d.workers, 1) {
		p, err := t.again()
		if err != nil {
			return nil, err
		}
		c, err := counterOf(p)
		if err != nil {
			return nil, err
		}
		t.providers, t.counters = append(t.providers, p), append(t.counters, c)
	}
	return t, nil
}

// restart has the instruments begin anew once, if that is the defect.
func (t *telemetry) restart() {
	if t.defect.restarts == 0 || time.Since(t.begun) < t.defect.restarts {
		return
	}
	old := t.providers[0]
	t.defect.restarts = 0
	p, err := t.again()
	if err != nil {
		log.Print(err)
		return
	}
	c, err := counterOf(p)
	if err != nil {
		log.Print(err)
		return
	}
	if err := old.Shutdown(context.Background()); err != nil {
		log.Print(err)
	}
	t.providers[0], t.counters[0] = p, c
}

// mislabelled is an exporter that says something wrong of what it exports.
type mislabelled struct {
	sdk.Exporter
	defect defect
	begun  time.Time
}

// Temporality implements sdk.Exporter.
func (m *mislabelled) Temporality(kind sdk.InstrumentKind) metricdata.Temporality {
	if m.defect.are != 0 {
		return m.defect.are
	}
	return m.Exporter.Temporality(kind)
}

// Shutdown implements sdk.Exporter. Several readers export by one, which lasts as long as the process.
func (m *mislabelled) Shutdown(context.Context) error { return nil }

// Export implements sdk.Exporter.
func (m *mislabelled) Export(ctx context.Context, all *metricdata.ResourceMetrics) error {
	for _, scope := range all.ScopeMetrics {
		for i, x := range scope.Metrics {
			sum, ok := x.Data.(metricdata.Sum[int64])
			if !ok {
				continue
			}
			if m.defect.says != 0 {
				sum.Temporality = m.defect.says
			}
			for j := range sum.DataPoints {
				if m.defect.start {
					sum.DataPoints[j].StartTime = m.begun
				}
			}
			scope.Metrics[i].Data = sum
		}
	}
	return m.Exporter.Export(ctx, all)
}
