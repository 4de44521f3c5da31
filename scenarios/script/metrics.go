package script

import (
	"slices"
	"time"
)

// defaultExport is how often an instance exports, or is scraped, unless `every` says otherwise: as often as the collector
// cuts time.
const defaultExport = time.Second

// leastExport and mostExport bound `every`: OpenTelemetry's own default is the longest that anybody waits for.
const leastExport, mostExport = 100 * time.Millisecond, time.Minute

// The protocols of OTLP, as OTEL_EXPORTER_OTLP_PROTOCOL names them.
const (
	OTLPGRPC     = "grpc"
	OTLPProtobuf = "http/protobuf"
	OTLPJSON     = "http/json"
)

// Metrics is how the metrics of a role's instances come to the collector. StatsD needs no word: every instance is told
// where it is taken.
type Metrics struct {
	OTLP   string        // the protocol by which instances push; "": they do not
	Scrape string        // the path at which an instance is scraped; "": none is
	Every  time.Duration // how often an instance is to export, or is scraped; 0 where neither is
}

// Window is how long a count may be held before it is sent, where nothing else is said: what comes at every export is held for
// up to that time, beside what a client takes to send it.
func (m Metrics) Window() time.Duration { return m.Every + defaultClientWindow }

// Gap is how long a metric may be silent although something is counted, where nothing else is said.
func (m Metrics) Gap() time.Duration { return m.Every + defaultMaxGap }

// Window is how long the clients of the instances that serve a route may hold a count, where nothing else is said; "": of those
// that hold them longest.
func (s Stack) Window(route string) time.Duration { return s.metricsOf(route).Window() }

// windowOf is how long the client of a metric may hold a count, where nothing else is said.
func (s Stack) windowOf(metric Metric, route string) time.Duration {
	if metric.Selection().Way == ByStatsD {
		return defaultClientWindow
	}
	return s.Window(route)
}

// metricsOf is how the metrics of the instances come that serve a route; "": of those that hold them longest.
func (s Stack) metricsOf(route string) (longest Metrics) {
	for _, w := range s.Roles() {
		if _, serves := w.Routes[route]; serves {
			return w.Metrics
		}
		if w.Metrics.Every > longest.Every {
			longest = w.Metrics
		}
	}
	if route != "" {
		return s.Web.Metrics
	}
	return longest
}

// pushesOTLP tells whether the instances of any role push by OTLP.
func (s Stack) pushesOTLP() bool {
	return slices.ContainsFunc(s.Roles(), func(w Web) bool { return w.Metrics.OTLP != "" })
}

// metrics reads `metrics` of a role.
func (v value) metrics() Metrics {
	m, ok := v.mapping("otlp", "scrape", "every")
	if !ok {
		return Metrics{}
	}
	var s Metrics
	if v, ok := m.get("otlp"); ok {
		s.OTLP = v.oneOf(OTLPProtobuf, OTLPGRPC, OTLPJSON)
	}
	if v, ok := m.get("scrape"); ok {
		if path := v.line("a path, like /metrics"); path != "" && v.isPath(path, "/metrics") {
			s.Scrape = path
		}
	}
	if len(m.keys) == 0 || len(m.keys) == 1 && plain(m.keys[0].node) == "every" {
		v.failf("want otlp or scrape, like {scrape: /metrics, every: 1s}: StatsD needs no word")
	}
	s.Every = m.duration("every", leastExport, defaultExport)
	if v, ok := m.get("every"); ok && s.Every > mostExport {
		v.failf("%s is out of range: want %s to %s", show(s.Every), show(leastExport), show(mostExport))
	}
	return s
}
