package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/scenarios/script"
)

var stacked = script.Scenario{Stack: script.Stack{Web: script.Web{Stop: 15 * time.Second}}}

func TestAStepInWords(t *testing.T) {
	now := script.Now{Instances: []string{"web-1", "web-2", "web-4"}, Faults: []string{"freeze"}}
	const s = time.Second
	for _, c := range []struct {
		text, source string
		want         script.Step
	}{
		{"kill web-2", "{kill: web-2}", script.Step{Move: script.Kill{Instance: "web-2"}, Within: 10 * s}},
		{"  kill   web-4\n", "{kill: web-4}", script.Step{Move: script.Kill{Instance: "web-4"}, Within: 10 * s}},
		{"{kill: web-2, within: 3s}", "{kill: web-2, within: 3s}", script.Step{Move: script.Kill{Instance: "web-2"}, Within: 3 * s}},
		{"{kill:\n  web-2}", "{kill: web-2}", script.Step{Move: script.Kill{Instance: "web-2"}, Within: 10 * s}},
		{`{"kill": "web-2"}`, `{"kill": "web-2"}`, script.Step{Move: script.Kill{Instance: "web-2"}, Within: 10 * s}},
		{"launch", "{launch: 1}", script.Step{Move: script.Launch{Count: 1}, Within: 10 * s}},
		{"launch 3 within 1m", "{launch: 3, within: 1m}", script.Step{Move: script.Launch{Count: 3}, Within: time.Minute}},
		{"scale 5", "{scale: 5}", script.Step{Move: script.Scale{Count: 5}, Within: 25 * s}},
		{"replace all", "{replace: all}", script.Step{Move: script.Replace{Instance: script.ReplaceAll}, Within: 25 * s}},
		{"terminate web-1 drain=no", "{terminate: web-1, drain: no}", script.Step{Move: script.Terminate{Instance: "web-1", Abrupt: true}, Within: 25 * s}},
		{"fault drop-datagrams on web-2 share=0.5", "{fault: drop-datagrams, on: web-2, share: 0.5}",
			script.Step{Move: script.BeginFault{Fault: script.DropDatagrams{Share: 0.5}, Instance: "web-2"}, Within: 10 * s}},
		{"interrupt newest notice=5s", "{interrupt: newest, notice: 5s}", script.Step{Move: script.Interrupt{Instance: script.Newest, Notice: 5 * s}, Within: 30 * s}},
		{"heal", "{heal: freeze}", script.Step{Move: script.Heal{Fault: "freeze"}, Within: 10 * s}},
		{"heal freeze", "{heal: freeze}", script.Step{Move: script.Heal{Fault: "freeze"}, Within: 10 * s}},
	} {
		step, source, err := stacked.StepOf(c.text, now)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, step, cmpopts.IgnoreFields(script.Step{}, "Pos")); diff != "" || source != c.source {
			t.Errorf("%q is %q, want %q (-want +got):\n%s", c.text, source, c.source, diff)
		}
	}
}

func TestAStepInWordsIsRefused(t *testing.T) {
	now := script.Now{Instances: []string{"web-1", "web-3"}, Faults: []string{"freeze"}}
	for text, want := range map[string]string{
		"":                         "no move here: want one of " + script.KnownStepKinds,
		"kil web-1":                `kil: no such move: did you mean "kill"? (known: ` + script.KnownStepKinds + ")",
		"kill":                     "step.kill: has no value: want the name of an instance, like web-2",
		"kill web-2":               "kill web-2: no such instance at that point (have web-1, web-3)",
		"kill web-1 launch 1":      "step: kill and launch in one step: write two steps",
		"kill web-1 web-3":         `unknown key "web-3"`,
		"kill web-1 share=1":       "does not fit kill: remove it",
		"launch many":              `step.launch: want a whole number from 1 to 300, got the text "many"`,
		"scale 2":                  "scale 2: that many are alive at that point, so nothing would happen (have web-1, web-3)",
		"fault freez":              `step.fault: unknown "freez": did you mean "freeze"?`,
		"fault freeze on web-1":    "fault freeze on web-1: freeze has begun already at that point: heal it first",
		"fault drop-datagrams n=1": `step: unknown key "n"`,
		"heal drop-datagrams":      "heal drop-datagrams: it has not begun at that point (what has: freeze)",
		"kill {web-1}":             `kill: "{web-1}" has characters that no move has`,
		"kill web-1 # now":         "a move has no #",
		"{kill: web-1}]":           "not YAML",
		"{kill: web-1}, {launch}":  "not YAML",
		"{kil: web-1}":             `step: unknown key "kil": did you mean "kill"?`,
		"{within: 3s}":             "step: no step here: want one of " + script.KnownStepKinds,
	} {
		_, source, err := stacked.StepOf(text, now)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if source != "" && err != nil {
			t.Errorf("%q: refused, and yet %q", text, source)
		}
	}
	for faults, want := range map[string]string{"": "heal: no fault has begun", "freeze drop-datagrams": "heal: say which: freeze, drop-datagrams"} {
		if _, _, err := stacked.StepOf("heal", script.Now{Faults: strings.Fields(faults)}); err == nil || err.Error() != want {
			t.Errorf("heal: %v, want %q", err, want)
		}
	}
}

