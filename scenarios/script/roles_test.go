package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/script"
)

// withRoles is a scenario whose stack has these roles, and whose one phase does these steps.
func withRoles(roles string, steps ...string) string {
	do := ""
	if len(steps) > 0 {
		do = "\n    do:\n      - " + strings.Join(steps, "\n      - ")
	}
	return `scenario: roles
stack:
  web: {instances: 2, routes: {insert: "POST /insert/{word}"}}
  roles: ` + roles + `
load: {rate: 10/s, mix: {insert: 1}}
phases:
  - phase: only
    for: 5s` + do + `
checks:
  - conservation: {metric: fullstack.insert}
`
}

const apiAndWorker = `{api: {instances: 2, routes: {get: "GET /get/{word}", list: GET /get}, stop: 3s}, worker: {instances: 1, health: none, defect: no-flush, env: {A: secret}}}`

func TestRoles(t *testing.T) {
	s, err := script.Parse("x.yaml", []byte(withRoles(apiAndWorker,
		"kill: api-2",
		"{launch: 1, role: api}", // api-3
		"launch: 1",              // web-3
		"kill: api-3",
		"{replace: all, role: worker}", // worker-2
		"kill: worker-2",
		"{scale: 2, role: api}", // api-4
		"{terminate: newest, role: api}",
		"{deploy: {version: v2, defect: late}, role: api}", // api-5
		"{rollback: v1, role: api}",                        // api-6
		"kill: api-6",
		"{launch: 1, role: web}", // web-4
		"kill: web-4",
	)), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names, steps, of []string
	for _, w := range s.Stack.Roles() {
		names = append(names, w.RoleName())
	}
	for _, step := range s.Phases[0].Do {
		steps, of = append(steps, step.String()), append(of, step.Role)
	}
	if diff := cmp.Diff([]string{"web", "api", "worker"}, names); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	want := []string{"kill api-2", "launch 1, role: api", "launch 1", "kill api-3", "replace all, role: worker", "kill worker-2", "scale 2, role: api",
		"terminate newest, role: api", "deploy v2, role: api", "rollback v1, role: api", "kill api-6", "launch 1", "kill web-4"}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"api", "api", "", "api", "worker", "worker", "api", "api", "api", "api", "api", "", ""}, of); diff != "" {
		t.Errorf("roles of the steps (-want +got):\n%s", diff)
	}
	if within := s.Phases[0].Do[7].Within; within != 13*time.Second {
		t.Errorf("terminate of an instance that has 3s has %v", within)
	}
	api, _ := s.Stack.Role("api")
	worker, _ := s.Stack.Role("worker")
	if api.Health != "/healthz" || !api.WithUsers() || api.Version != "v1" || worker.Health != "" || worker.WithUsers() || worker.Version != "" {
		t.Errorf("%+v\n%+v", api, worker)
	}
	if got := s.Stack.OwnerOf("list") + s.Stack.OwnerOf("insert"); got != "apiweb" {
		t.Errorf("%q", got)
	}
	var versions []string
	for _, w := range s.Webs() {
		versions = append(versions, w.RoleName()+" "+w.Version+" "+w.Defect)
	}
	if diff := cmp.Diff([]string{"web  ", "api v1 ", "api v2 late", "worker  no-flush"}, versions); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	masked, err := s.Masked()
	if err != nil || strings.Contains(string(masked), "secret") {
		t.Errorf("%v\n%s", err, masked)
	}
}

