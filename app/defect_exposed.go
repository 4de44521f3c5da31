package app

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Wrong expositions: what StatsD tells stays right.

const (
	exposeTakes   = 2500 * time.Millisecond // longer than anybody scrapes who asks every second
	exposedInsert = "fullstack_insert_total"
)

func exposedDefects() []Defect {
	return []Defect{
		{Name: "registry-per-worker", Metric: exposedInsert, About: "three workers have a registry each, and any of them answers a scrape",
			begin: exposing(func() *exposition { return newExposition([]int{57, 29, 14}, nil) })},
		{Name: "own-instance-label", Metric: exposedInsert, About: "the exposition says which instance it is of, and says localhost",
			begin: exposing(func() *exposition { return newExposition(alone, prometheus.Labels{"instance": "localhost:8080"}) })},
		{Name: "slow-exposition", Metric: exposedInsert, About: "the exposition takes 2.5 s", begin: slowExposition},
	}
}

// exposing makes a defect of the exposition alone.
func exposing(show func() *exposition) beginning {
	return func(Config, *harm) (wrong, error) { return wrong{exposition: show}, nil }
}

func slowExposition(Config, *harm) (wrong, error) {
	return wrong{handler: func(right http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == metricsPath {
				select {
				case <-time.After(exposeTakes):
				case <-r.Context().Done():
					return
				}
			}
			right.ServeHTTP(w, r)
		})
	}}, nil
}
