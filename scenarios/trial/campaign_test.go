package trial

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/gallery"
	"throughline/scenarios/script"
	"throughline/scenarios/synthetic"
	"throughline/scenarios/synthetic/confusion"
)

// What was not run proves nothing.
func TestACampaignThatWasInterrupted(t *testing.T) {
	right := gallery.Result{Name: "lost-on-exit", Proved: true, Caught: gallery.Right}
	missed := gallery.Result{Name: "late", Proved: true, Caught: gallery.Wrong}
	for _, c := range []struct {
		results []gallery.Result
		planned int
		want    Status
	}{
		{[]gallery.Result{right}, 1, Pass},
		{[]gallery.Result{right}, 2, Inconclusive},
		{[]gallery.Result{right, missed}, 3, Fail},
		{[]gallery.Result{{Name: "late"}}, 1, Inconclusive},
		{nil, 1, Inconclusive},
	} {
		if got := (&Campaign{Runs: make([]GalleryRun, c.planned)}).Status(c.results); got != c.want {
			t.Errorf("%d of %d runs: status %d, want %d", len(c.results), c.planned, got, c.want)
		}
	}
}

// options has the parser take every defect of the gallery.
func options() (o script.Options) {
	for _, e := range gallery.Entries() {
		if d := e.Stage.Defect; d != "" && !slices.Contains(o.Defects, d) {
			o.Defects = append(o.Defects, d)
		}
	}
	return o
}

func entries(t *testing.T, names ...string) []gallery.Entry {
	t.Helper()
	all, _, err := gallery.Select(names...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func dirs(runs []GalleryRun) (out []string) {
	for _, r := range runs {
		out = append(out, r.dir)
	}
	return out
}

func TestPlan(t *testing.T) {
	p := Plan{Entries: entries(t, "late", "lost-on-exit"), ByName: true, Repeat: 2, Healthy: 2, Options: options()}
	runs, left, err := p.Runs()
	if err != nil || len(left) > 0 {
		t.Fatalf("left out %v: %v", left, err)
	}
	first, second := gallery.Controls()[0].Name, gallery.Controls()[1].Name
	want := []string{"late-1", "lost-on-exit-1", "healthy-" + first + "-1", "late-2", "lost-on-exit-2", "healthy-" + second + "-1"}
	if diff := cmp.Diff(want, dirs(runs)); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
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
		runs, left, err := Plan{Entries: entries, Controls: healthy, ByName: true, Repeat: c.repeat, Healthy: c.healthy, Options: options()}.Runs()
		if err != nil || len(left) > 0 {
			t.Fatalf("%v: left out %v: %v", c.names, left, err)
		}
		if diff := cmp.Diff(c.want, dirs(runs)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.names, diff)
		}
	}
}

// Without names everything runs, each entry as often as asked for and each control once.
func TestPlanOfAll(t *testing.T) {
	entries, healthy, err := gallery.Select()
	if err != nil {
		t.Fatal(err)
	}
	runs, _, err := Plan{Entries: entries, Controls: healthy, Repeat: 2, Healthy: -1, Options: options()}.Runs()
	if want := 2*len(entries) + len(gallery.Controls()); err != nil || len(runs) != want {
		t.Errorf("%d runs, want %d: %v", len(runs), want, err)
	}
}

