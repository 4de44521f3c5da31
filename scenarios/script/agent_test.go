package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/script"
)

const agentFile = `scenario: a
stack:
  web: {instances: 2}
  agent: AGENT
load: {rate: 10/s}
phases:
  - {phase: one, do: [STEPS], for: 5s}
checks:
  - conservation: {metric: fullstack.insert}
`

func parseAgent(agent, steps string) (script.Scenario, error) {
	return script.Parse("f", []byte(strings.NewReplacer("AGENT", agent, "STEPS", steps).Replace(agentFile)), script.Options{})
}

func TestAgent(t *testing.T) {
	for _, c := range []struct {
		text string
		want script.Agent
	}{
		{"{}", script.Agent{Window: time.Second, Stop: 5 * time.Second}},
		{"{window: 3s, linger: 4s, stop: 2s, defect: drops-bucket}", script.Agent{Window: 3 * time.Second, Linger: 4 * time.Second, Stop: 2 * time.Second, Defect: "drops-bucket"}},
		{`{command: [a, 9, "{{.Ports.statsd}} {{.StatsDHost}}:{{.StatsDPort}}"], window: 200ms, files: {a.yml: "port: {{.Port}}"}, metrics: {scrape: /m}, health: /ok}`, script.Agent{
			Command: []string{"a", "9", "{{.Ports.statsd}} {{.StatsDHost}}:{{.StatsDPort}}"}, Files: map[string]string{"a.yml": "port: {{.Port}}"},
			Window: 200 * time.Millisecond, Metrics: script.Metrics{Scrape: "/m", Every: time.Second}, Health: "/ok", Stop: 5 * time.Second}},
	} {
		s, err := parseAgent(c.text, "")
		if err == nil {
			t.Errorf("%s: an empty list of steps was read", c.text)
		}
		if s, err = parseAgent(c.text, "{kill: agent-2}"); err != nil {
			t.Errorf("%s: %v", c.text, err)
		} else if d := cmp.Diff(c.want, s.Stack.Agent); d != "" {
			t.Errorf("%s: -want +got\n%s", c.text, d)
		}
	}
}

func TestStepsOnAgents(t *testing.T) {
	s, err := parseAgent("{}", "{kill: agent-2}, {terminate: agent-2, for: 2s}, {launch: 1}, {kill: agent-3}, {kill: agent-3}")
	if err != nil {
		t.Fatal(err)
	}
	steps := s.Phases[0].Do
	if got := steps[1]; got.String() != "terminate agent-2 for 2s" || script.AwayOf(got.Move) != 2*time.Second || got.Within < 12*time.Second {
		t.Errorf("%s, away %v, within %v", got, script.AwayOf(got.Move), got.Within)
	}
	for steps, want := range map[string]string{
		"{kill: agent-3}":                      "kill agent-3: no such instance at that point (have web-1, web-2)",
		"{kill: web-2}, {terminate: agent-2}":  "terminate agent-2: no such instance at that point (have web-1)",
		"{fault: freeze, on: agent-2}":         "fault freeze on agent-2: no such instance",
		"{kill: agent-0}":                      "kill agent-0: no such instance",
		"{kill: agent-2, role: web}":           "agent-2 says who is meant: remove role",
		"{kill: any}, {terminate: agent-2}":    "nobody knows who is alive",
		"{terminate: newest}, {kill: agent-2}": "kill agent-2: no such instance at that point (have web-1)",
	} {
		if _, err := parseAgent("{}", steps); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", steps, err, want)
		}
	}
	if _, err := script.Parse("f", []byte(strings.NewReplacer("AGENT", "{}", "STEPS", "{launch: 1}", "load:", "autoscale: {max: 4, on: up, per: sum, target: 3, every: 2s}\nload:").Replace(agentFile)), script.Options{}); err == nil || !strings.Contains(err.Error(), "remove stack.agent, or autoscale") {
		t.Errorf("an autoscaler: %v", err)
	}
}

// Whoever runs a stack already calls its instances as he likes.
func TestAgentOfAnyName(t *testing.T) {
	for instance, want := range map[string]string{"web-2": "agent-2", "": "agent-", "lb": "agent-lb", "web-": "agent-"} {
		if got := script.AgentOf(instance); got != want {
			t.Errorf("%q: %q, want %q", instance, got, want)
		}
	}
}
