// Command tiny is as small an application as can be judged: one route, and one line of
// StatsD for each request. The benchmarks of many real instances start hundreds of it, where the
// reference app, with all that throughline is, would fill the machine. It is no example:
// package app is what a team's service looks like.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	metrics, err := net.Dial("udp", net.JoinHostPort(os.Getenv("STATSD_HOST"), os.Getenv("STATSD_PORT")))
	if err != nil {
		return err
	}
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /work", func(w http.ResponseWriter, _ *http.Request) {
		// Counted before the answer: whoever is acknowledged is counted.
		_, _ = metrics.Write([]byte("tiny.work:1|c"))
	})
	server := &http.Server{Addr: net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT"))}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*time.Second)
	defer cancel()
	return server.Shutdown(patient)
}
