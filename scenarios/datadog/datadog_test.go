package datadog

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/compose/config"
	"throughline/scenarios"
	"throughline/scenarios/script"
)

func scenarioOf(t *testing.T, checks string, rules map[string]string) script.Scenario {
	t.Helper()
	s, err := script.Parse("s.yaml", []byte(`scenario: s
stack: {web: {instances: 3}}
load: {rate: 10/s, mix: {insert: 9, get: 1}}
phases: [{phase: p, for: 8s}]
checks:
`+checks), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Rules = rules
	return s
}

func exportOf(t *testing.T, checks string, rules map[string]string) Export {
	t.Helper()
	e, err := Of(scenarioOf(t, checks, rules))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestExpressions: what can be said is said right, and what cannot is left out, with the reason.
func TestExpressions(t *testing.T) {
	for expr, want := range map[string]string{
		// A rate per second is held against what it comes to in the window.
		"sum(rate(fullstack_insert_total[5s])) < 1":                                                                "sum(last_1m):sum:fullstack.insert{*}.as_count() < 60",
		"sum(increase(fullstack_insert_total[2m])) <= 10":                                                          "sum(last_5m):sum:fullstack.insert{*}.as_count() <= 25",
		"(sum by (zone) (rate(fullstack_insert_total{role=\"web\"}[5s]))) < 0.5 or absent(fullstack_insert_total)": "sum(last_1m):sum:fullstack.insert{role:web} by {zone}.as_count() < 30, no data for 2m",
		// A ratio is one of counts.
		"sum(rate(fullstack_get_total[10s])) / sum(rate(fullstack_insert_total[10s])) < 0.02": "sum(last_1m):sum:fullstack.get{*}.as_count() / sum:fullstack.insert{*}.as_count() < 0.02",
		"sum by (role) (fullstack_inflight{zone!=\"a\",version=~\"v1|v2\"}) > 200":            "avg(last_1m):sum:fullstack.inflight{NOT zone:a AND version IN (v1,v2)} by {role} > 200",
		"histogram_quantile(0.95, sum(rate(fullstack_insert_time[5s]))) > 250":                "avg(last_1m):max:fullstack.insert.time.95percentile{*} > 250",

		"histogram_quantile(0.99, sum(rate(fullstack_insert_time[5s]))) > 250":                         "left out: of the timer fullstack.insert.time the agent makes median, 95percentile, avg, max and count alone, and not what is asked for",
		"count(rate(fullstack_insert_total[2s]) > 0) < 3":                                              "left out: Datadog cannot say its expression: no comparison of a figure with a number: the aggregation count",
		"sum(rate(haproxy_frontend_hrsp_5xx[5s])) > 1":                                                 "left out: haproxy_frontend_hrsp_5xx is not sent by the application, so that the relay does not have it",
		"sum by (instance) (rate(fullstack_insert_total[5s])) < 1":                                     "left out: the label instance is none that is sent (role, zone, version are)",
		"sum(rate(fullstack_insert_total{instance=\"web-1\"}[5s])) < 1":                                "left out: the label instance is none that is sent (role, zone, version are)",
		"sum(rate(fullstack_insert_total{zone=~\"a.*\"}[5s])) < 1":                                     "left out: the condition zone=~\"a.*\" cannot be said",
		"rate(fullstack_insert_total[5s]) < 1":                                                         "left out: fullstack_insert_total is not added up: its series are one for each instance, and the instance is no tag that is sent",
		"sum(fullstack_insert_total) < 3":                                                              "left out: fullstack.insert is compared as it has been counted up since the start, and Datadog has what was counted in an interval",
		"sum(rate(fullstack_inflight[5s])) > 1":                                                        "left out: fullstack.inflight is a gauge, of which there is no rate",
		"sum(rate(fullstack_insert_total[5s] offset 5s)) < 1":                                          "left out: Datadog cannot say its expression: no comparison of a figure with a number: the offset of fullstack_insert_total offset 5s",
		"sum(rate(fullstack_insert_total[2h])) < 1":                                                    "left out: it looks at 2h0m0s, and a monitor at an hour at most",
		"sum(rate(fullstack_insert_total[5s])) == 1":                                                   "left out: Datadog cannot say its expression: no comparison of a figure with a number: the operator ==",
		"sum(rate(fullstack_get_total[5s])) / sum by (zone) (rate(fullstack_insert_total[5s])) < 0.02": "left out: both sides of a ratio want the same labels",
		"sum(fullstack_inflight) / sum(rate(fullstack_insert_total[5s])) < 0.02":                       "left out: a ratio is said of two counters alone",
		"fullstack_inflight unless fullstack_inflight > 3":                                             "left out: Datadog cannot say its expression: no comparison of a figure with a number: the operator unless",
	} {
		e := exportOf(t, fmt.Sprintf("  - alert: {name: A, expr: '%s', silent: [run]}\n", expr), nil)
		var got []string
		for _, m := range e.Monitors {
			if m.Type != "query alert" {
				continue
			}
			text := m.Query
			if m.Options.NotifyNoData {
				text += fmt.Sprintf(", no data for %dm", m.Options.NoDataTimeframe)
			}
			if !strings.HasSuffix(m.Query, fmt.Sprintf(" %v", m.Options.Thresholds.Critical)) {
				t.Errorf("%s: the threshold is %v", m.Query, m.Options.Thresholds.Critical)
			}
			got = append(got, text)
		}
		for _, l := range e.LeftOut {
			if l.What != "alert A" {
				t.Errorf("%s: %q is left out", expr, l.What)
			}
			got = append(got, "left out: "+l.Why)
		}
		if diff := cmp.Diff([]string{want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expr, diff)
		}
	}
}

// TestChecks: each kind of check has a monitor, or a reason why it has none.
func TestChecks(t *testing.T) {
	e := exportOf(t, `  - continuity: {metric: fullstack.insert, max_gap: 2s}
  - conservation: {metric: fullstack.insert, route: insert}
  - promql: {expr: 'sum(rate(fullstack_insert_total[5s])) > 50', throughout: p}
  - promql: {expr: 'sum(rate(fullstack_insert_total[5s])) > 51', within: p}
  - promql: {expr: absent(x), within: p}
  - alert: {file: rules.yml, silent: [run]}
`, map[string]string{"rules.yml": `groups: [{name: g, rules: [
  {alert: Low, expr: 'sum by (zone) (rate(fullstack_insert_total[5s])) < 1', labels: {severity: page}, annotations: {summary: '{{ $labels.zone }} has {{ $value | humanize }}', do: look}},
  {alert: Odd, expr: 'sum(rate(fullstack_get_total[5s])) < 1', annotations: {summary: '{{ with query "x" }}{{ end }}'}}]}]`})
	var got []string
	for _, m := range e.Monitors {
		got = append(got, strings.Join([]string{m.Name, m.Query, m.Message, fmt.Sprint(m.Tags)}, " / "))
	}
	if diff := cmp.Diff([]string{
		"fullstack.insert has stopped / sum(last_1m):sum:fullstack.insert{*}.as_count() < 1 / fullstack.insert is counted no more, by nobody. A gap of one instance is not seen here: the instance is no tag that is sent. / [throughline]",
		"Not sum(rate(fullstack_insert_total[5s])) > 50 / sum(last_1m):sum:fullstack.insert{*}.as_count() <= 3000 / It has to hold throughout: sum(rate(fullstack_insert_total[5s])) > 50 / [throughline]",
		"Low / sum(last_1m):sum:fullstack.insert{*} by {zone}.as_count() < 60 / {{zone.name}} has {{eval \"value/60\"}}\nlook\nThe rule in Prometheus: sum by (zone) (rate(fullstack_insert_total[5s])) < 1, for 0s. / [throughline severity:page]",
		"Odd / sum(last_1m):sum:fullstack.get{*}.as_count() < 60 / Odd\nThe rule in Prometheus: sum(rate(fullstack_get_total[5s])) < 1, for 0s. / [throughline]",
		`An instance cannot serve / "throughline.instance.serving".over("scenario:s").by("instance").last(2).count_by_status() / {{instance.name}} was killed, or died. Who was asked to end and did is no reason to wake anybody: its check is ok. / [throughline]`,
	}, got); diff != "" {
		t.Errorf("monitors (-want +got):\n%s", diff)
	}
	var left []string
	for _, l := range e.LeftOut {
		left = append(left, l.What+": "+l.Why)
	}
	if diff := cmp.Diff([]string{
		"conservation of fullstack.insert: it holds the metric against what users had acknowledged, request by request, which Datadog does not have",
		"promql sum(rate(fullstack_insert_total[5s])) > 51: it must hold once, in one phase, and a monitor watches all the time",
		"promql absent(x): Datadog cannot say it: no comparison of a figure with a number: absent(x)",
		`alert Odd, its annotation summary: its template {{ with query "x" }} has no counterpart`,
	}, left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
	if _, err := Of(scenarioOf(t, "  - alert: {file: rules.yml, name: Lo, silent: [run]}\n", map[string]string{"rules.yml": "groups: [{name: g, rules: [{alert: Low, expr: up < 1}]}]"})); err == nil || !strings.Contains(err.Error(), "did you mean Low?") {
		t.Errorf("an alert that is none: %v", err)
	}
}

// TestEveryCheckIsSaid: no kind of check is forgotten.
func TestEveryCheckIsSaid(t *testing.T) {
	said := []string{"continuity", "promql", "alert"}
	for _, kind := range script.CheckKinds() {
		if (unsaid[kind] == "") != slices.Contains(said, kind) {
			t.Errorf("the check %s is said %v, and the reason why it is not is %q", kind, slices.Contains(said, kind), unsaid[kind])
		}
	}
}

// What CloudWatch tells is no metric of the application's: it has no monitor, and the reason is said.
func TestCloudWatchIsNotRelayed(t *testing.T) {
	source, err := scenarios.Read("cpu-by-two-sources")
	if err != nil {
		t.Fatal(err)
	}
	s, err := script.Parse("cpu-by-two-sources.yaml", source, script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := Of(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range e.Monitors {
		if strings.Contains(m.Query, "sum:{") || strings.HasPrefix(m.Name, " ") {
			t.Errorf("a monitor of no metric: %+v", m)
		}
	}
	if !slices.ContainsFunc(e.LeftOut, func(l LeftOut) bool { return l.What == "continuity of cloudwatch" }) {
		t.Errorf("nothing says why the periods have no monitor: %+v", e.LeftOut)
	}
}

// TestForeignMetrics: of an application of somebody else's, what its checks name is known.
func TestForeignMetrics(t *testing.T) {
	s := scenarioOf(t, "  - continuity: {metric: fullstack.insert, max_gap: 2s}\n", nil)
	s.Stack.Web.Command = []string{"mine"}
	e, err := Of(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queriesOf(e) {
		for _, m := range metricsIn(q) {
			if m.name != "fullstack.insert" {
				t.Errorf("%s names %s, of which nobody spoke", q, m.name)
			}
		}
	}
}

// TestAlertsAsTheyStand: the rules of the stack for people are said as far as they can be.
func TestAlertsAsTheyStand(t *testing.T) {
	source, err := config.Read(config.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	e, err := OfRules(config.Alerts, source)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range e.Monitors {
		names = append(names, m.Name)
	}
	if diff := cmp.Diff([]string{"InsertsStopped", "InsertsSlow", "ReadsDryUp", "RequestsPileUp", "An instance cannot serve"}, names); diff != "" {
		t.Errorf("monitors (-want +got):\n%s", diff)
	}
}