// What the platform cannot do is left out, and refused where it was asked for by name.
func TestPlanOfAPlatformThatLacksSomething(t *testing.T) {
	lacks := Lacks{OwnAddress: "one address", Elsewhere: "go elsewhere"}
	p := Plan{Entries: entries(t), Repeat: 1, Lacks: lacks, Options: options()}
	runs, left, err := p.Runs()
	if err != nil || len(left) == 0 || len(runs)+len(left) != len(p.Entries) {
		t.Fatalf("%d of %d run, without %v: %v", len(runs), len(p.Entries), left, err)
	}
	p.Entries, p.ByName = entries(t, left[0], "late"), true
	if _, _, err := p.Runs(); err == nil || !strings.HasPrefix(err.Error(), left[0]+": fault ") || !strings.HasSuffix(err.Error(), ": one address; go elsewhere") {
		t.Errorf("by name: %v", err)
	}
	p = Plan{Controls: []gallery.Control{{Name: "ours", Stage: entries(t, left[0])[0].Stage}}, ByName: true, Repeat: 1, Healthy: -1, Lacks: lacks, Options: options()}
	if _, _, err := p.Runs(); err == nil || !strings.HasPrefix(err.Error(), "ours: fault ") {
		t.Errorf("a healthy run by name: %v", err)
	}
	// Each is told its own reason, and not one that another one has.
	disk := Lacks{OwnAddress: "one address", OwnDisk: "no disk of its own", Elsewhere: "go elsewhere"}
	full := Plan{Entries: []gallery.Entry{{Name: "full", Stage: gallery.Stage{Steps: []string{"fault: fill-disk"}}}}, ByName: true, Repeat: 1, Lacks: disk, Options: options()}
	if _, _, err := full.Runs(); err == nil || err.Error() != "full: fault fill-disk: no disk of its own; go elsewhere" {
		t.Errorf("without a disk: %v", err)
	}
	p.ByName = false
	if runs, left, err := p.Runs(); err != nil || len(runs) != 0 || !slices.Equal(left, []string{"ours"}) {
		t.Errorf("the only healthy run: %v run, left out %v: %v", dirs(runs), left, err)
	}
}

func TestKept(t *testing.T) {
	dir := t.TempDir()
	healthy := "healthy-" + gallery.Controls()[0].Name + "-3"
	for _, name := range []string{"late-1", "late-12", "lost-on-exit-1", healthy, "healthy-nothing-1", "notes", "unheard-of-1"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Kept(dir, entries(t), gallery.Controls())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{healthy, "late-1", "late-12", "lost-on-exit-1"}, dirs(all)); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	one, err := Kept(dir, nil, gallery.Controls()[:1])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{healthy}, dirs(one)); diff != "" {
		t.Errorf("one healthy run (-want +got):\n%s", diff)
	}
	some, err := Kept(dir, entries(t, "late"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"late-1", "late-12"}, dirs(some)); diff != "" {
		t.Errorf("one entry (-want +got):\n%s", diff)
	}
	if _, err := Kept(filepath.Join(dir, "nowhere"), nil, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

// program writes a shell script that is called as a scenario's runner is: --out DIR FILE.
func program(t *testing.T, body string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "runner")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return []string{"/bin/sh", path}
}

// Runs are scored by their records; what was right is removed, what was not stays.
func TestCampaign(t *testing.T) {
	records, err := filepath.Abs(saved)
	if err != nil {
		t.Fatal(err)
	}
	runner := func(record, verdict string, status string) []string {
		return program(t, `cp -r "`+filepath.Join(records, record)+`" "$2" && cat "`+filepath.Join(records, verdict, "verdict.json")+`"; exit `+status)
	}
	lost := entries(t, "lost-on-exit")
	for _, c := range []struct {
		name    string
		command []string
		control bool
		good    bool
		says    string
	}{
		{"caught", runner("lost-on-exit", "lost-on-exit", "1"), false, true, "lost-on-exit: caught by conservation"},
		{"missed", runner("quiet", "quiet", "0"), false, false, "lost-on-exit: NOT RIGHT: caught NO"},
		{"silent", runner("quiet", "quiet", "0"), true, true, "quiet: silent"},
		{"false alarm", runner("lost-on-exit", "lost-on-exit", "1"), true, false, "quiet: FALSE ALARM: continuity"},
		{"another verdict", runner("quiet", "killed", "0"), true, false, "COULD NOT RUN: judged again, the record gives another verdict"},
		{"not run", program(t, "echo first >&2; echo the engine is gone >&2; exit 4"), true, false, "COULD NOT RUN: exit status 4: the engine is gone"},
		{"told no path, wherever the records are", program(t, `test -f "$3" && echo "told $*" >&2; exit 4`), true, false, "exit status 4: told --out record quiet.yaml"},
		{"no program", []string{"/nonexistent/throughline"}, true, false, "COULD NOT RUN: fork/exec"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := GalleryRun{name: "lost-on-exit", dir: "lost-on-exit-1", stage: lost[0].Stage, entry: &lost[0]}
			if c.control {
				run = GalleryRun{name: "quiet", dir: "healthy-quiet-1", stage: gallery.Controls()[0].Stage}
			}
			var said []string
			campaign := Campaign{Dir: t.TempDir(), Runs: []GalleryRun{run}, Jobs: 2, Version: savedBy, Command: c.command,
				Tell: func(_ int, r gallery.Result) { said = append(said, r.Line()) }}
			if err := campaign.Write(); err != nil {
				t.Fatal(err)
			}
			if err := campaign.Check(Reader{Options: options()}); err != nil {
				t.Fatal(err)
			}
			results := campaign.Run(t.Context())
			if len(results) != 1 || results[0].Good() != c.good || len(said) != 1 || !strings.Contains(said[0], c.says) {
				t.Fatalf("%+v, said %q; want good %v and %q", results, said, c.good, c.says)
			}
			if _, err := os.Stat(filepath.Join(campaign.Dir, run.dir)); (err == nil) == c.good {
				t.Errorf("good %v, and of its record: %v", c.good, err)
			}
		})
	}
}

