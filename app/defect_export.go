package app

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
)

// Wrong exports by OTLP: what StatsD tells stays right.

const (
	exportsRarely = time.Minute     // the SDK's own default
	exportsAnew   = 5 * time.Second // in an instance's life
)

// exportWrong is what is wrong with an export.
type exportWrong struct {
	unflushed bool                   // a stop exports nothing
	nameless  bool                   // the resource does not tell it from its replicas
	every     time.Duration          // how often it exports, whatever it is told; 0: as it is told
	anew      time.Duration          // after how long its instruments begin anew, with the start they had; 0: never
	are, say  metricdata.Temporality // of counters, and what they are called; 0: as is right
}

func exportDefects() []Defect {
	return []Defect{
		{Name: "no-instance-id", Entry: "F44", About: "the resource of OTLP says the service alone, and no service.instance.id: replicas share their series", begin: exportingWrongly(exportWrong{nameless: true})},
		{Name: "delta-as-cumulative", Entry: "F19", About: "counters are exported as deltas, and called cumulative",
			begin: exportingWrongly(exportWrong{are: metricdata.DeltaTemporality, say: metricdata.CumulativeTemporality})},
		{Name: "cumulative-as-delta", Entry: "F19", About: "counters are exported cumulative, and called deltas",
			begin: exportingWrongly(exportWrong{are: metricdata.CumulativeTemporality, say: metricdata.DeltaTemporality})},
		{Name: "old-start", Entry: "F32", About: "instruments of OTLP begin anew after 5 s, and keep their old start", begin: exportingWrongly(exportWrong{anew: exportsAnew})},
		{Name: "no-last-export", Entry: "F1", About: "a stop exports nothing by OTLP: what came since the last export is lost", begin: exportingWrongly(exportWrong{unflushed: true})},
		{Name: "long-export", Entry: "F2", About: "it exports by OTLP once a minute, whatever it is told", begin: exportingWrongly(exportWrong{every: exportsRarely})},
	}
}

// exportingWrongly makes a defect of the export alone.
func exportingWrongly(w exportWrong) beginning {
	return func(Config, *harm) (wrong, error) { return wrong{export: w}, nil }
}

// restart has the instruments begin anew once, if that is the defect. e.mu is held.
func (e *export) restart() {
	if e.wrong.anew == 0 || time.Since(e.outlet.begun) < e.wrong.anew {
		return
	}
	e.wrong.anew = 0
	old := e.provider
	e.begin()
	if err := old.Shutdown(context.Background()); err != nil { // which exports what it had come to
		otel.Handle(err)
	}
}

// outlet is the exporter, with what is wrong with what it says. It lasts as long as the process, whatever becomes of a provider.
type outlet struct {
	sdk.Exporter
	wrong exportWrong
	begun time.Time
	last  atomic.Int64 // value of the counter of inserts that was taken
}

// told is what the counter of inserts had come to when it was exported last.
func (o *outlet) told() int64 { return o.last.Load() }

// Temporality implements sdk.Exporter.
func (o *outlet) Temporality(kind sdk.InstrumentKind) metricdata.Temporality {
	if o.wrong.are != 0 && kind == sdk.InstrumentKindCounter {
		return o.wrong.are
	}
	return o.Exporter.Temporality(kind)
}

// Shutdown implements sdk.Exporter.
func (*outlet) Shutdown(context.Context) error { return nil }

// Export implements sdk.Exporter.
func (o *outlet) Export(ctx context.Context, all *metricdata.ResourceMetrics) error {
	if o.wrong.nameless {
		all.Resource = nameless(all.Resource)
	}
	inserts := o.last.Load()
	for _, scope := range all.ScopeMetrics {
		for i, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				continue
			}
			if o.wrong.say != 0 {
				sum.Temporality = o.wrong.say
			}
			for k := range sum.DataPoints {
				if o.wrong.anew > 0 {
					sum.DataPoints[k].StartTime = o.begun
				}
				if m.Name == counted {
					inserts = sum.DataPoints[k].Value
				}
			}
			scope.Metrics[i].Data = sum
		}
	}
	err := o.Exporter.Export(ctx, all)
	if err == nil {
		o.last.Store(inserts)
	}
	return err
}

// nameless is what a program says of itself that does not read OTEL_RESOURCE_ATTRIBUTES: what all its replicas say.
func nameless(of *resource.Resource) *resource.Resource {
	var left []attribute.KeyValue
	for _, a := range of.Attributes() {
		if a.Key == semconv.ServiceNameKey || strings.HasPrefix(string(a.Key), "telemetry.") {
			left = append(left, a)
		}
	}
	return resource.NewWithAttributes(of.SchemaURL(), left...)
}
