package script_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"throughline/scenarios/script"
)

// FuzzParse feeds anything to the reader. Whatever it is, it is either refused with places and sentences, or it is a
// scenario that keeps every promise of the types. go test runs the seeds; go test -fuzz=FuzzParse looks for more.
func FuzzParse(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add([]byte(everything))
	f.Add([]byte(promised))
	f.Add([]byte(deploying(", env: {A: b}", "deploy: {version: v2, env: {A: c}}", "{deploy: {version: v3, defect: late}, canary: 1}", "rollback: v1")))
	for _, cases := range refusals() {
		for _, c := range cases {
			f.Add([]byte(c.source(f)))
		}
	}
	library, err := filepath.Glob("../*.yaml")
	if err != nil || len(library) == 0 {
		f.Fatalf("no library: %v", err)
	}
	for _, path := range library {
		source, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		s, err := script.Parse("fuzz.yaml", source, defects)
		if err != nil {
			refusal(t, source, err)
			return
		}
		accepted(t, s)
		kept(t, s)
	})
}

// kept: a record holds no value of the environment, or there is no record.
func kept(t *testing.T, s script.Scenario) {
	masked, err := s.Masked()
	if err != nil {
		if !strings.HasPrefix(err.Error(), "env: ") || len(s.Secrets()) == 0 {
			t.Error(err)
		}
		return
	}
	again, err := script.Parse("fuzz.yaml", masked, defects)
	if err != nil {
		t.Fatalf("the record of a scenario is none: %v\n%s", err, masked)
	}
	for _, w := range again.Webs() {
		for name, value := range w.Env {
			if value != script.Mask {
				t.Errorf("%s is told in the record: %s", name, masked)
			}
		}
	}
}

func refusal(t *testing.T, source []byte, err error) {
	var errs script.Errors
	if !errors.As(err, &errs) || len(errs) == 0 {
		t.Fatalf("no list of errors: %v", err)
	}
	lines := strings.Count(strings.ReplaceAll(string(source), "\r", "\n"), "\n") + 1
	for i, e := range errs {
		switch {
		case e.Pos.File != "fuzz.yaml" || e.Pos.Line < 1 || e.Pos.Line > lines || e.Pos.Column < 1 || e.Pos.Column > len(source)+1:
			t.Errorf("no such place in %d lines: %v", lines, e)
		case e.Message == "" || strings.ContainsAny(e.Message, "\n\r\x1b\x00") || !utf8.ValidString(e.Message):
			t.Errorf("not a line: %q", e.Message)
		case utf8.RuneCountInString(e.Message) > 2000:
			t.Errorf("%d characters are too many to read", utf8.RuneCountInString(e.Message))
		case strings.Contains(e.Message, "the YAML reader cannot make sense of it"):
			t.Logf("the YAML parser panicked: %v", e)
		}
		if i > 0 && (e.Pos.Line < errs[i-1].Pos.Line || e.Pos.Line == errs[i-1].Pos.Line && e.Pos.Column < errs[i-1].Pos.Column) {
			t.Errorf("%v comes after %v", e, errs[i-1])
		}
	}
}

func accepted(t *testing.T, s script.Scenario) {
	web, load := s.Stack.Web, s.Load
	must := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Errorf("accepted although not %s: %+v", what, s)
		}
	}
	must(s.Name != "" && len(s.Name) <= 64, "named")
	must(web.Instances >= 1 && web.Instances <= script.MaxInstances, "of a number of instances")
	must(strings.HasPrefix(web.Health, "/"), "with a health path")
	must(web.Stop > 0 && web.Stop <= 10*time.Minute, "a time to stop")
	must(web.Command == nil || web.Image == "" && web.Command[0] != "", "one program")
	must(web.Defect == "" || web.Command == nil && web.Image == "" && slices.Contains(defects.Defects, web.Defect), "a known defect")
	must(s.Stack.Mongo == "" || s.Stack.Mongo == script.MongoNone, "a database")
	must(len(web.Routes) > 0, "with routes")
	for _, r := range web.Routes {
		must(r.Method != "" && strings.HasPrefix(r.Path, "/"), "a route")
	}
	instances, routes, named := 0, 0, map[string]bool{}
	for _, role := range s.Stack.Roles() {
		must(!named[role.RoleName()] && role.Instances >= 1 && (role.Health != "" || !role.WithUsers()), "a role")
		named[role.RoleName()] = true
		instances, routes = instances+role.Instances, routes+len(role.Routes)
	}
	must(instances <= script.MaxInstances && routes == len(s.Stack.Routes()), "roles beside each other")
	must(load.Peak() > 0 && load.Peak() <= script.MaxRate && load.Rate <= load.Peak(), "a rate")
	must(load.Swing <= load.Rate && (load.Shape == script.Sine) == (load.Period > 0 && load.Swing > 0), "a sine")
	must((load.Shape == script.Ramp) == (load.Over > 0) && (load.Shape == script.Steps) == (len(load.Levels) > 0), "a shape")
	must(load.Words >= 1 && load.Timeout > 0 && len(load.Mix) > 0, "a load")
	for route, weight := range load.Mix {
		_, ok := s.Stack.Routes()[route]
		must(ok && weight > 0, "a mix of routes")
	}
	must(len(s.Phases) > 0 && len(s.Phases) <= script.MaxPhases && s.Duration() <= script.MaxDuration, "phases")
	names := map[string]bool{script.WholeRun: true}
	for _, p := range s.Phases {
		must(p.Name != "" && !names[p.Name] && p.For > 0 && p.Require.Users >= 0 && p.Require.Users <= load.Peak(), "a phase")
		names[p.Name] = true
		for _, step := range p.Do {
			must(possible(step.Move) && step.Within > 0 && step.Pos.Line > 0, "a step")
		}
	}
	must(len(s.Checks) > 0, "with checks")
	for _, c := range s.Checks {
		must(sound(c, s.Stack.Routes(), names), "a check")
	}
	for _, w := range s.Waive {
		must(w.Check != "" && w.Reason != "" && w.Pos.Line > 0, "a waiver")
	}
}

