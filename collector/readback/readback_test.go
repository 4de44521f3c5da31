package readback

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"

	"throughline/collector"
)

// fake is the API of a Prometheus.
type fake struct {
	series []*prompb.TimeSeries
	query  *prompb.Query // the last one
	config string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch strings.TrimPrefix(r.URL.Path, "/prometheus") {
	case "/api/v1/query":
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[%.3f,"0"]}}`, 0.0)
	case "/api/v1/status/config":
		fmt.Fprintf(w, `{"status":"success","data":{"yaml":%q}}`, f.config)
	case "/api/v1/metadata":
		fmt.Fprint(w, `{"status":"success","data":{"words":[{"type":"counter"}],"both":[{"type":"counter"},{"type":"gauge"}]}}`)
	case "/api/v1/read":
		packed, _ := io.ReadAll(r.Body)
		body, err := snappy.Decode(nil, packed)
		var asked prompb.ReadRequest
		if err != nil || asked.Unmarshal(body) != nil || len(asked.Queries) != 1 {
			http.Error(w, "this is no remote read", http.StatusBadRequest)
			return
		}
		f.query = asked.Queries[0]
		answer, err := (&prompb.ReadResponse{Results: []*prompb.QueryResult{{Timeseries: f.series}}}).Marshal()
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write(snappy.Encode(nil, answer))
	default:
		http.NotFound(w, r)
	}
}

// clocked answers with the time of a clock.
func clocked(next http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/query") {
			next.ServeHTTP(w, r)
			return
		}
		seconds := float64(now().UnixMilli()) / 1000
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"scalar","result":[%.3f,"%.3f"]}}`, seconds, seconds)
	})
}

