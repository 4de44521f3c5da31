package scrape

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"throughline/collector"
)

const (
	textType = "text/plain; version=0.0.4"
	openType = "application/openmetrics-text; version=1.0.0"
)

var testTime = time.Unix(1_700_000_000, 0)

// bench is a Collector with one target, whose answers a test decides.
type bench struct {
	*Collector
	t      *testing.T
	mu     sync.Mutex
	answer http.HandlerFunc
	took   []collector.Sample
}

func (b *bench) Append(samples ...collector.Sample) error {
	b.took = append(b.took, samples...)
	return nil
}

func newBench(t *testing.T, cfg Config, change func(*Target)) *bench {
	t.Helper()
	b := &bench{t: t}
	b.Collector = New(cfg, collector.Intake{Sink: b})
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		answer := b.answer
		b.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(at.Close)
	target := Target{URL: at.URL + "/metrics", Instance: "web-1", Labels: collector.NewLabels("zone", "a"), Timeout: 900 * time.Millisecond}
	change(&target)
	if err := b.Add(target); err != nil {
		t.Fatal(err)
	}
	return b
}

func asIs(*Target) {}

func answering(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{kind}
		if kind == "" {
			w.Header()["Content-Type"] = nil // which Go would guess
		}
		fmt.Fprint(w, body)
	}
}

// scraped are the samples of one scrape, without the collector's own, as lines.
func (b *bench) scraped(answer http.HandlerFunc) (lines []string) {
	b.t.Helper()
	b.mu.Lock()
	b.answer = answer
	b.mu.Unlock()
	b.took = nil
	if err := b.scrape(b.t.Context(), b.targets["web-1"], time.Now()); err != nil {
		b.t.Error(err)
	}
	return b.lines()
}

func (b *bench) lines() (lines []string) {
	for _, s := range b.took {
		if strings.HasPrefix(s.Name, collector.OwnPrefix) {
			continue
		}
		what := fmt.Sprint(s.Value)
		switch {
		case s.Stale:
			what = "ends"
		case s.Histogram != nil:
			what = fmt.Sprintf("%+v", *s.Histogram)
		case s.Observed != 1:
			what += fmt.Sprintf(" of %d observations", s.Observed)
		}
		var labels []string
		for _, l := range s.Labels {
			if l.Name != "instance" && l.Name != "way" && l.Name != "zone" {
				labels = append(labels, l.Name+"="+l.Value)
			}
		}
		if s.Labels.Get("instance") != "web-1" || s.Labels.Get("way") != "scrape" || s.Labels.Get("zone") != "a" {
			b.t.Errorf("%s has the labels %v", s.Name, s.Labels)
		}
		if s.Meta == nil || s.Meta.CameBy() != collector.ByScrape {
			b.t.Errorf("%s did not come by a scrape, says %+v", s.Name, s.Meta)
			continue
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s{%s} %s %s", s.Name, strings.Join(labels, ","), s.Meta.Type, what)))
	}
	return lines
}

func (b *bench) figures() Figures {
	b.t.Helper()
	all := b.Figures()
	if len(all) != 1 {
		b.t.Fatalf("%d targets have figures, want 1", len(all))
	}
	return all[0]
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("it gives (-want +got)\n%s", diff)
	}
}

func TestText(t *testing.T) {
	b := newBench(t, Config{}, asIs)
	want(t, b.scraped(answering(textType, `# HELP words_total inserted
# TYPE words_total counter
words_total{kind="new"} 17 1234567890
# TYPE open gauge
open 3
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 2
took_seconds_bucket{le="+Inf"} 5
took_seconds_sum 1.5
took_seconds_count 5
# TYPE rpc summary
rpc{quantile="0.5"} 0.2
rpc_sum 9
rpc_count 8
odd_total 4
odd 4
# TYPE words_created gauge
words_created{kind="new"} 1.7e9
`)),
		"words_total{kind=new} counter 17",
		"open{} gauge 3",
		"took_seconds_bucket{le=0.1} counter 2",
		"took_seconds_bucket{le=+Inf} counter 5",
		"took_seconds_sum{} counter 1.5",
		"took_seconds_count{} counter 5",
		"rpc{quantile=0.5} gauge 0.2",
		"rpc_sum{} counter 9",
		"rpc_count{} counter 8",
		"odd_total{} counter 4",
		"odd{} gauge 4",
		"words_created{kind=new} gauge 1.7e+09")
	if at := b.took[0].At; time.Since(at) > time.Minute || at.After(time.Now()) {
		t.Errorf("the point is of %v, which is not when it was asked", at)
	}
}

