package scenarios_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios"
	"throughline/scenarios/script"
)

// library is what there is, in alphabetical order.
var library = []string{
	"alert-rules",
	"autoscale-sine",
	"behind-apache",
	"cpu-by-two-sources",
	"deploy-and-rollback",
	"flash-crowd",
	"kill-an-instance",
	"kill-the-primary",
	"misled-autoscaler",
	"part-the-primary",
	"quiet",
	"replace-an-instance",
	"rolling-deploy",
	"scale-in-at-night",
	"scale-out-and-in",
	"spot-interruption",
	"the-whole-talk",
	"two-roles",
	"two-views-of-cpu",
	"users-beacons",
}

func TestEveryScenarioReads(t *testing.T) {
	names := scenarios.Names()
	want := library
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatalf("the library has changed (-want +got):\n%s", diff)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			source, err := scenarios.Read(name)
			if err != nil {
				t.Fatal(err)
			}
			s, err := script.Parse(name+".yaml", source, script.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Name != name {
				t.Errorf("the file %s.yaml calls itself %q", name, s.Name)
			}
			if s.About == "" || !strings.HasPrefix(string(source), "# ") {
				t.Error("want a line about it and a comment that says what it shows")
			}
			longest := 26 * time.Second
			if s.Autoscale != nil { // it has to see something first, and then some time to act
				longest = time.Minute
			}
			if d := s.Duration(); d < 10*time.Second || d > longest {
				t.Errorf("it takes %v, which is not a demonstration", d)
			}
			if s.Load.Shape == script.Constant {
				t.Errorf("the load is %s: only one that varies can be correlated", s.Load.Shape)
			}
			kinds := map[string]int{}
			for _, c := range s.Checks {
				kinds[c.Kind()]++
			}
			for _, kind := range []string{"continuity", "conservation", "correlation", "promql"} {
				if kinds[kind] == 0 {
					t.Errorf("no %s check", kind)
				}
			}
			if (kinds["scaling"] > 0) != (s.Autoscale != nil) {
				t.Errorf("%d scaling checks: want one where there is an autoscaler", kinds["scaling"])
			}
		})
	}
}

func TestReadTakesTheFileNameToo(t *testing.T) {
	got, err := scenarios.Read("quiet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(".", "quiet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestReadOfAnUnknownName(t *testing.T) {
	for name, want := range map[string]string{
		"queit": `scenario "queit": no such built-in scenario: did you mean "quiet"? ` +
			`(have ` + strings.Join(library, ", ") + `)`,
		"../go.mod": `scenario "../go.mod": no such built-in scenario: have ` + strings.Join(library, ", "),
		"":          `scenario "": no such built-in scenario: have ` + strings.Join(library, ", "),
	} {
		if source, err := scenarios.Read(name); err == nil || err.Error() != want || source != nil {
			t.Errorf("Read(%q) = %d bytes, %v\nwant %s", name, len(source), err, want)
		}
	}
}
