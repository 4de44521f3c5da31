package otlp

import (
	"bytes"
	"compress/gzip"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"throughline/collector"
)

// TestExponential: buckets are one off, and come to schema 4 from finer scales; coarser ones stay.
func TestExponential(t *testing.T) {
	for name, c := range map[string]struct {
		scale, offset int32
		counts        []uint64
		schema        int32
		want          []collector.Bucket
	}{
		"as they are":       {4, 0, []uint64{3, 0, 2}, 4, []collector.Bucket{{Index: 1, Count: 3}, {Index: 3, Count: 2}}},
		"below one":         {4, -2, []uint64{1, 1}, 4, []collector.Bucket{{Index: -1, Count: 1}, {Index: 0, Count: 1}}},
		"one step finer":    {5, 0, []uint64{1, 2, 4, 8}, 4, []collector.Bucket{{Index: 1, Count: 3}, {Index: 2, Count: 12}}},
		"finer, below one":  {5, -3, []uint64{1, 2, 4}, 4, []collector.Bucket{{Index: -1, Count: 1}, {Index: 0, Count: 6}}},
		"the SDK's, of 0.5": {20, -1<<20 - 1, []uint64{7}, 4, []collector.Bucket{{Index: -16, Count: 7}}},
		"coarser":           {0, 3, []uint64{5}, 0, []collector.Bucket{{Index: 4, Count: 5}}},
		"coarsest and more": {-5, 0, []uint64{5}, -4, []collector.Bucket{{Index: 2, Count: 5}}},
	} {
		p := pmetric.NewExponentialHistogramDataPoint()
		p.SetScale(c.scale)
		p.Positive().SetOffset(c.offset)
		p.Positive().BucketCounts().FromRaw(c.counts)
		for _, n := range c.counts {
			p.SetCount(p.Count() + n)
		}
		h, f := exponential(p)
		if f != accepted || h.Schema != c.schema || !slices.Equal(h.Positive, c.want) {
			t.Errorf("%s: %v, %+v; want schema %d, %v", name, f, h, c.schema, c.want)
		}
		p.SetCount(p.Count() + 1)
		if _, f := exponential(p); f != badBuckets {
			t.Errorf("%s, and a value in no bucket: %v", name, f)
		}
	}
}

// TestExplicit: a value counts at the upper bound of its bucket; beyond the last just above it; without bounds at the mean.
func TestExplicit(t *testing.T) {
	for name, c := range map[string]struct {
		bounds []float64
		counts []uint64
		sum    float64
		most   float64 // the greatest value that it may have, of which it has all
		fate   fate
	}{
		"between":       {[]float64{1, 4}, []uint64{0, 5, 0}, 12, 4, accepted},
		"beyond":        {[]float64{1, 4}, []uint64{0, 0, 5}, 40, 4 * math.Exp2(1./16), accepted},
		"no bounds":     {nil, []uint64{5}, 40, 8, accepted},
		"nothing":       {nil, nil, 40, 8, accepted},
		"too few":       {[]float64{1, 4}, []uint64{5, 0}, 40, 0, badBuckets},
		"not in order":  {[]float64{4, 1}, []uint64{0, 5, 0}, 40, 0, badBuckets},
		"not the count": {[]float64{1, 4}, []uint64{0, 4, 0}, 40, 0, badBuckets},
		"no sum at all": {[]float64{1, 4}, []uint64{0, 5, 0}, math.NaN(), 0, badValue},
	} {
		p := pmetric.NewHistogramDataPoint()
		p.SetCount(5)
		p.SetSum(c.sum)
		p.ExplicitBounds().FromRaw(c.bounds)
		p.BucketCounts().FromRaw(c.counts)
		h, f := explicit(p)
		if f != c.fate {
			t.Errorf("%s: %v, want %v", name, f, c.fate)
		}
		if f != accepted {
			continue
		}
		upper := math.Exp2(float64(h.Positive[0].Index) / 16)
		if len(h.Positive) != 1 || h.Positive[0].Count != 5 || h.Count != 5 || h.Sum != c.sum || math.Abs(upper/c.most-1) > 0.0443 {
			t.Errorf("%s: %+v up to %v, want %v", name, h, upper, c.most)
		}
	}
}