// What is refused of roles, with what is said.
func TestRefusedRoles(t *testing.T) {
	const api = `{api: {instances: 2, routes: {get: "GET /get/{word}"}}, worker: {instances: 1}}`
	for _, c := range []struct{ name, roles, step, want string }{
		{"web again", `{web: {instances: 1}}`, "", `stack.roles: web is the role of stack.web: want another name`},
		{"a layer", `{lb: {instances: 1}}`, "", `"lb" means something else in a run`},
		{"another tier", `{httpd: {instances: 1}, mongo: {instances: 1}}`, "", `"mongo" means something else`},
		{"a name", `{Api: {instances: 1}}`, "", `"Api" is not a name of at most 32 small letters, digits and '-', like api`},
		{"a number", `{api-2: {instances: 1}}`, "", `"api-2" is not a name`},
		{"a group", `{zone-a: {instances: 1}}`, "", `"zone-a" is a group of its own in inventories`},
		{"twice", `{api: {instances: 1}, api: {instances: 1}}`, "", `the key "api" is in line 4 already`},
		{"no instances", `{api: {routes: {x: GET /x}}}`, "", `stack.roles.api: the key "instances" is missing`},
		{"none at all", `{}`, "", `stack.roles: is empty: want names and what their instances are`},
		{"too many", `{api: {instances: 200}, worker: {instances: 99}}`, "", `stack.roles: 301 instances in all roles together, want at most 300`},
		{"unknown key", `{api: {instances: 1, cuont: 2}}`, "", `stack.roles.api: unknown key "cuont"`},
		{"two owners", `{api: {instances: 1, routes: {insert: POST /other}}}`, "", `stack.roles.api: the route "insert" is one of stack.web too: want one owner`},
		{"two owners among roles", `{api: {instances: 1, routes: {x: GET /x}}, more: {instances: 1, routes: {x: GET /y}}}`, "", `stack.roles.more: the route "x" is one of stack.roles.api too`},
		{"the same path", `{api: {instances: 1, routes: {write: "GET /insert/{word}"}}}`, "", `the route "write" (/insert/{word}) cannot be told from "insert" of stack.web (/insert/{word})`},
		{"overlap", `{api: {instances: 1, routes: {all: "GET /{word}"}}}`, "", `the route "all" (/{word}) cannot be told from "insert" of stack.web (/insert/{word}) by its path: want another path`},
		{"overlap of a whole path", `{api: {instances: 1, routes: {one: GET /insert/one}}}`, "", `cannot be told from "insert"`},
		{"overlap by query alone", `{api: {instances: 1, routes: {x: "GET /x?a={word}"}}, more: {instances: 1, routes: {y: "GET /x?b={word}"}}}`, "", `the route "y" (/x?b={word}) cannot be told from "x" of stack.roles.api`},
		{"path that HAProxy reads otherwise", `{api: {instances: 1, routes: {x: "GET /it's"}}}`, "", `routes.x: the load balancer cannot tell a path with '\''`},
		{"no health, but users", `{api: {instances: 1, health: none, routes: {x: GET /x}}}`, "", `stack.roles.api.health: users come to these instances`},
		{"no health, but a port", `{worker: {instances: 1, health: none, command: [work, "--listen=:{{.Port}}"]}}`, "", `stack.roles.worker.health: instances that listen nowhere have no port, and "--listen=:{{.Port}}" names it`},
		{"unknown instance", api, "kill: api-3", `kill api-3: no such instance at that point (have web-1, web-2, api-1, api-2, worker-1)`},
		{"unknown role", api, "{launch: 1, role: apo}", `do.role: no role "apo": did you mean "api"?`},
		{"role and name", api, "{kill: web-1, role: api}", `do.role: web-1 says who is meant: remove role`},
		{"role of a member", api, "{launch: member, role: api}", `do.role: members are of the database: remove role`},
		{"role of a fault on all", api, "{fault: freeze, role: api}", `do.role: says whose newest, oldest or any is meant: add on, or remove role`},
		{"role of healing", api, "{heal: freeze, role: api}", `do.role: does not fit heal: remove it`},
		{"too many alive", `{api: {instances: 290}}`, "{launch: 9, role: api}", `launch 9: 301 instances would be alive, want at most 300`},
		{"scaled too far", `{api: {instances: 2}}`, "{scale: 299, role: api}", `scale 299: 301 instances would be alive, want at most 300`},
		{"network of nobody", api, "{fault: slow-network, hop: lb-web, by: 100ms, on: worker-1}", `the load balancer sends nothing to instances of worker`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var steps []string
			if c.step != "" {
				steps = append(steps, c.step)
			}
			_, err := script.Parse("x.yaml", []byte(withRoles(c.roles, steps...)), script.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestRefusedBesideRoles(t *testing.T) {
	const plain = `scenario: roles
stack:
  web: {instances: 2}
  roles: {api: {instances: 1, routes: {find: "GET /find/{word}"}}, worker: {instances: 1}}
load: {rate: 10/s, mix: {insert: 1, find: 1}}
phases:
  - {phase: only, for: 5s}
checks:
  - conservation: {metric: fullstack.insert}
`
	if _, err := script.Parse("x.yaml", []byte(plain), script.Options{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, fresh, want string }{
		{"httpd", "  web:", "  httpd: yes\n  web:", `users' requests come to it, and an Apache HTTP server stands before the instances of web only: remove stack.httpd, or the routes of api`},
		{"what the reference app has", "{find: \"GET /find/{word}\"}", "{get: \"GET /get/{word}\"}", `the route "get" is one of stack.web too: want one owner, and give stack.web routes of its own`},
		{"no database", "  web:", "  mongo: none\n  web:", `the reference app keeps its words in a database`},
		{"autoscale", "phases:", "autoscale: {max: 3, on: up, per: sum, target: 1, role: api}\nphases:", `autoscale.role: an autoscaler scales the instances of web alone: remove role, and scale "api" by steps`},
		{"version told", "worker: {instances: 1}", "worker: {instances: 1, version: v7, env: {VERSION: x}}", `VERSION is set for each instance by the stack`},
		{"what is told", "worker: {instances: 1}", "worker: {instances: 1, env: {PORT: 80}}", `stack.roles.worker.env: PORT is set for each instance by the stack`},
		{"unknown route", "find: 1}", "fnid: 1}", `no route "fnid": did you mean "find"?`},
		{"work of a role with users", "{metric: fullstack.insert}", "{metric: fullstack.insert}\n  - continuity: {metric: x, role: api}", `users' requests come to api, so what it counts follows from them: remove role, and give route (find)`},
		{"work of no role", "{metric: fullstack.insert}", "{metric: fullstack.insert}\n  - continuity: {metric: x, role: wroker}", `no role "wroker": did you mean "worker"?`},
		{"work on a route", "{metric: fullstack.insert}", "{metric: fullstack.insert}\n  - continuity: {metric: x, role: worker, route: find}", `no users' requests come to worker: remove route, or role`},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := strings.Replace(plain, c.old, c.fresh, 1)
			if source == plain {
				t.Fatal("nothing was replaced")
			}
			_, err := script.Parse("x.yaml", []byte(source), script.Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
