package exam_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/exam"
	"throughline/scenarios/script"
)

const shop = `# a shop
scenario: shop
stack:
  web:
    instances: 3
    command: [python3, shop.py]   # the shop
    routes: {order: "POST /orders/{word}", find: "GET /orders/{word}"}
  mongo: none
load: {rate: 50/s, mix: {order: 1, find: 3}}
phases:
  - {phase: steady, for: 10s}
checks:
  # what it counts
  - conservation: {metric: shop.orders, route: order, client_window: 1s,
      status: 2xx}
  - promql: {expr: "sum(rate(shop_orders_total[5s])) > 5", throughout: steady}
  - hygiene: {max_series: 20}
`

func subject(t *testing.T, source string) exam.Subject {
	t.Helper()
	s, err := script.Parse("shop.yaml", []byte(source), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := exam.Of(s)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func names(parts []exam.Part) (all []string) {
	for _, p := range parts {
		all = append(all, p.Name)
	}
	return all
}

func lefts(left []exam.Left) string {
	var b strings.Builder
	for _, l := range left {
		b.WriteString(l.What + ": " + l.Why + "\n")
	}
	return b.String()
}

// An application is put through six scenarios, with its own stack and checks in each, and what follows from these.
func TestParts(t *testing.T) {
	parts, left := subject(t, shop).Parts(exam.Options{})
	if got, want := names(parts), []string{"steady", "replace", "kill", "restart", "freeze", "scale"}; !slices.Equal(got, want) {
		t.Fatalf("got the parts %v, want %v\n%s", got, want, lefts(left))
	}
	for _, p := range parts {
		s := p.Scenario
		if s.Name != p.Name || !slices.Equal(s.Stack.Web.Command, []string{"python3", "shop.py"}) || s.Load.Mix["find"] != 3 || s.Load.Shape != script.Sine {
			t.Errorf("%s: not the shop: %+v", p.Name, s)
		}
		c := script.Promised[script.Conservation](s)
		if len(c) != 1 || c[0].ClientWindow != time.Second || c[0].Status != script.Successes {
			t.Errorf("%s: the check of the file is not kept: %+v", p.Name, c)
		}
		if h := script.Promised[script.Hygiene](s); len(h) != 1 || h[0].MaxSeries != 20 {
			t.Errorf("%s: hygiene is not that of the file: %+v", p.Name, h)
		}
		if len(script.Promised[script.Continuity](s)) != 1 || len(script.Promised[script.Identity](s)) != 1 || len(script.Promised[script.PromQL](s)) != 0 {
			t.Errorf("%s: other checks than there should be:\n%s", p.Name, s.Source)
		}
		ends := p.Name != "steady" && p.Name != "freeze"
		if (len(script.Promised[script.Shutdown](s)) == 1) != ends {
			t.Errorf("%s: shutdown is asked where nobody ends, or not where somebody does", p.Name)
		}
		if p.Name == "freeze" && len(script.Promised[script.Correlation](s)) != 0 {
			t.Errorf("curves are compared while users wait for who stands still")
		}
	}
	if len(script.Promised[script.Correlation](parts[0].Scenario)) != 1 {
		t.Errorf("curves are not compared:\n%s", parts[0].Scenario.Source)
	}
	for _, want := range []string{"the check promql of shop", "a release of another version", "times", "in-flight"} {
		if !strings.Contains(lefts(left), want) {
			t.Errorf("%q is not among what is left out:\n%s", want, lefts(left))
		}
	}
}

// Commands are executed where they are, wherever the files of the examination are kept.
func TestDirectory(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	flowed := strings.Replace(shop, shop[strings.Index(shop, "stack:"):strings.Index(shop, "load:")], `stack: {web: {instances: 3, command: [./shop], routes: {order: "POST /orders/{word}", find: "GET /orders/{word}"}}, mongo: none}`+"\n", 1)
	for what, c := range map[string]struct{ source, want string }{
		"the file's own": {shop, here},
		"in braces":      {flowed, here},
		"another":        {strings.Replace(shop, "  mongo: none\n", "  mongo: none\n  dir: ../x\n", 1), filepath.Join(filepath.Dir(here), "x")},
		"an absolute":    {strings.Replace(shop, "stack:\n", "stack:\n  dir: /srv/shop\n", 1), "/srv/shop"},
	} {
		parts, left := subject(t, c.source).Parts(exam.Options{})
		if len(parts) != 6 {
			t.Fatalf("%s: %s", what, lefts(left))
		}
		s := parts[0].Scenario
		s.File = "/elsewhere/steady.yaml"
		if s.Dir() != c.want {
			t.Errorf("%s: commands are executed in %s, want %s", what, s.Dir(), c.want)
		}
	}
}

// A second version takes the place of the restart; --quick leaves scenarios out, and says so.
func TestDeployAndQuick(t *testing.T) {
	parts, left := subject(t, shop).Parts(exam.Options{Quick: true, Rate: 20, Deploy: map[string]string{"command": exam.Flow([]string{"python3", "shop 2.py"}), "env": exam.Variables(map[string]string{"A": `"b"`})}})
	if got, want := names(parts), []string{"steady", "kill", "deploy"}; !slices.Equal(got, want) {
		t.Fatalf("got the parts %v, want %v\n%s", got, want, lefts(left))
	}
	d, ok := parts[2].Scenario.Phases[1].Do[0].Move.(script.Deploy)
	if !ok || !slices.Equal(d.Web.Command, []string{"python3", "shop 2.py"}) || d.Web.Env["A"] != `"b"` || d.Web.Version != exam.SecondVersion {
		t.Errorf("another version is deployed: %+v", parts[2].Scenario.Phases[1].Do)
	}
	if parts[0].Scenario.Load.Rate != 20 {
		t.Errorf("the rate is %v", parts[0].Scenario.Load.Rate)
	}
	if !strings.Contains(lefts(left), "left out by --quick") || strings.Contains(lefts(left), "no second version") {
		t.Errorf("what is left out:\n%s", lefts(left))
	}
}

// The longer a client holds counts, the longer the phases: else nothing could be compared.
func TestLongWindows(t *testing.T) {
	parts, left := subject(t, strings.Replace(shop, "client_window: 1s", "client_window: 10s", 1)).Parts(exam.Options{})
	if len(parts) != 6 || len(script.Promised[script.Correlation](parts[0].Scenario)) != 1 {
		t.Errorf("%v, curves are not compared:\n%s", names(parts), lefts(left))
	}
	if gap := script.Promised[script.Continuity](parts[0].Scenario)[0].MaxGap; gap != 12*time.Second {
		t.Errorf("a gap may be %v", gap)
	}
}

// Each built-in scenario that promises conservation can be examined, or it is said why not.
func TestLibraryIsExamined(t *testing.T) {
	files, err := filepath.Glob("../*.yaml")
	if err != nil || len(files) < 15 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := script.Parse(file, source, script.Options{})
		if err != nil {
			t.Fatal(err)
		}
		sub, err := exam.Of(s)
		if err != nil {
			if len(script.Promised[script.Conservation](s)) > 0 {
				t.Errorf("%s: %v", file, err)
			}
			continue
		}
		parts, left := sub.Parts(exam.Options{})
		if len(parts) == 0 {
			t.Errorf("%s: no parts:\n%s", file, lefts(left))
		}
		if strings.Contains(lefts(left), "is refused") {
			t.Errorf("%s: a part is refused:\n%s", file, lefts(left))
		}
	}
}

// What cannot be taken apart is refused, with what to do.
func TestRefused(t *testing.T) {
	for what, c := range map[string]struct{ old, new, want string }{
		"checks on one line": {shop[strings.Index(shop, "checks:"):], "checks: [{conservation: {metric: shop.orders, route: order}}, {hygiene: {growth: 0}}]\n", "write each check on a line of its own"},
		"no conservation":    {shop[strings.Index(shop, "  # what it counts"):strings.Index(shop, "  - promql")], "", "no check conservation"},
	} {
		source := strings.Replace(shop, c.old, c.new, 1)
		s, err := script.Parse("shop.yaml", []byte(source), script.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exam.Of(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What is written of an application is what the language takes, whatever its words are.
func TestDraft(t *testing.T) {
	d := exam.Draft{Name: "shop", About: `it's "a shop": #1 {x}`, Instances: 2, Command: []string{"java", "-jar", `a "b" \c.jar`, "--port={{.Port}}"}, Health: "/health z",
		Env: map[string]string{"A": "yes", "B": "{{.Name}}"}, Rate: 33.3,
		Routes:   []exam.Route{{Name: "order", Method: "POST", Path: "/orders/{word}?q={word}"}, {Name: "find", Method: "GET", Path: "/find"}},
		Counters: []exam.Counter{{Metric: "shop.orders", Route: "order", Window: time.Second, Successes: true, Why: "it\ngrew", Window0: "measured"}, {Metric: "shop.find", Route: "find"}},
		Timers:   []exam.Timer{{Metric: "shop.time", Route: "order", Unit: "s", Window: time.Second}},
		Gauges:   []exam.Gauge{{Metric: "shop.busy"}}, Remarks: []string{"x\ny: {"}}
	for what, change := range map[string]func(*exam.Draft){
		"whole":       func(*exam.Draft) {},
		"no counters": func(d *exam.Draft) { d.Counters = nil },
		"an image":    func(d *exam.Draft) { d.Command, d.Image = nil, "shop:1" },
		"a database":  func(d *exam.Draft) { d.Database = true },
	} {
		d := d
		d.Health = "/healthz"
		change(&d)
		source, err := d.Source()
		if err != nil {
			t.Fatal(err)
		}
		s, err := script.Parse("shop.yaml", source, script.Options{})
		if err != nil {
			t.Errorf("%s: %v\n%s", what, err, source)
			continue
		}
		if len(d.Command) > 0 && !slices.Equal(s.Stack.Web.Command, d.Command) || s.About != d.About || s.Stack.Web.Env["A"] != "yes" || (s.Stack.Mongo == "") != d.Database {
			t.Errorf("%s: read otherwise: %+v", what, s.Stack)
		}
		if _, err := exam.Of(s); (err == nil) != (len(d.Counters) > 0) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := (exam.Draft{Name: "none"}).Source(); err == nil {
		t.Error("an application without routes is written")
	}
}