// TestProtocols: the same point counts alike by each protocol and form, and what is no OTLP is refused and told.
func TestProtocols(t *testing.T) {
	k := &kept{}
	c := New(Config{}, collector.Intake{Sink: k, Interval: 20 * time.Millisecond})
	addr, err := c.Listen(Listener{Instance: "web-1", Addr: "127.0.0.1:0", Protocol: HTTP})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.state = running
	c.doors[0].serve()
	c.mu.Unlock()
	m, p := numbers("hits")
	p.SetStartTimestamp(seconds(1))
	for i, kind := range []string{typeProtobuf, typeJSON} {
		p.SetTimestamp(seconds(float64(2 + i)))
		p.SetIntValue(int64(10 * (i + 1)))
		if refused, err := post(addr, kind, of(m)); err != nil || refused != 0 {
			t.Errorf("%s: %d refused, %v", kind, refused, err)
		}
	}
	bad, q := numbers("odd")
	q.SetIntValue(-1)
	if refused, err := post(addr, typeJSON, of(bad)); err != nil || refused != 1 {
		t.Errorf("a negative count: %d refused, %v", refused, err)
	}
	p.SetTimestamp(seconds(9))
	p.SetIntValue(33)
	plain, err := of(m).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(plain); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	send := func(path, kind, encoding string, body []byte) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "http://"+addr+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Content-Encoding", encoding)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for _, x := range []struct {
		path, kind, encoding string
		body                 []byte
		want                 int
	}{
		{Path, typeProtobuf, "gzip", packed.Bytes(), 200}, {Path, typeProtobuf, "", packed.Bytes(), 400}, {Path, "text/plain", "", plain, 415},
		{Path, typeProtobuf, "zstd", plain, 400}, {"/v1/traces", typeProtobuf, "", plain, 404}, {Path, typeJSON, "", []byte(strings.Repeat(" ", 5<<20)), 413},
		{Path, typeJSON, "", []byte(strings.Repeat(`{"resourceMetrics":[`, 100000)), 400},
	} {
		if got := send(x.path, x.kind, x.encoding, x.body); got != x.want {
			t.Errorf("POST %s as %s, %q: %d, want %d", x.path, x.kind, x.encoding, got, x.want)
		}
	}
	if err := c.finish(); err != nil {
		t.Error(err)
	}
	if got := k.one(t, "hits_total"); got.Value != 33 || got.Meta.Sent != "hits" || got.Meta.Way != collector.ByOTLP || got.Labels.Get("way") != "otlp" {
		t.Errorf("it counted %+v", got)
	}
	f := c.senders["web-1"].figures
	if f.unread[badEncoding] != 4 || f.unread[tooLong] != 1 || f.unread[elsewhere] != 1 || f.refused[negative] != 1 {
		t.Errorf("requests %v, points %v", f.unread, f.refused)
	}
}

// TestResources: two instances that say they are the same, by no service.instance.id, are found both while both live, and not when one took
// the other's place.
func TestResources(t *testing.T) {
	b := newBench(t, Config{}, collector.Intake{})
	if _, err := b.Listen(Listener{Instance: "web-2", Addr: "127.0.0.1:0", Protocol: HTTP}); err != nil {
		t.Fatal(err)
	}
	m, p := numbers("hits")
	p.SetStartTimestamp(seconds(1))
	p.SetTimestamp(seconds(2))
	b.take(from(map[string]any{"service.name": "words"}, m))
	b.registry.retire("web-1")
	second := func() {
		b.Collector.take(b.doors[1], "127.0.0.1", 100, from(map[string]any{"service.name": "words"}, m))
	}
	second()
	if got := b.found(); len(got) != 0 {
		t.Errorf("of a successor it found %q", got)
	}
	b.take(from(map[string]any{"service.name": "words"}, m))
	if got := b.found(); !slices.Equal(got, []string{"shared_resource  web-2", "shared_resource  web-1"}) {
		t.Errorf("it found %q", got)
	}
}
