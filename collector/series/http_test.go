package series

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"

	dto "github.com/prometheus/client_model/go"

	"throughline/collector"
)

// response is what the handler answered.
type response struct {
	status int
	header http.Header
	body   string
}

func do(t testing.TB, s *Store, r *http.Request) response {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return response{w.Code, w.Header(), w.Body.String()}
}

func get(t testing.TB, s *Store, target string) response {
	t.Helper()
	return do(t, s, httptest.NewRequest(http.MethodGet, target, nil))
}

// post sends the parameters of target as a form.
func post(t testing.TB, s *Store, target string) response {
	t.Helper()
	path, form, _ := strings.Cut(target, "?")
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, s, r)
}

// served is a store with something of everything.
func served(t testing.TB) *Store {
	t.Helper()
	s := open(t, t.TempDir())
	hits := &collector.Meta{Type: collector.Counter, Sent: "full.hits", Unit: "requests"}
	for i := range 5 {
		when := 590 + float64(2*i)
		one, two := float("hits_total", when, float64(10*i), "instance", "web-1"), float("hits_total", when, float64(20*i), "instance", "web-2")
		one.Meta, two.Meta = hits, hits
		load := float("load", when, 1e-7, "instance", "web-1", "path", "/<a>&\"b\"")
		load.Meta = &collector.Meta{Type: collector.Gauge}
		users := float("users", when, 1e21)
		users.Meta = &collector.Meta{Type: collector.Set, Sent: "users"}
		mustAppend(t, s, one, two, load, users)
	}
	delay := distribution("delay", 600, &collector.Histogram{Schema: 0, ZeroThreshold: 0.5, ZeroCount: 1, Count: 7, Sum: 12.5,
		Positive: []collector.Bucket{{Index: 1, Count: 3}, {Index: 3, Count: 2}}, Negative: []collector.Bucket{{Index: 2, Count: 1}}}, "instance", "web-1")
	delay.Meta = &collector.Meta{Type: collector.Summary, Sent: "full.delay", Unit: "seconds"}
	mustAppend(t, s, delay, float("gone", 590, 1), end("gone", 595))
	return s
}

// 2020-02-29T12:00:00Z is 1582977600.
const histogramJSON = `{"count":"7","sum":"12.5","buckets":[[1,"-4","-2","1"],[3,"-0.5","0.5","1"],[0,"1","2","3"],[0,"4","8","2"]]}`

// call is a request to the API, GET and POST alike, and its answer to the letter.
type call struct {
	target string // below /api/v1/
	status int
	body   string
}

func bad(message string) string {
	return `{"status":"error","errorType":"bad_data","error":` + message + `}`
}

// answers makes the calls, each in every way that Prometheus has.
func answers(t *testing.T, calls []call) {
	t.Helper()
	s := served(t)
	for _, c := range calls {
		path, form, _ := strings.Cut(c.target, "?")
		target := "/api/v1/" + path + "?" + escape(form)
		answers := map[string]response{"GET": get(t, s, target)}
		if !strings.HasPrefix(path, "label/") && path != "metadata" { // which Prometheus has for GET only
			answers["POST"] = post(t, s, target)
		}
		for method, got := range answers {
			if got.status != c.status || got.body != c.body {
				t.Errorf("%s %s:\n got %d %s\nwant %d %s", method, c.target, got.status, got.body, c.status, c.body)
			}
			if kind := got.header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("%s %s: Content-Type %q", method, c.target, kind)
			}
		}
	}
}