// Interrupted, a campaign has no result of what was under way or not begun.
func TestACampaignEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := Campaign{Dir: t.TempDir(), Runs: make([]GalleryRun, 3), Jobs: 1, Tell: func(int, gallery.Result) { t.Error("it tells of a run") },
		Command: []string{"/nonexistent/throughline"}}
	cancel()
	if got := c.Run(ctx); len(got) != 0 || c.Status(got) != Inconclusive {
		t.Errorf("it has results: %v", got)
	}
}

// A stage that does not read is told once, whatever its runs.
func TestCheck(t *testing.T) {
	e := entries(t, "late")
	runs := []GalleryRun{{name: "late", dir: "late-1", stage: e[0].Stage}, {name: "late", dir: "late-2", stage: e[0].Stage}}
	c := Campaign{Dir: t.TempDir(), Runs: runs}
	if err := c.Write(); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(Reader{Options: script.Options{Defects: []string{"another"}}}); err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), "late.yaml:") {
		t.Errorf("with other defects than its own: %v", err)
	}
}

// Where no record can be written no scenario is.
func TestWriteNowhere(t *testing.T) {
	c := Campaign{Dir: filepath.Join("/dev/null", "out"), Runs: []GalleryRun{{name: "late", dir: "late-1"}}}
	if err := c.Write(); err == nil || !strings.HasPrefix(err.Error(), "--out /dev/null/out: ") {
		t.Errorf("the error is %v", err)
	}
}

// Made-up runs are those of consecutive seeds, each once.
func TestMadeUp(t *testing.T) {
	told := 0
	m := MadeUp{Runs: 6, Seed: 11, Only: synthetic.Healthy, Jobs: 2, Tell: func(done int) { told = max(told, done) }}
	results, err := m.Judge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seeds := map[uint64]bool{}
	for _, r := range results {
		seeds[r.Seed] = true
	}
	if len(results) != 6 || told != 6 || len(seeds) != 6 || !seeds[11] || !seeds[16] {
		t.Errorf("%d results of the seeds %v, told of %d", len(results), seeds, told)
	}
	enough := errors.New("enough")
	n := 0
	if err := m.Each(func(synthetic.Made) error { n++; return enough }); !errors.Is(err, enough) || n != 1 {
		t.Errorf("Each made up %d runs: %v", n, err)
	}
	m.Only = "bad-weather"
	if _, err := m.Judge(t.Context()); err == nil {
		t.Error("a cause that is none is made up")
	}
	missed := confusion.Result{Cause: "late", Mark: confusion.Missed}
	if got := m.Status([]confusion.Result{missed}); got != Fail {
		t.Errorf("a missed defect is status %d", got)
	}
}
