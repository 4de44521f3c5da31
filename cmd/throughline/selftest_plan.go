package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"throughline/scenarios/gallery"
	"throughline/scenarios/script"
)

// trial is one run: of an entry, or of a control.
type trial struct {
	name  string
	dir   string // below --out
	stage gallery.Stage
	entry *gallery.Entry // nil: a control
}

// gallerySelection is what of the gallery is to run, and whether it was asked for by name.
type gallerySelection struct {
	entries []gallery.Entry
	healthy []gallery.Control
	byName  bool
}

// plan lays the runs out: one of each before the second of any, and healthy runs
// between, so that a selftest that is interrupted has seen most. What the platform
// cannot do is left out, and said; asked for by name it is refused.
func plan(stderr io.Writer, chosen gallerySelection, flags selftestFlags) ([]trial, error) {
	var left []string
	impossible := func(name string, s gallery.Stage) bool {
		bad := flags.platform == onDockerName && needsOwnAddress(s)
		if bad {
			left = append(left, name)
		}
		return bad
	}
	entries := slices.DeleteFunc(chosen.entries, func(e gallery.Entry) bool { return impossible(e.Name, e.Stage) })
	controls := slices.DeleteFunc(chosen.healthy, func(c gallery.Control) bool { return flags.healthy > 0 && impossible(c.Name, c.Stage) })
	if chosen.byName && len(left) > 0 {
		return nil, harness(fmt.Errorf("%s: %s; use --platform local", strings.Join(left, ", "), sharedAddressWhy))
	}
	if len(controls) == 0 { // only entries were named, and --healthy asks for some of any
		controls = slices.DeleteFunc(gallery.Controls(), func(c gallery.Control) bool { return flags.healthy > 0 && impossible(c.Name, c.Stage) })
	}
	if len(left) > 0 {
		fmt.Fprintf(stderr, "left out: %s: %s\n", strings.Join(left, ", "), sharedAddressWhy)
	}
	var out []trial
	healthy := 0
	for round := range flags.repeat {
		for i := range entries {
			e := &entries[i]
			out = append(out, trial{name: e.Name, dir: fmt.Sprintf("%s-%d", e.Name, round+1), stage: e.Stage, entry: e})
		}
		for ; healthy < flags.healthy*(round+1)/flags.repeat; healthy++ {
			c := controls[healthy%len(controls)]
			out = append(out, trial{name: c.Name, dir: fmt.Sprintf("healthy-%s-%d", c.Name, healthy/len(controls)+1), stage: c.Stage})
		}
	}
	return out, nil
}

// needsOwnAddress tells whether a stage has a fault that containers cannot have.
func needsOwnAddress(s gallery.Stage) bool {
	read, err := script.Parse("stage.yaml", []byte(s.Scenario("stage")), parseOptions())
	return err == nil && read.Uses(sharedAddress...) // what is wrong with a stage is said when it is written
}

func (t trial) scenario(out string) string { return filepath.Join(out, t.dir, t.name+".yaml") }
