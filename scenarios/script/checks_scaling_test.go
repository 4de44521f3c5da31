package script_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/script"
)

// scaled is a scenario with an autoscaler, a load and a check of its decisions.
func scaled(autoscaler, load, check string) string {
	return fmt.Sprintf(`scenario: scaled
stack: {web: {instances: 2}}
load: {%s, mix: {insert: 9, get: 1}}
%sphases:
  - {phase: all, for: 90s}
checks:
  - conservation: {metric: fullstack.insert}
  - scaling: %s
`, load, autoscaler, check)
}

func follower(on, more string) string {
	return fmt.Sprintf("autoscale: {min: 2, max: 12, on: '%s', per: sum, target: 20, every: 2s%s}\n", on, more)
}

const (
	insertRate = "sum(rate(fullstack_insert_total[5s]))"
	twoSteps   = "shape: steps, levels: [{rate: 40/s, for: 30s}, {rate: 200/s, for: 60s}]"
)

func TestScalingIsRead(t *testing.T) {
	for check, want := range map[string]script.Scaling{
		"{}": {Astray: 0.05, Overshoot: script.AnyNumber, Flaps: script.AnyNumber},
		"{astray: 0, within: 20s, overshoot: 0, flaps: 2, cost: 1, still: yes}": {Within: 20 * time.Second, Flaps: 2, Cost: 1, Still: true},
		"{astray: 1, cost: 1.5}": {Astray: 1, Overshoot: script.AnyNumber, Flaps: script.AnyNumber, Cost: 1.5},
	} {
		s := parse(t, scaled(follower(insertRate, ""), twoSteps, check))
		if diff := cmp.Diff(want, script.Promised[script.Scaling](s)[0]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", check, diff)
		}
	}
}

func TestScalingThatIsRefused(t *testing.T) {
	slow := ", up: {at_most: 1, per: 4s}"
	for name, c := range map[string]struct{ source, want string }{
		"nobody decides":       {scaled("", twoSteps, "{}"), "scaling: there is no autoscaler whose decisions could be judged: add autoscale, or remove the check"},
		"more than all astray": {scaled(follower(insertRate, ""), twoSteps, "{astray: 1.5}"), "scaling.astray: 1.5 is out of range: want a share of the decisions from 0 to 1, like 0.05"},
		"cheaper than ideal":   {scaled(follower(insertRate, ""), twoSteps, "{cost: 0.5}"), "scaling.cost: 0.5 is out of range: want a number from 1, like 1.3"},
		"a step that the pace cannot follow": {scaled(follower(insertRate, slow), twoSteps, "{within: 10s}"),
			"scaling.within: 10s is less than autoscale takes from 2 instances to the 9 that the load calls for, which is 24s with a metric that is never late: allow for more, or change autoscale.up"},
		"a step of the form mean":                      {scaled(strings.Replace(follower("sum by (instance) (rate(fullstack_insert_total[5s]))", slow), "per: sum", "per: mean", 1), twoSteps, "{within: 10s}"), "which is 24s"},
		"a load that the fleet does not have at first": {scaled(follower(insertRate, slow), "rate: 200/s", "{within: 10s}"), "from 2 instances to the 9 that the load calls for, which is 24s"},
		"a window on the way up":                       {scaled(follower(insertRate, ", up: {after: 20s}"), "shape: sine, rate: 100/s, swing: 60/s, period: 30s", "{within: 10s}"), "which is 18s"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := script.Parse("demo.yaml", []byte(c.source), script.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
			if _, err := script.Parse("demo.yaml", []byte(c.source), script.Options{Ran: true}); err != nil && !strings.Contains(err.Error(), "out of range") {
				t.Errorf("a scenario that was run is refused: %v", err)
			}
		})
	}
	for name, source := range map[string]string{
		"there is time":                     scaled(follower(insertRate, slow), twoSteps, "{within: 24s}"),
		"the pace follows":                  scaled(follower(insertRate, ", up: {at_most: 400%, per: 2s}"), twoSteps, "{within: 10s}"),
		"the level is over before":          scaled(follower(insertRate, slow), "shape: steps, levels: [{rate: 40/s, for: 30s}, {rate: 200/s, for: 8s}, {rate: 40/s, for: 30s}]", "{within: 10s}"),
		"what it counts cannot be read off": scaled(follower("sum(rate(fullstack_insert_total[5s])) * 60", slow), twoSteps, "{within: 10s}"),
		"nobody promises what it counts":    scaled(follower("sum(rate(fullstack_get_total[5s]))", slow), twoSteps, "{within: 10s}"),
	} {
		if _, err := script.Parse("demo.yaml", []byte(source), script.Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
