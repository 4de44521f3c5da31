package inventory

import (
	"encoding/json"
	"strings"
	"testing"

	"throughline/live"
)

// Roles are groups; who listens nowhere is a host, and no target.
func TestRoles(t *testing.T) {
	all := []live.Host{{Name: "api-1", Role: "api", Addr: "127.0.0.1:1", Serving: true}, {Name: "job-queue-1", Role: "job-queue", Serving: true}, {Name: "web-1", Role: "web", Addr: "127.0.0.1:2"}}
	text, err := Write(Ansible, all)
	if err != nil {
		t.Fatal(err)
	}
	var groups map[string]group
	if err := json.Unmarshal(text, &groups); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"api": "api-1", "job_queue": "job-queue-1", "web": "web-1"} {
		if got := strings.Join(groups[name].Hosts, " "); got != want {
			t.Errorf("the group %s has %q, want %s", name, got, want)
		}
	}
	if text, err = Write(Prometheus, all); err != nil {
		t.Fatal(err)
	}
	var targets []target
	if err := json.Unmarshal(text, &targets); err != nil {
		t.Fatal(err)
	}
	if len(targets) != 2 || targets[0].Labels["role"] != "api" || targets[1].Targets[0] != "127.0.0.1:2" {
		t.Errorf("%s", text)
	}
}
