// A web app that counts with Prometheus' own client for Go, well or with a defect, which DEFECT names: counted-twice, lost-at-exit or own-instance.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var words = promauto.NewCounter(prometheus.CounterOpts{Name: "words_total", Help: "Words that were inserted", ConstLabels: labels(os.Getenv("DEFECT"))})

// labels are those of the counter: with own-instance each instance says that it is the same one.
func labels(defect string) prometheus.Labels {
	if defect == "own-instance" {
		return prometheus.Labels{"instance": "localhost:8080"}
	}
	return nil
}

// held is what waits for its turn, every 5 s, where counts are lost at exit.
var held atomic.Int64

func count(defect string) {
	switch defect {
	case "counted-twice":
		words.Add(2)
	case "lost-at-exit":
		held.Add(1)
	default:
		words.Inc()
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	go func() {
		for range time.Tick(5 * time.Second) {
			words.Add(float64(held.Swap(0)))
		}
	}()
	defect := os.Getenv("DEFECT")
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("POST /insert/{word}", func(w http.ResponseWriter, r *http.Request) {
		count(defect)
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
