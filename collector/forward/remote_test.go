package forward

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/prompb"

	"throughline/collector"
)

// prometheus is a real one.
type prometheus struct {
	t    *testing.T
	addr string
	dir  string
	stop func(os.Signal)
}

func newPrometheus(t *testing.T) *prometheus {
	t.Helper()
	program(t, "prometheus", "apt-get install prometheus")
	return &prometheus{t: t, addr: free(t), dir: t.TempDir()}
}

func (p *prometheus) start() {
	p.t.Helper()
	config := filepath.Join(p.dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.stop = process(p.t, "prometheus", "--config.file="+config, "--storage.tsdb.path="+filepath.Join(p.dir, "data"), "--web.listen-address="+p.addr,
		"--web.enable-remote-write-receiver", "--enable-feature=native-histograms")
	until(p.t, "prometheus is ready", func() bool {
		answer, err := http.Get("http://" + p.addr + "/-/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// ask gives the points of a query: per series its labels and "value@time".
func (p *prometheus) ask(query string, at time.Time) map[string]string {
	p.t.Helper()
	answer, err := http.Get(fmt.Sprintf("http://%s/api/v1/query?query=%s&time=%d", p.addr, url.QueryEscape(query), at.Unix()))
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	var out struct {
		Error string
		Data  struct {
			Result []struct {
				Metric     map[string]string
				Value      []any
				Values     [][]any
				Histograms [][]any
			}
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || out.Error != "" {
		p.t.Fatalf("%s: %v %s", query, err, out.Error)
	}
	found := map[string]string{}
	for _, r := range out.Data.Result {
		points := append(r.Values, r.Histograms...)
		if r.Value != nil {
			points = append(points, r.Value)
		}
		var text []string
		for _, x := range points {
			value := x[1]
			if h, ok := value.(map[string]any); ok {
				value = fmt.Sprintf("%v/%v%v", h["count"], h["sum"], h["buckets"])
			}
			text = append(text, fmt.Sprintf("%v@%v", value, x[0].(float64)-float64(at.Unix())))
		}
		found[fmt.Sprint(r.Metric)] = strings.Join(text, " ")
	}
	return found
}

func (p *prometheus) want(query string, at time.Time, want map[string]string) {
	p.t.Helper()
	if diff := cmp.Diff(want, p.ask(query, at)); diff != "" {
		p.t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}

// delay is a histogram with n-1 values in (1, 2] and one in (8, 16].
func delay(at time.Time, n float64) collector.Sample {
	s := sample("delay", collector.Summary, at, 0)
	s.Histogram = &collector.Histogram{ZeroThreshold: 0x1p-128, Count: n, Sum: 1.5 * n}
	if n > 0 {
		s.Histogram.Positive = []collector.Bucket{{Index: 1, Count: n - 1}, {Index: 4, Count: 1}}
	}
	return s
}

func newRemote(t testing.TB, cfg RemoteWriteConfig) *RemoteWrite {
	t.Helper()
	if cfg.Limits == (Limits{}) {
		cfg.Limits = quick()
	}
	if cfg.Age == 0 {
		cfg.Age = 5 * time.Millisecond
	}
	r, err := NewRemoteWrite(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func give(t testing.TB, to collector.Sink, samples ...collector.Sample) {
	t.Helper()
	if err := to.Append(samples...); err != nil {
		t.Fatal(err)
	}
}

// TestRemoteWriteToPrometheus has a real Prometheus away at first, then there,
// killed, and back: it has every point.
func TestRemoteWriteToPrometheus(t *testing.T) {
	p := newPrometheus(t)
	r := newRemote(t, RemoteWriteConfig{URL: "http://" + p.addr})
	end := start(t, r)
	now := time.Now().Truncate(time.Second)
	at := func(s int) time.Time { return now.Add(time.Duration(s-20) * time.Second) }

	hits := func(s int, v float64) collector.Sample { return sample("hits_total", collector.Counter, at(s), v) }
	load := func(s int, v float64) collector.Sample { return sample("Load", collector.Gauge, at(s), v) }
	odd := load(1, 7)
	odd.Labels = collector.NewLabels("Zone", "a", "zone", "b", "empty", "", "path", "/é;\"x\"\n")
	give(t, r, carried(hits(0, 0)), hits(1, 5), load(1, 0.25), odd, carried(delay(at(0), 0)), delay(at(1), 3))
	until(t, "it was tried", func() bool { return r.Figures().Retries > 1 })
	if f := r.Figures(); f.Up || f.Queued != 6 || !strings.Contains(f.LastError, "connection refused") {
		t.Errorf("without a peer the figures are %+v", f)
	}
	p.start()
	settled(t, r, 6)
	if !r.Figures().Up {
		t.Error("it is not up")
	}

	p.stop(os.Kill)
	tries := r.Figures().Retries
	give(t, r, carried(hits(2, 5)), hits(3, 9.5), carried(delay(at(2), 3)), delay(at(3), 8))
	until(t, "it was tried again", func() bool { return r.Figures().Retries > tries })
	p.start()
	settled(t, r, 10)
	give(t, r, ended(hits(3, 9.5)), ended(sample("delay", collector.Summary, at(3), 0)), ended(odd))
	settled(t, r, 13)

	web1 := func(name string) string { return "map[__name__:" + name + " instance:web-1]" }
	p.want("hits_total[1m]", at(20), map[string]string{web1("hits_total"): "0@-20 5@-19 5@-18 9.5@-17"})
	three, eight := "3/4.5[[0 1 2 2] [0 8 16 1]]", "8/12[[0 1 2 7] [0 8 16 1]]"
	p.want("delay[1m]", at(3), map[string]string{web1("delay"): "0/0<nil>@-3 " + three + "@-2 " + three + "@-1 " + eight + "@0"})
	p.want("hits_total", at(3), map[string]string{web1("hits_total"): "9.5@0"})
	p.want("hits_total or delay", at(4), map[string]string{})
	p.want("histogram_count(delay)", at(3), map[string]string{"map[instance:web-1]": "8@0"})
	p.want("Load", at(1), map[string]string{web1("Load"): "0.25@0", "map[Zone:a __name__:Load path:/é;\"x\"\n zone:b]": "7@0"})
	if f := end(); f.Sent != 13 || f.Dropped != 0 || f.To != "http://"+p.addr+"/api/v1/write" || f.Kind != "remote_write" || f.Bytes == 0 {
		t.Errorf("figures are %+v", f)
	}
}

// TestRemoteWriteRefusal has one sample in 200 that Prometheus does not take.
func TestRemoteWriteRefusal(t *testing.T) {
	p := newPrometheus(t)
	p.start()
	r := newRemote(t, RemoteWriteConfig{URL: "http://" + p.addr + "/api/v1/write", Age: time.Hour, Batch: 200})
	end := start(t, r)
	now := time.Now().Truncate(time.Second)
	for i := range 200 {
		s := sample("many", collector.Gauge, now, float64(i))
		s.Labels = collector.NewLabels("i", fmt.Sprint(i))
		give(t, r, s)
	}
	settled(t, r, 200)
	for i := range 200 {
		s := sample("many", collector.Gauge, now.Add(time.Second), float64(i))
		s.Labels = collector.NewLabels("i", fmt.Sprint(i))
		if i == 77 {
			s.At = now.Add(-time.Second)
		}
		give(t, r, s)
	}
	settled(t, r, 399)
	p.want("count(many offset -1s)", now, map[string]string{"map[]": "200@0"})
	p.want("sum(many - many offset 1s)", now.Add(time.Second), map[string]string{"map[]": "0@0"})
	if f := end(); f.Refused != 1 || f.Dropped != 1 || f.Retries != 0 || !strings.Contains(f.LastError, "out of order") {
		t.Errorf("figures are %+v, want one sample refused", f)
	}
}

// served answers requests to write in turn; the last way of answering stays.
func served(t *testing.T, answers ...http.HandlerFunc) (url string, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(requests.Add(1))
		answers[min(n, len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func status(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, text, code) }
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func TestRemoteWriteAnswers(t *testing.T) {
	busy := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "0")
		status(http.StatusTooManyRequests, "slower")(w, r)
	}
	brokenOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
		panic(http.ErrAbortHandler)
	}
	elsewhere := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }
	for _, c := range []struct {
		name     string
		answers  []http.HandlerFunc
		requests int64
		want     Figures
	}{
		{"taken", []http.HandlerFunc{ok}, 1, Figures{Sent: 4}},
		{"500, then 503", []http.HandlerFunc{status(500, "a"), status(503, "b"), ok}, 3, Figures{Sent: 4, Retries: 2, LastError: "server returned HTTP status 503 Service Unavailable: b"}},
		{"429", []http.HandlerFunc{busy, ok}, 2, Figures{Sent: 4, Retries: 1, LastError: "server returned HTTP status 429 Too Many Requests: slower"}},
		{"broken off", []http.HandlerFunc{brokenOff, ok}, 2, Figures{Sent: 4, Retries: 1, LastError: "EOF"}},
		{"401", []http.HandlerFunc{status(401, "who?")}, 1, Figures{Refused: 4, LastError: "server returned HTTP status 401 Unauthorized: who?"}},
		{"302", []http.HandlerFunc{elsewhere, ok}, 1, Figures{Refused: 4, LastError: "server returned HTTP status 302 Found"}},
		// 4, 2, 1; the 3 after it, 2, 1; the 2 after it, 1; 1.
		{"400 always", []http.HandlerFunc{status(400, "bad")}, 9, Figures{Refused: 4, LastError: "server returned HTTP status 400 Bad Request: bad"}},
		{"400 once", []http.HandlerFunc{status(400, "bad"), ok}, 3, Figures{Sent: 4}},
		{"400, then away", []http.HandlerFunc{status(400, "bad"), ok, status(500, "away"), ok}, 4, Figures{Sent: 4, Retries: 1, LastError: "server returned HTTP status 500 Internal Server Error: away"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, requests := served(t, c.answers...)
			r := newRemote(t, RemoteWriteConfig{URL: url, Batch: 4, Age: time.Hour})
			end := start(t, r)
			for i := range 4 {
				give(t, r, sample("x", collector.Gauge, time.Unix(int64(i), 0), 1))
			}
			until(t, "it is settled", func() bool { f := r.Figures(); return f.Sent+f.Refused == 4 })
			f := end()
			if !strings.Contains(f.LastError, c.want.LastError) || requests.Load() != c.requests {
				t.Errorf("%d requests, last error %q; want %d, %q", requests.Load(), f.LastError, c.requests, c.want.LastError)
			}
			got := Figures{Sent: f.Sent, Refused: f.Refused, Retries: f.Retries, LastError: c.want.LastError}
			if got != c.want {
				t.Errorf("figures are %+v, want %+v", f, c.want)
			}
		})
	}
}

// TestRemoteWriteRetryAfter has a peer that asks for a second of rest.
func TestRemoteWriteRetryAfter(t *testing.T) {
	var asked, came time.Time
	url, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		asked = time.Now()
		w.Header().Set("Retry-After", "1")
		status(http.StatusServiceUnavailable, "later")(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		came = time.Now()
		ok(w, r)
	})
	r := newRemote(t, RemoteWriteConfig{URL: url})
	end := start(t, r)
	give(t, r, sample("x", collector.Gauge, time.Unix(1, 0), 1))
	settled(t, r, 1)
	end()
	if rest := came.Sub(asked); rest < time.Second {
		t.Errorf("it was left alone for %v, want a second", rest)
	}
	if d := patientFor(100 * 365 * 24 * time.Hour); d != longestAsked {
		t.Errorf("what asks for a century gets %v, want %v", d, longestAsked)
	}
}

// TestRemoteWriteRequest reads a request as its peer does.
func TestRemoteWriteRequest(t *testing.T) {
	got := make(chan *prompb.WriteRequest, 1)
	heads := make(chan http.Header, 1)
	url, _ := served(t, func(w http.ResponseWriter, r *http.Request) {
		packed, _ := io.ReadAll(r.Body)
		text, err := snappy.Decode(nil, packed)
		var m prompb.WriteRequest
		if err == nil {
			err = m.Unmarshal(text)
		}
		if err != nil {
			t.Error(err)
		}
		heads <- r.Header
		got <- &m
	})
	r := newRemote(t, RemoteWriteConfig{URL: strings.Replace(url, "http://", "http://me:secret@", 1) + "/push", Header: http.Header{"X-Scope-OrgID": {"us"}}, Batch: 3, Age: time.Hour})
	start(t, r)
	at := time.Unix(1_700_000_000, 0)
	timed := delay(at, 2)
	timed.Meta.Unit = "milliseconds"
	give(t, r, sample("hits_total", collector.Counter, at, 1), timed, sample("hits_total", collector.Counter, at.Add(time.Minute), 2))
	m, head := <-got, <-heads
	if len(m.Timeseries) != 3 || len(m.Metadata) != 2 {
		t.Fatalf("the request has %d series and %d meanings", len(m.Timeseries), len(m.Metadata))
	}
	want := []prompb.MetricMetadata{
		{Type: prompb.MetricMetadata_COUNTER, MetricFamilyName: "hits_total", Help: "StatsD hits"},
		{Type: prompb.MetricMetadata_HISTOGRAM, MetricFamilyName: "delay", Help: "StatsD delay", Unit: "milliseconds"},
	}
	if diff := cmp.Diff(want, m.Metadata); diff != "" {
		t.Errorf("meanings (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
		"X-Prometheus-Remote-Write-Version": "0.1.0", "X-Scope-Orgid": "us", "Authorization": "Basic bWU6c2VjcmV0"} {
		if !strings.HasPrefix(head.Get(name), want) {
			t.Errorf("the header %s is %q, want %q", name, head.Get(name), want)
		}
	}
	if f := r.Figures(); strings.Contains(f.To, "secret") {
		t.Errorf("the password is in %q", f.To)
	}
	give(t, r, sample("hits_total", collector.Counter, at.Add(62*time.Second), 1), timed, timed)
	if again := <-got; len(again.Metadata) != 2 {
		t.Errorf("a minute later %d meanings are sent, want 2", len(again.Metadata))
	}
}

// TestRemoteWriteForms has samples that have no form.
func TestRemoteWriteForms(t *testing.T) {
	r := newRemote(t, RemoteWriteConfig{URL: "http://127.0.0.1:1"})
	noHistogram := sample("x", collector.Summary, time.Unix(1, 0), 1)
	badLabel, badValue := sample("x", collector.Gauge, time.Unix(1, 0), 1), sample("x", collector.Gauge, time.Unix(1, 0), 1)
	badLabel.Labels = collector.Labels{{Name: "__name__", Value: "y"}}
	badValue.Labels = collector.Labels{{Name: "a", Value: "\xff"}}
	for _, s := range []collector.Sample{noHistogram, badLabel, badValue, sample("", collector.Gauge, time.Unix(1, 0), 1), sample("\xff", collector.Gauge, time.Unix(1, 0), 1)} {
		before := r.Figures().Refused
		give(t, r, s)
		if r.Figures().Refused != before+1 || r.Figures().LastError == "" {
			t.Errorf("%+v was not refused", s)
		}
	}
	balanced(t, r.Figures())
}

func TestRemoteWriteConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  RemoteWriteConfig
		want string
	}{
		{RemoteWriteConfig{URL: ""}, `remote write: "" is no address to write to; give http://host:port/api/v1/write`},
		{RemoteWriteConfig{URL: "localhost:9090"}, "remote write: \"localhost:9090\" is no address to write to"},
		{RemoteWriteConfig{URL: "http:///api"}, "is no address to write to"},
		{RemoteWriteConfig{URL: "ftp://host/"}, "is no address to write to"},
		{RemoteWriteConfig{URL: "http://me:secret@host:x/"}, "the address is no URL"},
		{RemoteWriteConfig{URL: "http://host", Batch: -1}, "batch or age is negative"},
		{RemoteWriteConfig{URL: "http://host", Limits: Limits{Items: -1}}, "remote write: the limit of items is negative"},
	} {
		_, err := NewRemoteWrite(c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}
