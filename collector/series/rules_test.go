package series

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ruleFile = `groups:
  - name: fleet
    labels: {team: web, severity: info}
    rules:
      - record: job:hits:rate
        expr: sum(rate(hits_total[5s]))
      - alert: Few
        expr: load < 3
        for: 2s
        keep_firing_for: 2s
        labels: {severity: page, where: '{{ $labels.path }}'}
        annotations:
          summary: '{{ $value | printf "%.1f" }} on {{ $labels.instance }}, {{ with query "vector(7)" }}{{ . | first | value }}{{ end }} in all'
      - alert: Recorded
        expr: job:hits:rate < 3
`

func TestParseRules(t *testing.T) {
	got, err := ParseRules("r.yml", []byte(ruleFile))
	if err != nil {
		t.Fatal(err)
	}
	want := []Rule{
		{Group: "fleet", Name: "Few", Expr: "load < 3", For: 2 * time.Second, KeepFiringFor: 2 * time.Second, Labels: map[string]string{"team": "web", "severity": "page", "where": "{{ $labels.path }}"},
			Annotations: map[string]string{"summary": `{{ $value | printf "%.1f" }} on {{ $labels.instance }}, {{ with query "vector(7)" }}{{ . | first | value }}{{ end }} in all`}},
		{Group: "fleet", Name: "Recorded", Expr: "job:hits:rate < 3", Labels: map[string]string{"team": "web", "severity": "info"}, Recorded: "job:hits:rate"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for source, want := range map[string]string{
		"groups: [{name: g, rules: [{alert: A, expr: 'sum(('}]}]":              `r.yml: 1:45: group "g", rule 1, "A": could not parse expression: 1:6: parse error: unclosed left parenthesis`,
		"groups: [{name: g, interval: 5s, rules: [{alert: A, expr: up}]}]":     `r.yml: group "g": interval: 5s: rules are evaluated here at every interval of the collector; take it out`,
		"groups: [{name: g, limit: 5, rules: [{alert: A, expr: up}]}]":         `r.yml: group "g": limit: 5`,
		"groups: [{name: g, query_offset: 5s, rules: [{alert: A, expr: up}]}]": `r.yml: group "g": query_offset: 5s`,
		"groups: [{name: g, rules: [{record: a:b, expr: up}]}]":                "r.yml: has no alerting rule; want groups:",
		"": "r.yml: has no alerting rule",
		"groups: [{name: g, rules: [{alert: A, exrp: up}]}]":                                   "field exrp not found",
		"groups: [{name: g, rules: [{alert: A, expr: up, annotations: {a: '{{ $valeu }}'}}]}]": `annotation "a": template: __alert_A:1: undefined variable "$valeu"`,
		"# " + strings.Repeat("x", MaxRuleFile):                                                "r.yml: has more than 262144 bytes; split it",
	} {
		if _, err := ParseRules("r.yml", []byte(source)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %s", source, err, want)
		}
	}
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return t.Sub(at(0)).Seconds()
}

// TestPlay: an alert is pending, fires, goes on firing for a while, and is over; labels and annotations are expanded.
func TestPlay(t *testing.T) {
	s := open(t, t.TempDir())
	var moments []time.Time
	for k := range 20 {
		value := 5.0
		if k >= 5 && k < 10 || k == 15 {
			value = 1
		}
		mustAppend(t, s, float("load", float64(k), value, "instance", "web-1", "path", "/a"))
		moments = append(moments, at(float64(k)))
	}
	rules, err := ParseRules("r.yml", []byte(ruleFile))
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Play(context.Background(), rules[0], moments, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range p.Alerts {
		got = append(got, fmt.Sprintf("%v-%v-%v %v %v", seconds(a.Pending), seconds(a.Firing), seconds(a.Ended), a.Labels, a.Annotations["summary"]))
	}
	labels := "[{alertname Few} {instance web-1} {path /a} {severity page} {team web} {where /a}]"
	if diff := cmp.Diff([]string{"5-7-12 " + labels + " 1.0 on web-1, 7 in all", "15-0-16 " + labels + " 1.0 on web-1, 7 in all"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for k := range moments {
		if pending, firing := k >= 5 && k < 10 || k == 15, k >= 7 && k < 12; p.Pending[k] != pending || p.Firing[k] != firing {
			t.Errorf("at %d: pending %v, firing %v", k, p.Pending[k], p.Firing[k])
		}
	}
	if _, err := s.Play(context.Background(), rules[1], moments, time.Second); err == nil || !strings.Contains(err.Error(), "job:hits:rate, which a recording rule of the file makes") {
		t.Errorf("what asks for a recorded series: %v", err)
	}
	mustAppend(t, s, float("load", 20, 1, "instance", "web-1", "path", "/a"), float("load", 20, 1, "instance", "web-2", "path", "/a"))
	twins := Rule{Name: "Twins", Expr: "load < 3", Labels: map[string]string{"instance": "all"}}
	if _, err := s.Play(context.Background(), twins, []time.Time{at(20)}, time.Second); err == nil || !strings.Contains(err.Error(), "same labels") {
		t.Errorf("two alerts that look the same: %v", err)
	}
	bad := Rule{Name: "Bad", Expr: "load < 3", Annotations: map[string]string{"a": `{{ query "((" }}`}}
	if p, err := s.Play(context.Background(), bad, []time.Time{at(20)}, time.Second); err != nil || !strings.Contains(Broken(p.Alerts[0].Annotations["a"]), "parse error") {
		t.Errorf("a template that cannot be expanded: %+v, %v", p, err)
	}
}

// TestPlayAsPromtool: Prometheus' own tests of rules say the same of random signals, for and keep_firing_for.
func TestPlayAsPromtool(t *testing.T) {
	promtool := program(t, "promtool")
	const n = 30
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 11))
		s := open(t, t.TempDir())
		var values []string
		var moments []time.Time
		up := false
		for k := range n {
			up = up != (random.IntN(3) == 0)
			value := 0
			if up {
				value = 1
			}
			values = append(values, fmt.Sprint(value))
			mustAppend(t, s, float("signal", float64(k), float64(value), "instance", "web-1"))
			moments = append(moments, at(float64(k)))
		}
		rules := fmt.Sprintf("groups: [{name: g, rules: [{alert: Up, expr: signal > 0, for: %ds, keep_firing_for: %ds, annotations: {is: '{{ $labels.instance }} {{ $value }}'}}]}]\n", random.IntN(4), random.IntN(4))
		parsed, err := ParseRules("rules.yml", []byte(rules))
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.Play(context.Background(), parsed[0], moments, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var test strings.Builder
		fmt.Fprintf(&test, "rule_files: [rules.yml]\nevaluation_interval: 1s\ntests:\n  - interval: 1s\n    input_series: [{series: 'signal{instance=\"web-1\"}', values: '%s'}]\n    alert_rule_test:\n", strings.Join(values, " "))
		for k := range n {
			fmt.Fprintf(&test, "      - eval_time: %ds\n        alertname: Up\n", k)
			if p.Firing[k] {
				test.WriteString("        exp_alerts: [{exp_labels: {instance: web-1}, exp_annotations: {is: web-1 1}}]\n")
			}
		}
		dir := t.TempDir()
		for name, text := range map[string]string{"rules.yml": rules, "test.yml": test.String()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", filepath.Join(dir, "test.yml")).CombinedOutput(); err != nil {
			t.Errorf("seed %d: %s\n%s\n%s", seed, rules, &test, out)
		}
	}
}
