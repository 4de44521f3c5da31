package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/scenarios/script"
)

const aboutMetrics = `scenario: metrics
stack: {web: {instances: 3}}
load: {rate: 10/s, mix: {insert: 1}}
phases: [{phase: one, for: 5s}]
checks:
`

// TestWhichSeries: what a file says of a metric's series becomes one reference.
func TestWhichSeries(t *testing.T) {
	const s = time.Second
	got := parse(t, aboutMetrics+`
  - conservation: {metric: http.server.request.duration, where: {http.route: "/insert/{word}", http.response.status_code: 2xx}, by: otlp}
  - continuity: {metric: _words/seen, where: {ok: true, code: [200, "404"]}}
  - nesting: {web: {metric: app.time, where: {http.route: /x}}, db: {metric: db.time, by: scrape}}
  - parity: {metrics: [words, {metric: words, by: statsd}, {metric: words_total, by: scrape}], client_window: 2s, max_lag: 1s, confidence: 0.99}
  - parity: {metrics: [one, other]}
`)
	want := []script.Check{
		{Promise: script.Conservation{Metric: `http.server.request.duration{http.response.status_code="2xx", http.route="/insert/{word}"} by otlp`, Route: "insert",
			ClientWindow: s / 10, MaxLag: 2 * s, SampleRate: 1, Confidence: 0.999, Status: script.Successes}},
		{Promise: script.Continuity{Metric: `_words/seen{code="200"|"404", ok="true"}`, Route: "insert", MaxGap: 2 * s}},
		{Promise: script.Nesting{Web: `app.time{http.route="/x"}`, DB: "db.time by scrape", Route: "insert", Unit: s / 1000, Slack: 2 * s / 1000, ClientWindow: s / 10}},
		{Promise: script.Parity{Of: []script.Metric{"words", "words by statsd", "words_total by scrape"}, ClientWindow: 2 * s, MaxLag: s, Confidence: 0.99}},
		{Promise: script.Parity{Of: []script.Metric{"one", "other"}, ClientWindow: s / 10, MaxLag: 2 * s, Confidence: 0.999}},
	}
	if diff := cmp.Diff(want, got.Checks, cmpopts.IgnoreTypes(script.Pos{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWhichSeriesIsRefused(t *testing.T) {
	for check, want := range map[string]string{
		"conservation: {metric: x, where: {instance: web-1}}":         "each instance is looked at by itself: leave instance out",
		"conservation: {metric: x, where: {way: otlp}}":               "want by: otlp or the like",
		"conservation: {metric: x, where: {a b: 1}}":                  `"a b" is not the name of a tag`,
		"conservation: {metric: x, where: {a.b: 1, a_b: 2}}":          "a_b is there twice",
		"conservation: {metric: x, where: {a: []}}":                   "the list is empty",
		"conservation: {metric: x, where: {a: [1, 1]}}":               `"1" is there twice`,
		"conservation: {metric: x, where: {a: \"\"}}":                 "is empty: want a value",
		"conservation: {metric: x, where: 3}":                         "what labels are to be",
		"conservation: {metric: x, by: otpl}":                         `did you mean "otlp"`,
		"correlation: {layers: [users, lb], at_least: 0.9, by: otlp}": "there is no metric whose series it tells apart",
		"nesting: {web: {where: {a: b}}, route: insert}":              `the key "metric" is missing`,
		"parity: {metrics: [x]}":                                      "want at least two metrics to compare, got one",
		"parity: {metrics: [x, {metric: x}]}":                         "x is there twice",
		"parity: {max_lag: 2s}":                                       `the key "metrics" is missing`,
		"continuity: {source: cloudwatch, by: otlp}":                  "there is source too",
	} {
		_, err := script.Parse("x.yaml", []byte(aboutMetrics+"  - "+check+"\n"), script.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", check, err, want)
		}
	}
}
