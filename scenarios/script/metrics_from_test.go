package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/script"
)

// scrapedScenario is one whose instances are scraped.
const scrapedScenario = `scenario: scraped
stack:
  web: {instances: 1, metrics: {scrape: /metrics, every: 1s}}
load: {rate: 100/s}
phases:
  - {phase: steady, for: 10s}
checks:
  - {conservation: {metric: words_total, route: insert}}
`

const there = `scenario: there
stack:
  external: {url: "http://127.0.0.1:1", instances: [web-1], routes: {insert: POST /}}
load: {rate: 100/s, mix: {insert: 1}}
phases:
  - {phase: steady, for: 10s}
checks:
  - {conservation: {metric: words_total, route: insert}}
`

func TestMetricsFrom(t *testing.T) {
	for name, source := range map[string]string{"started": scrapedScenario, "there": there} {
		s, err := script.Parse("demo.yaml", []byte(source+"metrics_from: {url: \"http://prom:9090/\", every: 15s, lag: 30s, instance: pod, job: shop}\n"), script.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := &script.MetricsFrom{URL: "http://prom:9090", Every: 15 * time.Second, Lag: 30 * time.Second, Instance: "pod", Job: "shop"}
		if diff := cmp.Diff(want, s.MetricsFrom); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
		// What a scrape brings is as old as those of the server are apart, and take.
		if got := script.Promised[script.Conservation](s)[0].ClientWindow; got != 25*time.Second {
			t.Errorf("%s: the window is %v, want 25s", name, got)
		}
	}
}

func TestMetricsFromRefused(t *testing.T) {
	const right = `{url: "http://prom:9090", every: 1s}`
	for _, x := range []struct{ source, line, want string }{
		{scrapedScenario, `{every: 1s}`, "url"},
		{scrapedScenario, `{url: "http://prom:9090"}`, "every"},
		{scrapedScenario, `{url: "prom:9090", every: 1s}`, "this is no URL of a Prometheus"},
		{scrapedScenario, `{url: "http://me:topsecret@prom:9090", every: 1s}`, "has a user or a password in it"},
		{scrapedScenario, `{url: "http://prom:9090/api/v1/query", every: 1s}`, "leave out /api/v1"},
		{scrapedScenario, `{url: "http://prom:9090?token=topsecret", every: 1s}`, "nothing can stand behind the path"},
		{scrapedScenario, `{url: "http://prom:9090", every: 10ms}`, "every"},
		{scrapedScenario, `{url: "http://prom:9090", every: 6m}`, "out of range"},
		{scrapedScenario, `{url: "http://prom:9090", every: 1s, lag: 11m}`, "out of range"},
		{scrapedScenario, `{url: "http://prom:9090", every: 1s, instance: "a b"}`, "the name of a label"},
		{least, right, "no instances are scraped"},
		{scrapedScenario + "autoscale: {max: 3, on: up, per: sum, target: 1}\n", right, "an autoscaler asks while the run goes on"},
		{strings.Replace(least, "  web:", "  agent: {}\n  web:", 1), right, "and are not scraped"},
	} {
		_, err := script.Parse("demo.yaml", []byte(x.source+"metrics_from: "+x.line+"\n"), script.Options{})
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v, want %q", x.line, err, x.want)
		}
	}
	if _, err := script.Parse("demo.yaml", []byte(there), script.Options{}); err == nil || !strings.Contains(err.Error(), "statsd") {
		t.Errorf("a stack that is there without statsd: %v", err)
	}
}

// A line is added to a file, and nothing else of it changes.
func TestWithMetricsFrom(t *testing.T) {
	from := script.MetricsFrom{URL: "http://prom:9090", Every: 15 * time.Second, Lag: time.Second, Instance: "pod", Job: "shop"}
	source, err := script.WithMetricsFrom("demo.yaml", []byte(strings.TrimSuffix(scrapedScenario, "\n")), from)
	if err != nil || !strings.HasPrefix(string(source), scrapedScenario) {
		t.Fatalf("%v in\n%s", err, source)
	}
	s, err := script.Parse("demo.yaml", source, script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&from, s.MetricsFrom); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for text, want := range map[string]string{string(source): "it has metrics_from already", `{scenario: x, load: {rate: 1/s}}`: "write metrics_from into it", "scenario: x\n...\n": "write metrics_from into it"} {
		if _, err := script.WithMetricsFrom("demo.yaml", []byte(text), from); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
