package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/script"
)

const autoscaled = "load: {rate: 200/s}\nautoscale: {max: 8, on: sum(up), per: sum, target: 60}\n"

// scaling is the change of the smallest scenario that has an autoscaler.
func scaling(name, text string, want ...string) refused {
	return refused{name, "load: {rate: 200/s}\n", "load: {rate: 200/s}\nautoscale: " + text + "\n", want}
}

// beside is a scenario with an autoscaler whose only phase does something.
func beside(name, steps string, want ...string) refused {
	r := doing(name, steps, want...)
	source := strings.Replace(strings.Replace(smallest, r.old, r.new, 1), "load: {rate: 200/s}\n", autoscaled, 1)
	return refused{name, all, source, want}
}

var refusedAutoscale = []refused{
	scaling("nothing in it", "{min: 2}",
		`5:12: autoscale: the key "max" is missing`, `5:12: autoscale: the key "on" is missing`,
		`5:12: autoscale: the key "per" is missing`, `5:12: autoscale: the key "target" is missing`),
	scaling("max below min", "{min: 4, max: 3, on: up, per: sum, target: 1}", `5:26: autoscale.max: 3 is less than min, which is 4`),
	scaling("min of none", "{min: 0, max: 3, on: up, per: sum, target: 1}", `5:18: autoscale.min: want a whole number from 1 to 300, got 0`),
	scaling("another form", "{max: 3, on: up, per: pod, target: 1}", `5:34: autoscale.per: unknown "pod": want one of sum, mean`),
	scaling("target of nothing", "{max: 3, on: up, per: sum, target: 0}", `5:47: autoscale.target: 0 is out of range: want a number above 0, like 60`),
	scaling("target with a unit", "{max: 3, on: up, per: sum, target: 60/s}", `5:47: autoscale.target: want a number above 0, like 60, got the text "60/s"`),
	scaling("too often", "{max: 3, on: up, per: sum, target: 1, every: 10ms}", `5:57: autoscale.every: 10ms is out of range: want 100ms to 24h`),
	scaling("a pace without a number", "{max: 3, on: up, per: sum, target: 1, up: {per: 4s}}",
		`5:60: autoscale.up.per: says in which time, but not how many: add at_most, like at_most: 2 or at_most: 100%`),
	scaling("a share of nothing", "{max: 3, on: up, per: sum, target: 1, up: {at_most: 0%}}",
		`5:64: autoscale.up.at_most: want a number of instances or a share of them, like 2 or 100%, got "0%"`),
	scaling("missing as something else", "{max: 3, on: up, per: sum, target: 1, missing: drop}", `5:59: autoscale.missing: unknown "drop": want one of hold, zero, ignore`),
	beside("launch beside it", "{launch: 2}", `9:18: launch 2: the autoscaler would undo it: remove it, or change the load, which the autoscaler follows`),
	beside("scale beside it", "{scale: 5}", `9:17: scale 5: the autoscaler would undo it: remove it, or change the load, which the autoscaler follows`),
	beside("kill of one that it may have launched", "{kill: web-4}",
		`9:16: kill web-4: beside an autoscaler only those that run from the start have names that are known beforehand (have web-1, web-2, web-3): want one of these, or newest, oldest or any`),
	beside("freeze of one that was replaced", "[{replace: all}, {fault: freeze, on: web-1}]",
		`9:34: fault freeze on web-1: beside an autoscaler only those that run from the start have names that are known beforehand (have none): want one of these, or newest, oldest or any`),
	beside("kill twice", "[{kill: web-2}, {kill: web-2}]",
		`9:32: kill web-2: beside an autoscaler only those that run from the start have names that are known beforehand (have web-1, web-3): want one of these, or newest, oldest or any`),
	doing("name after any", "[{kill: any}, {kill: web-2}]",
		`8:30: kill web-2: a step before it ends any instance, so nobody knows who is alive at that point: want newest, oldest or any`),
	doing("newest of none", "[{kill: any}, {kill: newest}, {terminate: oldest}, {replace: any}]", `8:70: replace any: no instance is alive at that point`),
	doing("limit of whoever it is", "{limit: newest, cpus: 0.2}", `8:17: limit newest, cpus: 0.2: a limit is lifted by name: want the name of an instance, like web-2`),
}

