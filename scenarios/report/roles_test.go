package report

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// ofRoles is a record of two roles that users reach, and of one that they do not.
func ofRoles() (record.History, verdict.Verdict) {
	var h record.History
	for i, name := range []string{"worker-1", "api-1", "web-1", "api-2"} {
		h.Events = append(h.Events, record.Event{At: time.Duration(i) * time.Second, Kind: record.Birth, Instance: name, Role: record.Role(strings.TrimRight(name, "-12"))})
	}
	h.Events = append(h.Events, record.Event{At: 5 * time.Second, Kind: record.Death, Instance: "api-1", Role: "api"})
	h.Requests = []record.Request{
		{Route: "insert", Instance: "web-1", Outcome: record.Acked}, {Route: "top", Instance: "api-1", Outcome: record.Acked}, {Route: "get", Instance: "api-2", Outcome: record.Acked},
		{Route: "get", Instance: "api-2", Outcome: record.Acked}, {Route: "lost", Instance: "api-2", Outcome: record.Unknown}, {Route: "get", Instance: "web-9", Outcome: record.Acked},
	}
	v := verdict.Verdict{}
	v.Ledgers.LB.ByInstance = map[string]int64{"web-1": 1, "api-1": 1, "api-2": 3}
	v.Ledgers.Users.Route, v.Ledgers.Users.ByInstance = "insert", map[string]int64{"web-1": 1}
	v.Ledgers.Web.Metric, v.Ledgers.Web.ByInstance = "app.inserts", map[string]int64{"web-1": 1}
	return h, v
}

func TestRoleRows(t *testing.T) {
	h, v := ofRoles()
	want := []roleRow{
		{Name: "web", Instances: "1", Deaths: "0", Acked: "1", LB: "1", Of: "insert"},
		{Name: "api", Instances: "2", Deaths: "1", Acked: "3", LB: "4", Of: "get, top"},
		{Name: "worker", Instances: "1", Deaths: "0", Acked: "0", LB: none, Of: "no users' requests"},
	}
	if diff := cmp.Diff(want, roleRows(h, v)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.Events = h.Events[2:3]
	if rows := roleRows(h, v); rows != nil {
		t.Errorf("a stack of one role has %v", rows)
	}
}

// Whom the checked route does not concern has no number of it: 0 of 0 would be said of requests that never came.
func TestInstancesOfOtherRolesHaveNoNumbersOfTheRoute(t *testing.T) {
	h, v := ofRoles()
	for _, r := range instanceRows(h, v) {
		if own := r.Name == "web-1"; own != (r.Acked == "1" && r.Counted == "1") || own != (r.Residual != none) {
			t.Errorf("%+v", r)
		}
	}
}
