package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"throughline/scenarios/script"
)

// deploying is a scenario with these steps, one a line, and these lines below stack.web.
func deploying(web string, steps ...string) string {
	return "scenario: deploying\nstack:\n  web: {instances: 3" + web + "}\nload: {rate: 10/s}\nphases:\n  - phase: only\n    for: 5s\n    do:\n      - " +
		strings.Join(steps, "\n      - ") + "\nchecks:\n  - conservation: {metric: fullstack.insert}\n"
}

func TestDeploys(t *testing.T) {
	s, err := script.Parse("x.yaml", []byte(deploying(`, version: 1.10, defect: no-flush, env: {A: "1", B: "2"}`,
		`deploy: {version: 1.11, defect: none, env: {B: "3", C: "{{.Name}}"}}`,
		`{deploy: {version: next, command: [python3, shop.py]}, canary: 2, within: 3s}`,
		"deploy: next",
		`rollback: 1.10`,
		"launch: 1", // web-13, of 1.10
		`{deploy: last, canary: 3}`,
		"kill: web-13",
	)), defects)
	if err != nil {
		t.Fatal(err)
	}
	stack := s.Stack.Web
	with := func(version, defect string, command []string, env map[string]string) script.Web {
		w := stack
		w.Version, w.Defect, w.Command, w.Env = version, defect, command, env
		return w
	}
	old := map[string]string{"A": "1", "B": "2"}
	repaired := with("1.11", "", nil, map[string]string{"A": "1", "B": "3", "C": "{{.Name}}"})
	next, last := with("next", "", []string{"python3", "shop.py"}, old), with("last", "no-flush", nil, old)
	want := []script.Move{
		script.Deploy{Web: repaired}, script.Deploy{Web: next, Canary: 2}, script.Deploy{Web: next}, script.Rollback{Version: "1.10"},
		script.Launch{Count: 1}, script.Deploy{Web: last, Canary: 3}, script.Kill{Instance: "web-13"},
	}
	var got []script.Move
	for _, step := range s.Phases[0].Do {
		got = append(got, step.Move)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]script.Web{stack, repaired, next, last}, s.Webs()); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if stack.Version != "1.10" || s.Phases[0].Do[0].Within != 25*time.Second || s.Phases[0].Do[1].Within != 3*time.Second {
		t.Errorf("%q, %v", stack.Version, s.Phases[0].Do)
	}
}

// Beside an autoscaler nobody knows the names of the new ones; versions are known all the same.
func TestDeploysBesideAnAutoscaler(t *testing.T) {
	scaled := func(steps ...string) string {
		return strings.Replace(deploying("", steps...), "phases:\n", "autoscale: {max: 6, on: \"sum(rate(fullstack_insert_total[5s]))\", per: sum, target: 5, every: 2s}\nphases:\n", 1)
	}
	for want, source := range map[string]string{
		"":                                     scaled("deploy: v2", "{deploy: v3, canary: 2}", "rollback: v2", "rollback: v1", "{deploy: v3, canary: 1}", "deploy: v3"),
		"rollback v1: all are of v1":           scaled("rollback: v1"),
		"deploy v1: new instances are of v1":   scaled("deploy: v1"),
		"rollback v9: no such version before":  scaled("deploy: v2", "rollback: v9"),
		"deploy v2: v2 was there before":       scaled("deploy: v2", "rollback: v1", "deploy: v2"),
		"beside an autoscaler only those that": scaled("deploy: v2", "kill: web-4"),
	} {
		_, err := script.Parse("x.yaml", []byte(source), script.Options{})
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q\n%s", err, want, source)
		}
	}
}

// Who deploys nothing has no versions, unless the file says one; who does has v1.
func TestTheVersionOfTheStack(t *testing.T) {
	for source, want := range map[string]string{
		deploying("", "launch: 1"):                    "",
		deploying(", version: v7", "launch: 1"):       "v7",
		deploying("", "deploy: v2"):                   "v1",
		deploying(", version: v7", "deploy: v2"):      "v7",
		deploying(`, env: {VERSION: a}`, "launch: 1"): "",
	} {
		s, err := script.Parse("x.yaml", []byte(source), script.Options{})
		if err != nil || s.Stack.Web.Version != want {
			t.Errorf("%q, %v, want %q:\n%s", s.Stack.Web.Version, err, want, source)
		}
	}
}

