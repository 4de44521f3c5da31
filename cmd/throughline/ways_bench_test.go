//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	collected "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

// BenchmarkWays gives `throughline collect` what comes by OTLP and by scrape, and then the program whose way that is: OpenTelemetry's
// Collector, which throws away what it took, and Prometheus, which stores it as collect does in both cases. It reports what each spends on a
// million points, in CPU seconds of user and system time, and how many times dearer the peer is. The sender is this process, so its
// time is in neither figure.
func BenchmarkWays(b *testing.B) {
	b.Run("otlp", func(b *testing.B) {
		peer := builtPeer(b, "otelcol")
		for b.Loop() {
			compare(b, spendOTLP(b, func(addr string) *exec.Cmd {
				return exec.Command(binary, "collect", "--otlp-http", "web-1="+addr, "--listen", "127.0.0.1:0")
			}), spendOTLP(b, func(addr string) *exec.Cmd {
				return exec.Command(peer, "--config="+configured(b, "otelcol.yml", fmt.Sprintf(otelcolTakes, addr)))
			}))
		}
	})
	b.Run("scrape", func(b *testing.B) {
		peer, err := exec.LookPath("prometheus")
		if err != nil {
			b.Skipf("SKIPPED, NOTHING MEASURED: %v; make peers installs it", err)
		}
		for b.Loop() {
			compare(b, spendScrape(b, func(url string) *exec.Cmd {
				return exec.Command(binary, "collect", "--scrape", "web-1="+url, "--scrape-interval", "200ms", "--listen", "127.0.0.1:0")
			}), spendScrape(b, func(url string) *exec.Cmd {
				host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/metrics")
				return exec.Command(peer, "--config.file="+configured(b, "prometheus.yml", fmt.Sprintf(prometheusScrapes, host)), "--storage.tsdb.path="+b.TempDir(), "--web.listen-address=127.0.0.1:0")
			}))
		}
	})
}

const otelcolTakes = `receivers:
  otlp: {protocols: {http: {endpoint: %q}}}
exporters:
  debug: {verbosity: basic, sampling_initial: 1, sampling_thereafter: 100000}
service:
  pipelines:
    metrics: {receivers: [otlp], exporters: [debug]}
  telemetry: {metrics: {level: none}, logs: {level: error}}
`

const prometheusScrapes = `scrape_configs:
  - job_name: words
    scrape_interval: 200ms
    scrape_timeout: 200ms
    static_configs: [{targets: [%q]}]
`

// compare reports both.
func compare(b *testing.B, ours, theirs float64) {
	b.Helper()
	b.ReportMetric(ours, "CPU-s/Mpoint")
	b.ReportMetric(theirs, "peer-CPU-s/Mpoint")
	b.ReportMetric(theirs/ours, "times-cheaper")
}

// builtPeer is a program that make peers builds.
func builtPeer(b *testing.B, name string) string {
	b.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		b.Skipf("SKIPPED, NOTHING MEASURED: %v; make peers builds it", err)
	}
	return path
}

func configured(b *testing.B, name, text string) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// working runs a receiver, has ready wait for it, and gives the CPU time that it spends on work.
func working(b *testing.B, cmd *exec.Cmd, ready func(deadline time.Time) bool, work func()) time.Duration {
	b.Helper()
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			_ = cmd.Process.Kill() // the benchmark has failed already
			_ = cmd.Wait()
		}
	}()
	if !ready(time.Now().Add(30 * time.Second)) {
		b.Fatalf("%s takes nothing:\n%s", cmd.Path, &log)
	}
	begun := cpuOf(b, cmd.Process.Pid)
	work()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	_ = cmd.Wait()
	ended = true
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return time.Duration(usage.Utime.Nano()+usage.Stime.Nano()) - begun
}

// What is pushed: so many counters with three attributes each, cumulative, in each of so many requests.
const pushedSeries, pushedRequests = 1000, 400

// spendOTLP pushes to a receiver at a free port, and gives its CPU seconds for a million points.
func spendOTLP(b *testing.B, command func(addr string) *exec.Cmd) float64 {
	b.Helper()
	addr := freeTCP(b)
	start := uint64(time.Now().UnixNano())
	cpu := working(b, command(addr), func(deadline time.Time) bool {
		for ; time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if conn, err := net.Dial("tcp", addr); err == nil {
				return conn.Close() == nil
			}
		}
		return false
	}, func() {
		for n := range pushedRequests {
			body, err := proto.Marshal(export(start, n))
			if err != nil {
				b.Fatal(err)
			}
			answer, err := http.Post("http://"+addr+"/v1/metrics", "application/x-protobuf", bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				b.Fatalf("it answered %s", answer.Status)
			}
		}
	})
	return cpu.Seconds() / (pushedSeries * pushedRequests) * 1e6
}

func export(start uint64, nth int) *collected.ExportMetricsServiceRequest {
	text := func(key, value string) *common.KeyValue {
		return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
	}
	sum := &metrics.Sum{AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE, IsMonotonic: true}
	for i := range pushedSeries {
		sum.DataPoints = append(sum.DataPoints, &metrics.NumberDataPoint{StartTimeUnixNano: start, TimeUnixNano: start + uint64(nth+1)*1e6,
			Value:      &metrics.NumberDataPoint_AsInt{AsInt: int64(nth * i)},
			Attributes: []*common.KeyValue{text("http.route", "/insert/{word}"), text("zone", "a"), text("word", fmt.Sprintf("w%d", i))}})
	}
	return &collected.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{
		Resource:     &resource.Resource{Attributes: []*common.KeyValue{text("service.name", "web"), text("service.instance.id", "web-1")}},
		ScopeMetrics: []*metrics.ScopeMetrics{{Metrics: []*metrics.Metric{{Name: "words.inserted", Data: &metrics.Metric_Sum{Sum: sum}}}}},
	}}}
}

// What is scraped: so many counters, for so long.
const exposedSeries, scrapedFor = 5000, 6 * time.Second

// spendScrape is scraped by a receiver, and gives its CPU seconds for a million points.
func spendScrape(b *testing.B, command func(url string) *exec.Cmd) float64 {
	b.Helper()
	var scrapes atomic.Int64
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := scrapes.Add(1)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		out := []byte("# TYPE words_total counter\n")
		for i := range exposedSeries {
			out = fmt.Appendf(out, "words_total{route=\"/insert/{word}\",zone=\"a\",word=\"w%d\"} %d\n", i, n*int64(i))
		}
		_, _ = w.Write(out) // a scraper that is gone is no matter
	}))
	defer page.Close()
	before := int64(0)
	cpu := working(b, command(page.URL+"/metrics"), func(deadline time.Time) bool {
		for ; time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			if before = scrapes.Load(); before > 1 {
				return true
			}
		}
		return false
	}, func() { time.Sleep(scrapedFor) })
	return cpu.Seconds() / float64((scrapes.Load()-before)*exposedSeries) * 1e6
}
