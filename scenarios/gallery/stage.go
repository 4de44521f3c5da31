package gallery

import (
	"fmt"
	"slices"
	"strings"
	"text/template"
	"time"

	"throughline/scenarios/script"
)

// Stage is a short scenario: what is done to a small stack in the midst of it.
// All of them ask for the same checks, as far as they have anything to look at,
// so that each check also stands its trial on every healthy run.
type Stage struct {
	Defect string   // of the reference app; empty: none
	Steps  []string // done at the beginning of the second phase, as YAML: "kill: web-2"
	// Roles are further roles of the stack, as YAML: "{api: {…}}"; empty: there are none. Then web answers gets alone, and
	// inserts are for one of these.
	Roles   string
	Agent   string // beside each instance, as YAML: "{window: 3s}"; empty: there is none
	HTTPD   bool   // an Apache HTTP server stands before each instance
	Retry   bool   // the load balancer repeats requests on any error
	Members int    // of the database, a replica set; 0: it stands alone
	Early   bool   // it acknowledges what the primary alone has
	Forget  int    // the database forgets every nth update; 0: none
	Heal    string // a fault that is healed in a third phase of 3 s; empty: there is none
	// Batch is how long the reference app's client puts counts together; 0: as
	// ever. What it then holds is declared.
	Batch time.Duration
	// Holds is how long the client of a defect holds counts, which is declared: it is
	// not what is wrong. 0: as ever.
	Holds time.Duration
	// Sampled is the sample rate of counters, which is declared; 0: each is sent.
	Sampled float64
	// StopTakes is how much longer than it must an instance takes to end, which is
	// less than what the stack gives it; 0: no longer.
	StopTakes time.Duration
	// Cloud puts the instances into a cloud, which tells them their tags.
	Cloud bool
	// CloudWatch is how CloudWatch tells of the stack, as YAML: "{period: 5s, delay: 2s}"; empty: there is none.
	CloudWatch string
	// Scrape has instances scraped each second, and judges what that brings in the place of what they send.
	Scrape bool
	// Honor has labels that are exposed win over those of the instances that are scraped.
	Honor bool
	// OTLP is the protocol by which instances push each second, and what that brings is judged in the place of what they send;
	// empty: they do not.
	OTLP string
	// CPU has each instance tell what CPU time it used, every second.
	CPU bool
	// Failing tells that some requests must fail, and that it is not asked whether.
	Failing bool
	// Checks are asked for beside the usual ones, as YAML: "alert: {…}".
	Checks []string
	// Rules is what is in RulesFile, beside the scenario; empty: there is none.
	Rules string
	// Rate is requests a second; 0: 150.
	Rate int
	// Load is the rate over time, as YAML: "shape: steps, levels: […]"; empty: a sine around
	// Rate.
	Load string
	// Autoscale is who launches and terminates instances, as YAML: "max: 8, …"; empty: the
	// steps alone do.
	Autoscale string
	// Beacons is what users tell of their pages, as YAML: "form: json"; empty: nothing.
	Beacons string
	// Before is how long the first phase lasts, in seconds, and After the second; 0: 4, and 5.
	Before, After int
}

// RulesFile is the file of alerting rules that checks of a stage may name.
const RulesFile = "rules.yml"

