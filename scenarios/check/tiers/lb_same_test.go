package tiers

import (
	"slices"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// balanced is what HAProxy says of two backends when users had sent 100 requests and one was tried again, as the log has it.
func balanced(tried record.Execution) evidence.Balancer {
	h := record.History{Executions: []record.Execution{tried}}
	for _, e := range []struct {
		kind     record.Kind
		instance string
		role     record.Role
	}{{record.LoadBegin, "", ""}, {record.Birth, "web-1", "web"}, {record.Birth, "api-1", "api"}, {record.LoadEnd, "", ""}} {
		h.Events = append(h.Events, record.Event{At: time.Duration(len(h.Events)) * time.Second, Kind: e.kind, Instance: e.instance, Role: e.role})
	}
	poll := func(name, proxy, instance string, value float64) {
		labels := collector.NewLabels("proxy", proxy)
		if instance != "" {
			labels = collector.NewLabels("proxy", proxy, "instance", instance)
		}
		h.Series = append(h.Series, record.Series{Name: name, Labels: labels, Meta: collector.Meta{Type: collector.Counter}, Points: []record.Point{{At: 4 * time.Second, Value: value, Observed: 1}}})
	}
	poll(record.FrontendPrefix+"req_tot", "fe_main", "", 100)
	for proxy, of := range map[string]struct {
		server        string
		stot, choices float64
	}{"be_web": {"web-1", 60, 60}, "be_api": {"api-1", 40, 41}} {
		poll(record.ServerPrefix+"hrsp_2xx", proxy, of.server, of.stot)
		poll(record.ServerPrefix+"stot", proxy, of.server, of.choices)
		for field, value := range map[string]float64{"stot": of.stot, "lbtot": of.choices, "wredis": 0, "wretr": 0, "econ": 0} {
			poll(record.BackendPrefix+field, proxy, "", value)
		}
	}
	b, _ := evidence.NewBalancer(evidence.New(h, script.Scenario{}))
	return b
}

// A redispatch that chose the server again that it gave up is a choice more, and in no other number: the log tells of it.
func TestIdentitiesKnowWhoWasChosenAgain(t *testing.T) {
	for name, c := range map[string]struct {
		tried record.Execution
		holds bool
	}{
		"tried again": {record.Execution{Server: "api-1", Status: 200, Answered: true, Retries: 1, Termination: "--"}, true},
		"tried once":  {record.Execution{Server: "api-1", Status: 200, Answered: true, Termination: "--"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := balanced(c.tried)
			if !slices.Equal(b.Backends, []string{"be_api", "be_web"}) {
				t.Fatalf("backends are %v", b.Backends)
			}
			looked := 0
			for _, e := range identities(b) {
				if e.name != "backend choices = backend sessions + redispatches" && e.name != "sessions that servers had more than the backend are redispatches and retries" {
					continue
				}
				looked++
				if holds := e.is >= e.least && e.is <= e.most; !e.known || holds != c.holds {
					t.Errorf("%+v: want that it holds: %v", e, c.holds)
				}
			}
			if looked != 2 {
				t.Errorf("%d identities were looked at", looked)
			}
		})
	}
}
