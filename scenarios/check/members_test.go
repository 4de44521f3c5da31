package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// ledTalk is a run in which the steps are done to the database: its primary mongo-1 is killed at 10.5 s and mongo-2
// elected, mongo-4 launched, and mongo-2 steps down for mongo-3.
func ledTalk() record.History {
	h := talk().make()
	steps := strings.NewReplacer("kill: web-2", "kill: primary", "launch: 1", "launch: member", "terminate: web-1", "step_down: primary",
		"stack:\n", "stack:\n  mongo: {members: 3}\n")
	h.Scenario = []byte(steps.Replace(string(h.Scenario)))
	whom := map[string]string{"kill web-2": "mongo-1", "terminate web-1": "mongo-2"}
	names := map[string]string{"kill web-2": "kill primary", "launch 1": "launch member", "terminate web-1": "step_down primary"}
	var fresh []record.Event
	of := func(at time.Duration, kind record.Kind, name string) record.Event {
		return record.Event{At: at, Kind: kind, Instance: name, Role: record.Database}
	}
	fresh = append(fresh, of(time.Second, record.Elected, "mongo-1"))
	for i := range h.Events {
		e := &h.Events[i]
		step := e.Step
		if names[step] != "" {
			e.Step = names[step]
		}
		at := e.At
		switch {
		case e.Kind == record.StepBegin && step == "kill web-2":
			sent, gone := of(at+1, record.Signalled, "mongo-1"), of(at+2, record.Death, "mongo-1")
			sent.Signal, gone.Signal, gone.Code, gone.Expected = "SIGKILL", "SIGKILL", -1, true
			fresh = append(fresh, sent, gone, of(at+3, record.Elected, "mongo-2"))
		case e.Kind == record.StepBegin && step == "launch 1":
			fresh = append(fresh, of(at+1, record.Birth, "mongo-4"), of(at+2, record.Ready, "mongo-4"), of(at+3, record.Serving, "mongo-4"))
		case e.Kind == record.StepBegin && step == "terminate web-1":
			fresh = append(fresh, of(at+1, record.Elected, "mongo-3"))
		case e.Kind == record.StepEnd:
			e.Instance = whom[step]
		}
	}
	h.Events = append(h.Events, fresh...)
	slices.SortStableFunc(h.Events, func(a, b record.Event) int { return int(a.At - b.At) })
	return h
}

// Each step on a member of the database is proved by the journal, and not where something lacks in there.
func TestEfficacyOfStepsOnMembers(t *testing.T) {
	says(t, judged(t, ledTalk()), "efficacy", verdict.Pass, "3 steps took effect: kill primary (mongo-1: SIGKILL at 10.5 s, gone at 10.5 s, mongo-2 elected at 10.5 s); "+
		"launch member (mongo-4 follows the primary at 18.5 s); step_down primary (mongo-2 stepped down, mongo-3 elected at 19.0 s)")
	const no = "the fault did not take effect: "
	for _, c := range []struct {
		change func(*record.History)
		want   string
	}{
		{without(record.Signalled, "mongo-1"), no + "kill primary: mongo-1 was never sent SIGKILL"},
		{without(record.Death, "mongo-1"), no + "kill primary: mongo-1 got SIGKILL at 10.5 s and was not seen to die"},
		{changing(record.Death, "mongo-1", func(e *record.Event) { e.Code = 1 }), no + "kill primary: mongo-1 ended by itself with exit status 1, not by SIGKILL"},
		{without(record.Elected, "mongo-2"), no + "kill primary: no other member was elected"},
		{without(record.Elected, "mongo-1"), no + "kill primary: mongo-1 was killed, and the primary was "},
		{changing(record.StepEnd, "kill primary", func(e *record.Event) { e.Instance = "" }), no + "kill primary: the journal does not tell who was the primary"},
		{without(record.Birth, "mongo-4"), no + "launch member: no member of the database was born"},
		{without(record.Serving, "mongo-4"), no + "launch member: mongo-4 was born at 18.5 s and never followed the primary"},
		{without(record.Elected, "mongo-3"), no + "step_down primary: no other member was elected"},
		{changing(record.StepEnd, "step_down primary", func(e *record.Event) { e.Instance = "mongo-3" }), no + "step_down primary: mongo-3 was asked to, and the primary was mongo-2"},
		{changing(record.StepEnd, "step_down primary", func(e *record.Event) { e.Instance = "" }), no + "step_down primary: the journal does not tell who was the primary"},
	} {
		h := ledTalk()
		c.change(&h)
		if got := said(judged(t, h), "efficacy", verdict.Inconclusive); len(got) == 0 || got[0] != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// That the primary was killed is what the scenario ordered: a run in which it was, and nothing is wrong, passes.
func TestAKilledPrimaryIsNobodysDefect(t *testing.T) {
	for _, f := range judged(t, ledTalk()).Findings {
		if strings.Contains(f.Summary, "mongo-") && f.Outcome != verdict.Pass {
			t.Errorf("%s: %v: %s", f.Check, f.Outcome, f.Summary)
		}
	}
}