// When a counter began is told once, and again when it began anew.
func TestOpenMetricsCreated(t *testing.T) {
	b := newBench(t, Config{}, asIs)
	exposed := func(n int, created float64) http.HandlerFunc {
		return answering(openType, fmt.Sprintf("# TYPE words counter\nwords_total %d\nwords_created %f\n# TYPE took_seconds histogram\n# UNIT took_seconds seconds\n"+
			"took_seconds_bucket{le=\"+Inf\"} 1\ntook_seconds_count 1\ntook_seconds_sum 2.0\ntook_seconds_created 9\n# EOF\n", n, created))
	}
	took := []string{"took_seconds_bucket{le=+Inf} counter 1", "took_seconds_count{} counter 1", "took_seconds_sum{} counter 2"}
	with := func(first string, last ...string) []string { return append(append([]string{first}, took...), last...) }
	want(t, b.scraped(exposed(17, 100.5)), with("words_total{} counter 17", "words_created{} gauge 100.5", "took_seconds_created{} gauge 9")...)
	if unit := b.took[1].Meta.Unit; unit != "seconds" {
		t.Errorf("%s is of the unit %q", b.took[1].Name, unit)
	}
	want(t, b.scraped(exposed(18, 100.5)), with("words_total{} counter 18")...)
	want(t, b.scraped(exposed(19, 200)), with("words_total{} counter 19", "words_created{} gauge 200")...)
}

func TestProtobuf(t *testing.T) {
	family := func(name string, kind dto.MetricType, m *dto.Metric) *dto.MetricFamily {
		return &dto.MetricFamily{Name: &name, Type: &kind, Metric: []*dto.Metric{m}}
	}
	native := &dto.Histogram{SampleCount: proto.Uint64(6), SampleSum: proto.Float64(3), Schema: proto.Int32(1), ZeroThreshold: proto.Float64(0.001), ZeroCount: proto.Uint64(1),
		PositiveSpan: []*dto.BucketSpan{{Offset: proto.Int32(2), Length: proto.Uint32(2)}}, PositiveDelta: []int64{2, 1},
		Bucket: []*dto.Bucket{{UpperBound: proto.Float64(1), CumulativeCount: proto.Uint64(5)}}}
	var body bytes.Buffer
	encoder := expfmt.NewEncoder(&body, expfmt.NewFormat(expfmt.TypeProtoDelim))
	for _, f := range []*dto.MetricFamily{
		family("words_total", dto.MetricType_COUNTER, &dto.Metric{Counter: &dto.Counter{Value: proto.Float64(17), CreatedTimestamp: timestamppb.New(time.Unix(50, 0))}}),
		family("took_seconds", dto.MetricType_HISTOGRAM, &dto.Metric{Histogram: native}),
	} {
		if err := encoder.Encode(f); err != nil {
			t.Fatal(err)
		}
	}
	b := newBench(t, Config{}, asIs)
	want(t, b.scraped(func(w http.ResponseWriter, r *http.Request) {
		// As client_golang decides what to answer.
		format := expfmt.Negotiate(r.Header)
		w.Header().Set("Content-Type", string(format))
		w.Header().Set("Content-Encoding", "gzip")
		zipped := gzip.NewWriter(w)
		zipped.Write(body.Bytes())
		zipped.Close()
	}),
		"words_total{} counter 17",
		"took_seconds{} histogram {Schema:1 ZeroThreshold:0.001 ZeroCount:1 Count:6 Sum:3 Positive:[{Index:2 Count:2} {Index:3 Count:3}] Negative:[]}",
		"took_seconds_count{} counter 6",
		"took_seconds_sum{} counter 3",
		"took_seconds_bucket{le=1.0} counter 5",
		"took_seconds_bucket{le=+Inf} counter 6",
		"words_created{} gauge 50")
}

