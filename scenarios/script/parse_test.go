package script_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/scenarios/script"
)

// smallest is the smallest scenario there is. The refused ones are it with one part replaced.
const smallest = `scenario: demo
stack:
  web: {instances: 3}
load: {rate: 200/s}
phases:
  - phase: warm-up
    for: 8s
checks:
  - conservation: {metric: fullstack.insert}
`

// refused is a scenario that must not be read, and every line of the refusal without the file's name.
type refused struct {
	name     string
	old, new string // what of the smallest scenario is replaced; all replaces everything
	want     []string
}

const all = ""

var defects = script.Options{Defects: []string{"no-flush", "double-count"}}

// refusals are all cases by topic; fuzzing begins with them.
func refusals() map[string][]refused {
	return map[string][]refused{
		"file": refusedFile, "keys": refusedKeys, "text": refusedText, "stack": refusedStack, "load": refusedLoad,
		"phases": refusedPhases, "steps": refusedSteps, "faults": refusedFaults, "cloudwatch": refusedCloudWatch, "checks": refusedChecks,
		"promises": refusedPromises, "waivers": refusedWaivers, "autoscale": refusedAutoscale, "interrupts": refusedInterrupts,
	}
}

func (r refused) source(t testing.TB) string {
	if r.old == all {
		return r.new
	}
	if n := strings.Count(smallest, r.old); n != 1 {
		t.Fatalf("%q is %d times in the smallest scenario", r.old, n)
	}
	return strings.Replace(smallest, r.old, r.new, 1)
}

func TestRefused(t *testing.T) {
	for topic, cases := range refusals() {
		for _, c := range cases {
			t.Run(topic+"/"+c.name, func(t *testing.T) {
				s, err := script.Parse("demo.yaml", []byte(c.source(t)), defects)
				if err == nil {
					t.Fatal("it was accepted")
				}
				if diff := cmp.Diff(script.Scenario{}, s); diff != "" {
					t.Errorf("something of it was handed out:\n%s", diff)
				}
				want := make([]string, len(c.want))
				for i, line := range c.want {
					want[i] = "demo.yaml:" + line
				}
				if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			})
		}
	}
}

