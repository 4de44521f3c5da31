// A web app that counts with Prometheus' own client for Go, and knows nothing of Throughline. It reads HOST and PORT.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var (
	words = promauto.NewCounter(prometheus.CounterOpts{Name: "words_total", Help: "Words that were inserted"})
	took  = promauto.NewHistogram(prometheus.HistogramOpts{Name: "insert_seconds", Help: "How long an insert took",
		Buckets: prometheus.DefBuckets, NativeHistogramBucketFactor: 1.1})
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("POST /insert/{word}", func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		words.Inc()
		took.Observe(time.Since(began).Seconds())
		fmt.Fprintln(w, r.PathValue("word"))
	})
	server := &http.Server{Addr: net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), Handler: mux}
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