func TestQueryAPI(t *testing.T) {
	answers(t, []call{
		{`query?query=hits_total{instance="web-1"}&time=1582978200.5`, 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"hits_total","instance":"web-1"},"value":[1582978200.500,"40"]}]}}`},
		{"query?query=sum(hits_total)", 200, // at the store's now
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1582978200,"120"]}]}}`},
		{"query?query=load&time=2020-02-29T12:10:00.25Z", 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"load","instance":"web-1","path":"/<a>&\"b\""},"value":[1582978200.250,"1e-07"]}]}}`},
		{"query?query=users&time=2020-02-29T13:10:00%2B01:00", 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"users"},"value":[1582978200,"1e+21"]}]}}`},
		{"query?query=gone", 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{"query?query=delay", 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"delay","instance":"web-1"},"histogram":[1582978200,` + histogramJSON + `]}]}}`},
		{"query?query=1/0", 200, `{"status":"success","data":{"resultType":"scalar","result":[1582978200,"+Inf"]}}`},
		{`query?query="<a>"`, 200, `{"status":"success","data":{"resultType":"string","result":[1582978200,"\u003ca\u003e"]}}`},
		{`query?query=hits_total{instance="web-1"}[4s]&time=1582978198`, 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"hits_total","instance":"web-1"},"values":[[1582978196,"30"],[1582978198,"40"]]}]}}`},
		{"query?query=delay[4s]", 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"delay","instance":"web-1"},"histograms":[[1582978200,` + histogramJSON + `]]}]}}`},
		{"query?query=hits_total&limit=1", 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"hits_total","instance":"web-1"},"value":[1582978200,"40"]}]},"warnings":["results truncated due to limit"]}`},
		{"query?query=rate(load[8s])&time=1582978198", 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"web-1","path":"/<a>&\"b\""},"value":[1582978198,"0"]}]},"infos":["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"load\" (1:6)"]}`},
		{"query?query=quantile(2,load)", 200,
			`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1582978200,"+Inf"]}]},"warnings":["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]}`},
		{"query?query=load&lookback_delta=1s", 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`},
		{"query", 400, bad(`"invalid parameter \"query\": unknown position: parse error: no expression found in input"`)},
		{"query?query=up{", 400, bad(`"invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"`)},
		{"query?query=up&time=soon", 400, bad(`"invalid parameter \"time\": invalid time value for 'time': cannot parse \"soon\" to a valid timestamp"`)},
		{"query?query=up&timeout=soon", 400, bad(`"invalid parameter \"timeout\": cannot parse \"soon\" to a valid duration"`)},
		{"query?query=up&limit=-1", 400, bad(`"invalid parameter \"limit\": limit must be non-negative"`)},
		{"query?query=up&limit=x", 400, bad(`"invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax"`)},
		{"query?query=up&lookback_delta=x", 400, bad(`"error parsing lookback delta duration: cannot parse \"x\" to a valid duration"`)},
		{`query?query=load*on()group_left()hits_total`, 422,
			`{"status":"error","errorType":"execution","error":"found duplicate series for the match group {} on the right hand-side of the operation: [{__name__=\"hits_total\", instance=\"web-2\"}, {__name__=\"hits_total\", instance=\"web-1\"}];many-to-many matching not allowed: matching labels must be unique on one side"}`},
		{"query?query=load&timeout=0.000000001", 503, `{"status":"error","errorType":"timeout","error":"query timed out in query execution"}`},
	})
}

func TestQueryRangeAPI(t *testing.T) {
	long := "&start=0&end=11001&step=1"
	answers(t, []call{
		{"query_range?query=sum(hits_total)&start=1582978190&end=2020-02-29T12:09:54Z&step=2", 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1582978190,"0"],[1582978192,"30"],[1582978194,"60"]]}]}}`},
		{"query_range?query=up&start=0&end=1&step=1m", 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`},
		{"query_range?query=2&start=0&end=1&step=500ms", 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[0,"2"],[0.500,"2"],[1,"2"]]}]}}`},
		{"query_range?query=delay&start=1582978199&end=1582978201&step=1", 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"delay","instance":"web-1"},"histograms":[[1582978200,` + histogramJSON + `],[1582978201,` + histogramJSON + `]]}]}}`},
		{"query_range?query=hits_total&start=1582978198&end=1582978198&step=1&limit=1", 200,
			`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"hits_total","instance":"web-1"},"values":[[1582978198,"40"]]}]},"warnings":["results truncated due to limit"]}`},
		{"query_range?query=up&end=1&step=1", 400, bad(`"invalid parameter \"start\": cannot parse \"\" to a valid timestamp"`)},
		{"query_range?query=up&start=1&end=x&step=1", 400, bad(`"invalid parameter \"end\": cannot parse \"x\" to a valid timestamp"`)},
		{"query_range?query=up&start=2&end=1&step=1", 400, bad(`"invalid parameter \"end\": end timestamp must not be before start time"`)},
		{"query_range?query=up&start=1&end=2", 400, bad(`"invalid parameter \"step\": cannot parse \"\" to a valid duration"`)},
		{"query_range?query=up&start=1&end=2&step=0", 400, bad(`"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"`)},
		{"query_range?query=up&start=1&end=2&step=1e30", 400, bad(`"invalid parameter \"step\": cannot parse \"1e30\" to a valid duration. It overflows int64"`)},
		{"query_range?query=up&start=1&end=2&step=0.0001", 400, bad(`"invalid parameter \"step\": step widths below 1ms are not accepted"`)},
		{"query_range?query=up" + long, 400, bad(`"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"`)},
		{"query_range?query=up" + strings.Replace(long, "11001", "11000", 1), 200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`},
		{"query_range?query=up[1m]&start=1&end=2&step=1", 400, bad(`"invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"`)},
	})
}

