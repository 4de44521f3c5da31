package statsd

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
)

// TestDatadogClient: what Datadog's client for Go sends is counted exactly,
// with and without its aggregation.
func TestDatadogClient(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options []statsd.Option
		inserts float64 // values that carry the counter
	}{
		{"aggregated", nil, 1},
		{"not aggregated", []statsd.Option{statsd.WithoutClientSideAggregation()}, 1000},
		{"extended aggregation", []statsd.Option{statsd.WithExtendedClientSideAggregation()}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, Config{})
			l, conn := b.listen("web-1")
			// The client's own telemetry comes every 10 s and is left out.
			client, err := statsd.New(conn.RemoteAddr().String(), append(tt.options, statsd.WithTags([]string{"zone:a"}), statsd.WithoutTelemetry())...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 1000 {
				must(t, client.Incr("fullstack.insert", []string{"role:web"}, 1))
				must(t, client.Timing("fullstack.insert.time", time.Duration(i+1)*time.Millisecond, nil, 1))
				must(t, client.Gauge("fullstack.inflight", float64(i), nil, 1))
				must(t, client.Set("fullstack.words", string(rune('a'+i%7)), nil, 1))
				must(t, client.Distribution("fullstack.size", 2, nil, 1))
			}
			must(t, client.Event(&statsd.Event{Title: "deploy", Text: "one\ntwo"}))
			must(t, client.ServiceCheck(&statsd.ServiceCheck{Name: "db", Status: statsd.Ok, Message: "fine"}))
			must(t, client.Close())
			b.read(l)
			b.tick()
			figures := balance(t, b.Collector)
			if n := figures.Total.BadLines() + figures.Total.KernelDrops + figures.Total.Truncated; n != 0 {
				t.Errorf("lost something of a real client: %+v", figures.Total)
			}
			if figures.Total.Events != 1 || figures.Total.ServiceChecks != 1 {
				t.Errorf("%d events and %d service checks, want 1 and 1", figures.Total.Events, figures.Total.ServiceChecks)
			}
			if got := b.sink.last("fullstack_insert_total", "web-1"); got != 1000 {
				t.Errorf("fullstack_insert_total is %v, want 1000", got)
			}
			points := b.sink.of("fullstack_insert_total", "web-1")
			last := points[len(points)-1]
			if float64(last.Observed) != tt.inserts || last.Labels.Get("zone") != "a" || last.Labels.Get("role") != "web" {
				t.Errorf("the counter came as %+v, want %v values with the client's tags", last, tt.inserts)
			}
			if got := b.sink.last("fullstack_inflight", "web-1"); got != 999 {
				t.Errorf("fullstack_inflight is %v, want 999", got)
			}
			if got := b.sink.last("fullstack_words", "web-1"); got != 7 {
				t.Errorf("fullstack_words is %v, want 7", got)
			}
			for name, sum := range map[string]float64{"fullstack_insert_time": 500_500, "fullstack_size": 2000} {
				points := b.sink.of(name, "web-1")
				if h := points[len(points)-1].Histogram; h.Count != 1000 || h.Sum != sum {
					t.Errorf("%s: count %v, sum %v; want 1000 and %v", name, h.Count, h.Sum, sum)
				}
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestDatadogClientSamples: a sampled counter is corrected by its rate, and how
// many lines there really were is kept beside it.
func TestDatadogClientSamples(t *testing.T) {
	b := newBench(t, Config{})
	l, conn := b.listen("web-1")
	client, err := statsd.New(conn.RemoteAddr().String(), statsd.WithoutClientSideAggregation(), statsd.WithoutTelemetry())
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		must(t, client.Count("a", 1, nil, 0.5))
	}
	must(t, client.Close())
	b.read(l)
	b.tick()
	corrected, plain := b.sink.last("a_total", "web-1"), b.sink.last("a_sampled_total", "web-1")
	if corrected != 2*plain || uint64(plain) != b.Figures().Total.Lines {
		t.Errorf("%v lines at rate 0.5 are counted as %v and %v", b.Figures().Total.Lines, plain, corrected)
	}
	// Beyond six standard deviations: once in 500 million runs.
	if plain < 500-95 || plain > 500+95 {
		t.Errorf("of 1000 at rate 0.5 came %v", plain)
	}
}

// pythonClient uses python3-statsd as people do.
const pythonClient = `
import statsd, sys
host, port = sys.argv[1].rsplit(":", 1)
c = statsd.StatsClient(host, int(port), prefix="shop")
for i in range(200):
    c.incr("orders")
    c.incr("items", 3)
    c.timing("checkout", i + 1)
c.gauge("carts", 5)
c.gauge("carts", 3, delta=True)
c.gauge("carts", -1, delta=True)
c.gauge("debt", -7)
c.set("users", "alice"); c.set("users", "bob"); c.set("users", "alice")
with c.pipeline() as p:
    for i in range(100):
        p.incr("orders")
`

func TestPythonClient(t *testing.T) {
	const python = "/usr/bin/python3"
	if out, err := exec.Command(python, "-c", "import statsd").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("python3-statsd is missing: %v\n%s", err, out)
		}
		t.Skipf("SKIPPED, NOT TESTED: %s with the module statsd is missing (Debian: apt install python3-statsd): %v\n%s", python, err, strings.TrimSpace(string(out)))
	}
	b := newBench(t, Config{})
	l, conn := b.listen("web-1")
	if out, err := exec.Command(python, "-c", pythonClient, conn.RemoteAddr().String()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b.read(l)
	b.tick()
	if figures := balance(t, b.Collector); figures.Total.BadLines()+figures.Total.KernelDrops != 0 {
		t.Errorf("lost something of a real client: %+v", figures.Total)
	}
	for name, want := range map[string]float64{"shop_orders_total": 300, "shop_items_total": 600, "shop_carts": 7, "shop_debt": -7, "shop_users": 2} {
		if got := b.sink.last(name, "web-1"); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	points := b.sink.of("shop_checkout", "web-1")
	if h := points[len(points)-1].Histogram; h.Count != 200 || h.Sum != 20_100 {
		t.Errorf("shop_checkout: count %v, sum %v; want 200 and 20100", h.Count, h.Sum)
	}
}