func TestWhatAStepNeeds(t *testing.T) {
	now := script.Now{Instances: []string{"web-1"}}
	for text, want := range map[string][]script.Need{
		"kill web-1": nil, "fault freeze": nil, "limit web-1 cpus=0.5": {script.CPULimits}, "fault reload-lb": {script.Master},
		"fault drop-datagrams": {script.OwnAddress, script.Relays},
	} {
		step, _, err := stacked.StepOf(text, now)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, step.Needs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// What was done by hand is a scenario as any other: it is read as it was meant.
func TestWhatWasImprovisedIsAScenario(t *testing.T) {
	i := script.Improvised{Instances: 3, Defect: "lost-on-exit", Rate: 50, Moves: []script.Improvisation{
		{Phase: "before the first move", For: 8123456 * time.Microsecond},
		{Phase: "1: kill web-2", Step: "{kill: web-2}", For: 3 * time.Second},
		{Phase: `2: "scale" 3\`, Failed: "no effect\nwithin 10s", For: 0},
		{Phase: "3: replace all", Step: "{replace: all}", For: 48 * time.Hour},
	}}
	s, err := script.Parse("scenario.yaml", i.Source(), script.Options{Ran: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, i.Source())
	}
	if s.Stack.Web.Instances != 3 || s.Stack.Web.Defect != "lost-on-exit" || s.Load.Rate != 50 || len(s.Checks) == 0 {
		t.Errorf("%+v", s)
	}
	want := []script.Phase{
		{Name: "before the first move", For: 8123 * time.Millisecond},
		{Name: "1: kill web-2", For: 3 * time.Second, Do: []script.Step{{Move: script.Kill{Instance: "web-2"}, Within: 10 * time.Second}}},
		{Name: `2: "scale" 3\`, For: time.Millisecond},
		{Name: "3: replace all", For: 24 * time.Hour, Do: []script.Step{{Move: script.Replace{Instance: "all"}, Within: 25 * time.Second}}},
	}
	if diff := cmp.Diff(want, s.Phases, cmpopts.IgnoreTypes(script.Pos{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	i.Cloud, i.Moves = true, append(i.Moves[:2], script.Improvisation{Phase: "2: interrupt web-1", Step: "{interrupt: web-1}", For: time.Second})
	if s, err = script.Parse("scenario.yaml", i.Source(), script.Options{}); err != nil || !s.Stack.Cloud || s.Stack.Web.Env["TAGS_FROM"] != "imds" {
		t.Errorf("in a cloud: %+v, %v", s.Stack, err)
	}
	i.Cloud, i.Beacons, i.Moves = false, true, i.Moves[:1]
	if s, err = script.Parse("scenario.yaml", i.Source(), script.Options{}); err != nil || !s.Load.Beacons.Any() || len(script.Promised[script.BeaconsSent](s)) != 1 {
		t.Errorf("with beacons: %+v, %v", s.Load, err)
	}
	i.Beacons, i.Moves = false, append(i.Moves, script.Improvisation{Phase: "1: kill web-2", Step: "{kill: web-2}", For: time.Second})
	if _, err := script.Parse("scenario.yaml", i.Source(), script.Options{}); err != nil {
		t.Errorf("it cannot be run again: %v", err)
	}
}

// What was done to a stack in which something died by itself is no mistake of the file.
func TestWhatWasRunIsNotPlayedThrough(t *testing.T) {
	source := script.Improvised{Instances: 1, Rate: 1, Moves: []script.Improvisation{{Phase: "a", Step: "{kill: web-7}", For: time.Second}}}.Source()
	if _, err := script.Parse("x", source, script.Options{Ran: true}); err != nil {
		t.Error(err)
	}
	if _, err := script.Parse("x", source, script.Options{}); err == nil || !strings.Contains(err.Error(), "kill web-7: no such instance") {
		t.Errorf("before a run: %v", err)
	}
}