func TestSeriesAPI(t *testing.T) {
	answers(t, []call{
		{"series?match[]=hits_total&match[]=hits_total{instance=\"web-1\"}", 200,
			`{"status":"success","data":[{"__name__":"hits_total","instance":"web-1"},{"__name__":"hits_total","instance":"web-2"}]}`},
		{"series?match[]=load", 200, `{"status":"success","data":[{"__name__":"load","instance":"web-1","path":"/<a>&\"b\""}]}`},
		{"series?match[]=hits_total&limit=1", 200,
			`{"status":"success","data":[{"__name__":"hits_total","instance":"web-1"}],"warnings":["results truncated due to limit"]}`},
		{"series?match[]=hits_total&end=1582970000", 200, `{"status":"success","data":[]}`},
		{"series?match[]=up", 200, `{"status":"success","data":[]}`},
		{"series", 400, bad(`"no match[] parameter provided"`)},
		{"series?match[]={}", 400, bad(`"invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"`)},
		{"series?match[]=a[1m]", 400, bad(`"invalid parameter \"match[]\": 1:2: parse error: unexpected \"[\""`)},
		{"series?match[]=up&start=x", 400, bad(`"invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp"`)},
	})
}

func TestLabelsAPI(t *testing.T) {
	answers(t, []call{
		{"labels", 200, `{"status":"success","data":["__name__","instance","path"]}`},
		{"labels?match[]=hits_total&match[]=users", 200, `{"status":"success","data":["__name__","instance"]}`},
		{"labels?match[]=up", 200, `{"status":"success","data":[]}`},
		{"labels?limit=2", 200, `{"status":"success","data":["__name__","instance"],"warnings":["results truncated due to limit"]}`},
		{"labels?match[]=a(", 400, bad(`"1:2: parse error: unexpected \"(\""`)},
		{"labels?end=x", 400, bad(`"invalid parameter \"end\": invalid time value for 'end': cannot parse \"x\" to a valid timestamp"`)},
	})
}

func TestLabelValuesAPI(t *testing.T) {
	answers(t, []call{
		{"label/__name__/values", 200, `{"status":"success","data":["delay","gone","hits_total","load","users"]}`},
		{"label/instance/values?match[]=hits_total", 200, `{"status":"success","data":["web-1","web-2"]}`},
		{"label/path/values", 200, `{"status":"success","data":["/\u003ca\u003e\u0026\"b\""]}`},
		{"label/U__inst_61_nce/values?match[]=hits_total", 200, `{"status":"success","data":["web-1","web-2"]}`},
		{"label/nope/values", 200, `{"status":"success","data":[]}`},
		{"label/instance/values?limit=1", 200, `{"status":"success","data":["web-1"],"warnings":["results truncated due to limit"]}`},
		{"label/%ff/values", 400, bad(`"invalid label name: \"\\xff\""`)},
	})
}

func TestMetadataAPI(t *testing.T) {
	answers(t, []call{
		{"metadata", 200, `{"status":"success","data":{"delay":[{"type":"histogram","unit":"seconds","help":"StatsD full.delay"}],` +
			`"hits_total":[{"type":"counter","unit":"requests","help":"StatsD full.hits"}],"load":[{"type":"gauge","unit":"","help":""}],` +
			`"users":[{"type":"gauge","unit":"","help":"StatsD users"}]}}`},
		{"metadata?metric=load", 200, `{"status":"success","data":{"load":[{"type":"gauge","unit":"","help":""}]}}`},
		{"metadata?metric=up", 200, `{"status":"success","data":{}}`},
		{"metadata?limit=1", 200, `{"status":"success","data":{"delay":[{"type":"histogram","unit":"seconds","help":"StatsD full.delay"}]}}`},
		{"metadata?limit=x", 400, bad(`"limit must be a number"`)},
	})
}

// escape escapes the values of a query string that is written plainly.
func escape(form string) string {
	var out []string
	for pair := range strings.SplitSeq(form, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.Contains(value, "%") {
			value = url.QueryEscape(value)
		}
		out = append(out, name+"="+value)
	}
	return strings.Join(out, "&")
}

func TestTwoMeaningsOfOneName(t *testing.T) {
	s := open(t, t.TempDir())
	one, two := float("a_b", 600, 1, "instance", "web-1"), float("a_b", 600, 2, "instance", "web-2")
	one.Meta, two.Meta = &collector.Meta{Type: collector.Gauge, Sent: "a.b"}, &collector.Meta{Type: collector.Set, Sent: "a_b"}
	for range 3 {
		mustAppend(t, s, one, two)
		one.At, two.At = one.At.Add(time.Second), two.At.Add(time.Second)
	}
	const both = `{"type":"gauge","unit":"","help":"StatsD a.b"},{"type":"gauge","unit":"","help":"StatsD a_b"}`
	if got := get(t, s, "/api/v1/metadata").body; got != `{"status":"success","data":{"a_b":[`+both+`]}}` {
		t.Error(got)
	}
	if got := get(t, s, "/api/v1/metadata?limit_per_metric=1").body; got != `{"status":"success","data":{"a_b":[{"type":"gauge","unit":"","help":"StatsD a.b"}]}}` {
		t.Error(got)
	}
	if got := get(t, s, "/metrics").body; !strings.Contains(got, "# TYPE a_b untyped\n") {
		t.Errorf("what has two meanings has one type:\n%s", got)
	}
}

