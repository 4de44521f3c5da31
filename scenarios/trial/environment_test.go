package trial

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"throughline/compose"
	"throughline/scenarios/script"
)

func TestLacks(t *testing.T) {
	image := scenario(t, "image", `{web: {instances: 1, image: "example/app:1", routes: {insert: "POST /insert/{word}"}}}`, "")
	command := scenario(t, "command", `{web: {instances: 1, command: [python3, app.py], routes: {insert: "POST /insert/{word}"}}}`, "")
	relayed := scenario(t, "relayed", "{web: {instances: 1}}", ", do: [{fault: drop-datagrams, on: web-1}]")
	all := Lacks{Images: "no images", Commands: "no commands", OwnAddress: "one address", Elsewhere: "go elsewhere"}
	for _, c := range []struct {
		lacks    Lacks
		scenario script.Scenario
		want     string
	}{
		{all, image, "image: stack.web.image example/app:1: no images"},
		{all, command, "command: stack.web.command python3: no commands"},
		{all, relayed, "relayed: fault drop-datagrams: one address; go elsewhere"},
		{all, scenario(t, "plain", "{web: {instances: 1}}", ""), ""},
		{all, scenario(t, "deployed", "{web: {instances: 1}}", ", do: [{deploy: {version: v2, image: shop}}, {deploy: {version: v3, command: [shop]}}, {deploy: v4}]"),
			"deployed: deploy v2: image shop: no images\ndeployed: deploy v3: command shop: no commands"},
		{all, scenario(t, "again", `{web: {instances: 1, image: "shop:1", routes: {insert: "POST /insert/{word}"}}}`, ", do: [{deploy: {version: v2, env: {A: b}}}]"),
			"again: stack.web.image shop:1: no images"},
		{Lacks{}, image, ""}, {Lacks{}, command, ""}, {Lacks{}, relayed, ""},
	} {
		said := ""
		if err := errors.Join(c.lacks.Of(c.scenario)...); err != nil {
			said = err.Error()
		}
		if said != c.want {
			t.Errorf("%s: %q, want %q", c.scenario.Name, said, c.want)
		}
	}
}

func TestDatabaseLacks(t *testing.T) {
	forgets := scenario(t, "forgets", "{web: {instances: 1}, mongo: {forget: 9}}", "")
	frozen := scenario(t, "frozen", "{web: {instances: 1}}", ", do: [{fault: freeze-database}]")
	led := scenario(t, "led", "{web: {instances: 1}, mongo: {members: 3}}", "")
	cut := scenario(t, "cut", "{web: {instances: 1}, mongo: {members: 3}}", ", do: [{fault: isolate-member}]")
	given := Environment{Database: compose.Program{Command: []string{"mongod"}}, MongoDB: true}
	chosen := given
	chosen.Chosen = true
	ours := Environment{Database: compose.Program{Command: []string{"/throughline", "docstore"}}, Chosen: true}
	for _, c := range []struct {
		on       Environment
		scenario script.Scenario
		uri      string
		want     string
	}{
		{Environment{}, forgets, "", ""},
		{Environment{}, forgets, "mongodb://x", "stack.mongo.forget 9: only the embedded"},
		{given, forgets, "", ""}, // nobody chose it: see TestFor
		{chosen, forgets, "", "stack.mongo.forget 9: only the embedded"},
		{chosen, cut, "", "fault isolate-member: only the embedded"},
		{ours, forgets, "", ""},
		{given, frozen, "", ""},
		{Environment{}, led, "", ""},
		{Environment{}, led, "mongodb://x", "stack.mongo.members 3: members are started"},
		{given, led, "", ""}, {chosen, led, "", ""}, {ours, led, "", ""}, {ours, cut, "", ""},
		{Environment{}, frozen, "mongodb://x", "leave --mongo out"},
	} {
		err := errors.Join(c.on.DatabaseLacks(c.scenario, c.uri)...)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %q: %v, want %q", c.scenario.Name, c.uri, err, c.want)
		}
	}
}

