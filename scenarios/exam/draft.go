package exam

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"
)

// Draft is an application as somebody describes it, or as it was seen, of which a scenario's file is written.
type Draft struct {
	Name      string // of the scenario
	About     string
	Seen      string // how what is in it is known, for the file's first lines; "": nothing is said
	Instances int
	Command   []string
	Image     string // in the place of Command
	Dir       string // in which the command is executed, from the file's directory; "": that one
	Env       map[string]string
	Health    string
	Database  bool // the application keeps its words in the database that the stack gives it
	Rate      float64
	Routes    []Route
	Counters  []Counter
	Timers    []Timer
	Gauges    []Gauge
	Remarks   []string // what was seen and is promised by no check, a line each
}

// Route is a request that the application answers.
type Route struct {
	Name, Method, Path string
}

// Counter is a metric that counts the requests of a route.
type Counter struct {
	Metric, Route string
	Window        time.Duration // how long its client may hold a count
	Window0       string        // how that is known; "": it was said
	Successes     bool          // it counts requests answered with 2xx alone
	SampleRate    float64       // that its client sends with it; 0: none
	Why           string        // how it is known that it counts these; "": it was said
}

// Timer is a metric with the time that each request of a route took.
type Timer struct {
	Metric, Route, Unit string // Unit "": its type tells
	Window              time.Duration
	Why                 string
}

// Gauge is one of the requests in flight.
type Gauge struct {
	Metric string
	AtRest int
	Window time.Duration
	Why    string
}

// pattern is the file. Each line is explained, because it is where somebody begins.
var pattern = template.Must(template.New("draft").Funcs(template.FuncMap{"quote": Quoted, "flow": Flow, "vars": Variables, "comment": comment}).Parse(
	`# What runs, what load it gets, what is done to it, and what must be true of its metrics all the while.
# throughline check FILE reads it, throughline run FILE runs it, throughline validate FILE examines the application in
# all ways. The language: docs/SCENARIOS.md. An editor completes it after: throughline schema > throughline.schema.json
# yaml-language-server: $schema=throughline.schema.json
{{- with .Seen}}
# {{comment .}}
{{- end}}
scenario: {{.Name}}
about: {{quote .About}}
stack:
{{- with .Dir}}
  dir: {{quote .}}   # where the command is executed, from the directory of this file
{{- end}}
  web:
    instances: {{.Instances}}   # web-1 to web-{{.Instances}} run when the load starts
{{- if .Image}}
    image: {{quote .Image}}   # with --platform docker
{{- end}}
{{- if .Command}}
    # Each instance is told in its environment where to listen (PORT, HOST) and where to send (STATSD_HOST, STATSD_PORT,
    # also DD_AGENT_HOST, DD_DOGSTATSD_PORT); arguments may use {{"{{.Port}}"}}, {{"{{.Host}}"}}, {{"{{.Name}}"}} and {{"{{.Dir}}"}}.
    command: {{flow .Command}}
{{- end}}
{{- with .Env}}
    env: {{vars .}}
{{- end}}
    health: {{quote .Health}}   # answers 2xx when the instance can serve
    routes:   # the requests that users send; {word} is another one each time
{{- range .Routes}}
      {{.Name}}: {{quote (print .Method " " .Path)}}
{{- end}}
{{- if not .Database}}
  mongo: none   # remove this line if the application keeps its words in the database at MONGODB_URI
{{- end}}
# 60 % more and less than the mean, so that the curves of users and metrics can be compared.
load: {rate: {{.Rate}}/s, shape: sine, swing: {{.Swing}}/s, period: 8s, mix: {{"{"}}{{range $i, $r := .Routes}}{{if $i}}, {{end}}{{$r.Name}}: 1{{end}}{{"}"}}}
phases:
  - {phase: before, for: 6s}
  # The oldest are ended after new ones serve, as in a deployment: SIGTERM, and a client that must send what it holds.
  - {phase: every instance is replaced, for: 6s, do: {replace: all, within: 30s}}
  # One dies without warning: what it acknowledged within client_window before may be lost, and nothing else.
  - {phase: the newest is killed, for: 6s, do: {kill: newest}}
  - {phase: another one takes its place, for: 6s, do: {launch: 1, within: 30s}}
checks:
{{- range .Counters}}
{{- with .Why}}
  # {{comment .}}
{{- end}}
{{- with .Window0}}
  # {{comment .}}
{{- end}}
  - conservation: {metric: {{quote .Metric}}, route: {{.Route}}, client_window: {{.Window}}{{if .Successes}}, status: 2xx{{end}}{{with .SampleRate}}, sample_rate: {{.}}{{end}}}
  - continuity: {metric: {{quote .Metric}}, route: {{.Route}}, max_gap: {{.Gap}}}   # a point in each interval with traffic
  - identity: {metric: {{quote .Metric}}, route: {{.Route}}}   # each instance has series of its own
  - shutdown: {metric: {{quote .Metric}}, route: {{.Route}}}   # whoever is asked to end loses nothing
{{- end}}
{{- if not .Counters}}
  # No counter grew with the requests. A check conservation would be the first: it holds a counter against the requests.
  # - conservation: {metric: shop.orders, route: {{(index .Routes 0).Name}}, client_window: 100ms}
{{- end}}
{{- range .Timers}}
{{- with .Why}}
  # {{comment .}}
{{- end}}
  - nesting: {web: {{quote .Metric}}, route: {{.Route}}{{with .Unit}}, unit: {{.}}{{end}}, client_window: {{.Window}}}   # no request takes longer inside than its user waited
{{- end}}
{{- range .Gauges}}
{{- with .Why}}
  # {{comment .}}
{{- end}}
  - gauge: {metric: {{quote .Metric}}, at_rest: {{.AtRest}}, client_window: {{.Window}}}
{{- end}}
  - hygiene: {max_series: 1000}   # every line is understood; lower it to what an instance really has
{{- if .Compared}}
  - correlation: {layers: [users, lb, web], at_least: 0.9, metric: {{quote (index .Counters 0).Metric}}}   # one curve in all layers
{{- end}}
{{- range .Remarks}}
# {{comment .}}
{{- end}}
`))

// Gap is how long the counter may be silent although there is traffic.
func (c Counter) Gap() time.Duration { return max(2*time.Second, c.Window+2*time.Second) }

// Swing is how far the rate goes up and down.
func (d Draft) Swing() float64 { return round(swing * d.Rate) }

// Compared tells whether curves can be compared in the phases of the file.
func (d Draft) Compared() bool {
	return len(d.Counters) > 0 && d.Counters[0].Window < grain
}

// Source is the file.
func (d Draft) Source() ([]byte, error) {
	if len(d.Routes) == 0 {
		return nil, fmt.Errorf("%s: no routes", d.Name)
	}
	var b bytes.Buffer
	if err := pattern.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Name, err)
	}
	return b.Bytes(), nil
}

// Flow is a list of texts, as YAML has it in one line.
func Flow(all []string) string {
	var items []string
	for _, s := range all {
		items = append(items, Quoted(s))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// Variables are names and values, as YAML has them in one line.
func Variables(env map[string]string) string {
	var items []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		items = append(items, name+": "+Quoted(env[name]))
	}
	return "{" + strings.Join(items, ", ") + "}"
}

// comment is text on one line.
func comment(s string) string { return strings.Join(strings.Fields(s), " ") }