// The target's labels win, whatever an instance says that it is.
func TestOwnLabelsWin(t *testing.T) {
	b := newBench(t, Config{}, asIs)
	want(t, b.scraped(answering(textType, `a_total{instance="me",exported_instance="you",zone="z",way="",empty=""} 1`+"\n")),
		"a_total{exported_exported_instance=me,exported_instance=you,exported_zone=z} counter 1")
}

// Where labels are honoured the exposed ones win, but for the way in, and what is told of the scrapes keeps the target's.
func TestHonoredLabels(t *testing.T) {
	b := newBench(t, Config{}, func(to *Target) { to.HonorLabels = true })
	b.answer = answering(textType, `a_total{instance="me",zone="z",way="mine"} 1`+"\nb_total 2\n")
	if err := b.scrape(t.Context(), b.targets["web-1"], time.Now()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range b.took {
		if instance := s.Labels.Get("instance"); strings.HasPrefix(s.Name, collector.OwnPrefix) && instance != "web-1" {
			t.Errorf("%s is of %s", s.Name, instance)
		}
		got[s.Name] = s.Labels.Key("")
	}
	for name, labels := range map[string]collector.Labels{
		"a_total": collector.NewLabels("exported_way", "mine", "instance", "me", "way", "scrape", "zone", "z"),
		"b_total": collector.NewLabels("instance", "web-1", "way", "scrape", "zone", "a"),
	} {
		if got[name] != labels.Key("") {
			t.Errorf("%s has the labels %q, want %q", name, got[name], labels.Key(""))
		}
	}
}

// Two targets that say that they are one write one series, in the order of its times: what is older than what it has is dropped, and counted.
func TestTargetsThatShareASeries(t *testing.T) {
	b := newBench(t, Config{}, func(to *Target) { to.HonorLabels = true })
	b.answer = answering(textType, `a_total{instance="me"} 1`+"\n")
	url := b.targets["web-1"].URL
	if err := b.Add(Target{URL: url, Instance: "web-2", HonorLabels: true, Timeout: 900 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	at := testTime
	sample := func(after time.Duration, value float64) collector.Sample {
		return collector.Sample{Name: "a_total", Labels: collector.NewLabels("instance", "me"), At: at.Add(after), Value: value}
	}
	for _, step := range []struct {
		target string
		sample collector.Sample
	}{{"web-1", sample(time.Second, 1)}, {"web-2", sample(3*time.Second, 2)}, {"web-1", sample(2*time.Second, 3)}, {"web-2", sample(3*time.Second, 4)}, {"web-1", sample(4*time.Second, 5)}} {
		if err := b.keep(b.targets[step.target], []collector.Sample{step.sample}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var values []float64
	for _, s := range b.took {
		values = append(values, s.Value)
	}
	if diff := cmp.Diff([]float64{1, 2, 5}, values); diff != "" {
		t.Errorf("kept (-want +got)\n%s", diff)
	}
	for _, f := range b.Figures() {
		if f.Dropped[Disorder] != 1 {
			t.Errorf("%s: dropped %v, want one that is out of order", f.Instance, f.Dropped)
		}
	}
}

// Series end as a Prometheus server has them end.
func TestStaleness(t *testing.T) {
	b := newBench(t, Config{}, asIs)
	one, both := answering(textType, "a_total 1\n"), answering(textType, "a_total 1\nb_total 1\n")
	want(t, b.scraped(both), "a_total{} counter 1", "b_total{} counter 1")
	want(t, b.scraped(one), "a_total{} counter 1", "b_total{} counter ends")
	want(t, b.scraped(answering(textType, "a_total 2\nb_total{ 1\n")), "a_total{} counter ends")
	want(t, b.scraped(answering(textType, "b_total{ 1\n")))
	want(t, b.scraped(one), "a_total{} counter 1")
	b.took = nil
	if err := b.Retire(t.Context(), "web-1"); err != nil {
		t.Error(err)
	}
	want(t, b.lines(), "a_total{} counter ends")
	if err := errors.Join(b.Retire(t.Context(), "web-1"), b.Fetch(t.Context())); err != nil {
		t.Errorf("of who is gone already: %v", err)
	}
	if err := b.Add(Target{URL: "http://127.0.0.1:1/", Instance: "web-1"}); err != nil {
		t.Errorf("who has gone comes back: %v", err)
	}
}

// Nothing is kept of a scrape that failed, and why it did is counted.
func TestFailures(t *testing.T) {
	good := "a_total 1\n"
	for _, x := range []struct {
		name   string
		why    Failure
		cfg    Config
		answer http.HandlerFunc
		says   string
	}{
		{"no end", Malformed, Config{}, answering(openType, good), "does not end with # EOF"},
		{"nonsense in the middle", Malformed, Config{}, answering(textType, good+"b{\n"), "expected label name"},
		{"blank type", BadType, Config{}, answering("", good), "blank Content-Type"},
		{"foreign type", BadType, Config{}, answering("text/html", good), `unsupported Content-Type "text/html"`},
		{"status", BadStatus, Config{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "it answered with 500 Internal Server Error"},
		{"long", TooLong, Config{MaxBody: int64(len(good))}, answering(textType, good+"b 1\n"), "its exposition has more than 10 bytes"},
		{"many", TooMany, Config{MaxSamples: 1}, answering(textType, good+"b 1\n"), "its exposition has more than 1 samples"},
		{"breaks off", Unreachable, Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", textType)
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, good)
		}, "unexpected EOF"},
		{"slow", TimedOut, Config{}, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t, x.cfg, func(target *Target) {
				if x.why == TimedOut {
					target.Timeout = 20 * time.Millisecond
				}
			})
			want(t, b.scraped(x.answer))
			f := b.figures()
			if f.Scrapes != 1 || f.Failures[x.why] != 1 || !strings.Contains(f.LastError, x.says) {
				t.Errorf("its figures are %+v, want a failure %s of %q", f, x.why, x.says)
			}
			for _, s := range b.took {
				if s.Name == ownSuccess && s.Value != 0 || s.Name == ownFailures && (s.Value == 1) != (s.Labels.Get("reason") == string(x.why)) {
					t.Errorf("%s%v is %v", s.Name, s.Labels, s.Value)
				}
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	b := &bench{t: t}
	b.Collector = New(Config{}, collector.Intake{Sink: b})
	at := httptest.NewServer(nil)
	at.Close()
	if err := b.Add(Target{URL: at.URL, Instance: "web-1"}); err != nil {
		t.Fatal(err)
	}
	if err := b.Fetch(t.Context()); err != nil {
		t.Errorf("that nobody answers is an error of the collector's: %v", err)
	}
	if f := b.figures(); f.Failures[Unreachable] != lastAttempts || f.Scrapes != lastAttempts {
		t.Errorf("its figures are %+v", f)
	}
}

// Samples that cannot be kept hinder no others.
func TestDrops(t *testing.T) {
	b := newBench(t, Config{}, asIs)
	want(t, b.scraped(answering(textType, "a_total 1\na_total 2\nb_total 3\n")), "a_total{} counter 1", "b_total{} counter 3")
	if f := b.figures(); f.Dropped[Twice] != 1 || f.Samples != 3 {
		t.Errorf("its figures are %+v", f)
	}
}

func TestAddRefuses(t *testing.T) {
	c := New(Config{}, collector.Intake{})
	for _, x := range []struct {
		target Target
		says   string
	}{
		{Target{URL: "://", Instance: "web-1"}, "missing protocol scheme"},
		{Target{URL: "127.0.0.1:80/metrics", Instance: "web-1"}, "first path segment"},
		{Target{URL: "ftp://a/metrics", Instance: "web-1"}, "is no address: want one like http://127.0.0.1:8080/metrics"},
		{Target{URL: "http://a/metrics"}, "it is nobody's: want the name of an instance"},
		{Target{URL: "http://a/metrics", Instance: "web-1", Every: time.Second, Timeout: 2 * time.Second}, "its timeout of 2s is longer than its interval of 1s"},
	} {
		if err := c.Add(x.target); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%+v: %v, want %q", x.target, err, x.says)
		}
	}
	ok := Target{URL: "http://a/metrics", Instance: "web-1"}
	if err := c.Add(ok); err != nil {
		t.Error(err)
	}
	if err := c.Add(ok); err == nil || !strings.Contains(err.Error(), "it is scraped already") {
		t.Errorf("a second time: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Add(Target{URL: "http://a/metrics", Instance: "web-2"}); err == nil || !strings.Contains(err.Error(), "the collector has ended") {
		t.Errorf("after the end: %v", err)
	}
}

// Targets are asked at times of their own, each at its interval.
func TestSpread(t *testing.T) {
	offsets := map[time.Duration]bool{}
	for n := range 20 {
		one := newTarget(Target{URL: "http://a/", Instance: fmt.Sprint("web-", n), Every: time.Second})
		first := one.next(testTime)
		if wait := first.Sub(testTime); wait <= 0 || wait > time.Second {
			t.Errorf("it is due %v after", wait)
		}
		if second := one.next(first); second.Sub(first) != time.Second {
			t.Errorf("it is due again %v after", second.Sub(first))
		}
		offsets[one.offset] = true
	}
	if len(offsets) < 15 {
		t.Errorf("20 targets have only %d different times", len(offsets))
	}
}

// What nobody would wait for does not hold up the end.
func TestRunEnds(t *testing.T) {
	b := newBench(t, Config{}, func(target *Target) { target.Every, target.Timeout = 30*time.Millisecond, 20*time.Millisecond })
	b.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.Run(ctx); err != nil {
		t.Error(err)
	}
	if f := b.figures(); f.Failures[TimedOut] == 0 || f.Failures[TimedOut] != f.Scrapes {
		t.Errorf("its figures are %+v", f)
	}
}

// FuzzRead: whatever an exposition is, it makes samples or an error.
func FuzzRead(f *testing.F) {
	f.Add([]byte("a_total 1\n"), textType)
	f.Add([]byte("# TYPE a counter\na_total 1\na_created 2\n# EOF\n"), openType)
	f.Add([]byte("\x00\x01"), "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited")
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		r := newReader(collector.NewLabels("instance", "web-1"), false)
		read, err := r.read(body, kind, 100, testTime)
		if err != nil && len(read.samples) > 0 {
			t.Errorf("it failed with %v and gives %d samples", err, len(read.samples))
		}
		for _, s := range read.samples {
			if s.Labels.Get("instance") != "web-1" || s.Name == "" {
				t.Errorf("a sample %+v", s)
			}
		}
	})
}

// TestTextsOfSeries: a series is the same in whatever order its labels are exposed, and what is remembered of texts has a limit, also where
// no exposition comes to a good end.
func TestTextsOfSeries(t *testing.T) {
	r := newReader(nil, false)
	read := func(page string, want int) {
		t.Helper()
		got, err := r.read([]byte(page), "text/plain", 1000, time.Unix(1, 0))
		if err != nil || len(got.samples) != want {
			t.Errorf("%q: %d samples, %v, want %d", page, len(got.samples), err, want)
		}
	}
	for range 2 {
		read("words{a=\"1\",b=\"2\"} 3\n", 1)
		read("words{b=\"2\",a=\"1\"} 4\n", 1)
	}
	if len(r.series) != 1 || len(r.texts) != 2 {
		t.Errorf("%d series by %d texts, want 1 by 2", len(r.series), len(r.texts))
	}
	for i := range 20 {
		var page strings.Builder
		for k := range 30 {
			fmt.Fprintf(&page, "words{a=\"%d\"} 1\n", 100*i+k)
		}
		if _, err := r.read([]byte(page.String()+"words{\n"), "text/plain", 1000, time.Unix(1, 0)); err == nil {
			t.Fatal("half a line was read")
		}
	}
	if len(r.texts) > 2*len(r.series)+spareTexts+30 {
		t.Errorf("%d texts are remembered", len(r.texts))
	}
}
