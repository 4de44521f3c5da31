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

// sidelinedTalk is a run in which a member of the database is kept from its part in place of being killed: mongo-1, the primary,
// from 10.5 s to the end of the load, while mongo-2 is elected.
func sidelinedTalk(fault, member string) record.History {
	h := talk().make()
	begin, step := "{fault: "+fault+"}", "fault "+fault
	if member != "" {
		begin, step = "{fault: "+fault+", member: "+member+"}", step+" "+member
	}
	h.Scenario = []byte(strings.NewReplacer("{kill: web-2}", begin, "kill: web-2", strings.Trim(begin, "{}"), "stack:\n", "stack:\n  mongo: {members: 3}\n").Replace(string(h.Scenario)))
	fresh := []record.Event{{At: time.Second, Kind: record.Elected, Instance: "mongo-1", Role: record.Database}}
	whom := "mongo-1"
	if member == "secondary" {
		whom = "mongo-3"
	}
	for i := range h.Events {
		e := &h.Events[i]
		if e.Step != "kill web-2" {
			continue
		}
		e.Step = step
		if e.Kind == record.StepEnd {
			e.Instance = whom
			fresh = append(fresh, record.Event{At: e.At + time.Second, Kind: record.Sidelined, Instance: whom, Role: record.Database},
				record.Event{At: e.At + 2*time.Second, Kind: record.FaultEnd, Fault: fault, Count: 7, About: whom + " 7"})
			continue
		}
		fresh = append(fresh, record.Event{At: e.At + 1, Kind: record.FaultBegin, Fault: fault})
		if member != "secondary" {
			fresh = append(fresh, record.Event{At: e.At + 2, Kind: record.Elected, Instance: "mongo-2", Role: record.Database})
		}
	}
	h.Events = append(h.Events, fresh...)
	slices.SortStableFunc(h.Events, func(a, b record.Event) int { return int(a.At - b.At) })
	return h
}

// A fault of a member is proved by whom it was done to, that it struck, that another one was elected where it was the
// primary, and that it said itself that it had lost its part.
func TestEfficacyOfFaultsOfMembers(t *testing.T) {
	const no = "the fault did not take effect: "
	for _, c := range []struct {
		fault, member string
		change        func(*record.History)
		want          string // "": it took effect
	}{
		{"isolate-member", "primary", func(*record.History) {}, ""},
		{"isolate-member", "secondary", func(*record.History) {}, ""},
		{"freeze-primary", "", func(*record.History) {}, ""},
		{"isolate-member", "primary", without(record.Elected, "mongo-2"), no + "fault isolate-member primary: no other member was elected"},
		{"isolate-member", "primary", without(record.Sidelined, "mongo-1"), no + "fault isolate-member primary: mongo-1 never said that it had lost its part"},
		{"isolate-member", "secondary", without(record.Sidelined, "mongo-3"), no + "fault isolate-member secondary: mongo-3 never said that it had lost its part"},
		{"isolate-member", "primary", without(record.Elected, "mongo-1"), no + "fault isolate-member primary: it was done to mongo-1, and the primary was "},
		{"isolate-member", "secondary", changing(record.StepEnd, "fault isolate-member secondary", func(e *record.Event) { e.Instance = "mongo-1" }),
			no + "fault isolate-member secondary: it was done to mongo-1, and the primary was mongo-1"},
		{"freeze-primary", "", without(record.Sidelined, "mongo-1"), no + "fault freeze-primary: mongo-1 never said that it had lost its part"},
		{"freeze-primary", "", changing(record.StepEnd, "fault freeze-primary", func(e *record.Event) { e.Instance = "" }), no + "fault freeze-primary: the journal does not tell which member it was"},
		{"isolate-member", "primary", func(h *record.History) {
			for i := range h.Events {
				if h.Events[i].Kind == record.FaultEnd {
					h.Events[i].Count = 0
				}
			}
		}, no + "fault isolate-member primary: it touched nothing from 10.5 s to "},
	} {
		h := sidelinedTalk(c.fault, c.member)
		c.change(&h)
		v := judged(t, h)
		if got := said(v, "efficacy", verdict.Inconclusive); c.want != "" && (len(got) == 0 || !strings.HasPrefix(got[0], c.want)) {
			t.Errorf("got %q, want %q", got, c.want)
		} else if c.want == "" && len(got) > 0 {
			t.Errorf("%s %s: %q", c.fault, c.member, got)
		}
		if got := said(v, "efficacy", verdict.Pass); c.want == "" && !strings.Contains(strings.Join(got, ""), " knows at ") {
			t.Errorf("%s %s: %q", c.fault, c.member, got)
		}
	}
}