func TestRefusedDeploys(t *testing.T) {
	for _, c := range []struct {
		web   string
		steps []string
		want  string // at line 9, where the first step is, and so on
	}{
		{"", []string{"deploy: {defect: no-flush}"}, `9:17: do.deploy: the key "version" is missing`},
		{"", []string{"deploy: v2/x"}, `9:17: do.deploy: "v2/x" is not a version of at most 64 letters, digits, '.', '_' and '-', like v2`},
		{"", []string{`deploy: ""`}, `9:17: do.deploy: is empty: want a version of at most 64 letters, digits, '.', '_' and '-', like v2`},
		{"", []string{"deploy: {version: yes, env: {}}"}, `9:37: do.deploy.env: is empty: want names and values, like {LOG_LEVEL: debug}`},
		{"", []string{"deploy: {version: true}"}, `9:27: do.deploy.version: want text, got true: if it is meant, write "true"`},
		{"", []string{"deploy: {version: v2, defect: leaky}"}, `9:39: do.deploy.defect: unknown "leaky": `},
		{"", []string{"deploy: {version: v2, instances: 5}"}, `9:31: do.deploy: unknown key "instances": `},
		{"", []string{"deploy: {version: v2, command: [app, \"{{.Por}}\"]}"}, `9:46: do.deploy.command: "{{.Por}}" does not expand`},
		{"", []string{"deploy: {version: v2, command: [app], image: shop}"}, `9:54: do.deploy.image: there is a command too: want one of the two`},
		{"", []string{"deploy: {version: v2, command: [app], defect: no-flush}"}, `9:55: do.deploy.defect: "no-flush" belongs to the reference app`},
		{", command: [app], env: {A: b}", []string{"deploy: {version: v2, defect: none}"}, `9:39: do.deploy.defect: "none" belongs to the reference app`},
		{"", []string{"deploy: {version: v2, env: {VERSION: v3}}"}, `9:37: do.deploy.env: VERSION is set for each instance by the stack`},
		{", env: {VERSION: v3}", []string{"deploy: v2"}, `3:29: stack.web.env: VERSION is set for each instance by the stack, in a scenario that has versions: choose another name`},
		{"", []string{"deploy: v1"}, `9:17: deploy v1: new instances are of v1 anyway at that point`},
		{"", []string{"deploy: v2", "deploy: v3", "deploy: v2"}, `11:17: deploy v2: v2 was there before: want rollback: v2 to go back to it`},
		{"", []string{"{deploy: {version: v2, defect: no-flush}, canary: 1}", "deploy: {version: v2, defect: no-flush}"},
			`10:39: do.deploy.defect: v2 was there before and stays what it was: leave defect out, or choose another version`},
		{"", []string{"{deploy: v2, canary: 3}"}, `9:18: deploy v2, canary: 3: 3 of another version are alive at that point, and a canary replaces fewer: want at most 2, or leave canary out`},
		{"", []string{"{deploy: v2, canary: 2}", "{deploy: v2, canary: 1}"}, `10:18: deploy v2, canary: 1: 1 of another version are alive at that point`},
		{"", []string{"{deploy: v2, canary: 0}"}, `9:30: do.canary: want a whole number from 1 to 300, got 0`},
		{"", []string{"{launch: 1, canary: 1}"}, `9:29: do.canary: launch has no canary: it belongs to deploy`},
		{"", []string{"kill: web-1", "kill: web-2", "kill: web-3", "deploy: v2"}, `12:17: deploy v2: no instance is alive at that point`},
		{"", []string{"scale: 300", "deploy: v2"}, `10:17: deploy v2: 301 instances would be alive meanwhile, want at most 300`},
		{"", []string{"deploy: v2", "kill: web-1"}, `10:15: kill web-1: no such instance at that point (have web-4, web-5, web-6)`},
		{"", []string{"{deploy: v2, canary: 1}", "launch: 1", "deploy: v2", "kill: web-4", "kill: web-5"}, `13:15: kill web-5: no such instance at that point (have web-6, web-7, web-8)`},
		{"", []string{"rollback: v1"}, `9:19: rollback v1: all are of v1 at that point, so nothing would happen (before it there was none)`},
		{"", []string{"deploy: v2", "rollback: v2"}, `10:19: rollback v2: all are of v2 at that point, so nothing would happen (before it there was v1)`},
		{"", []string{"deploy: v2", "rollback: v3"}, `10:19: rollback v3: no such version before that point (have v1, v2)`},
		{"", []string{"{deploy: v2, canary: 1}", "rollback: v2"}, `10:19: rollback v2: v2 was a canary only: want deploy: v2 to roll it out`},
		{"", []string{"deploy: v2", "kill: web-4", "kill: web-5", "kill: web-6", "rollback: v1"}, `13:19: rollback v1: no instance is alive at that point`},
		{"", []string{"rollback: [v1]"}, `9:19: do.rollback: want text, got a list`},
	} {
		_, err := script.Parse("x.yaml", []byte(deploying(c.web, c.steps...)), defects)
		if err == nil || !strings.HasPrefix(err.Error(), "x.yaml:"+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v\nwant %s", c.steps, err, c.want)
		}
	}
}

