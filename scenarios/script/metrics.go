package script

import (
	"regexp"
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
	// HonorLabels has labels that an instance exposes win over those by which it is known, as Prometheus' honor_labels does.
	HonorLabels bool
}

// longestScrape bounds how long one scrape may take, however rare they are. It is what Prometheus has.
// Source: scrape_timeout in https://prometheus.io/docs/prometheus/latest/configuration/configuration/
const longestScrape = 10 * time.Second

// Timeout is how long one scrape may take.
func (m Metrics) Timeout() time.Duration { return min(m.Every, longestScrape) }

// Unscraped is how old what no scrape has brought may be at most, if none of them fails: one has just begun when it is counted, and
// the next takes as long as it may.
func (m Metrics) Unscraped() time.Duration { return m.Every + m.Timeout() }

// exposedName is a name that Prometheus' clients let a metric have; one of StatsD or OTLP has dots, nearly always.
var exposedName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)

// exposedCount is one that they let a counter have, or what counts beside a histogram.
var exposedCount = regexp.MustCompile(`(_total|_count)$`)

// Scraped tells whether instances of a role are scraped for a metric, as far as the way that is wanted and its name tell: if they are
// scraped at all, and Prometheus can call something so.
func (s Stack) Scraped(role string, metric Metric) (Metrics, bool) {
	w, known := s.Role(role)
	of := metric.Selection()
	return w.Metrics, known && w.Metrics.Scrape != "" && (of.Way == ByScrape || of.Way == "" && exposedName.MatchString(of.Name))
}

// pushed tells whether instances of a role push a metric by OTLP, as far as is known.
func (s Stack) pushed(role string, metric Metric) (Metrics, bool) {
	w, known := s.Role(role)
	way := metric.Selection().Way
	return w.Metrics, known && w.Metrics.OTLP != "" && (way == ByOTLP || way == "")
}

// anyRole stands for all roles, where a metric may be any's.
const anyRole = ""

// windowOf is how long counts of a metric may be with an instance alone, unless a check says it: until a scrape has brought them, or
// the next export, beside what a client takes to send it.
func (s Stack) windowOf(role string, metric Metric) (window time.Duration) {
	if role == anyRole {
		for _, w := range s.Roles() {
			window = max(window, s.windowOf(w.RoleName(), metric))
		}
		return window
	}
	if m, scraped := s.Scraped(role, metric); scraped {
		return m.Unscraped()
	}
	if m, pushed := s.pushed(role, metric); pushed {
		return m.Every + defaultClientWindow
	}
	return defaultClientWindow
}

// gapOf is how long a metric may be silent although something is counted, where nothing else is said.
func (s Stack) gapOf(role string, metric Metric) time.Duration {
	if m, scraped := s.Scraped(role, metric); scraped {
		return max(defaultMaxGap, m.Unscraped()+m.Every) // a scrape may fail
	}
	if m, pushed := s.pushed(role, metric); pushed {
		return m.Every + defaultMaxGap
	}
	return defaultMaxGap
}

// WindowOf is how long counts of a metric may be with an instance alone, by the first conservation check of it, or by how it comes in.
// The role is the one of instances that have it.
func (s Scenario) WindowOf(role string, metric Metric) time.Duration {
	for _, c := range Promised[Conservation](s) {
		if c.Metric == metric {
			return c.ClientWindow
		}
	}
	return s.Stack.windowOf(role, metric)
}

// HeldFor is how long a count of a metric may be on its way from an instance to the collector: for its client's window, and then as long as
// an agent beside it holds it.
func (s Scenario) HeldFor(role string, metric Metric) time.Duration {
	window := s.WindowOf(role, metric)
	if role == FirstRole || role == anyRole {
		window += s.Stack.Agent.Late()
	}
	return window
}

// pushesOTLP tells whether the instances of any role push by OTLP, or the agents beside them.
func (s Stack) pushesOTLP() bool {
	return s.Agent.Metrics.OTLP != "" || slices.ContainsFunc(s.Roles(), func(w Web) bool { return w.Metrics.OTLP != "" })
}

// metrics reads `metrics` of a role.
func (v value) metrics() Metrics {
	m, ok := v.mapping("otlp", "scrape", "every", honorLabels)
	if !ok {
		return Metrics{}
	}
	s := m.metrics(v)
	s.HonorLabels = m.yes(honorLabels)
	if v, said := m.get(honorLabels); said && s.OTLP != "" && s.Scrape == "" {
		v.failf("says which labels win where an instance is scraped, and this one is not: remove it, or give scrape")
	}
	return s
}

const honorLabels = "honor_labels"

// metrics reads what is in it.
func (m mapping) metrics(v value) Metrics {
	var s Metrics
	if v, ok := m.get("otlp"); ok {
		s.OTLP = v.oneOf(OTLPProtobuf, OTLPGRPC, OTLPJSON)
	}
	if v, ok := m.get("scrape"); ok {
		if path := v.line("a path, like /metrics"); path != "" && v.isPath(path, "/metrics") {
			s.Scrape = path
		}
	}
	if !slices.ContainsFunc(m.keys, func(k value) bool { return plain(k.node) != "every" && plain(k.node) != honorLabels }) {
		v.failf("want otlp or scrape, like {scrape: /metrics, every: 1s}: StatsD needs no word")
	}
	s.Every = m.duration("every", leastExport, defaultExport)
	if v, ok := m.get("every"); ok && s.Every > mostExport {
		v.failf("%s is out of range: want %s to %s", show(s.Every), show(leastExport), show(mostExport))
	}
	return s
}
