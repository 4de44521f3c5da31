package script

import (
	"bytes"
	"fmt"
	"strings"
	"text/template"
	"time"
)

// Improvised is what was done to a stack by hand, as a scenario: it can be judged, and run again.
type Improvised struct {
	Instances int     // that ran when the load began
	Defect    string  // of the reference app; "" for none
	Rate      float64 // of the load, in requests per second
	Cloud     bool    // the instances are in one, and take their tags from there
	Beacons   bool    // users tell the collector of their pages
	Members   int     // of the database, as a replica set; 0: it stands alone
	HTTPD     bool    // an Apache HTTP server stands before each instance
	// CloudWatch is how one tells of the stack, to which then each instance also tells its CPU by itself; its zero: none does.
	CloudWatch CloudWatch
	Moves      []Improvisation
}

// ImprovisedCPU is how often the instances are then told to tell their CPU. It is no secret.
const ImprovisedCPU = "1s"

// ImprovisedTags is where the instances of [Improvised.Cloud] are told to take their tags from. It is no secret.
const ImprovisedTags = "imds"

// Improvisation is a stretch of time that began with a move.
type Improvisation struct {
	Phase  string // its name, which no other has
	Step   string // as StepOf gives it; "" for none, or for one that failed
	Failed string // why; "" = it did not
	For    time.Duration
}

// improvised holds what was done against the promises that do not depend on it: whoever kills and launches at will, the
// layers agree on every request, each instance counts under its own name and without a hole.
var improvised = template.Must(template.New("improvised").Funcs(template.FuncMap{"quote": quoted, "comment": commented, "long": long}).Parse(
	`scenario: by-hand
about: What was done by hand, and every layer tells the same story.
stack:
  web: {instances: {{.Instances}}{{with .Defect}}, defect: {{.}}{{end}}{{with .Env}}, env: {{"{"}}{{.}}{{"}"}}{{end}}}
{{- with .Members}}
  mongo: {members: {{.}}}
{{- end}}
{{- if .HTTPD}}
  httpd: yes
{{- end}}
{{- if .Cloud}}
  cloud: yes
{{- end}}
{{- with .CloudWatch}}{{if .Told}}
  cloudwatch: {period: {{long .Period}}, delay: {{long .Delay}}}
{{- end}}{{end}}
load: {rate: {{.Rate}}/s, mix: {insert: 9, get: 1}, words: 100{{if .Beacons}}, beacons: {form: json}{{end}}}
phases:
{{- range .Moves}}
  - phase: {{quote .Phase}}
    for: {{long .For}}
{{- with .Step}}
    do: [{{.}}]
{{- end}}
{{- with .Failed}}
    # failed: {{comment .}}
{{- end}}
{{- end}}
checks:
  - continuity:   {metric: fullstack.insert, max_gap: {{.Gap}}}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms, status: 2xx}
  - identity:     {metric: fullstack.insert, route: insert}
  - nesting:      {web: fullstack.insert.time, db: fullstack.db.time, route: insert, client_window: 100ms}
  - gauge:        {metric: fullstack.inflight, at_rest: 0, unqueued: yes, client_window: 100ms}
  - hygiene:      {growth: 0}
  - audit:        {route: insert}
{{- if .Beacons}}
  - beacons:      {share: 0.5} # somebody may restart the collector
{{- end}}
`))

// Env is what instances are told besides, as YAML.
func (i Improvised) Env() string {
	var all []string
	if i.Cloud {
		all = append(all, "TAGS_FROM: "+ImprovisedTags)
	}
	if i.CloudWatch.Told() {
		all = append(all, "CPU_EVERY: "+ImprovisedCPU)
	}
	return strings.Join(all, ", ")
}

// Gap is how long an instance may count nothing: while there is an election, no request is answered.
func (i Improvised) Gap() string {
	if i.Members > 0 {
		return "4s"
	}
	return "2s"
}

// Source is the scenario's file.
func (i Improvised) Source() []byte {
	var b bytes.Buffer
	if err := improvised.Execute(&b, i); err != nil {
		return fmt.Appendf(nil, "# %v\n", err) // never: the template takes all it is given
	}
	return b.Bytes()
}

// quoted is text as YAML has it in quotes: what cannot stand in a scenario is a question mark.
func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(commented(text)) + `"`
}

// commented is text on one line.
func commented(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\r':
			return ' '
		case !printable(c):
			return '?'
		}
		return c
	}, text)
}

// long is a duration as a scenario may have it.
func long(d time.Duration) string { return min(max(d.Round(shortest), shortest), MaxDuration).String() }
