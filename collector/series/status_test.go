package series

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFormatQueryAPI(t *testing.T) {
	answers(t, []call{
		{"format_query?query=sum(rate( x{a='b'}[5m] )) by(l)", 200, `{"status":"success","data":"sum by (l) (rate(x{a=\"b\"}[5m]))"}`},
		{"format_query?query=" + "foo%2Fbar", 200, `{"status":"success","data":"foo / bar"}`},
		{"format_query?query=x[", 400, bad(`"invalid parameter \"query\": 1:3: parse error: unexpected end of input in duration expression"`)},
		{"format_query", 400, bad(`"invalid parameter \"query\": unknown position: parse error: no expression found in input"`)},
		{"format_query?query=" + nested(2000), 400, bad(`"invalid parameter \"query\": the expression has more than 500 operators and brackets: ask for its parts one by one"`)},
		{"parse_query?query=x[", 400, bad(`"invalid parameter \"query\": 1:3: parse error: unexpected end of input in duration expression"`)},
	})
}

// TestParseQueryAPI has the answers of Prometheus 3 to what its UI asks.
func TestParseQueryAPI(t *testing.T) {
	s := served(t)
	const none = `"offset":0,"offsetExpr":null,"timestamp":null,"startOrEnd":null,"anchored":false,"smoothed":false`
	x := `{"type":"vectorSelector","name":"x","matchers":[{"name":"__name__","value":"x","type":"="}],` + none + `}`
	for expr, want := range map[string]string{
		"1":           `{"type":"numberLiteral","val":"1"}`,
		`"a"`:         `{"type":"stringLiteral","val":"a"}`,
		"x":           x,
		"(x)":         `{"type":"parenExpr","expr":` + x + `}`,
		"-x":          `{"type":"unaryExpr","op":"-","expr":` + x + `}`,
		"topk(1, x)":  `{"type":"aggregation","op":"topk","expr":` + x + `,"param":{"type":"numberLiteral","val":"1"},"grouping":[],"without":false}`,
		"sum(x)":      `{"type":"aggregation","op":"sum","expr":` + x + `,"param":null,"grouping":[],"without":false}`,
		"x > bool 1":  `{"type":"binaryExpr","op":"\u003e","lhs":` + x + `,"rhs":{"type":"numberLiteral","val":"1"},"matching":null,"bool":true}`,
		"x and x":     `{"type":"binaryExpr","op":"and","lhs":` + x + `,"rhs":` + x + `,"matching":{"card":"many-to-many","labels":[],"on":false,"include":[],"fillValues":{"lhs":null,"rhs":null}},"bool":false}`,
		"abs(x)":      `{"type":"call","args":[` + x + `],"func":{"name":"abs","argTypes":["vector"],"variadic":0,"returnType":"vector"}}`,
		"x[1m] @ 2":   `{"type":"matrixSelector","name":"x","range":60000,"rangeExpr":null,"matchers":[{"name":"__name__","value":"x","type":"="}],` + strings.Replace(none, `"timestamp":null`, `"timestamp":2000`, 1) + `}`,
		"x[1m:2s]":    `{"type":"subquery","expr":` + x + `,"range":60000,"rangeExpr":null,"step":2000,"stepExpr":null,"offset":0,"offsetExpr":null,"timestamp":null,"startOrEnd":null}`,
		"x @ start()": strings.Replace(x, `"startOrEnd":null`, `"startOrEnd":"start"`, 1),
	} {
		got := get(t, s, "/api/v1/parse_query?"+escape("query="+expr))
		var ours, theirs any
		if err := json.Unmarshal([]byte(`{"status":"success","data":`+want+`}`), &theirs); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(got.body), &ours); err != nil || got.status != 200 {
			t.Fatalf("%s: %d %s: %v", expr, got.status, got.body, err)
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
}

// TestNothings: what a collector has not is answered in Prometheus' shape.
func TestNothings(t *testing.T) {
	s := served(t)
	for path, want := range map[string]string{
		"targets":           `{"activeTargets":[],"droppedTargetCounts":{},"droppedTargets":[]}`,
		"targets/metadata":  `[]`,
		"scrape_pools":      `{"scrapePools":[]}`,
		"rules":             `{"groups":[]}`,
		"alerts":            `{"alerts":[]}`,
		"alertmanagers":     `{"activeAlertmanagers":[],"droppedAlertmanagers":[]}`,
		"notifications":     `[]`,
		"status/config":     `{"yaml":""}`,
		"status/walreplay":  `{"current":0,"max":0,"min":0}`,
		"status/flags":      `{"query.lookback-delta":"5m","query.max-concurrency":"10","query.max-samples":"10000000","query.timeout":"2m","storage.tsdb.retention.time":"15d"}`,
		"targets?state=any": `{"activeTargets":[],"droppedTargetCounts":{},"droppedTargets":[]}`,
	} {
		if got := get(t, s, "/api/v1/"+path); got.status != 200 || got.body != `{"status":"success","data":`+want+`}` {
			t.Errorf("%s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
}

func TestRuntimeInfo(t *testing.T) {
	var got struct {
		Status string
		Data   struct {
			StartTime, ServerTime, LastConfigTime  time.Time
			CWD, Hostname, StorageRetention, GOGC  string
			GoroutineCount, GOMAXPROCS, GOMEMLIMIT int64
			ReloadConfigSuccess                    bool
		}
	}
	if err := json.Unmarshal([]byte(get(t, served(t), "/api/v1/status/runtimeinfo").body), &got); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	d := got.Data
	if got.Status != "success" || !d.StartTime.Equal(at(600)) || !d.ServerTime.Equal(at(600)) || d.Hostname != host || d.StorageRetention != "15d" ||
		d.GoroutineCount < 1 || d.GOMAXPROCS != int64(runtime.GOMAXPROCS(0)) || d.GOMEMLIMIT <= 0 || d.CWD == "" || !d.ReloadConfigSuccess {
		t.Errorf("%+v", got)
	}
}

func TestTSDBStatus(t *testing.T) {
	type entry struct {
		Name  string
		Value uint64
	}
	var got struct {
		Data struct {
			HeadStats struct {
				NumSeries, NumLabelPairs, ChunkCount int
				MinTime, MaxTime                     int64
			}
			SeriesCountByMetricName, LabelValueCountByLabelName, MemoryInBytesByLabelName, SeriesCountByLabelValuePair []entry
		}
	}
	s := served(t)
	read := func(query string) {
		t.Helper()
		answer := get(t, s, "/api/v1/status/tsdb"+query)
		if err := json.Unmarshal([]byte(answer.body), &got); err != nil || answer.status != 200 {
			t.Fatalf("%d %s: %v", answer.status, answer.body, err)
		}
	}
	read("")
	d := got.Data
	if d.HeadStats.NumSeries != 6 || d.HeadStats.ChunkCount != 6 || d.HeadStats.NumLabelPairs == 0 ||
		d.HeadStats.MinTime != at(590).UnixMilli() || d.HeadStats.MaxTime != at(600).UnixMilli() {
		t.Errorf("%+v", d.HeadStats)
	}
	if len(d.SeriesCountByMetricName) != 5 || d.SeriesCountByMetricName[0] != (entry{"hits_total", 2}) || len(d.LabelValueCountByLabelName) != 3 ||
		len(d.MemoryInBytesByLabelName) != 3 || len(d.SeriesCountByLabelValuePair) == 0 {
		t.Errorf("%+v", d)
	}
	if read("?limit=1"); len(got.Data.SeriesCountByMetricName) != 1 {
		t.Errorf("%+v", got.Data)
	}
	for query, want := range map[string]string{"?limit=0": "limit must be a positive number", "?limit=x": "limit must be a positive number", "?limit=10001": "limit must not exceed 10000"} {
		if answer := get(t, s, "/api/v1/status/tsdb"+query); answer.status != 400 || answer.body != bad(`"`+want+`"`) {
			t.Errorf("%s: %d %s", query, answer.status, answer.body)
		}
	}
	s = open(t, t.TempDir())
	if read(""); got.Data.HeadStats.NumSeries != 0 || got.Data.SeriesCountByMetricName == nil {
		t.Errorf("of an empty store: %+v", got.Data)
	}
}

// TestTreesOfAnyShape: what the limits let through is formatted and drawn in
// a moment, however it is nested. The moment is one of the processor: how long this test
// waits for its turn says nothing.
func TestTreesOfAnyShape(t *testing.T) {
	s := served(t)
	wide := strings.Repeat(`, "a"`, 10_000)
	for _, expr := range []string{
		nested(maxNesting), strings.Repeat("-", maxNesting) + "x", strings.Repeat("1+", maxNesting) + "1", strings.Repeat("1^", maxNesting) + "1",
		strings.Repeat("abs(", maxNesting) + "x" + strings.Repeat(")", maxNesting),
		strings.Repeat("sum_over_time(", maxNesting/2) + "x" + strings.Repeat("[2s:1s])", maxNesting/2),
		strings.Repeat("-", maxNesting-1) + `label_join(x, "a", ""` + wide + ")",
	} {
		begin := cpu(t)
		for _, path := range []string{"format_query", "parse_query"} {
			if got := post(t, s, "/api/v1/"+path+"?"+escape("query="+expr)); got.status != 200 {
				t.Errorf("%s of %.40s…: %d %.200s", path, expr, got.status, got.body)
			}
		}
		if took := cpu(t) - begin; took > 10*time.Second {
			t.Errorf("%.40s… took %v", expr, took)
		}
	}
}