func parse(t *testing.T, source string) script.Scenario {
	t.Helper()
	s, err := script.Parse("demo.yaml", []byte(source), defects)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pos(line, column int) script.Pos {
	return script.Pos{File: "demo.yaml", Line: line, Column: column}
}

func TestDefaults(t *testing.T) {
	want := script.Scenario{
		Name: "demo",
		Stack: script.Stack{Web: script.Web{Instances: 3, Health: "/healthz", Stop: 15 * time.Second, Routes: map[string]script.Route{
			"insert":     {Method: "POST", Path: "/insert/{word}", Writes: true},
			"insert-get": {Method: "GET", Path: "/insert/{word}", Writes: true},
			"get":        {Method: "GET", Path: "/get/{word}"},
			"list":       {Method: "GET", Path: "/get"},
			"toplist":    {Method: "GET", Path: "/toplist"},
		}}},
		Load: script.Load{
			Rate: 200, Shape: script.Constant, Mix: map[string]int{"insert": 9, "get": 1}, Words: 1000, Timeout: 5 * time.Second,
		},
		Phases: []script.Phase{{Name: "warm-up", For: 8 * time.Second, Pos: pos(6, 5)}},
		Checks: []script.Check{{Pos: pos(9, 5), Promise: script.Conservation{
			Metric: "fullstack.insert", Route: "insert", ClientWindow: 100 * time.Millisecond, MaxLag: 2 * time.Second,
			SampleRate: 1, Confidence: 0.999,
		}}},
		Source: []byte(smallest),
		File:   "demo.yaml",
	}
	if diff := cmp.Diff(want, parse(t, smallest)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// promised uses every key of the checks of this scenario's app, and of waivers.
const promised = `scenario: promised
stack: {web: {instances: 3}}
load: {rate: 200/s, beacons: {share: 0.8, form: json}}
phases:
  - {phase: before, for: 5s}
  - {phase: one dies, do: {kill: web-2}, for: 5s}
  - {phase: after, do: [{launch: 1}, {limit: web-1, cpus: 0.2}], for: 5s}
checks:
  - identity: {metric: fullstack.insert, tags: [zone, kube.pod]}
  - identity: {metric: fullstack.inflight}
  - identity: {metric: fullstack.inflight, route: get}
  - nesting: {web: fullstack.insert.time, db: fullstack.db.time, route: insert, unit: us, slack: 0s, client_window: 1s}
  - nesting: {web: fullstack.get.time, route: get}
  - gauge: {metric: fullstack.inflight, at_rest: 0}
  - gauge: {metric: fullstack.inflight, at_rest: 3, unqueued: yes, client_window: 0s}
  - conservation: {metric: fullstack.insert, client_window: 300ms}
  - shutdown: {metric: fullstack.insert}
  - shutdown: {metric: fullstack.get, route: get, client_window: 2s}
  - hygiene: {max_series: 40, growth: 0}
  - hygiene: {max_series: 40}
  - alert: {name: WebDown, expr: up < 3, for: 2s, fires: {in: one dies, within: 6s}, clears: {within: 4s}, silent: [before]}
  - alert: {name: WebDown, expr: up < 3, fires: {in: after, within: 6s}, clears: {within: 4s}}
  - alert: {name: WebDown, expr: up < 3, fires: {in: before, within: 6s}, clears: {in: after, within: 4s}}
  - alert: {name: WebDown, expr: up < 3, silent: [run]}
  - audit: {route: insert}
  - two-views: {instance: web-1}
  - two-views: {instance: web-1, used: 0.5, idle: 1}
  - beacons: {}
  - beacons: {route: get, share: 0.5, web: app.time, unit: us, slack: 0s}
  - latency: {route: insert, p50: 20ms, p99: 200ms, in: one dies}
  - latency: {p90: 1s, p95: 1s, p999: 2s, max: 3s}
  - availability: {least: 100%}
  - availability: {route: get, least: 99.95%, in: after, status: [2xx, 404]}
  - availability: {least: 0.0001%, status: 3xx}
waive:
  - {check: conservation, instance: web-4, reason: known}
  - {check: alert, reason: "to be repaired"}
`

func TestPromises(t *testing.T) {
	const s = time.Second
	const window = 100 * time.Millisecond
	want := []script.Check{
		{Promise: script.Identity{Metric: "fullstack.insert", Route: "insert", Tags: []string{"zone", "kube.pod"}}},
		{Promise: script.Identity{Metric: "fullstack.inflight"}},
		{Promise: script.Identity{Metric: "fullstack.inflight", Route: "get"}},
		{Promise: script.Nesting{Web: "fullstack.insert.time", DB: "fullstack.db.time", Route: "insert", Unit: time.Microsecond, ClientWindow: s}},
		{Promise: script.Nesting{Web: "fullstack.get.time", Route: "get", Unit: time.Millisecond, Slack: 2 * time.Millisecond, ClientWindow: window}},
		{Promise: script.Gauge{Metric: "fullstack.inflight", ClientWindow: window}},
		{Promise: script.Gauge{Metric: "fullstack.inflight", AtRest: 3, Unqueued: true}},
		{Promise: script.Conservation{Metric: "fullstack.insert", Route: "insert", ClientWindow: 3 * window, MaxLag: 2 * s, SampleRate: 1, Confidence: 0.999}},
		{Promise: script.Shutdown{Metric: "fullstack.insert", Route: "insert", ClientWindow: 3 * window}},
		{Promise: script.Shutdown{Metric: "fullstack.get", Route: "get", ClientWindow: 2 * s}},
		{Promise: script.Hygiene{MaxSeries: 40}},
		{Promise: script.Hygiene{MaxSeries: 40, Growth: script.AnyGrowth}},
		{Promise: script.Alert{Name: "WebDown", Expr: "up < 3", For: 2 * s, Fires: &script.Deadline{In: "one dies", Within: 6 * s},
			Clears: &script.Deadline{In: "after", Within: 4 * s}, Silent: []string{"before"}}},
		{Promise: script.Alert{Name: "WebDown", Expr: "up < 3", Fires: &script.Deadline{In: "after", Within: 6 * s},
			Clears: &script.Deadline{In: script.End, Within: 4 * s}}},
		{Promise: script.Alert{Name: "WebDown", Expr: "up < 3", Fires: &script.Deadline{In: "before", Within: 6 * s},
			Clears: &script.Deadline{In: "after", Within: 4 * s}}},
		{Promise: script.Alert{Name: "WebDown", Expr: "up < 3", Silent: []string{script.WholeRun}}},
		{Promise: script.Audit{Route: "insert"}},
		{Promise: script.TwoViews{Instance: "web-1", Used: 0.8, Idle: 0.1}},
		{Promise: script.TwoViews{Instance: "web-1", Used: 0.5, Idle: 1}},
		{Promise: script.BeaconsSent{Share: 0.8, Unit: time.Millisecond, Slack: 2 * time.Millisecond}},
		{Promise: script.BeaconsSent{Route: "get", Share: 0.5, Web: "app.time", Unit: time.Microsecond}},
		{Promise: script.Latency{Route: "insert", In: "one dies", Bounds: []script.LatencyBound{{script.Percentile{Name: "p50", Permille: 500}, 20 * time.Millisecond}, {script.Percentile{Name: "p99", Permille: 990}, 200 * time.Millisecond}}}},
		{Promise: script.Latency{In: script.WholeRun, Bounds: []script.LatencyBound{{script.Percentile{Name: "p90", Permille: 900}, s}, {script.Percentile{Name: "p95", Permille: 950}, s},
			{script.Percentile{Name: "p999", Permille: 999}, 2 * s}, {script.Percentile{Name: "max", Permille: 1000}, 3 * s}}}},
		{Promise: script.Availability{In: script.WholeRun, Least: 1_000_000, Status: []string{"2xx"}}},
		{Promise: script.Availability{Route: "get", In: "after", Least: 999_500, Status: []string{"2xx", "404"}}},
		{Promise: script.Availability{In: script.WholeRun, Least: 1, Status: []string{"3xx"}}},
	}
	got := parse(t, promised)
	if diff := cmp.Diff(want, got.Checks, cmpopts.IgnoreTypes(script.Pos{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	waived := []script.Waiver{
		{Check: "conservation", Instance: "web-4", Reason: "known", Pos: pos(36, 5)},
		{Check: "alert", Reason: "to be repaired", Pos: pos(37, 5)},
	}
	if diff := cmp.Diff(waived, got.Waive); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// everything uses every key of the language that can be used together.
const everything = `# A foreign app.
scenario: every-key_1.0
about: >-
  One line,
  folded.
stack:
  web:
    instances: 2
    command: [python3, app.py, "--port={{.Port}}", 5]
    env: {LOG_LEVEL: debug, VERSION: 1.10, EMPTY: ""}
    health: /alive?deep=1
    stop: 4s
    routes:
      put: PUT /w/{word}
      peek: {method: POST, path: "/peek/{word}", writes: false}
      poke: {method: GET, path: /poke, writes: true}
  mongo: none
  collector: {tags: librato}
load:
  shape: steps
  levels: [{rate: 100/s, for: 1s}, {rate: 0/s, for: 500ms}, {rate: 0.5/s, for: 1m}]
  mix: {put: 3, peek: 2, poke: 1}
  words: 10
  timeout: 250ms
phases:
- phase: Phase one, "quoted" & more
  do: {kill: web-1, within: 3s}
  for: 1s
- phase: two
  do:
    - launch: 2
    - terminate: web-2
    - replace: web-3
    - replace: all
    - scale: 5
    - scale: 1
    - kill: web-6 # numbers are never used again, and the newest left first
  for: 1m30s
  require: {users: 0.1/s}
checks:
  - correlation: {layers: [lb, web], at_least: 1, max_lag: 0s}
  - continuity: {metric: app.words, max_gap: 1500ms}
  - conservation: {metric: app.words, route: put, client_window: 0s, max_lag: 1s, sample_rate: 0.1, confidence: 0.99}
  - continuity: {metric: app.peek}
  - promql: {expr: 'sum(rate(app_words_total[5s])) > 50', throughout: two}
  - promql:
      expr: |
        count(app_words_total)
          > 1
      within: run
`

func TestEverything(t *testing.T) {
	got := parse(t, everything)
	const s = time.Second
	step := func(move script.Move) script.Step {
		within := 10 * s
		switch move.(type) {
		case script.Terminate, script.Replace, script.Scale:
			within += 4 * s // the instance's time to stop
		}
		return script.Step{Move: move, Within: within}
	}
	want := script.Scenario{
		Name: "every-key_1.0", About: "One line, folded.",
		Stack: script.Stack{Mongo: script.MongoNone, Tags: "librato", Web: script.Web{
			Instances: 2, Command: []string{"python3", "app.py", "--port={{.Port}}", "5"},
			Env:    map[string]string{"LOG_LEVEL": "debug", "VERSION": "1.10", "EMPTY": ""},
			Health: "/alive?deep=1",
			Stop:   4 * s,
			Routes: map[string]script.Route{
				"put":  {Method: "PUT", Path: "/w/{word}", Writes: true},
				"peek": {Method: "POST", Path: "/peek/{word}"},
				"poke": {Method: "GET", Path: "/poke", Writes: true},
			},
		}},
		Load: script.Load{
			Rate: (100 + 0.5*60) / 61.5, Shape: script.Steps,
			Levels: []script.Level{{Rate: 100, For: s}, {For: s / 2}, {Rate: 0.5, For: time.Minute}},
			Mix:    map[string]int{"put": 3, "peek": 2, "poke": 1}, Words: 10, Timeout: s / 4,
		},
		Phases: []script.Phase{
			{Name: `Phase one, "quoted" & more`, For: s, Do: []script.Step{{Move: script.Kill{Instance: "web-1"}, Within: 3 * s}}},
			{Name: "two", For: 90 * s, Require: script.Require{Users: 0.1}, Do: []script.Step{
				step(script.Launch{Count: 2}), step(script.Terminate{Instance: "web-2"}), step(script.Replace{Instance: "web-3"}),
				step(script.Replace{Instance: script.ReplaceAll}), step(script.Scale{Count: 5}), step(script.Scale{Count: 1}),
				step(script.Kill{Instance: "web-6"}),
			}},
		},
		Checks: []script.Check{
			{Promise: script.Correlation{Layers: []string{"lb", "web"}, AtLeast: 1, Metric: "app.words"}},
			{Promise: script.Continuity{Metric: "app.words", Route: "put", MaxGap: 1500 * time.Millisecond}},
			{Promise: script.Conservation{
				Metric: "app.words", Route: "put", MaxLag: s, SampleRate: 0.1, Confidence: 0.99,
			}},
			{Promise: script.Continuity{Metric: "app.peek", Route: "peek", MaxGap: 2 * s}},
			{Promise: script.PromQL{Expr: "sum(rate(app_words_total[5s])) > 50", Throughout: "two"}},
			{Promise: script.PromQL{Expr: "count(app_words_total)\n  > 1", Within: script.WholeRun}},
		},
	}
	ignore := cmpopts.IgnoreTypes(script.Pos{})
	if diff := cmp.Diff(want, got, ignore, cmpopts.IgnoreFields(script.Scenario{}, "Source", "File"), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if d := got.Duration(); d != 91*s {
		t.Errorf("Duration() = %v, want 1m31s", d)
	}
	if at := got.Phases[1].Do[2].Pos; at != pos(33, 7) {
		t.Errorf("the third step is at %v, want 33:7", at)
	}
}

// TestDefaultsOfASingleRoute: with one route there is no question whose requests a metric counts, and with one
// conservation none which metric stands for the application.
func TestDefaultsOfASingleRoute(t *testing.T) {
	got := parse(t, `scenario: single
stack: {web: {instances: 1, routes: {order: "POST /orders/{word}"}}}
load: {rate: 100/s, shape: sine, swing: 50/s, period: 8s}
phases: [{phase: a, for: 5s}, {phase: b, do: {terminate: web-1}, for: 20s}]
checks:
  - conservation: {metric: shop.placed}
  - correlation: {layers: [users, web], at_least: 0.9}
  - continuity: {metric: shop.sold}
  - shutdown: {metric: shop.placed}
  - nesting: {web: shop.time}
`)
	c := got.Checks
	for i, route := range []string{c[0].Promise.(script.Conservation).Route, c[2].Promise.(script.Continuity).Route,
		c[3].Promise.(script.Shutdown).Route, c[4].Promise.(script.Nesting).Route} {
		if route != "order" {
			t.Errorf("route %d is %q, want order", i, route)
		}
	}
	if metric := c[1].Promise.(script.Correlation).Metric; metric != "shop.placed" {
		t.Errorf("the layer web is %q, want shop.placed", metric)
	}
}

// TestAuditOfTheOneRouteThatWrites: where a single route of the load writes, an audit
// need not name it.
func TestAuditOfTheOneRouteThatWrites(t *testing.T) {
	s := parse(t, "scenario: demo\nstack: {web: {instances: 3}}\nload: {rate: 200/s, mix: {insert: 9, get: 1}}\nphases: [{phase: a, for: 8s}]\nchecks: [{audit: {}}]\n")
	if got := s.Checks[0].Promise.(script.Audit).Route; got != "insert" {
		t.Errorf("route %q, want insert", got)
	}
}

// TestRanScenariosAreRead: the judge of an old record says itself that flat curves tell nothing.
func TestRanScenariosAreRead(t *testing.T) {
	const flat = "scenario: flat\nstack: {web: {instances: 1}}\nload: {rate: 100/s}\nphases: [{phase: a, for: 5s}]\n" +
		"checks: [{correlation: {layers: [users, lb], at_least: 0.9}}]\n"
	if _, err := script.Parse("flat.yaml", []byte(flat), script.Options{}); err == nil {
		t.Error("accepted before a run")
	}
	if _, err := script.Parse("flat.yaml", []byte(flat), script.Options{Ran: true}); err != nil {
		t.Error(err)
	}
}

func TestShapes(t *testing.T) {
	for load, want := range map[string]struct {
		load script.Load
		peak float64
	}{
		"{rate: 200/s, shape: sine, swing: 200/s, period: 8s}": {
			script.Load{Rate: 200, Shape: script.Sine, Swing: 200, Period: 8 * time.Second}, 400},
		"{rate: 0/s, shape: ramp, to: 50/s, over: 8s}": {
			script.Load{Shape: script.Ramp, To: 50, Over: 8 * time.Second}, 50},
		"{rate: 50/s, shape: ramp, to: 0/s, over: 1s}": {
			script.Load{Rate: 50, Shape: script.Ramp, Over: time.Second}, 50},
		"{rate: 100000/s, shape: constant}": {script.Load{Rate: 100000, Shape: script.Constant}, 100000},
		"{rate: 0.01/s}":                    {script.Load{Rate: 0.01, Shape: script.Constant}, 0.01},
		"{shape: steps, levels: [{rate: 1/s, for: 3s}, {rate: 5/s, for: 1s}]}": {
			script.Load{Rate: 2, Shape: script.Steps, Levels: []script.Level{{Rate: 1, For: 3 * time.Second}, {Rate: 5, For: time.Second}}}, 5},
	} {
		got := parse(t, strings.Replace(smallest, "{rate: 200/s}", load, 1)).Load
		if diff := cmp.Diff(want.load, got, cmpopts.IgnoreFields(script.Load{}, "Mix", "Words", "Timeout")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", load, diff)
		}
		if got.Peak() != want.peak {
			t.Errorf("%s: Peak() = %v, want %v", load, got.Peak(), want.peak)
		}
	}
}

func TestRoutesDecideTheMix(t *testing.T) {
	for web, want := range map[string]map[string]int{
		"{instances: 3, image: app}":                                {"insert": 9, "get": 1},
		"{instances: 3, command: [app], routes: {insert: POST /a}}": {"insert": 1},
	} {
		got := parse(t, strings.Replace(smallest, "{instances: 3}", web, 1))
		if diff := cmp.Diff(want, got.Load.Mix); diff != "" {
			t.Errorf("%s (-want +got)\n%s", web, diff)
		}
	}
}

// The instances that can be named are those that can be alive: also the last one may be killed.
func TestMovesThatArePossible(t *testing.T) {
	for _, do := range []string{
		"[{kill: web-1}, {kill: web-2}, {kill: web-3}, {launch: 1}, {kill: web-4}, {scale: 1}, {kill: web-5}]",
		"[{replace: all}, {replace: web-4}, {terminate: web-7}, {terminate: web-6}]",
		"[{launch: 297}, {kill: web-300}, {launch: 1}, {kill: web-301}]",
		"[{scale: 1}, {kill: web-1}, {launch: 2}, {terminate: web-4}]",
	} {
		source := strings.Replace(smallest, "    for: 8s", "    for: 8s\n    do: "+do, 1)
		if _, err := script.Parse("demo.yaml", []byte(source), defects); err != nil {
			t.Errorf("%s: %v", do, err)
		}
	}
}

func TestDefectsNotKnownAreAccepted(t *testing.T) {
	source := strings.Replace(smallest, "{instances: 3}", "{instances: 3, defect: whatever}", 1)
	s, err := script.Parse("demo.yaml", []byte(source), script.Options{})
	if err != nil || s.Stack.Web.Defect != "whatever" {
		t.Errorf("defect %q, %v", s.Stack.Web.Defect, err)
	}
}

func TestByteOrderMarkAndLineEnds(t *testing.T) {
	for name, source := range map[string]string{
		"byte order mark": "\ufeff" + smallest,
		"Windows":         strings.ReplaceAll(smallest, "\n", "\r\n"),
		"document marks":  "# a comment\n---\n" + smallest + "...\n",
		"no last newline": strings.TrimSuffix(smallest, "\n"),
	} {
		s, err := script.Parse("demo.yaml", []byte(source), defects)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(s.Source) != source {
			t.Errorf("%s: the source was changed", name)
		}
	}
}

func TestErrorsAreSingleErrorsToo(t *testing.T) {
	_, err := script.Parse("demo.yaml", []byte(strings.Replace(smallest, "200/s", "200", 1)), defects)
	var single script.Error
	if !errors.As(err, &single) || single.Pos != pos(4, 14) {
		t.Errorf("got %#v", err)
	}
}

func TestStepsSayWhatTheyAre(t *testing.T) {
	for want, step := range map[string]script.Step{
		"kill web-2":                  {Move: script.Kill{Instance: "web-2"}},
		"replace all":                 {Move: script.Replace{Instance: script.ReplaceAll}},
		"launch 2":                    {Move: script.Launch{Count: 2}},
		"scale 5":                     {Move: script.Scale{Count: 5}},
		"deploy v2":                   {Move: script.Deploy{Web: script.Web{Version: "v2"}}},
		"deploy v2, canary: 1":        {Move: script.Deploy{Web: script.Web{Version: "v2"}, Canary: 1}},
		"rollback v1":                 {Move: script.Rollback{Version: "v1"}},
		"interrupt web-2, notice: 2s": {Move: script.Interrupt{Instance: "web-2", Notice: 2 * time.Second}},
		"interrupt any, notice: 1m, without draining": {Move: script.Interrupt{Instance: "any", Notice: time.Minute, Abrupt: true}},
		"limit web-1, cpus: 0.25":                     {Move: script.Limit{Instance: "web-1", CPUs: 0.25}},
	} {
		if got := step.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