var scenario = template.Must(template.New("stage").Parse(`scenario: {{.Name}}
stack:
  web: {instances: 3{{if .Stage.Roles}}, routes: {get: "GET /get/{word}"}{{end}}{{with .Stage.Defect}}, defect: {{.}}{{end}}{{with .Stage.Batch}}, env: {STATSD_AGGREGATION: {{.}}}{{end}}
    {{- with .Stage.Sampled}}, env: {STATSD_SAMPLE_RATE: {{.}}}{{end}}
    {{- with .Stage.StopTakes}}, env: {STOP_TAKES: {{.}}}{{end}}
    {{- if .Stage.Cloud}}, env: {TAGS_FROM: imds}{{end}}
    {{- if .Stage.Scrape}}, env: {EXPOSE: "yes"}, metrics: {scrape: /metrics, every: 1s{{if .Stage.Honor}}, honor_labels: yes{{end}}}{{end}}
    {{- with .Stage.OTLP}}, metrics: {otlp: {{.}}, every: 1s}{{end}}
    {{- if .Stage.CPU}}, env: {CPU_EVERY: 1s}{{end}}}
{{- with .Stage.Roles}}
  roles: {{.}}
{{- end}}
{{- with .Stage.Agent}}
  agent: {{.}}
{{- end}}
{{- if .Stage.HTTPD}}
  httpd: yes
{{- end}}
{{- if .Stage.Cloud}}
  cloud: yes
{{- end}}
{{- with .Stage.CloudWatch}}
  cloudwatch: {{.}}
{{- end}}
{{- with .Stage.Forget}}
  mongo: {forget: {{.}}}
{{- end}}
{{- with .Stage.Members}}
  mongo: {members: {{.}}{{if $.Stage.Early}}, write_concern: 1{{end}}}
{{- end}}
{{- if .Stage.Retry}}
  lb: {retry: all}
{{- end}}
load: {{"{"}}{{.Load}}, mix: {insert: 9, get: 1}, words: 200{{with .Stage.Beacons}}, beacons: {{"{"}}{{.}}{{"}"}}{{end}}}
{{- with .Stage.Autoscale}}
autoscale: {{"{"}}{{.}}{{"}"}}
{{- end}}
phases:
  - {phase: before, for: {{.Before}}s}
  - phase: after
    for: {{.After}}s
{{- if .Stage.Steps}}
    do:
{{- range .Stage.Steps}}
      - {{"{"}}{{.}}{{"}"}}
{{- end}}
{{- end}}
{{- with .Stage.Heal}}
  - {phase: healed, do: {heal: {{.}}}, for: 3s}
{{- end}}
checks:
{{- if .Stage.Scrape}}
  - continuity: {metric: fullstack_insert_total, route: insert}
  - conservation: {metric: fullstack_insert_total, route: insert, status: 2xx}
  - identity: {metric: fullstack_insert_total, route: insert}
{{- else if .Stage.OTLP}}
  - continuity: {metric: fullstack.insert, by: otlp}
  - conservation: {metric: fullstack.insert, by: otlp, route: insert, status: 2xx}
  - identity: {metric: fullstack.insert, by: otlp, route: insert}
  - hygiene: {max_series: 40, growth: 0}
{{- else}}
  - continuity: {metric: fullstack.insert, max_gap: {{.Gap}}}
  - conservation: {metric: fullstack.insert, route: insert, client_window: {{.Window}}, status: 2xx{{with .Stage.Sampled}}, sample_rate: {{.}}{{end}}}
  - identity: {metric: fullstack.insert, route: insert}
  - nesting: {web: fullstack.insert.time, db: fullstack.db.time, route: insert, client_window: {{.Window}}}
  - gauge: {metric: fullstack.inflight, at_rest: 0, unqueued: yes, client_window: {{.Window}}}
  - hygiene: {max_series: 40, growth: 0}
{{- end}}
  - audit: {route: insert}
{{- if not .Stage.Failing}}
  - failures: {at_most: 0}
{{- end}}
{{- if and .Ends (not .Stage.Scrape)}}
  - shutdown: {metric: fullstack.insert{{if .Stage.OTLP}}, by: otlp{{end}}, route: insert}
{{- end}}
{{- range .Stage.Checks}}
  - {{.}}
{{- end}}
`))

// clientWindow is that of the reference app's client.
const clientWindow = 100 * time.Millisecond

