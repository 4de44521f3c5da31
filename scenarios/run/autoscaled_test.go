package run

import (
	"fmt"
	"testing"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/record"
)

// TestAutoscaledRun is a whole run on the local platform with HAProxy, whose fleet follows its load out and in, while
// steps kill and replace. How fast the machine is decides how far it goes, and nothing else.
func TestAutoscaledRun(t *testing.T) {
	scenario, history := runLocally(t, `
scenario: x
stack:
  mongo: none
  web: {instances: 2, command: [{{app}}], routes: {look: GET /env}}
load: {shape: steps, levels: [{rate: 20/s, for: 2s}, {rate: 100/s, for: 4s}, {rate: 20/s, for: 1m}], mix: {look: 1}}
autoscale:
  min: 2
  max: 5
  on: sum(rate(haproxy_frontend_req_tot[1s]))
  per: sum
  target: 20
  every: 200ms
  up: {at_most: 1, per: 400ms}
  down: {at_most: 100%, per: 400ms, after: 1s}
phases:
  - {phase: little, for: 2s}
  - {phase: much, do: {kill: oldest}, for: 4s}
  - {phase: little again, do: {replace: any}, for: 4s}
checks:
  - continuity: {metric: any.thing}
`, func(*Config) {})
	decided := replayed(t, scenario.Autoscale.Policy, history.Events)
	askedAgain(t, scenario.Autoscale.On, decided, history)
	followed(t, decided, history)
}

// askedAgain holds what was decided by against what the record says for the same moments.
func askedAgain(t *testing.T, on string, decided []autoscale.Decision, h record.History) {
	t.Helper()
	store, answered := storeOf(t, h), 0
	for _, d := range decided {
		if d.Error != "" {
			t.Logf("at %v: %s", d.At, d.Error)
			continue
		}
		if d.Because == autoscale.OutOfBounds {
			continue // nobody was asked
		}
		answer, err := store.Query(t.Context(), on, h.Run.Start.Add(d.At).Round(time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		var now []autoscale.Sample
		for _, s := range answer.Series {
			now = append(now, autoscale.Sample{Value: s.Points[0].Value})
		}
		if fmt.Sprint(now) != fmt.Sprint(d.Samples) {
			t.Errorf("at %v it was decided by %v, the record says %v", d.At, d.Samples, now)
		}
		if d.Value != nil {
			answered++
		}
	}
	if answered < len(decided)/2 || answered == 0 {
		t.Errorf("%d of %d decisions had a sample", answered, len(decided))
	}
}

// followed: the fleet grew and shrank as was decided, no decision came after the load, and no move was left.
func followed(t *testing.T, decided []autoscale.Decision, h record.History) {
	t.Helper()
	var grew, shrank int
	for _, d := range decided {
		grew, shrank = grew+max(0, d.Wanted-d.Had), shrank+max(0, d.Had-d.Wanted)
	}
	births, drained, steps, over := 0, 0, 0, false
	for _, e := range h.Events {
		switch {
		case e.Kind == record.LoadEnd:
			over = true
		case over && (e.Kind == record.Decided || e.Role == record.Web && e.Kind != record.Note):
			t.Errorf("%s %s after the load", e.Kind, e.Instance)
		case e.Kind == record.Birth && e.Role == record.Web:
			births++
		case e.Kind == record.Draining:
			drained++
		case e.Kind == record.StepEnd && e.Error == "" && e.Instance != "":
			steps++
		}
	}
	// Two ran from the start, and one came and one went by the step that replaces.
	if grew < 2 || births != 3+grew {
		t.Errorf("%d were born for decisions that wanted %d more", births, grew)
	}
	if shrank < 1 || drained < 1 || drained > 1+shrank {
		t.Errorf("%d were drained for decisions that wanted %d fewer", drained, shrank)
	}
	if steps != 2 {
		t.Errorf("%d steps had their effect and name an instance, want 2", steps)
	}
}
