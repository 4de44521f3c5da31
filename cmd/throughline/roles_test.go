package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"throughline/scenarios/record"
)

// No name of these roles is in the program.
const rolesOfItsOwn = `scenario: roles-of-its-own
stack:
  web: {instances: 2, routes: {insert: "POST /insert/{word}"}}
  roles:
    basket: {instances: 2, routes: {toplist: GET /toplist, list: GET /get}}
    mailer: {instances: 1, env: {WORK_EVERY: 20ms}}
load: {rate: 90/s, mix: {insert: 4, toplist: 3, list: 2}, words: 100}
phases:
  - {phase: before, for: 4s}
  - phase: after
    do: [{kill: basket-2}, {launch: 1, role: basket}, {replace: mailer-1}]
    for: 5s
checks:
  - continuity:   {metric: fullstack.toplist}
  - continuity:   {metric: fullstack.work, role: mailer}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
  - conservation: {metric: fullstack.toplist, route: toplist, client_window: 100ms}
  - identity:     {metric: fullstack.get, route: list, tags: [role]}
`

// A role is added by the scenario alone: its instances are started, get the requests of their paths and no others, are
// labelled, moved, judged and reported as those of web are.
func TestARoleIsAddedByTheScenarioAlone(t *testing.T) {
	unhurried(t)
	stacked(t)
	o := runScenario(t, scenarioFile(t, rolesOfItsOwn))
	judgeAgain(t, o)
	h, err := record.Read(o.dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range h.Requests {
		r := &h.Requests[i]
		want := "basket-"
		if r.Route == "insert" {
			want = "web-"
		}
		if r.Outcome == record.Acked && !strings.HasPrefix(r.Instance, want) {
			t.Fatalf("%s was answered by %s, want one of %s", r.Route, r.Instance, want)
		}
	}
	of := func(label, value string) (names []string) {
		for i := range h.Series {
			if s := &h.Series[i]; s.Labels.Get(label) == value && s.Labels.Get("instance") != "" {
				names = append(names, s.Labels.Get("instance"))
			}
		}
		slices.SortFunc(names, record.CompareNames)
		return slices.Compact(names)
	}
	for label, want := range map[string][2]string{
		"role":  {"basket", "basket-1 basket-2 basket-3"},
		"proxy": {"be_basket", "basket-1 basket-2 basket-3"},
	} {
		if got := strings.Join(of(label, want[0]), " "); got != want[1] {
			t.Errorf("series with %s=%q are of %s, want %s", label, want[0], got, want[1])
		}
	}
	if got := strings.Join(of("role", "mailer"), " "); got != "mailer-1 mailer-2" {
		t.Errorf("series of the role mailer are of %s", got)
	}
	text, _ := exec.Command(binary, "judge", o.dir).Output() // its status was asked above
	for _, want := range []string{"\nRoles\n", "\n  basket ", "no users' requests"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	passes(t, o)
}
