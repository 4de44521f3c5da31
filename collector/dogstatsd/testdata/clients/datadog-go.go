// Datadog's client for Go as people use it: datadog-go plain|origin HOST:PORT
package main

import (
	"log"
	"os"
	"strings"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
)

func main() {
	if os.Args[1] == "origin" {
		origin()
		return
	}
	plain := client(statsd.WithoutOriginDetection(), statsd.WithoutClientSideAggregation(), statsd.WithoutTelemetry())
	tell(plain)
	close(plain)
	packed := client(statsd.WithoutOriginDetection(), statsd.WithExtendedClientSideAggregation(), statsd.WithoutTelemetry())
	for i := range 5 {
		packed.Histogram("size", float64(i)+0.5, []string{"role:web"}, 1)
		packed.Distribution("size.global", float64(i), nil, 1)
		packed.Timing("checkout", time.Duration(i)*1500*time.Microsecond, nil, 1)
		packed.Gauge("carts", float64(-i), nil, 1)
	}
	close(packed)
}

// origin sends all that the protocol has for telling who sends (1.2 to 1.6), and
// the client's own telemetry, which comes every 10 s. A process has one
// container id, so this is a run of its own.
func origin() {
	os.Setenv("DD_EXTERNAL_ENV", "it-false,cn-web,pu-1")
	c := client(statsd.WithContainerID("ci-83c0a99c"), statsd.WithCardinality(statsd.CardinalityLow), statsd.WithoutClientSideAggregation())
	tell(c)
	at := time.Unix(1656581400, 0)
	c.CountWithTimestamp("orders", 15, nil, 1, at)
	c.GaugeWithTimestamp("carts", 5, []string{"role:web"}, 1, at)
	time.Sleep(10500 * time.Millisecond)
	close(c)
}

func client(options ...statsd.Option) *statsd.Client {
	c, err := statsd.New(os.Args[2], append(options, statsd.WithNamespace("shop."), statsd.WithTags([]string{"zone:a", "canary"}))...)
	if err != nil {
		log.Fatal(err)
	}
	return c
}

func close(c *statsd.Client) {
	if err := c.Close(); err != nil {
		log.Fatal(err)
	}
}

func tell(c *statsd.Client) {
	c.Incr("orders", []string{"role:web", "role:api", "path:/a:b"}, 1)
	c.Count("stock", -2, nil, 1)
	for range 4 {
		c.Incr("seen", nil, 0.5)
	}
	c.Gauge("carts", 5, nil, 1)
	c.Gauge("debt", -7.5, nil, 0.999)
	c.Gauge("tiny", 1e-7, nil, 1)
	c.Gauge("huge", 1e21, nil, 1)
	c.Histogram("size", 0.1, nil, 1)
	c.Distribution("size.global", 12, []string{"stadt:köln"}, 0.999)
	c.Timing("checkout", 320*time.Millisecond, nil, 1)
	c.Set("users", "alice:bob", nil, 0.999)
	c.Set("users", "", nil, 1)
	c.Incr("line\nbreak", []string{"line\nbreak"}, 1)
	c.Event(&statsd.Event{Title: "deploy", Text: "one\ntwo"})
	c.Event(&statsd.Event{Title: "a|b: größer", Text: "x|y|#z:1", Timestamp: time.Unix(1656581400, 0), Hostname: "db-1",
		AggregationKey: "deploys", Priority: statsd.Low, SourceTypeName: "ci", AlertType: statsd.Success, Tags: []string{"role:web"}})
	c.Event(&statsd.Event{Title: "no text"})
	c.Event(&statsd.Event{Title: "line\nbreak", Text: "in the title"})
	c.ServiceCheck(&statsd.ServiceCheck{Name: "db can connect", Status: statsd.Ok})
	c.ServiceCheck(&statsd.ServiceCheck{Name: "db", Status: statsd.Critical, Timestamp: time.Unix(1656581400, 0), Hostname: "db-1",
		Message: "one\ntwo: m:three", Tags: []string{"role:db"}})
	c.ServiceCheck(&statsd.ServiceCheck{Name: "db", Status: statsd.Warn, Message: "a|b"})
	c.Incr(strings.Repeat("long.", 20)+"name", nil, 1)
}
