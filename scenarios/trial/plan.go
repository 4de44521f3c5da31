package trial

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"

	"throughline/scenarios/gallery"
	"throughline/scenarios/script"
)

// Plan says which runs of the gallery a campaign has.
type Plan struct {
	Entries  []gallery.Entry
	Controls []gallery.Control // none: of all, if healthy runs are asked for
	ByName   bool              // entries and controls were asked for by name
	Repeat   int               // how often each entry runs, from 1
	Healthy  int               // how many healthy runs; negative: each control once, and by name as often as an entry
	Lacks    Lacks
	Options  script.Options
}

// Runs lays the runs out: one of each before the second of any, and healthy runs
// between, so that a campaign that is interrupted has seen most. What the platform
// cannot do is left out, and named; if it was asked for by name, that is the error.
func (p Plan) Runs() (runs []GalleryRun, left []string, err error) {
	var why []error
	impossible := func(name string, s gallery.Stage) bool {
		read, err := script.Parse("stage.yaml", []byte(s.Scenario(name)), p.Options)
		if err != nil {
			return false // what is wrong with a stage is said when it is written
		}
		missing := p.Lacks.Of(read)
		if len(missing) > 0 {
			left, why = append(left, name), append(why, missing...)
		}
		return len(missing) > 0
	}
	wanted := p.healthyRuns()
	able := func(all []gallery.Control) []gallery.Control {
		return slices.DeleteFunc(slices.Clone(all), func(c gallery.Control) bool { return wanted > 0 && impossible(c.Name, c.Stage) })
	}
	entries := slices.DeleteFunc(slices.Clone(p.Entries), func(e gallery.Entry) bool { return impossible(e.Name, e.Stage) })
	controls := able(p.Controls)
	if p.ByName && len(left) > 0 {
		return nil, nil, errors.Join(why...)
	}
	if len(p.Controls) == 0 {
		controls = able(gallery.Controls())
	}
	if len(controls) == 0 {
		wanted = 0
	}
	healthy := 0
	for round := range p.Repeat {
		for i := range entries {
			e := &entries[i]
			runs = append(runs, GalleryRun{name: e.Name, dir: fmt.Sprintf("%s-%d", e.Name, round+1), stage: e.Stage, entry: e})
		}
		for ; healthy < wanted*(round+1)/p.Repeat; healthy++ {
			c := controls[healthy%len(controls)]
			runs = append(runs, GalleryRun{name: c.Name, dir: fmt.Sprintf("healthy-%s-%d", c.Name, healthy/len(controls)+1), stage: c.Stage})
		}
	}
	return runs, left, nil
}

// healthyRuns is how many healthy runs are wanted.
func (p Plan) healthyRuns() int {
	switch {
	case p.Healthy >= 0:
		return p.Healthy
	case p.ByName:
		return len(p.Controls) * p.Repeat
	}
	return len(p.Controls)
}

// numbered takes the directory of a run apart: the name, and which run of it.
var numbered = regexp.MustCompile(`^(healthy-)?(.+)-[0-9]+$`)

// Kept finds the runs of an earlier campaign whose records are below dir: those of the
// entries, and of the controls. There may be none.
func Kept(dir string, entries []gallery.Entry, controls []gallery.Control) ([]GalleryRun, error) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []GalleryRun
	for _, d := range found {
		m := numbered.FindStringSubmatch(d.Name())
		if m == nil {
			continue
		}
		r := GalleryRun{name: m[2], dir: d.Name()}
		if m[1] == "" {
			i := slices.IndexFunc(entries, func(e gallery.Entry) bool { return e.Name == r.name })
			if i < 0 {
				continue
			}
			r.entry = &entries[i]
		} else if !slices.ContainsFunc(controls, func(c gallery.Control) bool { return c.Name == r.name }) {
			continue
		}
		out = append(out, r)
	}
	return out, nil
}
