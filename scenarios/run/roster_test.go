package run

import (
	"net"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/live"
	"throughline/scenarios/script"
)

// Who lives is listed, with where it is and what it is, while the stack is there.
func TestRoster(t *testing.T) {
	var nobody *Roster
	nobody.of(nil)
	if got := nobody.Hosts(); got != nil {
		t.Errorf("on no roster is %v", got)
	}
	on := &Roster{}
	if got := on.Hosts(); got != nil {
		t.Errorf("before the stack is there: %v", got)
	}
	r := newRigOf(t, func(c *Config) {
		c.Scenario.Stack.Cloud, c.Roster = true, on
		c.Scenario.Phases = []script.Phase{{Do: []script.Step{{Move: script.Rollback{Version: "v1"}}}}}
	})
	r.mustLaunch(2)
	if err := r.kill(t.Context(), "web-1"); err != nil {
		t.Fatal(err)
	}
	r.mustLaunch(1)
	got := on.Hosts()
	for i := range got {
		if _, _, err := net.SplitHostPort(got[i].Addr); err != nil {
			t.Errorf("%s is at %q", got[i].Name, got[i].Addr)
		}
		if c := got[i].Cloud; c == nil || c.ID == "" || c.Launched.IsZero() || c.Tags["Name"] != got[i].Name {
			t.Errorf("%s is in the cloud %+v", got[i].Name, c)
		}
		got[i].Addr, got[i].Cloud = "", nil
	}
	want := []live.Host{{Name: "web-2", Role: "web", Zone: "b", Serving: true}, {Name: "web-3", Role: "web", Zone: "c", Serving: true}}
	for i := range got {
		want[i].Version = got[i].Version // that of the rig, if it has any
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r.close()
	if got := on.Hosts(); got != nil {
		t.Errorf("after the end: %v", got)
	}
}