// Scenario is the YAML of the stage.
func (s Stage) Scenario(name string) string {
	rate, before, after, gap := s.Rate, s.Before, s.After, 2*time.Second+(s.Batch+s.Holds).Truncate(time.Second)
	if s.Members > 0 {
		gap += 3 * time.Second // users wait for an election, and nothing is counted
	}
	if rate == 0 {
		rate = 150
	}
	if before == 0 {
		before = 4
	}
	if after == 0 {
		after = 5
	}
	ends := false
	for _, step := range s.Steps {
		verb, _, _ := strings.Cut(step, ":")
		ends = ends || slices.Contains([]string{"kill", "terminate", "interrupt", "replace", "deploy", "rollback"}, verb) && step != "kill: primary" && !strings.Contains(step, ": "+script.AgentRole+"-")
	}
	load := s.Load
	if load == "" {
		load = fmt.Sprintf("rate: %d/s, shape: sine, swing: %d/s, period: 4s", rate, rate*2/5)
	}
	window := clientWindow + s.Batch + s.Holds
	var b strings.Builder
	if err := scenario.Execute(&b, map[string]any{
		"Name": name, "Stage": s, "Load": load, "Before": before, "After": after, "Ends": ends,
		"Window": window, "Gap": gap,
	}); err != nil {
		return "# " + err.Error() // never: the template takes all it is given
	}
	return b.String()
}

// The stages that several entries share.
func undisturbed(defect string) Stage { return Stage{Defect: defect} }
func oneReplaced(defect string) Stage {
	return Stage{Defect: defect, Steps: []string{"replace: web-1"}}
}
func oneKilled(defect string) Stage {
	return Stage{Defect: defect, Steps: []string{"kill: web-2", "launch: 1"}}
}

// besideWeb has another role answer the inserts, with a defect or none, and a worker that nobody asks anything.
func besideWeb(defect string, steps ...string) Stage {
	if defect != "" {
		defect = ", defect: " + defect
	}
	return Stage{Roles: `{api: {instances: 2, routes: {insert: "POST /insert/{word}"}` + defect + `}, worker: {instances: 1, env: {WORK_EVERY: 20ms}}}`, Steps: steps, After: 6,
		Checks: []string{"shutdown: {metric: fullstack.get, route: get}", "continuity: {metric: fullstack.work, role: worker}"}}
}

// fronted has an httpd before each instance.
func fronted() Stage {
	return Stage{HTTPD: true, Steps: []string{"kill: web-2", "launch: 1", "replace: web-1"}, After: 8}
}

// beside puts an agent beside each instance, which adds lines up for three seconds.
func beside(defect string, steps ...string) Stage {
	agent := "{window: 3s}"
	if defect != "" {
		agent = "{window: 3s, defect: " + defect + "}"
	}
	return Stage{Agent: agent, Steps: steps, Before: 5, After: 6}
}

// twofold holds counter and timer of the inserts against each other, and looks at the series of one role.
func twofold(steps ...string) Stage {
	return Stage{Steps: steps, After: 7, Checks: []string{"parity: {metrics: [fullstack.insert, {metric: fullstack.insert.time, by: statsd}]}",
		"conservation: {metric: fullstack.insert.time, route: insert, where: {role: web}, by: statsd}"}}
}

// monitored has CloudWatch tell of the CPU of instances by periods of five seconds, and instances tell of their own.
func monitored(before, after int) Stage {
	return Stage{CloudWatch: "{period: 5s, delay: 2s}", CPU: true, Before: before, After: after,
		Checks: []string{"continuity: {source: cloudwatch}", "two-views: {agent: fullstack.cpu.us, unit: us}"}}
}

// mute keeps CloudWatch from being told of an instance for so many seconds.
func (s Stage) mute(seconds int, instance string) Stage {
	s.Steps, s.After, s.Heal = []string{"fault: mute-cloudwatch, on: " + instance}, seconds, "mute-cloudwatch"
	return s
}

// with is the stage of a defect.
func (s Stage) with(defect string) Stage {
	s.Defect = defect
	return s
}

// replacing is the stage in which an instance is replaced.
func (s Stage) replacing(instance string) Stage {
	s.Steps = []string{"replace: " + instance}
	return s
}

