package series

import (
	"strings"
	"testing"
)

// TestGrafana sends what Grafana's Prometheus data source does: when it is saved
// and tested, when a query is written and when a panel is drawn.
func TestGrafana(t *testing.T) {
	s := served(t)
	const span = "start=1582978190&end=1582978200"
	for _, c := range []struct{ request, want string }{
		// Save and test.
		{"POST query?query=1%2B1&time=1582978200.123", `{"resultType":"scalar","result":[1582978200.123,"2"]}`},
		{"GET status/buildinfo", `"version":"` + apiVersion + `"`},
		{"GET rules", `{"status":"success","data":{"groups":[]}}`},
		{"GET alerts", `{"status":"success","data":{"alerts":[]}}`},
		// Write a query.
		{"GET label/__name__/values?" + span, `{"status":"success","data":["delay","gone","hits_total","load","users"]}`},
		{"GET label/__name__/values?limit=40000&" + span, `"hits_total"`},
		{"GET label/instance/values?match[]={__name__=\"hits_total\"}&" + span, `{"status":"success","data":["web-1","web-2"]}`},
		{"GET labels?match[]={__name__=\"hits_total\"}&" + span, `{"status":"success","data":["__name__","instance"]}`},
		{"POST labels?match[]={__name__=\"hits_total\"}&" + span, `{"status":"success","data":["__name__","instance"]}`},
		{"POST series?match[]={__name__=\"load\"}&" + span, `{"status":"success","data":[{"__name__":"load"`},
		{"GET metadata?limit=1", `{"status":"success","data":{"delay":[{"type":"histogram","unit":"seconds","help":"StatsD full.delay"}]}}`},
		{"GET metadata", `"hits_total":[{"type":"counter"`},
		// Draw a panel.
		{"POST query_range?query=sum(rate(hits_total[6s]))&start=1582978196.000&end=1582978198.000&step=2", `{"resultType":"matrix","result":[{"metric":{},"values":[[1582978196,"15"],[1582978198,"15"]]}]}`},
		{"POST query?query=hits_total{instance=\"web-1\"}&time=1582978200", `[1582978200,"40"]`},
		{"POST query_exemplars?query=hits_total&" + span, `{"status":"success","data":[]}`},
		{"GET query_exemplars?query=hits_total&" + span, `{"status":"success","data":[]}`},
	} {
		method, target, _ := strings.Cut(c.request, " ")
		path, form, _ := strings.Cut(target, "?")
		ask := get
		if method == "POST" {
			ask = post
		}
		got := ask(t, s, "/api/v1/"+path+"?"+escape(form))
		if got.status != 200 || !strings.Contains(got.body, c.want) || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s\nwant %s", c.request, got.status, got.body, c.want)
		}
	}
}
