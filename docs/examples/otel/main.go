// Command otel is the word counter once more, as anybody writes it with OpenTelemetry's SDK: it counts inserts with an instrument
// of its own, and otelhttp measures its requests. Nothing in it is made for Throughline; it reads HOST and PORT, and the
// variables of OpenTelemetry: where to push, by which protocol, how often, and who it is.
//
// DEFECT makes its instrumentation wrong in one of the ways that are common; see defects.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

// words keeps how often each word came.
type words struct {
	mu    sync.Mutex
	count map[string]int
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	defect := defects[os.Getenv("DEFECT")]
	if name := os.Getenv("DEFECT"); name != "" && defect.about == "" {
		return fmt.Errorf("DEFECT %s: there is no such defect (have %s)", name, defectNames())
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Print("OpenTelemetry: ", err) }))
	exporter, err := newExporter(ctx)
	if err != nil {
		return err
	}
	telemetry, err := newTelemetry(exporter, defect)
	if err != nil {
		return err
	}
	otel.SetMeterProvider(telemetry.providers[0])

	w := &words{count: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /insert/{word}", func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.count[r.PathValue("word")]++
		w.mu.Unlock()
		telemetry.inserted(r.Context())
		rw.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /get/{word}", func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		fmt.Fprintln(rw, w.count[r.PathValue("word")])
	})
	top := http.NewServeMux()
	top.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {}) // not measured: it is nobody's request
	top.Handle("/", otelhttp.NewHandler(mux, "words"))

	server := &http.Server{Addr: net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), Handler: top}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = server.Shutdown(ending) // first, so that everything that was answered is counted
	if defect.noFlush {
		return err
	}
	return errors.Join(err, telemetry.shutdown(ending))
}

// newExporter makes the exporter for the protocol that the environment says: a program of Go picks the package itself.
func newExporter(ctx context.Context) (sdk.Exporter, error) {
	switch protocol := os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"); protocol {
	case "grpc":
		return otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithCompressor("gzip"))
	case "", "http/protobuf":
		return otlpmetrichttp.New(ctx, otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression))
	default:
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL %s: Go's SDK has grpc and http/protobuf", protocol)
	}
}

// telemetry is what counts.
type telemetry struct {
	defect    defect
	providers []*sdk.MeterProvider
	counters  []metric.Int64Counter
	mu        sync.Mutex
	calls     int
	begun     time.Time
	again     func() (*sdk.MeterProvider, error)
}

// shutdown exports what is left. ForceFlush first: a Shutdown during an export cancels it and says nothing.
// Source: https://github.com/grafana/k6/issues/6484
func (t *telemetry) shutdown(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, p := range t.providers {
		errs = append(errs, p.ForceFlush(ctx), p.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// counterOf makes the instrument.
func counterOf(p *sdk.MeterProvider) (metric.Int64Counter, error) {
	return p.Meter("words").Int64Counter("words.inserted", metric.WithUnit("{word}"), metric.WithDescription("words that were inserted"))
}

// inserted counts an insert.
func (t *telemetry) inserted(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.restart()
	t.calls++
	t.counters[t.calls%len(t.counters)].Add(ctx, 1, metric.WithAttributes(attribute.String("table", "words")))
}
