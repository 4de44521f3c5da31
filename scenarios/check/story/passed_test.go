package story

import (
	"slices"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

func TestPassesAreTold(t *testing.T) {
	fault := func(at time.Duration, name, instance string) record.Event {
		return record.Event{At: at, Kind: record.FaultBegin, Fault: name, Instance: instance}
	}
	done := func(at time.Duration, step, whom string) record.Event {
		return record.Event{At: at, Kind: record.StepEnd, Step: step, Instance: whom}
	}
	buffer := verdict.Residual{Between: "users→web", Instance: "web-2", Cause: "client-buffer-at-sigkill", Lost: 5, Bound: 9}
	for name, c := range map[string]struct {
		h         record.History
		residuals []verdict.Residual
		want      string
	}{
		"nothing done": {lived(3), nil, "Nothing was done to the stack, and all 1,000 inserts are accounted for."},
		"killed and launched": {lived(3, slices.Concat(dies(3*second, "web-2", "SIGKILL"), []record.Event{born(5*second, "web-4")})...), []verdict.Residual{buffer},
			"web-2 was killed, web-4 took its place, and all 1,000 inserts are accounted for: 5 of them were in the buffer of web-2 when it was killed, as declared."},
		"launched and killed": {lived(3, slices.Concat([]record.Event{born(2*second, "web-4")}, dies(3*second, "web-2", "SIGKILL"))...), nil,
			"web-4 was launched, web-2 was killed, and all 1,000 inserts are accounted for."},
		"replaced": {lived(3, step(2*second, 4*second, "replace web-1", append([]record.Event{born(2*second, "web-4")}, dies(3*second, "web-1", "SIGTERM")...)...)...), nil,
			"web-1 was replaced by web-4, and all 1,000 inserts are accounted for."},
		"many replaced": {lived(4, step(2*second, 4*second, "replace all", slices.Concat([]record.Event{born(2*second, "web-5"), born(2*second, "web-6"), born(2*second, "web-7"), born(2*second, "web-8")},
			dies(3*second, "web-1", "SIGTERM"), dies(3*second, "web-2", "SIGTERM"), dies(3*second, "web-3", "SIGTERM"), dies(3*second, "web-4", "SIGTERM"))...)...), nil,
			"4 instances were replaced, and all 1,000 inserts are accounted for."},
		"members of the database": {lived(3, done(4*second, "kill primary", "mongo-1"), done(6*second, "launch member", ""), done(8*second, "step_down primary", "mongo-2")), nil,
			"The primary mongo-1 was killed, the database got another member, the primary mongo-2 stepped down, and all 1,000 inserts are accounted for."},
		"scaled in": {lived(3, dies(3*second, "web-3", "SIGTERM")...), nil, "web-3 was terminated, and all 1,000 inserts are accounted for."},
		"at the teardown": {lived(3, append([]record.Event{}, record.Event{At: 12 * second, Kind: record.Signalled, Instance: "web-1", Role: record.Web, Signal: "SIGTERM"},
			record.Event{At: 12 * second, Kind: record.Death, Instance: "web-1", Role: record.Web, Expected: true})...), nil, "Nothing was done to the stack, and all 1,000 inserts are accounted for."},
		"faults": {lived(3, fault(2*second, "freeze", "web-2"), fault(3*second, "freeze-database", ""), fault(4*second, "of-the-future", "")), nil,
			"web-2 was frozen, the database was frozen, the fault of-the-future began, and all 1,000 inserts are accounted for."},
		"one fault, of many instances": {lived(3, fault(2*second, "drop-datagrams", ""), fault(2*second, "drop-datagrams", "")), nil, "Datagrams were dropped, and all 1,000 inserts are accounted for."},
		"more than can be told": {lived(3, fault(2*second, "freeze", "web-2"), fault(3*second, "freeze-database", ""), fault(4*second, "reload-lb", ""), fault(5*second, "leftover-load", ""), born(6*second, "web-4")), nil,
			"web-2 was frozen, the database was frozen, the load balancer was reloaded, 2 more things were done, and all 1,000 inserts are accounted for."},
		"a limit": {lived(3, record.Event{At: 3 * second, Kind: record.Limited, Instance: "web-2", CPUs: 0.2}, record.Event{At: 5 * second, Kind: record.Limited, Instance: "web-2"}), nil,
			"web-2 was limited to 0.2 CPUs, the limit of web-2 was lifted, and all 1,000 inserts are accounted for."},
		"repeated": {lived(3), []verdict.Residual{{Between: "users→web", Cause: "lb-retry", Extra: 1}, {Between: "users→web", Cause: "outcome-unknown", Extra: 3}, {Between: "users→db", Cause: "lb-retry", Extra: 7}},
			"Nothing was done to the stack, and all 1,000 inserts are accounted for: 1 more was counted, since the load balancer repeated requests and 3 more were counted, whose answer did not come."},
	} {
		v := of(verdict.Pass, verdict.Finding{Check: "conservation", Outcome: verdict.Pass})
		v.Residuals = c.residuals
		Tell(v, c.h, conserved)
		if v.Sentence != c.want || v.Title != "Every acknowledged insert is accounted for" || v.Explanations == nil || len(v.Explanations) > 0 {
			t.Errorf("%s: %q, %q\nwant %q", name, v.Title, v.Sentence, c.want)
		}
	}
}

// A pass claims no more than its checks prove.
func TestPassesOfOtherChecks(t *testing.T) {
	sampled := script.Scenario{Checks: []script.Check{{Promise: script.Conservation{Route: "insert", SampleRate: 0.5}}}}
	alone := script.Scenario{Checks: []script.Check{{Promise: script.Alert{}}, {Promise: script.PromQL{}}, {Promise: script.Alert{}}}}
	unacked := lived(3)
	unacked.Requests[3].Outcome = record.Unknown
	waived := of(verdict.Pass)
	waived.Waived = []verdict.Waiver{{Check: "conservation", Instance: "web-1", Reason: "known since May.", Findings: 2, Lost: 12}, {Check: "gauge", Reason: "idle"}}
	other := of(verdict.Pass)
	other.ChecksFrom = "lenient.yaml"
	for _, c := range []struct {
		v    *verdict.Verdict
		h    record.History
		s    script.Scenario
		want string
	}{
		{of(verdict.Pass), lived(3), sampled, "Nothing was done to the stack, and the counts are what the declared sample rate makes of 1,000 inserts."},
		{of(verdict.Pass), lived(3), alone, "Nothing was done to the stack, and all checks hold (alert and promql)."},
		{of(verdict.Pass), unacked, conserved, "Nothing was done to the stack, and all 1,000 acknowledged inserts are accounted for."},
		{waived, lived(3), conserved, "Nothing was done to the stack, and all checks hold but for what is waived. Waived: 2 failures of conservation of web-1, with 12 lost or too many (known since May)."},
		{other, lived(3), conserved, "Nothing was done to the stack, and all 1,000 inserts are accounted for. This is by the checks of lenient.yaml, not the run's own."},
	} {
		Tell(c.v, c.h, c.s)
		if c.v.Sentence != c.want {
			t.Errorf("%q\nwant %q", c.v.Sentence, c.want)
		}
	}
}