// databaseOutage freezes the database for longer than a request waits for it.
func databaseOutage(seconds int) Stage {
	return Stage{Steps: []string{"fault: freeze-database"}, After: seconds, Heal: "freeze-database", Failing: true}
}

// frozenPrimary freezes the primary for longer than a request waits for it: some fail that it has, although another one takes its part.
func frozenPrimary(defect string) Stage {
	return Stage{Defect: defect, Members: 3, Steps: []string{"fault: freeze-primary"}, Heal: "freeze-primary", Failing: true}
}

// networkCut cuts the network of a hop for longer than the load balancer waits to connect.
func networkCut(hop string) Stage {
	return Stage{Steps: []string{"fault: cut-network, hop: " + hop}, After: 4, Heal: "cut-network", Failing: true}
}

// batching is a healthy run whose clients hold counts for so many seconds.
func batching(seconds, after int, steps ...string) Stage {
	return Stage{Batch: time.Duration(seconds) * time.Second, Steps: steps, After: after}
}

// pause is a load in which nobody asks for anything for a while, from long enough before the second phase on that all is counted by then.
const pause = "shape: steps, levels: [{rate: 150/s, for: 2s}, {rate: 0/s, for: 5500ms}, {rate: 150/s, for: 60s}]"

// Controls are the healthy runs.
func Controls() []Control {
	return []Control{
		{"quiet", "nothing is done", Stage{}},
		{"replaced", "an instance is replaced (SIGTERM)", oneReplaced("")},
		{"killed", "an instance is killed, and another one launched", oneKilled("")},
		{"deployed", "every instance is replaced, one after the other", Stage{Steps: []string{"replace: all"}, After: 6}},
		{"released", "a version is deployed, the next one to one instance, and both are taken back", Stage{Steps: []string{"deploy: v2", "deploy: v3, canary: 1", "rollback: v1"}, After: 12}},
		{"promised", "an instance is replaced, and users have what they were promised", Stage{Steps: []string{"replace: web-1"},
			Checks: []string{"latency: {p50: 1s, p99: 3s, in: after}", "availability: {least: 99%, status: [2xx, 404]}"}}},
		{"scaled", "two instances more, then two of the older ones less", Stage{Steps: []string{"scale: 5", "terminate: web-2", "terminate: web-1"}}},
		{"abandoned", "an instance is killed, and nobody replaces it", Stage{Steps: []string{"kill: web-3"}}},
		{"decimated", "two instances are killed, one right after the other, and two launched", Stage{Steps: []string{"kill: web-2", "kill: web-3", "launch: 2"}}},
		{"reloaded", "the load balancer is reloaded", withFault("fault: reload-lb")},
		{"lb-killed", "the load balancer is killed, and started again", Stage{Steps: []string{"fault: kill-lb"}, Failing: true}},
		{"collector-killed", "the collector is killed while nobody asks for anything", Stage{Steps: []string{"fault: kill-collector, for: 2s"}, Load: pause, After: 7}},
		{"httpd", "httpd stands before each instance; one is killed, and one replaced", fronted()},
		{"httpd-faults", "every httpd is reloaded, one is killed, and one has two workers, so that its queue is in nobody's numbers",
			Stage{HTTPD: true, Rate: 80, Steps: []string{"fault: reload-httpd", "fault: kill-httpd, on: web-2", "fault: limit-httpd, on: web-1, workers: 2"}, Heal: "limit-httpd", Failing: true}},
		{"beacons", "users tell of their pages with beacons while an instance is killed and one replaced", beaconed("form: json")},
		{"beacons-frozen", "the same, of strings, while an instance is frozen, which is killed as it stands still", Stage{Beacons: "form: text", Steps: []string{"fault: freeze, on: web-2", "launch: 1", "kill: web-2", "heal: freeze"}, After: 6, Checks: []string{"beacons: {route: insert, web: fullstack.insert.time}"}}},
		{"reordered", "one datagram in ten overtakes another", withFault("fault: reorder-datagrams")},
		{"frozen", "an instance is frozen until another one is there", Stage{Steps: []string{"fault: freeze, on: web-2", "launch: 1", "heal: freeze"}, After: 6}},
		{"frozen-killed", "an instance is frozen, and killed as it stands still", Stage{Steps: []string{"fault: freeze, on: web-2", "launch: 1", "kill: web-2", "heal: freeze"}, After: 6}},
		{"stalled", "the database is frozen for a second", Stage{Steps: []string{"fault: freeze-database"}, After: 1, Heal: "freeze-database"}},
		{"roles", "an instance of another role is killed and another one launched, one of web is replaced, and so is the worker",
			besideWeb("", "kill: api-2", "launch: 1, role: api", "replace: web-1", "replace: all, role: worker")},
		{"abrupt", "an instance is asked to end while requests still come", Stage{Steps: []string{"terminate: web-1, drain: no"}}},
		{"stalled-2s", "the database is frozen for two seconds", Stage{Steps: []string{"fault: freeze-database"}, After: 2, Heal: "freeze-database"}},
		{"stalled-4s", "the database is frozen for longer than requests wait", databaseOutage(4)},
		{"stalled-8s", "the database is frozen for eight seconds", databaseOutage(8)},
		{"batched-1s", "clients batch for a second, and one is killed with what it holds", batching(1, 6, "kill: web-2", "launch: 1")},
		{"batched-2s", "clients batch for two seconds, and an instance is replaced", batching(2, 6, "replace: web-1")},
		{"batched-2s-ended", "clients batch for two seconds; one is killed, and one asked to end", batching(2, 8, "kill: web-3", "launch: 1", "terminate: web-1")},
		{"batched-5s", "clients batch for five seconds, and one is killed with what it holds", batching(5, 10, "kill: web-2", "launch: 1")},
		{"batched-5s-replaced", "clients batch for five seconds, and an instance is replaced", batching(5, 10, "replace: web-1")},
		{"sampled", "one call of a counter in two is sent, as is declared", Stage{Sampled: 0.5}},
		{"sampled-killed", "the same, and an instance is killed", Stage{Sampled: 0.5, Steps: []string{"kill: web-2", "launch: 1"}}},
		{"slow-stop", "instances take four seconds to end, and one is replaced", Stage{StopTakes: 4 * time.Second, Steps: []string{"replace: web-1"}, After: 8}},
		{"slow-network", "what users and load balancer say to each other takes 100 ms longer each way", Stage{Steps: []string{"fault: slow-network, hop: users-lb, by: 100ms"}, Heal: "slow-network"}},
		{"slow-instance", "the network between the load balancer and one instance is slow", Stage{Steps: []string{"fault: slow-network, hop: lb-web, by: 200ms, on: web-2"}, Heal: "slow-network"}},
		{"slow-database", "the network between instances and database is slow, and an instance is killed meanwhile", Stage{Steps: []string{"fault: slow-network, hop: web-db, by: 50ms", "kill: web-1", "launch: 1"}, Heal: "slow-network", Failing: true}},
		{"throttled", "10 KB a second pass between users and load balancer", Stage{Steps: []string{"fault: throttle-network, hop: users-lb, bandwidth: 10KB/s"}, Heal: "throttle-network", Failing: true}},
		{"cut-off", "the network between the load balancer and one instance is cut for four seconds", networkCut("lb-web, on: web-2")},
		{"cut-off-users", "the network between users and load balancer is cut for three seconds", Stage{Steps: []string{"fault: cut-network, hop: users-lb"}, After: 3, Heal: "cut-network", Failing: true, Rate: 60}},
		{"cut-off-database", "the network between instances and database is cut for four seconds", networkCut("web-db")},
		{"reset", "all connections are reset, on every hop", Stage{Steps: []string{"fault: reset-network, hop: users-lb", "fault: reset-network, hop: lb-web", "fault: reset-network, hop: web-db"}, Failing: true}},
		{"disk-full", "the database's disk is full for four seconds", Stage{Steps: []string{"fault: fill-disk"}, After: 4, Heal: "fill-disk", Failing: true}},
		{"primary-killed", "the database's primary is killed, another member launched, and the next primary steps down", Stage{Members: 3, Steps: []string{"kill: primary", "launch: member", "step_down: primary"}, After: 9}},
		{"primary-isolated", "the database's primary is cut off from the other members for three seconds", Stage{Members: 3, Steps: []string{"fault: isolate-member"}, Heal: "isolate-member"}},
		{"primary-frozen", "the database's primary is frozen, and goes on when another one has its part", frozenPrimary("")},
		{"agents", "an agent beside each instance is asked to end, one is killed, and an instance is replaced with its agent",
			beside("", "terminate: agent-2", "kill: agent-3", "replace: web-1")},
		{"agent-killed", "the agent beside an instance is killed with what it holds, and another comes a second later", beside("", "kill: agent-2, for: 1s")},
		{"agent-beside-killed", "an instance is killed beside its agent, and another one launched", beside("", "kill: web-2", "launch: 1")},
		{"twofold", "counter and timer agree while an instance is killed and one replaced, and the timer counts too", twofold("kill: web-2", "launch: 1", "replace: web-1")},
		{"interrupted", "a cloud takes an instance away, with notice, and another one is launched", Stage{Cloud: true, Steps: []string{"interrupt: web-2, notice: 2s", "launch: 1"}, After: 7}},
		{"scraped", "instances are scraped", scraped("")},
		{"scraped-replaced", "instances are scraped; one is replaced, and what it counted after its last scrape is lost", scraped("", "replace: web-1")},
		{"scraped-killed", "instances are scraped; one is killed, and another one launched", scraped("", "kill: web-2", "launch: 1")},
		{"scraped-deployed", "instances are scraped, and every one is replaced", scraped("", "replace: all")},
		{"scraped-honored", "instances are scraped, labels that they expose win, and they expose none; one is killed, another one launched, and one is replaced",
			honored("", "kill: web-2", "launch: 1", "replace: web-1")},
		{"scraped-newcomer", "instances are scraped, one is killed, and an alert asks for counters that were not there before, and fires when another one comes",
			asking(scraped("", "kill: web-2", "launch: 1"), `alert: {name: Launched, expr: 'fullstack_starts_total{way="scrape", instance="web-4"} unless fullstack_starts_total{way="scrape", instance="web-4"} offset 4s', fires: {in: after, within: 6s}}`)},
		{"pushed", "instances count by StatsD and push by OTLP over HTTP; one is killed, another one launched, and one is replaced", moving("http/protobuf")},
		{"pushed-grpc", "the same by gRPC", moving("grpc")},
		{"monitored", "hypervisor and agent tell of the CPU of instances, of which one is replaced", monitored(12, 18).replacing("web-2")},
		{"busier", "an instance is killed under twice the load", Stage{Steps: []string{"kill: web-1", "launch: 1"}, Rate: 300}},
		{"autoscaled-step", "an autoscaler follows a step of the load", autoscaled("", steps, bySum)},
		{"autoscaled-sine", "an autoscaler follows a load that swings", autoscaled("", swings, bySum)},
		{"autoscaled-crowd", "an autoscaler follows a crowd that comes and goes", autoscaled("", crowd, bySum)},
		{"autoscaled-night", "an autoscaler follows a load that falls slowly", autoscaled("", night, bySum)},
		{"autoscaled-killed", "an instance is killed in a fleet that an autoscaler keeps", autoscaled("", steps, bySum, "kill: any")},
		{"autoscaled-mean", "an autoscaler follows a load that swings, by the mean of the instances", autoscaled("", swings, byMean)},
	}
}