// After a canary, what is launched is as before.
func TestWhoIsOfWhichVersion(t *testing.T) {
	s := script.Scenario{Stack: script.Stack{Web: script.Web{Instances: 3, Version: "v1", Stop: time.Second}}}
	versions := script.NewVersions(s.Stack.Web)
	now := func(of map[string]string, past ...string) script.Now {
		v := versions.Clone()
		v.Of, v.Past = of, past
		v.Add(script.Web{Version: "v2", Defect: "no-flush"})
		var names []string
		for _, name := range []string{"web-1", "web-2", "web-3", "web-4"} {
			if of[name] != "" {
				names = append(names, name)
			}
		}
		return script.Now{Instances: names, Versions: v}
	}
	canary := map[string]string{"web-2": "v1", "web-3": "v1", "web-4": "v2"}
	for _, c := range []struct {
		text, source string
		now          script.Now
		want         script.Move
	}{
		{"deploy v3", "{deploy: v3}", now(canary, "v1"), script.Deploy{Web: script.Web{Instances: 3, Version: "v3", Stop: time.Second}}},
		{"deploy version=v3 defect=no-flush canary=1 within=3s", "{deploy: {version: v3, defect: no-flush}, canary: 1, within: 3s}", now(canary, "v1"),
			script.Deploy{Web: script.Web{Instances: 3, Version: "v3", Defect: "no-flush", Stop: time.Second}, Canary: 1}},
		{"deploy v2", "{deploy: v2}", now(canary, "v1"), script.Deploy{Web: script.Web{Version: "v2", Defect: "no-flush"}}},
		{"rollback", "{rollback: v1}", now(canary, "v1"), script.Rollback{Version: "v1"}},
		{"rollback", "{rollback: v1}", now(map[string]string{"web-4": "v2"}, "v1", "v2"), script.Rollback{Version: "v1"}},
		{"rollback", "{rollback: v2}", now(map[string]string{"web-4": "v1"}, "v1", "v2", "v1"), script.Rollback{Version: "v2"}},
	} {
		step, source, err := s.StepOf(c.text, c.now)
		if err != nil || source != c.source {
			t.Errorf("%s: %q, %v, want %q", c.text, source, err, c.source)
			continue
		}
		if diff := cmp.Diff(c.want, step.Move, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
	for text, want := range map[string]string{
		"rollback":                     "rollback: nothing was deployed yet",
		"deploy":                       "step.deploy: has no value: want text",
		"deploy version=v2 env=x":      "step.deploy.env: want names and values",
		"deploy version=v2 kill=web-1": `step.deploy: unknown key "kill"`,
	} {
		if _, _, err := s.StepOf(text, script.Now{Instances: []string{"web-1"}, Versions: script.Versions{Known: versions.Known, Past: versions.Past, Of: map[string]string{"web-1": "v1"}}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// What versions are told in their environment is kept out of the record as what the stack is.
func TestMaskedDeploys(t *testing.T) {
	for name, steps := range map[string][]string{
		"in brackets":                    {`deploy: {version: v2, env: {TOKEN: hunter2}}`},
		"with more":                      {`{deploy: {version: v2, env: {TOKEN: hunter2, B: "hunter2, x"}, defect: no-flush}, canary: 1}`, "kill: web-2"},
		"a line each":                    {"deploy:\n          version: v2\n          env: # hunter2\n            TOKEN: hunter2\n            B: hunter2", "kill: web-4"},
		"a line each, then its own keys": {"deploy:\n          env:\n            TOKEN: hunter2\n          version: v2\n        canary: 1", "kill: web-4"},
		"several":                        {`deploy: {version: v2, env: {TOKEN: hunter2}}`, `deploy: {version: v3, env: {TOKEN: hunter2}}`, "rollback: v1"},
	} {
		for _, web := range []string{"", ", env: {TOKEN: hunter2}", ", env: {OTHER: hunter2}"} {
			s, err := script.Parse("x.yaml", []byte(deploying(web, steps...)), script.Options{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff([]string{"hunter2"}, s.Secrets()[:1]); diff != "" {
				t.Errorf("%s: secrets (-want +got):\n%s", name, diff)
			}
			masked, err := s.Masked()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			again, err := script.Parse("x.yaml", masked, script.Options{})
			if err != nil || strings.Contains(string(masked), "hunter2") {
				t.Errorf("%s: %v in\n%s", name, err, masked)
				continue
			}
			hide := func(w script.Web) script.Web {
				env := map[string]string{}
				for name := range w.Env {
					env[name] = script.Mask
				}
				w.Env = env
				return w
			}
			if diff := cmp.Diff(s, again, cmpopts.IgnoreFields(script.Scenario{}, "Source"), cmpopts.EquateEmpty(), cmp.Transformer("hide", hide)); diff != "" {
				t.Errorf("%s: another scenario (-given +recorded):\n%s\n%s", name, diff, masked)
			}
		}
	}
}