func TestAutoscale(t *testing.T) {
	read := func(text string) autoscale.Policy {
		return parse(t, strings.Replace(smallest, "load: {rate: 200/s}\n", "load: {rate: 200/s}\nautoscale: "+text+"\n", 1)).Autoscale.Policy
	}
	want := autoscale.Policy{
		Min: 1, Max: 8, Form: autoscale.Sum, Target: 60, Tolerance: 0.1, Every: 15 * time.Second, Missing: autoscale.Hold,
		Up:   autoscale.Pace{AtMost: []autoscale.Bound{{Count: 4}, {Percent: 100}}, Per: 15 * time.Second},
		Down: autoscale.Pace{AtMost: []autoscale.Bound{{Percent: 100}}, Per: 15 * time.Second, After: 5 * time.Minute},
	}
	if diff := cmp.Diff(want, read("{max: 8, on: sum(up), per: sum, target: 60}")); diff != "" {
		t.Errorf("the defaults (-want +got):\n%s", diff)
	}
	want = autoscale.Policy{
		Min: 2, Max: 8, Form: autoscale.Mean, Target: 0.5, Every: 2 * time.Second, Missing: autoscale.Zero, WarmUp: 3 * time.Second,
		Up:   autoscale.Pace{AtMost: []autoscale.Bound{{Count: 2}}, Per: 4 * time.Second, After: time.Second},
		Down: autoscale.Pace{AtMost: []autoscale.Bound{{Percent: 50}, {Count: 1}}, Per: 5 * time.Second, After: 10 * time.Second},
	}
	got := read("{min: 2, max: 8, on: up, per: mean, target: 0.5, every: 2s, tolerance: 0, missing: zero, warm_up: 3s, " +
		"up: {at_most: 2, per: 4s, after: 1s}, down: {at_most: [50%, 1], per: 5s, after: 10s}}")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all said (-want +got):\n%s", diff)
	}
	more := strings.Replace(smallest, "load: {rate: 200/s}\n", strings.Replace(autoscaled, "max: 8", "max: 2", 1), 1)
	if s := parse(t, more); s.Stack.Web.Instances != 3 || s.Autoscale.Max != 2 {
		t.Errorf("%d instances with a max of %d: want both as they are written", s.Stack.Web.Instances, s.Autoscale.Max)
	}
}

// TestMovesOnWhoeverItIs: steps name instances that nobody can know beforehand, with an autoscaler and without.
func TestMovesOnWhoeverItIs(t *testing.T) {
	for steps, beside := range map[string]bool{
		"[{kill: newest}, {terminate: oldest}, {kill: web-2}, {launch: 1}]":                              false,
		"[{replace: newest}, {kill: web-4}, {replace: any}, {kill: any}, {kill: newest}]":                false,
		"[{fault: freeze, on: any}, {kill: web-3}]":                                                      false,
		"[{kill: any}, {kill: any}, {kill: any}, {kill: any}, {kill: newest}, {terminate: oldest}]":      true,
		"[{kill: oldest}, {kill: web-2}, {replace: web-3}, {replace: all}, {fault: freeze, on: newest}]": true,
		"[{limit: web-1, cpus: 0.2}, {limit: web-1, cpus: 0}, {replace: all}, {terminate: newest}]":      true,
	} {
		r := doing("", steps)
		source := strings.Replace(smallest, r.old, r.new, 1)
		if beside {
			source = strings.Replace(source, "load: {rate: 200/s}\n", autoscaled, 1)
		}
		if _, err := script.Parse("demo.yaml", []byte(source), defects); err != nil {
			t.Errorf("%s: %v", steps, err)
		}
	}
	if got := (script.Step{Move: script.Kill{Instance: script.Newest}}).String(); got != "kill newest" {
		t.Errorf("the step is %q", got)
	}
}
