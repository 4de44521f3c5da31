package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/app"
	"throughline/scenarios/gallery"
	"throughline/scenarios/record"
)

// The entries of the gallery that every test run tries: each kind of defect and
// fault, and each check that can catch one. The whole gallery is for
// `throughline selftest`.
var tried = []string{
	"lost-on-exit", "long-buffer", "counted-twice", "not-counted", "forgotten-rate", "total-as-counter",
	"renamed-per-instance", "late", "silent-start", "shared-identity", "unsafe-names", "seconds-as-ms", "delta-gauge",
	"forgotten-writes", "inert-alert", "samples-lost", "fault-without-effect",
}

// TestGallery runs entries of the gallery: each must be caught by the right
// check, with instance, number and cause. Records of all of them are judged by the
// tests of scenarios/gallery.
func TestGallery(t *testing.T) {
	unhurried(t)
	for _, name := range tried {
		t.Run(name, func(t *testing.T) {
			stacked(t)
			tryEntry(t, name)
		})
	}
}

// tryEntry runs one entry of the gallery. Its record must tell the scenario's file
// without a path, wherever it is: records are kept for good, and shown to others.
func tryEntry(t *testing.T, name string, args ...string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "selftest")
	cmd := exec.Command(binary, append([]string{"selftest", "--format", "json", "--keep", "--out", dir, name}, args...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, _ := cmd.Output() // its status is looked at below
	var said struct{ Results []gallery.Result }
	if err := json.Unmarshal(out, &said); err != nil || len(said.Results) != 1 {
		t.Fatalf("selftest %s: %v: %s\n%s", name, err, out, stderr.String())
	}
	r, status := said.Results[0], cmd.ProcessState.ExitCode()
	if h, err := record.Read(r.Dir); r.Error == "" && (err != nil || h.Run.File != name+".yaml") {
		t.Errorf("the record says that its scenario is %q, want %s.yaml (%v)", h.Run.File, name, err)
	}
	switch {
	case r.Error != "":
		t.Fatalf("it could not run: %s", r.Error)
	case !r.Proved:
		t.Skipf("SKIPPED, NOTHING PROVED: inconclusive: this machine was too busy\n%s", r.Said)
	case !r.Good():
		t.Errorf("exit status %d\n%s", status, stderr.String())
	case status != exitPass:
		t.Errorf("all is right with exit status %d", status)
	}
}

// Every defect that the app has is in the gallery under its own name.
func TestEveryDefectIsInTheGallery(t *testing.T) {
	var shown, have []string
	for _, e := range gallery.Entries() {
		if d := e.Stage.Defect; d != "" && !slices.Contains(shown, d) {
			shown = append(shown, d)
		}
	}
	for _, d := range app.Defects() {
		have = append(have, d.Name)
	}
	slices.Sort(shown)
	slices.Sort(have)
	if diff := cmp.Diff(have, shown); diff != "" {
		t.Errorf("defects (-app +gallery):\n%s", diff)
	}
}

// Every scenario of the gallery can be read.
func TestGalleryScenarios(t *testing.T) {
	stages := map[string]gallery.Stage{}
	for _, e := range gallery.Entries() {
		stages[e.Name] = e.Stage
	}
	for _, c := range gallery.Controls() {
		stages["healthy-"+c.Name] = c.Stage
	}
	for name, stage := range stages {
		path := filepath.Join(t.TempDir(), name+".yaml")
		if err := os.WriteFile(path, []byte(stage.Scenario(name)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readScenario(path, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A name is that of an entry or of a healthy run, and each runs as often as asked for.
func TestNamesOfASelftest(t *testing.T) {
	for _, c := range []struct {
		names           []string
		repeat, healthy int
		want            []string
	}{
		{[]string{"quiet", "late"}, 2, -1, []string{"late-1", "healthy-quiet-1", "late-2", "healthy-quiet-2"}},
		{[]string{"batched-5s", "stalled-2s"}, 3, -1, []string{"healthy-batched-5s-1", "healthy-stalled-2s-1", "healthy-batched-5s-2", "healthy-stalled-2s-2",
			"healthy-batched-5s-3", "healthy-stalled-2s-3"}},
		{[]string{"late"}, 1, -1, []string{"late-1"}},
		{[]string{"late"}, 1, 1, []string{"late-1", "healthy-quiet-1"}},
		{[]string{"killed"}, 1, 2, []string{"healthy-killed-1", "healthy-killed-2"}},
	} {
		entries, healthy, err := gallery.Select(c.names...)
		if err != nil {
			t.Fatal(err)
		}
		flags := selftestFlags{repeat: c.repeat, healthy: c.healthy, jobs: 1, format: "text", platform: onLocalName}
		if err := flags.check(c.names, healthy); err != nil {
			t.Fatal(err)
		}
		trials, err := plan(io.Discard, gallerySelection{entries, healthy, true}, flags)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, trial := range trials {
			got = append(got, trial.dir)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.names, diff)
		}
	}
}

// No healthy run is called like an entry.
func TestNamesOfTheGalleryAreOnes(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range namesOfGallery() {
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
	}
}

func namesOfGallery() []string {
	words, _ := galleryNames(nil, nil, "")
	names := make([]string, len(words))
	for i, w := range words {
		names[i], _, _ = strings.Cut(w, "\t")
	}
	return names
}

// What was not run proves nothing.
func TestASelftestThatWasInterrupted(t *testing.T) {
	right := gallery.Result{Name: "lost-on-exit", Proved: true, Caught: gallery.Right}
	missed := gallery.Result{Name: "late", Proved: true, Caught: gallery.Wrong}
	for _, c := range []struct {
		results []gallery.Result
		planned int
		want    int
	}{
		{[]gallery.Result{right}, 1, exitPass},
		{[]gallery.Result{right}, 2, exitInconclusive},
		{[]gallery.Result{right, missed}, 3, exitFail},
		{[]gallery.Result{{Name: "late"}}, 1, exitInconclusive},
		{nil, 1, exitInconclusive},
	} {
		if got := verdictOn(c.results, c.planned); got != c.want {
			t.Errorf("%d of %d runs: exit status %d, want %d", len(c.results), c.planned, got, c.want)
		}
	}
}
