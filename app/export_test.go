package app

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collected "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// otlpSink takes what an app pushes over HTTP.
type otlpSink struct {
	mu        sync.Mutex
	requests  int
	resources []map[string]string
	sums      []*metrics.Sum     // of fullstack.insert, in the order in which they came
	values    map[string]float64 // the last of each metric; of a histogram how many
}

func listenOTLP(t *testing.T) *otlpSink {
	t.Helper()
	s := &otlpSink{values: map[string]float64{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", server.URL+"/v1/metrics")
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
	t.Setenv("OTEL_SERVICE_NAME", "web")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=web-2,cloud.availability_zone=b")
	return s
}

func (s *otlpSink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	unzipped, err := gzip.NewReader(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body, err := io.ReadAll(unzipped)
	var all collected.ExportMetricsServiceRequest
	if err != nil || proto.Unmarshal(body, &all) != nil {
		http.Error(w, "no request of OTLP", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	for _, from := range all.ResourceMetrics {
		resource := map[string]string{}
		for _, a := range from.Resource.Attributes {
			resource[a.Key] = a.Value.GetStringValue()
		}
		s.resources = append(s.resources, resource)
		for _, scope := range from.ScopeMetrics {
			for _, m := range scope.Metrics {
				s.take(m)
			}
		}
	}
}

func (s *otlpSink) take(m *metrics.Metric) {
	switch d := m.Data.(type) {
	case *metrics.Metric_Sum:
		s.values[m.Name] = float64(d.Sum.DataPoints[0].GetAsInt())
		if m.Name == counted {
			s.sums = append(s.sums, d.Sum)
		}
	case *metrics.Metric_Gauge:
		s.values[m.Name] = d.Gauge.DataPoints[0].GetAsDouble()
	case *metrics.Metric_Histogram:
		s.values[m.Name] = float64(d.Histogram.DataPoints[0].Count)
	}
}

// point is a point of fullstack.insert.
type point struct {
	start, at uint64
	value     int64
	delta     bool
}

func (s *otlpSink) points() (all []point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sum := range s.sums {
		p := sum.DataPoints[0]
		all = append(all, point{p.StartTimeUnixNano, p.TimeUnixNano, p.GetAsInt(), sum.AggregationTemporality == metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA})
	}
	return all
}

// until waits for so many exports of inserts.
func (s *otlpSink) until(t *testing.T, exports int) {
	t.Helper()
	for end := time.Now().Add(patience); len(s.points()) < exports; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d exports of inserts came, want %d", len(s.points()), exports)
		}
	}
}

// pushes makes the parts of web-2, which push.
func pushes(t *testing.T, defect string) parts {
	t.Helper()
	p, err := newParts(Config{StatsD: listenUDP(t).addr(), Instance: "web-2", Log: io.Discard, Defect: defect, Export: "http/protobuf"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func insertSome(p parts, n int) {
	for range n {
		p.client.Count(counted, 1)
		p.client.Timing(timed, time.Millisecond)
		p.client.Gauge(inFlight, 3)
	}
}

func closed(t *testing.T, p parts) {
	t.Helper()
	if err := p.client.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestExport: what the client is told comes by OTLP as well, once, with the resource that the environment gives, and whole at the end.
func TestExport(t *testing.T) {
	sink := listenOTLP(t)
	p := pushes(t, "")
	insertSome(p, 5)
	sink.until(t, 2)
	insertSome(p, 4)
	closed(t, p)
	if v := sink.values; v[counted] != 9 || v[timed] != 9 || v[inFlight] != 3 {
		t.Errorf("it came to %v", v)
	}
	if r := sink.resources[0]; r["service.instance.id"] != "web-2" || r["service.name"] != "web" || r["cloud.availability_zone"] != "b" {
		t.Errorf("resource %v", r)
	}
	for i, q := range sink.points() {
		if q.delta || q.start != sink.points()[0].start || q.start >= q.at {
			t.Errorf("point %d is %+v", i, q)
		}
	}
}

func TestWrongResource(t *testing.T) {
	sink := listenOTLP(t)
	p := pushes(t, "no-instance-id")
	insertSome(p, 1)
	closed(t, p)
	r := sink.resources[0]
	if r["service.name"] != "web" || r["service.instance.id"] != "" || r["cloud.availability_zone"] != "" || sink.values[counted] != 1 {
		t.Errorf("resource %v, values %v", r, sink.values)
	}
}

func TestWrongTemporality(t *testing.T) {
	for defect, c := range map[string]struct{ delta, grows bool }{
		"delta-as-cumulative": {false, false},
		"cumulative-as-delta": {true, true},
	} {
		sink := listenOTLP(t)
		p := pushes(t, defect)
		for n := 1; n <= 3; n++ {
			insertSome(p, 5)
			sink.until(t, n)
		}
		closed(t, p)
		all := sink.points()
		var sum int64
		for i, q := range all {
			sum += q.value
			if q.delta != c.delta || i > 0 && (q.start == all[0].start) != c.grows || i > 0 && !c.grows && q.start != all[i-1].at {
				t.Errorf("%s: point %d is %+v", defect, i, q)
			}
		}
		if last := all[len(all)-1].value; c.grows && last != 15 || !c.grows && sum != 15 {
			t.Errorf("%s: %+v", defect, all)
		}
	}
}

func TestOldStart(t *testing.T) {
	sink := listenOTLP(t)
	p := pushes(t, "old-start")
	insertSome(p, 5)
	sink.until(t, 1)
	p.pushed.outlet.begun = p.pushed.outlet.begun.Add(-exportsAnew) // as if it had lived for so long
	insertSome(p, 2)
	closed(t, p)
	all := sink.points()
	first, last := all[0], all[len(all)-1]
	if last.value != 2 || last.at <= first.at || last.start > first.start {
		t.Errorf("it came to %+v", all)
	}
}

func TestNoLastExport(t *testing.T) {
	sink := listenOTLP(t)
	t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
	p := pushes(t, "no-last-export")
	insertSome(p, 3)
	if err := p.pushed.provider.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	insertSome(p, 4)
	closed(t, p)
	if sink.values[counted] != 3 {
		t.Errorf("it came to %v", sink.values)
	}
	checkBooked(t, p.wrong.harm, 4, 0)
}

// TestLongExport: whatever the environment says, nothing comes but at the end.
func TestLongExport(t *testing.T) {
	sink := listenOTLP(t)
	p := pushes(t, "long-export")
	insertSome(p, 3)
	time.Sleep(200 * time.Millisecond) // four times the interval it was told
	if len(sink.points()) != 0 {
		t.Errorf("it exported %+v", sink.points())
	}
	closed(t, p)
	if sink.values[counted] != 3 {
		t.Errorf("it came to %v", sink.values)
	}
}

func TestExportProtocols(t *testing.T) {
	env := map[string]string{"MONGODB_URI": "mongodb://127.0.0.1:1"}
	read := func(pairs ...string) (string, error) {
		all := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		c, err := FromEnv(func(name string) string {
			if v := env[name]; v != "" {
				return v
			}
			return all[name]
		})
		return c.Export, err
	}
	for _, c := range []struct {
		env  []string
		want string
	}{
		{nil, ""},
		{[]string{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, ""},
		{[]string{"OTEL_METRICS_EXPORTER", "none"}, ""},
		{[]string{"OTEL_METRICS_EXPORTER", "otlp"}, "http/protobuf"},
		{[]string{"OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, "grpc"},
		{[]string{"OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}, "grpc"},
	} {
		if got, err := read(c.env...); err != nil || got != c.want {
			t.Errorf("%v: %q, %v; want %q", c.env, got, err, c.want)
		}
	}
	_, err := read("OTEL_METRICS_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
	if err == nil || !strings.Contains(err.Error(), `OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" is not known; want http/protobuf or grpc`) {
		t.Errorf("error %v", err)
	}
}
