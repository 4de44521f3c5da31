package app

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"

	"throughline/app/statsd"
)

// exportProtocols are those by which Config.Export can push, as OTEL_EXPORTER_OTLP_PROTOCOL names those that Go's SDK has. A program
// of Go picks the package itself.
var exportProtocols = []string{"http/protobuf", "grpc"}

// goodbyeExport bounds the last export: a collector that never answers must not make a stop a kill.
const goodbyeExport = 2 * time.Second

// export counts what its client is told once more, by OpenTelemetry's SDK, and pushes it by OTLP under the same names: the counter
// fullstack.insert, the histogram fullstack.insert.time in seconds, the gauge fullstack.inflight. Where to, how often, and which
// resource it is, the SDK reads from the environment itself, as it does in anybody's program.
type export struct {
	wrong  exportWrong
	outlet *outlet

	mu       sync.Mutex
	provider *sdk.MeterProvider
	counters map[string]metric.Int64Counter
	gauges   map[string]metric.Float64Gauge
	timers   map[string]metric.Float64Histogram
}

// newExport makes what exports by a protocol, with what is wrong with it.
func newExport(protocol string, w exportWrong, to *log.Logger) (*export, error) {
	var exporter sdk.Exporter
	var err error
	switch ctx := context.Background(); protocol {
	case "grpc":
		exporter, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithCompressor("gzip"))
	default:
		exporter, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	}
	if err != nil {
		return nil, fmt.Errorf("export by %s: %w", protocol, err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { to.Print("OpenTelemetry: ", err) }))
	e := &export{wrong: w, outlet: &outlet{Exporter: exporter, wrong: w, begun: time.Now()}}
	e.begin()
	return e, nil
}

// begin makes a provider, whose instruments begin at 0. e.mu is held, or nobody else has e.
func (e *export) begin() {
	var reading []sdk.PeriodicReaderOption
	if e.wrong.every > 0 {
		reading = append(reading, sdk.WithInterval(e.wrong.every))
	}
	e.provider = sdk.NewMeterProvider(sdk.WithReader(sdk.NewPeriodicReader(e.outlet, reading...)))
	e.counters, e.gauges, e.timers = map[string]metric.Int64Counter{}, map[string]metric.Float64Gauge{}, map[string]metric.Float64Histogram{}
}

// instrument gives the one of a name, and makes it at its first use. e.mu is held.
func instrument[T any](e *export, all map[string]T, name string, make func(metric.Meter) (T, error)) T {
	if i, known := all[name]; known {
		return i
	}
	i, err := make(e.provider.Meter("throughline/app"))
	if err != nil {
		otel.Handle(err) // what it gives counts nothing
	}
	all[name] = i
	return i
}

// close exports what is left. ForceFlush comes first: a Shutdown during an export cancels it and says nothing.
// Source: https://github.com/grafana/k6/issues/6484
func (e *export) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wrong.unflushed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), goodbyeExport)
	defer cancel()
	return errors.Join(e.provider.ForceFlush(ctx), e.provider.Shutdown(ctx), e.outlet.Exporter.Shutdown(ctx))
}

// exporting is a client that tells an export, too.
type exporting struct {
	statsd.Client
	to   *export
	harm *harm // nil without a defect
	due  *int64
}

func (x exporting) Count(name string, n int64) {
	x.Client.Count(name, n)
	e := x.to
	e.mu.Lock()
	defer e.mu.Unlock()
	e.restart()
	if name == counted {
		*x.due += n
	}
	instrument(e, e.counters, name, func(m metric.Meter) (metric.Int64Counter, error) { return m.Int64Counter(name) }).Add(context.Background(), n)
}

func (x exporting) Gauge(name string, v float64) {
	x.Client.Gauge(name, v)
	e := x.to
	e.mu.Lock()
	defer e.mu.Unlock()
	instrument(e, e.gauges, name, func(m metric.Meter) (metric.Float64Gauge, error) { return m.Float64Gauge(name) }).Record(context.Background(), v)
}

func (x exporting) Timing(name string, d time.Duration) {
	x.Client.Timing(name, d)
	e := x.to
	e.mu.Lock()
	defer e.mu.Unlock()
	instrument(e, e.timers, name, func(m metric.Meter) (metric.Float64Histogram, error) {
		return m.Float64Histogram(name, metric.WithUnit("s"))
	}).Record(context.Background(), d.Seconds())
}

// Close ends the client, and then the export.
func (x exporting) Close() error {
	errs := []error{x.Client.Close()}
	if err := x.to.close(); err != nil {
		errs = append(errs, fmt.Errorf("export what is left: %w", err))
	}
	if x.harm != nil && x.to.wrong.unflushed {
		x.harm.book(x.to.outlet.told(), *x.due)
	}
	return errors.Join(errs...)
}
