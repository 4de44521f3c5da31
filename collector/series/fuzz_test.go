package series

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// FuzzParams asks each path with any parameters: whatever they are, the fault is
// not the server's. Only a query that takes too long may be answered with 503.
func FuzzParams(f *testing.F) {
	paths := []string{"/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/series", "/api/v1/labels",
		"/api/v1/label/instance/values", "/api/v1/metadata", "/metrics", "/federate", "/api/v1/rules",
		"/api/v1/format_query", "/api/v1/parse_query", "/api/v1/status/tsdb"}
	for _, form := range []string{
		"", "query=up", "query=rate(hits_total[5m])&time=1582978200", "query=delay&start=0&end=1e10&step=1e7", "query=load&timeout=1ns&lookback_delta=-1h",
		"match[]=load&match[]={instance=~\"web-.*\"}&start=2020-02-29T12:00:00Z&end=1e300&limit=1", "start=-1e15&end=1e15&match[]=delay",
		"query=histogram_quantile(0.9,sum(rate(delay[1h])))&start=-9e15&end=9e15&step=9e9", "query=%zz", "limit=99999999999999999999",
		"query=load offset 100000y&time=9e14", "query=load @ 9e15", "query=load[1h:1ms]&time=NaN", "query=up&time=Inf&limit=-1",
		"metric=load&limit=0&limit_per_metric=-5", "query=sum_over_time(load[10y:1ms])&start=0&end=1e9&step=1e6", "query=max_over_time(load[1h:1s] @ end())&start=1582978000&end=1582978200&step=1",
		"query=label_join(label_replace(load,\"a\",\"$1$1\",\"path\",\"(.*)\"),\"b\",\"-\",\"a\",\"a\")", "query=count_values(\"v\",load)&start=0&end=1e4&step=1",
		"query=load{path=~\"(a{1000}){1000}\"}", "query=-x[1m:2s] offset -5m @ start()&limit=3", "query=load*on(instance)group_left(path)delay+bool 1",
		"query=label_replace(load,\"__name__\",\"\",\"\",\"\")&stats=all",
	} {
		for i := range paths {
			f.Add(uint8(i), form, i%2 == 0)
		}
	}
	s := served(f)
	s.opts.Timeout = 2 * time.Second
	handler := s.Handler()
	f.Fuzz(func(t *testing.T, path uint8, form string, post bool) {
		target := paths[int(path)%len(paths)]
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.URL.RawQuery = form
		if post && target != "/metrics" {
			r = httptest.NewRequest(http.MethodPost, target, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		tooLong := w.Code == http.StatusServiceUnavailable && strings.Contains(w.Body.String(), `"errorType":"timeout"`)
		if w.Code >= 500 && !tooLong {
			t.Errorf("%s?%s: %d %s", target, form, w.Code, w.Body)
		}
	})
}
