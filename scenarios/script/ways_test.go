package script_test

import (
	"strings"
	"testing"
	"time"

	"throughline/scenarios/script"
)

// parseWays reads a scenario of a stack whose metrics come by some way in.
func parseWays(stack, do string) (script.Scenario, error) {
	if do != "" {
		do = ", do: [" + do + "]"
	}
	return script.Parse("f", []byte("scenario: a\nstack:\n"+stack+"load: {rate: 10/s}\nphases:\n  - {phase: one, for: 9s"+do+"}\nchecks:\n"+
		"  - conservation: {metric: words, route: insert}\n  - continuity: {metric: words, route: insert}\n"), script.Options{})
}

// What is pushed cannot be struck on its way, and who knows a listener cannot be given another one: such faults are refused, whoever pushes.
func TestFaultsBesideOTLP(t *testing.T) {
	for _, stack := range []string{"  web: {instances: 2, metrics: {otlp: grpc}}\n", "  web: {instances: 2}\n  agent: {command: [a], window: 1s, metrics: {otlp: grpc}}\n"} {
		for _, fault := range []string{"fault: drop-datagrams", "fault: duplicate-datagrams", "fault: reorder-datagrams", "fault: truncate-datagrams", "fault: delay-datagrams, by: 1s", "fault: restart-collector", "fault: kill-collector"} {
			_, err := parseWays(stack, "{"+fault+"}")
			if err == nil || !strings.Contains(err.Error(), "with metrics: {otlp} they push by other ways: remove otlp, or the step") {
				t.Errorf("%s%s: %v", stack, fault, err)
			}
		}
		if _, err := parseWays(stack, "{fault: pause, on: web-1}"); err != nil && strings.Contains(err.Error(), "otlp") {
			t.Errorf("%s: what has nothing to do with it is refused: %v", stack, err)
		}
	}
}

// What a way in needs is taken for granted by the checks, where they do not say it.
func TestDefaultsOfWays(t *testing.T) {
	for name, c := range map[string]struct {
		stack        string
		window, held time.Duration // held: with what an agent holds
		gap          time.Duration
	}{
		"StatsD":                    {"  web: {instances: 2}\n", 100 * time.Millisecond, 100 * time.Millisecond, 2 * time.Second},
		"OTLP":                      {"  web: {instances: 2, metrics: {otlp: grpc, every: 3s}}\n", 3100 * time.Millisecond, 3100 * time.Millisecond, 5 * time.Second},
		"scrape":                    {"  web: {instances: 2, metrics: {scrape: /metrics, every: 3s}}\n", 6 * time.Second, 6 * time.Second, 9 * time.Second},
		"an agent":                  {"  web: {instances: 2}\n  agent: {window: 4s}\n", 100 * time.Millisecond, 4100 * time.Millisecond, 2 * time.Second},
		"an agent that is scraped":  {"  web: {instances: 2}\n  agent: {command: [a], window: 4s, metrics: {scrape: /m, every: 2s}}\n", 100 * time.Millisecond, 8100 * time.Millisecond, 2 * time.Second},
		"an agent that pushes OTLP": {"  web: {instances: 2}\n  agent: {command: [a], window: 4s, metrics: {otlp: http/json}}\n", 100 * time.Millisecond, 4100 * time.Millisecond, 2 * time.Second},
	} {
		s, err := parseWays(c.stack, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		conservation, continuity := script.Promised[script.Conservation](s)[0], script.Promised[script.Continuity](s)[0]
		if held := s.HeldFor(script.FirstRole, "words"); conservation.ClientWindow != c.window || held != c.held || continuity.MaxGap != c.gap {
			t.Errorf("%s: client_window %v, held for %v, max_gap %v; want %v, %v, %v", name, conservation.ClientWindow, held, continuity.MaxGap, c.window, c.held, c.gap)
		}
	}
}

// TestHonorLabels reads whose labels win, and refuses it where nobody is scraped, or somebody else scrapes.
func TestHonorLabels(t *testing.T) {
	file := func(metrics, more string) []byte {
		return []byte("scenario: x\nstack:\n  web: {instances: 1, metrics: {" + metrics + "}}\nload: {rate: 1/s, mix: {insert: 1}}\nphases:\n  - {phase: a, for: 1s}\nchecks:\n  - audit: {route: insert}\n" + more)
	}
	for metrics, want := range map[string]bool{"scrape: /m": false, "scrape: /m, honor_labels: no": false, "scrape: /m, honor_labels: yes": true} {
		s, err := script.Parse("x.yaml", file(metrics, ""), script.Options{})
		if err != nil || s.Stack.Web.Metrics.HonorLabels != want {
			t.Errorf("%s: %v, %v", metrics, s.Stack.Web.Metrics, err)
		}
	}
	for _, c := range []struct{ metrics, more, want string }{
		{"otlp: grpc, honor_labels: yes", "", "says which labels win where an instance is scraped, and this one is not: remove it, or give scrape"},
		{"honor_labels: yes", "", "want otlp or scrape, like"},
		{"scrape: /m, honor_labels: perhaps", "", `want one of yes, no`},
		{"scrape: /m, honor_labels: yes", "metrics_from: {url: \"http://127.0.0.1:9090\", every: 1s}\n", "a server scrapes the instances, and its own configuration says whose labels win: remove honor_labels of web"},
	} {
		if _, err := script.Parse("x.yaml", file(c.metrics, c.more), script.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.metrics, err, c.want)
		}
	}
}