// What the embedded database alone can do, it does where nobody chose another; all else is that of the image.
func TestFor(t *testing.T) {
	led, forgets := scenario(t, "led", "{web: {instances: 1}, mongo: {members: 3}}", ""), scenario(t, "forgets", "{web: {instances: 1}, mongo: {forget: 9}}", "")
	cut := scenario(t, "cut", "{web: {instances: 1}, mongo: {members: 3}}", ", do: [{fault: isolate-member}]")
	found := Environment{Database: compose.Program{Command: []string{"mongod"}, Image: "mongo:8"}, MongoDB: true}
	chosen := found
	chosen.Chosen = true
	for _, c := range []struct {
		on       Environment
		scenario script.Scenario
		note     string
		mongoDB  bool
	}{
		{found, led, "", true}, {chosen, cut, "", true}, {Environment{Note: "as it was"}, forgets, "as it was", false},
		{found, forgets, "stack.mongo.forget 9 is for the embedded database alone, which takes the place of the image mongo:8", false},
		{found, cut, "fault isolate-member is for the embedded database alone, which takes the place of the image mongo:8", false},
	} {
		got := c.on.For(c.scenario)
		if got.Note != c.note || got.MongoDB != c.mongoDB || (len(got.Database.Command) > 0) != c.mongoDB {
			t.Errorf("%s in %+v: %+v", c.scenario.Name, c.on, got)
		}
	}
	have, _ := Preflight([]script.Scenario{led, cut}, func([]script.Scenario) (Environment, error) { return found, nil }, func(error) {})
	if !have[0].MongoDB || have[1].MongoDB {
		t.Errorf("together: %+v", have)
	}
}

// What is missing for one scenario keeps no other from being run, and is told once.
func TestPreflight(t *testing.T) {
	all := []script.Scenario{{Name: "good"}, {Name: "bad"}}
	var told []string
	look := func(some []script.Scenario) (Environment, error) {
		for _, s := range some {
			if s.Name == "bad" {
				return Environment{}, errors.New("bad is missing")
			}
		}
		return Environment{Platform: "here"}, nil
	}
	tell := func(err error) { told = append(told, err.Error()) }
	have, missing := Preflight(all, look, tell)
	if missing[0] != nil || have[0].Platform != "here" || missing[1] == nil {
		t.Errorf("found %v, missing %v", have, missing)
	}
	if got := strings.Join(told, "|"); got != "bad is missing|1 of 2 scenarios cannot be run; the others are" {
		t.Errorf("told %q", got)
	}
	told = nil
	if _, missing := Preflight(all[1:], look, tell); missing[0] == nil || len(told) != 1 {
		t.Errorf("of a single one: missing %v, told %q", missing, told)
	}
	told = nil
	if have, missing := Preflight(all[:1], look, tell); missing[0] != nil || have[0].Platform != "here" || told != nil {
		t.Errorf("of a good one: found %v, missing %v, told %q", have, missing, told)
	}
}

func TestWritable(t *testing.T) {
	dir := t.TempDir()
	if err := Writable(filepath.Join(dir, "new", "one")); err != nil {
		t.Error(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Writable(filepath.Join(file, "out")); err == nil || !strings.Contains(err.Error(), "cannot make the directory") {
		t.Errorf("below a file: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "new", "one")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v (%v)", left, err)
	}
}

// What a platform lacks is told of the faults that need it, and of no others.
func TestLacksOfFaults(t *testing.T) {
	l := Lacks{Respawn: "it ends with its container", OwnDisk: "it has no disk", Elsewhere: "go elsewhere"}
	for fault, want := range map[string]string{
		"kill-lb":                  "demo: fault kill-lb: it ends with its container; go elsewhere",
		"fill-disk":                "demo: fault fill-disk: it has no disk; go elsewhere",
		"cut-network, hop: lb-web": "",
		"reload-lb":                "",
	} {
		s, err := script.Parse("demo.yaml", []byte("scenario: demo\nstack: {web: {instances: 2}}\nload: {rate: 20/s, mix: {insert: 1}}\nphases:\n  - {phase: one, for: 5s, do: {fault: "+
			fault+"}}\nchecks:\n  - audit: {route: insert}\n"), script.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := errors.Join(l.Of(s)...); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", fault, got, want)
		}
	}
}
