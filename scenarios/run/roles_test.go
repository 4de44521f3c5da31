package run

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/compose/haproxy"
	"throughline/live/inventory"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// withRoles adds two roles to a stack: one that users reach, and one that listens nowhere.
func withRoles(c *Config) {
	api := c.Scenario.Stack.Web
	api.Role, api.Instances = "api", 2
	api.Routes = map[string]script.Route{"find": {Method: "GET", Path: "/find/{word}"}, "put": {Method: "PUT", Path: "/find/{word}"}, "top": {Method: "GET", Path: "/top?n={word}"}}
	worker := c.Scenario.Stack.Web
	worker.Role, worker.Instances = "worker", 1
	c.Scenario.Stack.Web.Instances, c.Scenario.Stack.Others = 1, []script.Web{api, worker}
}

// pooled puts the users' roles of a rig into its rack.
func (r *rig) pooled() *rig {
	for _, f := range r.bed.fleets {
		if _, has := f.pool.(backend); has {
			f.pool = r.rack
		}
	}
	return r
}

// Each role has a fleet with numbers of its own; only who has users is in the load balancer.
func TestFleetsOfRoles(t *testing.T) {
	r := newRigOf(t, withRoles).pooled()
	ctx := t.Context()
	if err := r.bed.fleets.launch(ctx); err != nil {
		t.Fatal(err)
	}
	k := &clock{progress: &notes{}, journal: r.journal, fleets: r.bed.fleets, fleet: r.fleet}
	for _, step := range []script.Step{
		{Move: script.Kill{Instance: "api-2"}, Role: "api"},
		{Move: script.Launch{Count: 1}, Role: "api"},
		{Move: script.Replace{Instance: script.ReplaceAll}, Role: "worker"},
		{Move: script.Kill{Instance: script.Newest}, Role: "worker"},
		{Move: script.Scale{Count: 2}, Role: "worker"},
		{Move: script.Launch{Count: 1}},
		{Move: script.Terminate{Instance: script.Oldest}, Role: "api"},
	} {
		step.Within = startLimit
		if err := k.step(ctx, "only", step); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"api-3", "web-1", "web-2", "worker-3", "worker-4"}, r.lives.serving("")); diff != "" {
		t.Errorf("who serves (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"api-3", "web-1", "web-2"}, r.rack.names()); diff != "" {
		t.Errorf("who is in the load balancer (-want +got):\n%s", diff)
	}
	if err := k.step(ctx, "only", script.Step{Move: script.Kill{Instance: "api-9"}, Role: "api", Within: startLimit}); err == nil || !strings.Contains(err.Error(), "api-9: no such instance") {
		t.Errorf("%v", err)
	}
	for name, want := range map[string]string{"api-3": "api", "web-1": "web", "worker-4": "worker"} {
		if got := r.telemetry.listeners[name].labels.Get("role"); got != want {
			t.Errorf("what %s sends is labelled role=%q, want %s", name, got, want)
		}
	}
	var roster Roster
	roster.of(r.bed)
	text, err := inventory.Write(inventory.Ansible, roster.Hosts())
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]struct{ Hosts []string }{}
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]string{"web": "web-1 web-2", "api": "api-3", "worker": "worker-3 worker-4"} {
		if got := strings.Join(groups[role].Hosts, " "); got != want {
			t.Errorf("the group %s has %s, want %s", role, got, want)
		}
	}
	born := map[string]record.Role{}
	for _, e := range r.close() {
		if e.Role != "" && e.Instance != "" && e.Role != record.Role(script.RoleOf(e.Instance)) {
			t.Errorf("%s of %s has the role %s", e.Kind, e.Instance, e.Role)
		}
		if e.Kind == record.Birth {
			born[e.Instance] = e.Role
		}
	}
	if born["api-3"] != "api" || born["worker-4"] != "worker" || born["web-2"] != record.Web || len(born) != 9 {
		t.Errorf("%v", born)
	}
}

// HAProxy's configuration has what the roles of the scenario say.
func TestBackendsAreTheRoles(t *testing.T) {
	r := newRigOf(t, withRoles)
	got := r.bed.balancer.pools()
	want := []haproxy.Pool{{Name: "be_api", HealthPath: "/healthz", Paths: []haproxy.Path{{Text: "/find/", Prefix: true}, {Text: "/top"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	alone := newRig(t)
	if got := alone.bed.balancer.pools(); len(got) != 0 {
		t.Errorf("a stack of one role has %v", got)
	}
}

// What an instance of a role is told.
func TestInstanceOfARole(t *testing.T) {
	c := Config{}
	i, err := c.webInstance(script.Web{Role: "worker"}, 3, "127.0.0.1:8125", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, told := i.Env["PORT"]; told || i.Name != "worker-3" || len(i.Ports) != 0 || i.Ready.Port != "" || i.Env["DD_TAGS"] != "role:worker,zone:c" {
		t.Errorf("%+v", i)
	}
	i, err = c.webInstance(script.Web{Role: "api", Health: "/alive", Version: "v2"}, 1, "127.0.0.1:8125", "")
	if err != nil {
		t.Fatal(err)
	}
	if i.Name != "api-1" || i.Ready.Path != "/alive" || i.Ports == nil || !slices.Contains(strings.Split(i.Env["DD_TAGS"], ","), "role:api") {
		t.Errorf("%+v", i)
	}
}

// Ids in a cloud are drawn for each instance from elsewhere, and for web as they always were.
func TestStreams(t *testing.T) {
	if stream("", 2) != 2 || stream("api", 2) == stream("", 2) || stream("api", 2) == stream("worker", 2) || stream("api", 2) == stream("api", 3) {
		t.Errorf("%d %d %d", stream("", 2), stream("api", 2), stream("worker", 2))
	}
}
