package script_test

import (
	"strings"
	"testing"

	"throughline/scenarios/script"
)

// A primary is killed only where enough members are left that elect another one, and what is done to one database is
// not done to one that has members.
func TestStepsOnMembers(t *testing.T) {
	for steps, want := range map[string]string{
		"{kill: primary}": "",
		"{kill: primary}, {launch: member}, {kill: primary}":                                       "",
		"{kill: primary}, {kill: primary}":                                                         "kill primary: 1 of 3 members would be left, who elect no primary: want launch: member before it",
		"{step_down: primary}, {kill: primary}, {kill: web-1}":                                     "",
		"{launch: member}, {launch: member}, {launch: member}, {launch: member}, {launch: member}": "launch member: the database would have 8 members, want at most 7",
		"{launch: member}, {launch: member}, {kill: primary}, {kill: primary}":                     "",
		"{fault: freeze-database}":                                                                 "fault freeze-database: it is not done to a database with members",
		"{fault: slow-network, hop: web-db}":                                                       "fault slow-network web-db: it is not done to a database with members",
		"{fault: slow-network, hop: lb-web}":                                                       "",
		"{fault: isolate-member}, {heal: isolate-member}, {kill: primary}":                         "",
		"{fault: isolate-member, member: secondary}, {kill: primary}":                              "kill primary: 1 of 3 members would be left, who elect no primary: want heal before it",
		"{kill: primary}, {fault: isolate-member}":                                                 "fault isolate-member primary: 1 of 3 members would be left, who elect no primary: want launch: member before it",
		"{fault: isolate-member}, {fault: freeze-primary}":                                         "fault freeze-primary: 1 of 3 members would be left, who elect no primary: want heal before it",
		"{launch: member}, {launch: member}, {fault: isolate-member}, {fault: freeze-primary}":     "",
		"{fault: freeze-primary}, {heal: freeze-primary}, {fault: isolate-member}":                 "",
		"{fault: isolate-member, member: mongo-1}":                                                 "unknown \"mongo-1\"",
		"{fault: freeze-primary, member: secondary}":                                               "does not fit freeze-primary, which takes nothing more",
		"{fault: freeze, on: primary}":                                                             "no such instance at that point",
		"{terminate: primary}, {step_down: primary}":                                               "terminate primary: no such instance at that point",
	} {
		s, err := script.Parse("demo.yaml", []byte("scenario: demo\nstack: {web: {instances: 3}, mongo: {members: 3}}\nload: {rate: 20/s, mix: {insert: 1}}\n"+
			"phases:\n  - {phase: one, for: 5s, do: ["+steps+"]}\nchecks:\n  - audit: {route: insert}\n"), script.Options{})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", steps, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", steps, err, want)
		case err == nil && s.Stack.Members != 3:
			t.Errorf("%s: the stack has %d members", steps, s.Stack.Members)
		}
	}
}

// By hand, a step on the database is read as one of a file is.
func TestStepsOnMembersByHand(t *testing.T) {
	var s script.Scenario
	s.Stack.Members = 3
	for text, want := range map[string]string{"kill primary": "kill primary", "launch member": "launch member", "step_down primary": "step_down primary", "launch": "launch 1"} {
		step, _, err := s.StepOf(text, script.Now{Instances: []string{"web-1"}})
		if err != nil || step.String() != want {
			t.Errorf("%s: %v, %v", text, step.Move, err)
		}
	}
	for _, text := range []string{"kill primary", "fault isolate-member", "fault freeze-primary"} {
		if _, _, err := (script.Scenario{}).StepOf(text, script.Now{Instances: []string{"web-1"}}); err == nil || !strings.Contains(err.Error(), "the database has no members") {
			t.Errorf("%s where there is no primary: %v", text, err)
		}
	}
}