func TestAnotherMethodOrPath(t *testing.T) {
	s := served(t)
	for target, want := range map[string]int{"POST /metrics": 405, "DELETE /api/v1/query": 405, "GET /api/v1/nope": 404, "GET /": 404,
		"GET /-/ready": 200, "GET /-/healthy": 200, "HEAD /-/ready": 200} {
		method, path, _ := strings.Cut(target, " ")
		if got := do(t, s, httptest.NewRequest(method, path, nil)); got.status != want {
			t.Errorf("%s: %d %s, want %d", target, got.status, got.body, want)
		}
	}
}

func TestBuildInfo(t *testing.T) {
	var got struct {
		Status string
		Data   map[string]string
	}
	if err := json.Unmarshal([]byte(get(t, served(t), "/api/v1/status/buildinfo").body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Status != "success" || got.Data["version"] == "" || !strings.HasPrefix(got.Data["goVersion"], "go1.") {
		t.Errorf("%+v", got)
	}
	for _, key := range []string{"version", "revision", "branch", "buildUser", "buildDate", "goVersion"} {
		if _, ok := got.Data[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
}

func TestBrokenForm(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/api/v1/query", strings.NewReader("query=%zz"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := do(t, served(t), r)
	if got.status != 400 || got.body != `{"status":"error","errorType":"bad_data","error":"error parsing form values: invalid URL escape \"%zz\""}` {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestClientThatLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := do(t, served(t), httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/query?query=load", nil))
	if got.status != 499 || got.body != `{"status":"error","errorType":"canceled","error":"query was canceled in query execution"}` {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestMetrics(t *testing.T) {
	got := get(t, served(t), "/metrics")
	want := `# HELP delay StatsD full.delay
# TYPE delay histogram
delay_bucket{instance="web-1",le="+Inf"} 7
delay_sum{instance="web-1"} 12.5
delay_count{instance="web-1"} 7
# HELP hits_total StatsD full.hits
# TYPE hits_total counter
hits_total{instance="web-1"} 40
hits_total{instance="web-2"} 80
# TYPE load gauge
load{instance="web-1",path="/<a>&\"b\""} 1e-07
# HELP users StatsD users
# TYPE users gauge
users 1e+21
`
	if got.status != 200 || got.body != want {
		t.Errorf("%d:\n%s\nwant:\n%s", got.status, got.body, want)
	}
	if kind := got.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/plain; version=0.0.4") {
		t.Errorf("Content-Type %q", kind)
	}
}

// TestMetricsInProtobuf has the buckets, which the text format cannot.
func TestMetricsInProtobuf(t *testing.T) {
	s := served(t)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	got := do(t, s, r)
	decoder := expfmt.NewDecoder(strings.NewReader(got.body), expfmt.ResponseFormat(got.header))
	var found *dto.Histogram
	var families int
	for {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		families++
		if family.GetName() == "delay" {
			found = family.GetMetric()[0].GetHistogram()
		}
	}
	if families != 4 || found.GetSampleCountFloat() != 7 || found.GetSampleSum() != 12.5 || found.GetZeroCountFloat() != 1 || found.GetZeroThreshold() != 0.5 {
		t.Fatalf("%d families, delay: %v", families, found)
	}
	if len(found.GetPositiveSpan()) != 2 || found.GetPositiveSpan()[0].GetOffset() != 1 || found.GetPositiveSpan()[1].GetOffset() != 1 ||
		found.GetPositiveCount()[1] != 2 || found.GetNegativeCount()[0] != 1 {
		t.Errorf("buckets: %v", found)
	}
}

func TestFederate(t *testing.T) {
	s := served(t)
	got := get(t, s, "/federate?"+escape(`match[]={__name__=~"hits_.*|delay|gone"}&match[]=users&match[]=users`))
	want := `# TYPE hits_total untyped
hits_total{instance="web-1"} 40 1582978198000
hits_total{instance="web-2"} 80 1582978198000
# TYPE users untyped
users{instance=""} 1e+21 1582978198000
`
	if got.status != 200 || got.body != want {
		t.Errorf("%d:\n%s\nwant:\n%s", got.status, got.body, want)
	}
	if got := get(t, s, "/federate"); got.status != 200 || got.body != "" {
		t.Errorf("no match[]: %d %q", got.status, got.body)
	}
	if got := get(t, s, "/federate?match[]=a("); got.status != 400 || !strings.Contains(got.body, "1:2: parse error") {
		t.Errorf("bad match[]: %d %q", got.status, got.body)
	}
}
