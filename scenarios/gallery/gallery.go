// Package gallery is the list of known defects and faults that the judge must
// find, of healthy runs on which it must stay silent, and of how well it did.
//
// An [Entry] says how to bring something wrong about and what the verdict must
// say of it; a [Control] is a run in which nothing is wrong. [Score] compares a
// verdict with what was wanted, [NewFigures] sums up many.
//
// The package starts nothing: `throughline selftest` runs the scenarios that
// are written here and hands in what came of them. docs/GALLERY.md is made by it.
package gallery

import (
	"fmt"
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// Entry is one thing that is wrong, and what must be said of it.
type Entry struct {
	Name  string
	Fault string // its number in the list of known faults, "F14"; empty where none fits
	About string // one line
	Stage Stage  // what is run
	// Spoil damages the record of a healthy run, as a defect of the verifier
	// itself would; nil: what is wrong is in the Stage.
	Spoil func(*record.History)
	Want  Want
}

// Want is what the verdict must say.
type Want struct {
	Outcome   verdict.Outcome // Fail, or Inconclusive where the run can prove nothing
	Check     string          // whose finding must say it
	Instances []string        // that must be blamed, each, and no others; nil: none is to blame
	Causes    []string        // any of them is right; nil: there is no cause to tell
	Behind    string          // the cause that brought it about, with which the verdict leads; empty: it leads with its own
	Words     string          // that the finding must have
	// Amount is how many requests were really lost (extra: below 0), from the
	// record's raw rows; nil: the finding has no number.
	Amount func(h record.History, instance string) int64
	// Version is the one that alone is to blame, which the verdict must say; empty: there
	// are none, or it is more than one.
	Version string
	// Logged tells that the instances log at their end what they lost and
	// made up, and that this is what the finding is about.
	Logged bool
}

// Control is a healthy run, with or without things done to the stack. A fail is
// a false alarm.
type Control struct {
	Name, About string
	Stage       Stage
}

// Entries is the gallery, in the order in which it is shown.
func Entries() []Entry {
	return slices.Concat(exitEntries(), countEntries(), releaseEntries(), parityEntries(), heldEntries(), timeEntries(), lineEntries(), valueEntries(), serviceEntries(), faultEntries(), beaconEntries(), scrapedEntries(), pushedEntries(), aggregatorEntries(), alertEntries(), scalingEntries(), verifierEntries())
}

// Select gives the entries and the healthy runs of the names, in their order; all of
// both without names.
func Select(names ...string) (entries []Entry, healthy []Control, err error) {
	all, controls := Entries(), Controls()
	if len(names) == 0 {
		return all, controls, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(all, func(e Entry) bool { return e.Name == name })
		k := slices.IndexFunc(controls, func(c Control) bool { return c.Name == name })
		switch {
		case i >= 0:
			entries = append(entries, all[i])
		case k >= 0:
			healthy = append(healthy, controls[k])
		default:
			return nil, nil, fmt.Errorf("%s: nothing in the gallery is called that (have %s)", name, strings.Join(namesOf(all, controls), ", "))
		}
	}
	return entries, healthy, nil
}

// namesOf are what Select takes.
func namesOf(entries []Entry, controls []Control) []string {
	var have []string
	for _, e := range entries {
		have = append(have, e.Name)
	}
	for _, c := range controls {
		have = append(have, c.Name)
	}
	return have
}