// possible says whether a move is completely read.
func possible(m script.Move) bool {
	switch m := m.(type) {
	case script.Launch:
		return m.Count > 0
	case script.Scale:
		return m.Count > 0
	case script.Deploy:
		return m.Web.Version != "" && (m.Web.Health != "" || !m.Web.WithUsers()) && m.Canary >= 0
	case script.Rollback:
		return m.Version != ""
	case script.Limit:
		return m.Instance != "" && m.CPUs >= 0
	case script.Interrupt:
		return m.Instance != "" && m.Notice > 0
	case script.BeginFault:
		return slices.Contains(script.FaultNames(), m.Fault.Name())
	case script.Heal:
		return slices.Contains(script.FaultNames(), m.Fault)
	}
	return m.Target() != ""
}

// sound says whether a check is completely read.
func sound(c script.Check, routes map[string]script.Route, phases map[string]bool) bool {
	known := func(route string) bool {
		_, ok := routes[route]
		return ok
	}
	if c.Pos.Line == 0 {
		return false
	}
	switch k := c.Promise.(type) {
	case script.Continuity:
		if k.Source != "" {
			return k.Source == script.FromCloudWatch && k.Metric == "" && k.Route == "" && k.MaxGap >= 0 && k.Told.Told()
		}
		return k.Metric != "" && (known(k.Route) || k.Route == "" && k.Role != "") && k.MaxGap > 0
	case script.TwoViews:
		if k.Agent != "" {
			return k.Instance == "" && k.Unit > 0 && k.Every > 0 && k.ClientWindow >= 0 && k.Told.Told()
		}
		return k.Instance != "" && k.Used > 0 && k.Used <= 1 && k.Idle > 0 && k.Idle <= 1
	case script.Conservation:
		return k.Metric != "" && known(k.Route) && k.ClientWindow >= 0 && k.MaxLag >= 0 &&
			k.SampleRate > 0 && k.SampleRate <= 1 && k.Confidence > 0 && k.Confidence < 1
	case script.Parity:
		return len(k.Of) >= 2 && k.ClientWindow >= 0 && k.MaxLag >= 0 && k.Confidence > 0 && k.Confidence < 1
	case script.Correlation:
		return len(k.Layers) >= 2 && k.AtLeast > 0 && k.AtLeast <= 1 && k.MaxLag >= 0 && (k.Metric != "" || !slices.Contains(k.Layers, "web"))
	case script.PromQL:
		return k.Expr != "" && (k.Throughout == "") != (k.Within == "") && phases[k.Throughout+k.Within]
	}
	return soundPromise(c.Promise, known, routes, phases)
}

// soundPromise is sound for the checks that came later.
func soundPromise(p script.Promise, known func(string) bool, routes map[string]script.Route, phases map[string]bool) bool {
	switch k := p.(type) {
	case script.Identity:
		return k.Metric != "" && (known(k.Route) || k.Route == "")
	case script.Nesting:
		return k.Web != "" && k.Web != k.DB && known(k.Route) && k.Unit > 0 && k.Slack >= 0 && k.ClientWindow >= 0
	case script.Gauge:
		return k.Metric != "" && k.AtRest >= 0 && k.ClientWindow >= 0
	case script.Shutdown:
		return k.Metric != "" && known(k.Route) && k.ClientWindow >= 0
	case script.Hygiene:
		return k.MaxSeries >= 0 && k.Growth >= script.AnyGrowth
	case script.Alert:
		return (k.File == "") == (k.Expr != "") && (k.File != "" || k.Name != "") && (k.File == "" || k.For == 0) && k.For >= 0 && (k.Fires != nil || len(k.Silent) > 0) &&
			(k.Clears == nil || k.Fires != nil && k.Clears.Within > 0 && (k.Clears.In == script.End || phases[k.Clears.In])) &&
			(k.Fires == nil || k.Fires.Within > 0 && phases[k.Fires.In])
	case script.Audit:
		return routes[k.Route].Writes
	case script.Scaling:
		return k.Astray >= 0 && k.Astray <= 1 && k.Within >= 0 && k.Overshoot >= script.AnyNumber && k.Flaps >= script.AnyNumber && (k.Cost == 0 || k.Cost >= 1)
	case script.BeaconsSent:
		return k.Share > 0 && k.Share <= 1 && (known(k.Route) || k.Route == "" && k.Web == "") && k.Unit > 0 && k.Slack >= 0
	case script.Latency:
		return len(k.Bounds) > 0 && phases[k.In] && (known(k.Route) || k.Route == "") && !slices.ContainsFunc(k.Bounds, func(b script.LatencyBound) bool { return b.AtMost <= 0 })
	case script.Availability:
		return k.Least > 0 && k.Least <= script.Million && len(k.Status) > 0 && phases[k.In] && (known(k.Route) || k.Route == "")
	case script.Failures:
		return k.AtMost >= 0 && (known(k.Route) || k.Route == "")
	}
	return false
}

// BenchmarkParse reads a scenario of the library's size; 1 ms is far from noticeable.
func BenchmarkParse(b *testing.B) {
	source := []byte(everything)
	begin := time.Now()
	for b.Loop() {
		if _, err := script.Parse("bench.yaml", source, defects); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(source)*b.N)/time.Since(begin).Seconds()/1e6, "MB/s")
}
