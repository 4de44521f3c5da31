package workshop

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/gallery"
	"throughline/scenarios/script"
)

var update = flag.Bool("update", false, "write docs/WORKSHOP.md anew")

func theTalk(t *testing.T) Talk {
	t.Helper()
	talk, err := TheTalk()
	if err != nil {
		t.Fatal(err)
	}
	return talk
}

// slides are those of the talk as it was given.
var slides = []string{"Past and present", "Failure is inevitable", "Things that produce metrics", "The same CPU, by hypervisor and by agent", "The stack",
	"Tracking database operations", "Moving up the stack", "Even higher", "Metadata for flavour", "Replace an instance, keep the metrics", "Aggregating numbers",
	"Comparing numbers", "My app", "Add two lines and you win", "Profit", "Correlation", "Don't be caught unaware", "And is it true?"}

func TestTheTalkHasAllSlides(t *testing.T) {
	var have []string
	for _, s := range theTalk(t).Slides {
		have = append(have, s.Title)
	}
	if strings.Join(have, "\n") != strings.Join(slides, "\n") {
		t.Errorf("the slides are %q, want %q", have, slides)
	}
}

// Each move is one that the stack as it is by then can do, and each expression one that
// the collector reads. What they give is seen in the run of all steps.
func TestTheTalkCanBePlayed(t *testing.T) {
	scenario, err := script.Parse("up.yaml", script.Improvised{Instances: Instances, Rate: 50, Beacons: true, Members: Members, Cloud: true, CloudWatch: script.CloudWatch{Period: 5 * time.Second, Delay: 2 * time.Second}, Moves: []script.Improvisation{{Phase: "p", For: time.Second}}}.Source(), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, faults := newFleet(Instances), []string(nil)
	for _, slide := range theTalk(t).Slides {
		for _, step := range slide.Steps {
			for _, move := range step.Do {
				words, about, err := named(move, f.serving)
				if err != nil {
					t.Errorf("%s:%d: %v", sourceName, step.line, err)
					continue
				}
				parsed, _, err := scenario.StepOf(words, script.Now{Instances: f.serving, Faults: faults})
				if err != nil {
					t.Errorf("%s:%d: %v", sourceName, step.line, err)
				}
				switch m := parsed.Move.(type) {
				case script.BeginFault:
					faults = append(faults, m.Fault.Name())
				case script.Heal:
					faults = nil
				}
				f.move(words, about)
			}
			exprs := step.Seen
			for _, figure := range step.Show {
				exprs = append(exprs, figure.Expr)
			}
			for _, expr := range exprs {
				if err := series.CheckExpr(terms{"web-1", 3}.in(expr), 0, 0); err != nil {
					t.Errorf("%s:%d: %s: %v", sourceName, step.line, expr, err)
				}
			}
		}
	}
	if len(faults) > 0 {
		t.Errorf("nobody heals %v", faults)
	}
}

// What can be broken at the end is in the gallery, and has causes to guess.
func TestTheDefectsAreInTheGallery(t *testing.T) {
	defects := theTalk(t).Defects
	if len(defects) < 5 {
		t.Errorf("%d defects are few to guess among", len(defects))
	}
	entries, _, err := gallery.Select(defects...)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(defects) {
		t.Errorf("of %q only %d are defects", defects, len(entries))
	}
	for _, e := range entries {
		if len(e.Want.Causes) == 0 || e.Stage.Defect == "" {
			t.Errorf("%s: there is nothing to guess", e.Name)
		}
	}
}

func TestGuide(t *testing.T) {
	const path = "../docs/WORKSHOP.md"
	want := theTalk(t).Guide()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || string(have) != want {
		t.Errorf("%s is not what the talk says (%v): write it anew with go test ./workshop -run TestGuide -update", path, err)
	}
}

// The guide names the instances that there are by then.
func TestGuideNamesInstances(t *testing.T) {
	talk, err := Parse("t.md", []byte("# T\n## S\n```step\ndo: kill newest\ndo: launch 2\ndo: replace oldest\ndo: interrupt oldest\ndo: scale 2\ndo: terminate newest\nsee: s\nseen: x{i=\"$it\"} == $serving\nwithin: 3s\n```\n"))
	if err != nil {
		t.Fatal(err)
	}
	guide := talk.Guide()
	want := "throughline ctl kill web-3\nthroughline ctl launch 2\nthroughline ctl replace web-1\nthroughline ctl interrupt web-2\nthroughline ctl scale 2\nthroughline ctl terminate web-5\n```\n\n*s* Seen is what gives anything within 3s:\n\n```promql\nx{i=\"web-5\"} == 1\n```\n"
	if !strings.Contains(guide, want) {
		t.Errorf("the guide says\n%s\nwant\n%s", guide, want)
	}
}

// Who is launched in a step is none of those that were there before.
func TestForeseen(t *testing.T) {
	got := foreseen([]string{"launch 2", "kill newest", "kill oldest"}, []string{"web-1", "web-2"})
	if want := (terms{"web-1", 2}); got != want {
		t.Errorf("foreseen: %+v, want %+v", got, want)
	}
}

func TestNamed(t *testing.T) {
	three := []string{"web-2", "web-3", "web-4"}
	for _, c := range []struct {
		move           string
		instances      []string
		words, it, err string
	}{
		{"kill newest", three, "kill web-4", "web-4", ""},
		{"kill oldest", three, "kill web-2", "web-2", ""},
		{"fault freeze on newest", three, "fault freeze on web-4", "web-4", ""},
		{"kill web-3", three, "kill web-3", "web-3", ""},
		{"launch 2", three, "launch 2", "", ""},
		{"kill newest", nil, "", "", "kill newest: no instance serves; launch one first"},
	} {
		words, it, err := named(c.move, c.instances)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if words != c.words || it != c.it || text != c.err {
			t.Errorf("%s of %v: %q, %q, %q; want %q, %q, %q", c.move, c.instances, words, it, text, c.words, c.it, c.err)
		}
	}
}