// asking is a client of a server.
func asking(t *testing.T, h http.Handler, change func(*Config)) *Client {
	t.Helper()
	at := httptest.NewServer(h)
	t.Cleanup(at.Close)
	cfg := Config{URL: at.URL}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sampled(name string, samples ...prompb.Sample) *prompb.TimeSeries {
	return &prompb.TimeSeries{Labels: []prompb.Label{{Name: "__name__", Value: name}, {Name: "instance", Value: "web-1"}, {Name: "job", Value: "shop"}}, Samples: samples}
}

// What the server has comes as it is: raw, with marks of staleness and native histograms.
func TestRead(t *testing.T) {
	h := prompb.FromIntHistogram(2000, &histogram.Histogram{Schema: 1, ZeroThreshold: 0.001, Count: 5, Sum: 3, PositiveSpans: []histogram.Span{{Offset: 2, Length: 2}}, PositiveBuckets: []int64{2, 1}})
	native := sampled("took_seconds", prompb.Sample{Timestamp: 3000, Value: math.Float64frombits(value.StaleNaN)})
	native.Histograms = []prompb.Histogram{h}
	f := &fake{series: []*prompb.TimeSeries{
		sampled("words_total", prompb.Sample{Timestamp: 1000, Value: 5}, prompb.Sample{Timestamp: 2000, Value: math.Float64frombits(value.StaleNaN)}), native}}
	c := asking(t, f, nil)
	got, err := c.Read(t.Context(), time.UnixMilli(500), time.UnixMilli(9500), Condition{Label: "instance", OneOf: []string{"web-1", "10.0.0.1:80"}}, Condition{Label: "job", OneOf: []string{"shop"}}, Condition{Label: "__name__", Like: "a|b"})
	if err != nil {
		t.Fatal(err)
	}
	labels := collector.NewLabels("instance", "web-1", "job", "shop")
	want := []Series{
		{Name: "took_seconds", Labels: labels, Native: true, Points: []Point{
			{At: time.UnixMilli(2000), Histogram: &collector.Histogram{Schema: 1, ZeroThreshold: 0.001, Count: 5, Sum: 3, Positive: []collector.Bucket{{Index: 2, Count: 2}, {Index: 3, Count: 3}}}},
			{At: time.UnixMilli(3000), Stale: true}}},
		{Name: "words_total", Labels: labels, Points: []Point{{At: time.UnixMilli(1000), Value: 5}, {At: time.UnixMilli(2000), Stale: true}}},
	}
	// What a mark has as its value means nothing.
	for i := range got {
		for k := range got[i].Points {
			if got[i].Points[k].Stale {
				got[i].Points[k].Value = 0
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it gives (-want +got)\n%s", diff)
	}
	var asked []string
	for _, m := range f.query.Matchers {
		asked = append(asked, fmt.Sprint(m.Name, m.Type, m.Value))
	}
	if diff := cmp.Diff([]string{`instanceREweb-1|10\.0\.0\.1:80`, "jobEQshop", "__name__REa|b"}, asked); diff != "" || f.query.StartTimestampMs != 500 || f.query.EndTimestampMs != 9500 {
		t.Errorf("it asks for %+v\n%s", f.query, diff)
	}
	types, err := c.Types(t.Context())
	if err != nil || types["words"] != "counter" || types["both"] != "unknown" {
		t.Errorf("the types are %v, %v", types, err)
	}
}

// The clock is told by exchange, and its bound is right.
func TestClock(t *testing.T) {
	ahead := 90 * time.Second
	c := asking(t, clocked(&fake{}, func() time.Time { return time.Now().Add(ahead) }), nil)
	is, err := c.Clock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if is.Least > ahead || is.Most < ahead || is.Bound() > time.Second {
		t.Errorf("the clock is ahead by %v to %v, want %v in it", is.Least, is.Most, ahead)
	}
	later := Clock{Least: ahead + time.Second, Most: ahead + 2*time.Second}
	if both := is.And(later); both.Least != is.Least || both.Most != later.Most || both.Ahead() < is.Ahead() {
		t.Errorf("of both it may be %+v", both)
	}
	n := 0
	c = asking(t, clocked(&fake{}, func() time.Time { n++; return time.Now().Add(time.Duration(n) * time.Hour) }), nil)
	if _, err := c.Clock(t.Context()); err == nil || !strings.Contains(err.Error(), "was set while") {
		t.Errorf("of a clock that is set it says %v", err)
	}
}

func TestInterval(t *testing.T) {
	const config = "global:\n  scrape_interval: 15s\nscrape_configs:\n- job_name: shop\n  scrape_interval: 1m30s\n- job_name: plain\n"
	c := asking(t, &fake{config: config}, nil)
	for job, want := range map[string]time.Duration{"": 15 * time.Second, "shop": 90 * time.Second, "plain": 15 * time.Second} {
		if got, err := c.Interval(t.Context(), job); err != nil || got != want {
			t.Errorf("job %q is scraped every %v, %v; want %v", job, got, err, want)
		}
	}
	if _, err := c.Interval(t.Context(), "shpo"); err == nil || !strings.Contains(err.Error(), "no job shpo") {
		t.Errorf("of a job that it has not: %v", err)
	}
	if _, err := asking(t, &fake{}, nil).Interval(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "--metrics-every") {
		t.Errorf("of a configuration that says nothing: %v", err)
	}
}

// Each answer that is none says what to do.
func TestErrors(t *testing.T) {
	status := func(code int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, code) }
	}
	many := &fake{series: []*prompb.TimeSeries{sampled("a", prompb.Sample{Timestamp: 1}, prompb.Sample{Timestamp: 2}), sampled("b", prompb.Sample{Timestamp: 1})}}
	for name, x := range map[string]struct {
		server http.Handler
		change func(*Config)
		read   string // what a read says
		clock  string // what the clock says; "": no error
	}{
		"nobody knows who asks":   {status(401, ""), nil, "401 Unauthorized: it wants to know who asks: give --metrics-token-file", "401 Unauthorized"},
		"no right":                {status(403, ""), nil, "403 Forbidden: who asks may not", "403 Forbidden"},
		"not a Prometheus":        {status(404, ""), nil, "/prometheus?", "/prometheus?"},
		"nor below":               {status(404, ""), func(c *Config) { c.URL += "/prometheus" }, "want what stands before /api/v1", "want what stands"},
		"elsewhere":               {http.RedirectHandler("https://other.example/api?token=x", http.StatusFound), nil, "sends whoever asks elsewhere: give the URL that it sends to, of other.example", "other.example"},
		"a page":                  {status(200, "<html>"), nil, "answers a remote read with what is none", "not the API of a Prometheus"},
		"refused by its limits":   {status(422, "max series per query exceeded"), nil, "422 Unprocessable Entity: max series per query exceeded", "not the API"},
		"it starts":               {status(503, ""), nil, "503 Service Unavailable: it has only begun to start", "503 Service Unavailable"},
		"no more":                 {status(500, "broken"), nil, "500 Internal Server Error: broken", "500"},
		"too many series":         {many, func(c *Config) { c.MaxSeries = 1 }, "it has 2 series of what was asked for, and 1 are taken: have checks name fewer", ""},
		"too many samples":        {many, func(c *Config) { c.MaxSamples = 2 }, "more than 2 samples of what was asked for", ""},
		"too long":                {many, func(c *Config) { c.MaxBytes = 20 }, "its answer is too long", "its answer is too long"},
		"unpacked it is too long": {many, func(c *Config) { c.MaxBytes = 75 }, "its answer is too long", "its answer is too long"},
	} {
		t.Run(name, func(t *testing.T) {
			c := asking(t, clocked(x.server, time.Now), x.change)
			_, err := c.Read(t.Context(), time.UnixMilli(0), time.UnixMilli(9))
			if err == nil || !strings.Contains(err.Error(), x.read) || !strings.HasPrefix(err.Error(), c.cfg.URL) {
				t.Errorf("a read says %v, want %q", err, x.read)
			}
			if x.server == http.Handler(many) {
				return
			}
			c = asking(t, x.server, x.change)
			if _, err = c.Clock(t.Context()); err == nil || !strings.Contains(err.Error(), x.clock) {
				t.Errorf("the clock says %v, want %q", err, x.clock)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	at := httptest.NewServer(nil)
	at.Close()
	c, err := New(Config{URL: at.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Read(t.Context(), time.UnixMilli(0), time.UnixMilli(9))
	if err == nil || !strings.Contains(err.Error(), "it cannot be reached") || strings.Contains(err.Error(), "Post") {
		t.Errorf("it says %v", err)
	}
	silent := asking(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // until then nobody notices that the client has gone
		<-r.Context().Done()
	}), nil)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := silent.Clock(short); err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("of one that is silent it says %v", err)
	}
}

// A token, headers and certificates reach the server, and nothing of them a message.
func TestAccess(t *testing.T) {
	const secret = "glsa_do-not-tell"
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var got []string
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization")+" "+r.Header.Get("X-Scope-OrgID"))
		if r.Header.Get("Authorization") != "Bearer "+secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		clocked(&fake{}, time.Now).ServeHTTP(w, r)
	})
	tenant := write("http.yml", "http_headers:\n  X-Scope-OrgID:\n    values: [team-a]\n")
	c := asking(t, guarded, func(c *Config) { c.Access = Access{TokenFile: write("token", secret+"\n"), ConfigFile: tenant} })
	if _, err := c.Clock(t.Context()); err != nil {
		t.Error(err)
	}
	if len(got) == 0 || got[0] != "Bearer "+secret+" team-a" {
		t.Errorf("the server was told %q", got)
	}
	c = asking(t, guarded, func(c *Config) { c.Access = Access{TokenFile: write("token", secret+"-wrong")} })
	if _, err := c.Clock(t.Context()); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("a wrong token: %v", err)
	}

	safe := httptest.NewTLSServer(clocked(&fake{}, time.Now))
	defer safe.Close()
	if c, err := New(Config{URL: safe.URL}); err != nil {
		t.Error(err)
	} else if _, err := c.Clock(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("of a server that nobody vouches for: %v", err)
	}
	ca := write("ca.pem", pemOf(safe.Certificate()))
	if c, err := New(Config{URL: safe.URL, Access: Access{ConfigFile: write("tls.yml", "tls_config: {ca_file: "+ca+"}\n")}}); err != nil {
		t.Error(err)
	} else if _, err := c.Clock(t.Context()); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{"tls: {}": "cannot be read as Prometheus' http_config", "authorization: {credentials: " + secret + "}": "leave out one of the two"} {
		_, err := New(Config{URL: "http://127.0.0.1:1", Access: Access{TokenFile: write("token", secret), ConfigFile: write("http.yml", text)}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for _, a := range []Access{{TokenFile: write("token", "\n")}, {TokenFile: "/nowhere/token"}, {ConfigFile: "/nowhere/http.yml"}} {
		if _, err := New(Config{URL: "http://127.0.0.1:1", Access: a}); err == nil {
			t.Errorf("%+v is taken", a)
		}
	}
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// A condition may be of what a label must not be.
func TestConditionsThatMustNotHold(t *testing.T) {
	for _, c := range []struct {
		of   Condition
		want string
	}{
		{Condition{Label: "job", OneOf: []string{"a.b"}}, "EQ job a.b"},
		{Condition{Label: "job", OneOf: []string{"a.b"}, Not: true}, "NEQ job a.b"},
		{Condition{Label: "job", OneOf: []string{"a.b", "c"}, Not: true}, `NRE job a\.b|c`},
		{Condition{Label: "job", Like: "a.*", Not: true}, "NRE job a.*"},
	} {
		m := c.of.matcher()
		if got := fmt.Sprintf("%v %s %s", m.Type, m.Name, m.Value); got != c.want {
			t.Errorf("%+v: %s, want %s", c.of, got, c.want)
		}
	}
}
