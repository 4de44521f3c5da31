package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"throughline/scenarios/check/verdict"
)

// replacing is replace-an-instance, short, of the reference app whose metrics come some other way, by which checks ask for them.
func replacing(name, web, stack, checks string) string {
	return fmt.Sprintf(`scenario: replace-an-instance-%s
stack:
  web: {instances: 3%s}
%sload: {rate: 100/s, shape: sine, swing: 40/s, period: 4s, mix: {insert: 9, get: 1}}
phases:
  - {phase: before, for: 6s}
  - {phase: one dies, do: {kill: web-2}, for: 4s}
  - {phase: another comes, do: {launch: 1}, for: 4s}
  - {phase: one is replaced, do: {replace: web-1}, for: 5s}
checks:
%s`, name, web, stack, checks)
}

// checksOf asks for a counter of inserts.
func checksOf(metric string, kinds ...string) string {
	var b strings.Builder
	for _, kind := range kinds {
		fmt.Fprintf(&b, "  - %s: {metric: %s, route: insert}\n", kind, metric)
	}
	return b.String()
}

// TestWaysIn has an instance replaced whose metrics come by each way in: all of it is accounted for.
func TestWaysIn(t *testing.T) {
	pushed := checksOf("fullstack.insert, by: otlp", "continuity", "conservation", "identity", "shutdown") + "  - hygiene: {max_series: 40}\n" +
		"  - parity: {metrics: [{metric: fullstack.insert, by: statsd}, {metric: fullstack.insert, by: otlp}]}\n"
	for name, text := range map[string]string{
		"otlp":   replacing("otlp", ", metrics: {otlp: http/protobuf}", "", pushed),
		"grpc":   replacing("grpc", ", metrics: {otlp: grpc, every: 500ms}", "", pushed),
		"scrape": replacing("scrape", `, env: {EXPOSE: "yes"}, metrics: {scrape: /metrics}`, "", checksOf("fullstack_insert_total", "continuity", "conservation", "identity")),
		"agent":  replacing("agent", "", "  agent: {window: 500ms, linger: 1s}\n", checksOf("fullstack.insert", "continuity", "conservation", "identity")),
	} {
		t.Run(name, func(t *testing.T) {
			unhurried(t)
			stacked(t)
			o := runScenario(t, scenarioFile(t, text))
			judgeAgain(t, o)
			passes(t, o)
		})
	}
}

// built gives a copy of an example, with its program built by its own module.
func built(t *testing.T, example string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), example)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "docs", "examples", example))); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", "words", ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "dial tcp") || strings.Contains(string(out), "module lookup disabled") {
			t.Skipf("SKIPPED, NOTHING PROVED: the modules of docs/examples/%s are not at hand: %s", example, out)
		}
		t.Fatalf("docs/examples/%s does not build: %v\n%s", example, err, out)
	}
	return dir
}

// TestExamplesInGo builds the apps with other clients than StatsD's, and runs the scenario that lies beside each.
func TestExamplesInGo(t *testing.T) {
	for _, example := range []string{"otel", "go-prometheus"} {
		t.Run(example, func(t *testing.T) {
			unhurried(t)
			dir := built(t, example)
			stacked(t)
			o := runScenario(t, filepath.Join(dir, "replace-an-instance.yaml"))
			judgeAgain(t, o)
			passes(t, o)
		})
	}
}

// TestExampleInPython runs the one with Prometheus' client for Python, as one process, and as three that share what they count.
func TestExampleInPython(t *testing.T) {
	const one = "    metrics: {scrape: /metrics, every: 1s}\n"
	for name, more := range map[string]string{
		"one process": "", "three that share": "    env: {WORKERS: \"3\", PROMETHEUS_MULTIPROC_DIR: \"{{.Dir}}/shared\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			unhurried(t)
			if err := exec.Command("/usr/bin/python3", "-c", "import prometheus_client").Run(); err != nil {
				t.Skipf("SKIPPED, NOTHING PROVED: no python3-prometheus-client for /usr/bin/python3: %v", err)
			}
			dir := filepath.Join(t.TempDir(), "app")
			if err := os.CopyFS(dir, os.DirFS("../../docs/examples/python-prometheus")); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "replace-an-instance.yaml")
			text, err := os.ReadFile(file)
			if err == nil && strings.Count(string(text), one) != 1 {
				t.Fatalf("%s has no %q", file, one)
			}
			if err == nil {
				err = os.WriteFile(file, []byte(strings.Replace(string(text), one, one+more, 1)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			stacked(t)
			passes(t, runScenario(t, file))
		})
	}
}

// agentsOfOthers are agents of other makes: the lines of stack.agent, and the name by which their counter is asked for.
var agentsOfOthers = map[string]struct{ agent, metric string }{
	"statsd_exporter": {`  agent:
    command: [PROGRAM, "--statsd.listen-udp={{.Host}}:{{.Ports.statsd}}", "--statsd.listen-tcp=", "--web.listen-address={{.Host}}:{{.Port}}",
      "--statsd.mapping-config={{.Dir}}/mapping.yml"]
    files:
      mapping.yml: |
        mappings:
          - {match: fullstack.insert, name: fullstack_insert_total}
    window: 200ms
    metrics: {scrape: /metrics, every: 1s}
`, "fullstack_insert_total"},
	"otelcol": {`  agent:
    command: [PROGRAM, "--config={{.Dir}}/config.yml"]
    files:
      config.yml: |
        receivers:
          statsd: {endpoint: "{{.Host}}:{{.Ports.statsd}}", aggregation_interval: 1s, is_monotonic_counter: true}
        exporters:
          otlp_http: {endpoint: "{{.OTLP}}"}
        service:
          pipelines:
            metrics: {receivers: [statsd], exporters: [otlp_http]}
          telemetry: {metrics: {level: none}}
    window: 1s
    metrics: {otlp: http/protobuf}
`, "fullstack.insert"},
}

// TestAgentsOfOthers puts agents of other makes between the reference app and the collector. What they lose when they are asked to end is
// told of them by its amount, or left open; never is anybody else to blame.
func TestAgentsOfOthers(t *testing.T) {
	for name, c := range agentsOfOthers {
		for ending, may := range map[string][]string{
			"launch: 1":          nil, // nothing ends
			"kill: agent-2":      nil, // which may take what it held
			"terminate: agent-2": {"agent-lost", "undecided"},
		} {
			t.Run(name+", "+ending, func(t *testing.T) {
				unhurried(t)
				program, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
				if err == nil {
					_, err = os.Stat(program)
				}
				if err != nil {
					t.Skipf("SKIPPED, NOTHING PROVED: %v; make peers builds it", err)
				}
				stacked(t)
				o := runScenario(t, scenarioFile(t, fmt.Sprintf(`scenario: behind-another-agent
stack:
  web: {instances: 3}
%sload: {rate: 100/s, mix: {insert: 9, get: 1}}
phases:
  - {phase: before, for: 7s}
  - {phase: after, do: {%s}, for: 8s}
checks:
%s`, strings.Replace(c.agent, "PROGRAM", program, 1), ending, checksOf(c.metric, "conservation"))))
				if may == nil || o.verdict.Outcome != verdict.Fail {
					accounted(t, o)
					return
				}
				for _, f := range o.verdict.Findings {
					if f.Outcome == verdict.Fail && f.Instance != "" && (!slices.Contains(may, f.Cause) || f.Instance != "web-2" || f.Lost == 0) {
						t.Errorf("%s of %s, lost %d: %s", f.Cause, f.Instance, f.Lost, f.Summary)
					}
				}
			})
		}
	}
}
