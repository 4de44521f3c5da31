package app

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"throughline/app/statsd"
)

// metricsPath is where an app with Config.Expose shows what it counts to a Prometheus.
const metricsPath = "/metrics"

// exposition counts what its client is told once more, as Prometheus' own client does, and shows it: the counter fullstack.insert as
// fullstack_insert_total, the timer fullstack.insert.time as the histogram fullstack_insert_time_seconds, the gauge fullstack.inflight as
// fullstack_inflight. The counter fullstack_starts_total is 1 as soon as there is a process.
type exposition struct {
	labels     prometheus.Labels // that each series has
	registries []*registry       // one for each worker; a right app has one that all of them share
	shares     []int             // of 100 requests, which each worker gets
	mu         sync.Mutex
	nth        int
}

// registry is what one worker counts.
type registry struct {
	*prometheus.Registry
	counters map[string]prometheus.Counter
	gauges   map[string]prometheus.Gauge
	timers   map[string]prometheus.Histogram
}

func newExposition(workers []int, labels prometheus.Labels) *exposition {
	e := &exposition{labels: labels, shares: workers}
	for range workers {
		e.registries = append(e.registries, &registry{Registry: prometheus.NewRegistry(), counters: map[string]prometheus.Counter{}, gauges: map[string]prometheus.Gauge{}, timers: map[string]prometheus.Histogram{}})
	}
	for _, r := range e.registries {
		e.counter(r, "fullstack.starts").Inc()
	}
	return e
}

// alone is the share of one worker where there are no others.
var alone = []int{100}

// turn is the worker whose turn it is. e.mu is held.
func (e *exposition) turn() *registry {
	e.nth++
	at := e.nth * 37 % 100 // 37 has no divisor of 100, so that each share is dealt evenly
	for i, share := range e.shares {
		if at -= share; at < 0 {
			return e.registries[i]
		}
	}
	return e.registries[0]
}

func exposedName(name string) string { return strings.ReplaceAll(name, ".", "_") }

func (e *exposition) counter(r *registry, name string) prometheus.Counter {
	if r.counters[name] == nil {
		r.counters[name] = prometheus.NewCounter(prometheus.CounterOpts{Name: exposedName(name) + "_total", Help: name, ConstLabels: e.labels})
		r.MustRegister(r.counters[name])
	}
	return r.counters[name]
}

// counting is a client that tells an exposition, too.
type counting struct {
	statsd.Client
	to *exposition
}

func (c counting) Count(name string, n int64) {
	c.Client.Count(name, n)
	c.to.mu.Lock()
	defer c.to.mu.Unlock()
	c.to.counter(c.to.turn(), name).Add(float64(n))
}

func (c counting) Gauge(name string, v float64) {
	c.Client.Gauge(name, v)
	c.to.mu.Lock()
	defer c.to.mu.Unlock()
	r := c.to.registries[0]
	if r.gauges[name] == nil {
		r.gauges[name] = prometheus.NewGauge(prometheus.GaugeOpts{Name: exposedName(name), Help: name, ConstLabels: c.to.labels})
		r.MustRegister(r.gauges[name])
	}
	r.gauges[name].Set(v)
}

func (c counting) Timing(name string, d time.Duration) {
	c.Client.Timing(name, d)
	c.to.mu.Lock()
	defer c.to.mu.Unlock()
	r := c.to.registries[0]
	if r.timers[name] == nil {
		r.timers[name] = prometheus.NewHistogram(prometheus.HistogramOpts{Name: exposedName(name) + "_seconds", Help: name, ConstLabels: c.to.labels, NativeHistogramBucketFactor: 1.1})
		r.MustRegister(r.timers[name])
	}
	r.timers[name].Observe(d.Seconds())
}

// beside shows the exposition at its path, and leaves the rest to another handler. Any worker answers.
func (e *exposition) beside(right http.Handler) http.Handler {
	var pages []http.Handler
	for _, r := range e.registries {
		pages = append(pages, promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true, EnableOpenMetricsTextCreatedSamples: true}))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != metricsPath {
			right.ServeHTTP(w, r)
			return
		}
		pages[rand.IntN(len(pages))].ServeHTTP(w, r)
	})
}
