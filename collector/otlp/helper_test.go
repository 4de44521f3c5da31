package otlp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"

	"throughline/collector"
)

func stamp(t time.Time) pcommon.Timestamp { return pcommon.NewTimestampFromTime(t) }

// numbers is a monotonic cumulative sum with one point.
func numbers(name string) (pmetric.Metric, pmetric.NumberDataPoint) {
	m := pmetric.NewMetric()
	m.SetName(name)
	s := m.SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return m, s.DataPoints().AppendEmpty()
}

// of is a request with metrics of one resource, without attributes, and one scope.
func of(metrics ...pmetric.Metric) pmetricotlp.ExportRequest {
	return from(nil, metrics...)
}

// from is a request with metrics of a resource with attributes.
func from(resource map[string]any, metrics ...pmetric.Metric) pmetricotlp.ExportRequest {
	all := pmetric.NewMetrics()
	rm := all.ResourceMetrics().AppendEmpty()
	if err := rm.Resource().Attributes().FromRaw(resource); err != nil {
		panic(err)
	}
	sm := rm.ScopeMetrics().AppendEmpty()
	for _, m := range metrics {
		m.CopyTo(sm.Metrics().AppendEmpty())
	}
	return pmetricotlp.NewExportRequestFromMetrics(all)
}

// client sends a request, and gives how many points were refused.
type client func(pmetricotlp.ExportRequest) (refused int64, err error)

// dial makes a client of an address.
func dial(t *testing.T, addr string, p Protocol) client {
	t.Helper()
	if p == HTTP {
		return func(r pmetricotlp.ExportRequest) (int64, error) { return post(addr, typeProtobuf, r) }
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.UseCompressor(gzip.Name)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := pmetricotlp.NewGRPCClient(conn)
	return func(r pmetricotlp.ExportRequest) (int64, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		got, err := c.Export(ctx, r)
		if err != nil {
			return 0, err
		}
		return got.PartialSuccess().RejectedDataPoints(), nil
	}
}

// post sends a request over HTTP as a type.
func post(addr, kind string, r pmetricotlp.ExportRequest) (refused int64, err error) {
	body, err := r.MarshalProto()
	if kind == typeJSON {
		body, err = r.MarshalJSON()
	}
	if err != nil {
		return 0, err
	}
	answer, err := http.Post("http://"+addr+Path, kind, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s (%v)", answer.Status, text, err)
	}
	got := pmetricotlp.NewExportResponse()
	if kind == typeJSON {
		err = got.UnmarshalJSON(text)
	} else {
		err = got.UnmarshalProto(text)
	}
	return got.PartialSuccess().RejectedDataPoints(), err
}

// kept is a sink that keeps what it takes.
type kept struct {
	mu      sync.Mutex
	samples []collector.Sample
}

// Append implements collector.Sink.
func (k *kept) Append(samples ...collector.Sample) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.samples = append(k.samples, samples...)
	return nil
}

// last are the newest points that say something, by name and labels.
func (k *kept) last(name string) map[string]collector.Sample {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]collector.Sample{}
	for _, s := range k.samples {
		if s.Name == name && !s.Stale {
			out[s.Labels.Key("")] = s
		}
	}
	return out
}

// one is the newest point of the only series of a name.
func (k *kept) one(t *testing.T, name string) collector.Sample {
	t.Helper()
	all := k.last(name)
	if len(all) != 1 {
		t.Fatalf("there are %d series %s: %v", len(all), name, all)
	}
	for _, s := range all {
		return s
	}
	panic("unreachable")
}

// bench is a Collector with a clock that is set, to which requests are given directly.
type bench struct {
	*Collector
	t    *testing.T
	sink *kept
	now  time.Time
}

func newBench(t *testing.T, c Config, in collector.Intake) *bench {
	t.Helper()
	b := &bench{t: t, sink: &kept{}, now: time.Unix(1_384_430_400, 0)}
	c.Now = func() time.Time { return b.now }
	in.Sink = b.sink
	b.Collector = New(c, in)
	if _, err := b.Listen(Listener{Instance: "web-1", Addr: "127.0.0.1:0", Protocol: HTTP}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, d := range b.doors {
			_ = d.abandon()
		}
	})
	return b
}

// take has a request come in at the first listener, and gives how many points were refused.
func (b *bench) take(r pmetricotlp.ExportRequest) int64 {
	return b.Collector.take(b.doors[0], "127.0.0.1", 100, r).PartialSuccess().RejectedDataPoints()
}

// pass lets time go on, and gives what ended to the sink.
func (b *bench) pass(d time.Duration) {
	b.t.Helper()
	b.now = b.now.Add(d)
	b.mu.Lock()
	b.advance(b.now)
	b.mu.Unlock()
	if err := b.deliver(); err != nil {
		b.t.Error(err)
	}
}

// found are the kinds of findings, with the metric and the other.
func (b *bench) found() (out []string) {
	for _, f := range b.Findings() {
		out = append(out, fmt.Sprint(f.Kind, " ", f.Metric, " ", f.Other))
	}
	return out
}
