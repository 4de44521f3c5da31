package gallery

import "throughline/scenarios/check/verdict"

// beaconed is a run whose users tell of their pages, while an instance is killed and another one replaced.
func beaconed(beacons string) Stage {
	return Stage{Beacons: beacons, Steps: []string{"kill: web-2", "launch: 1", "replace: web-1"}, After: 6,
		Checks: []string{"beacons: {route: insert, web: fullstack.insert.time}"}}
}

// beaconEntries are pages and collectors that tell, or take, something else than there was.
func beaconEntries() []Entry {
	of := func(name, about, beacons, cause string) Entry {
		return Entry{Name: name, About: about, Stage: beaconed(beacons), Want: Want{Outcome: verdict.Fail, Check: "beacons", Causes: []string{cause}}}
	}
	return []Entry{
		of("beacons-twice", "pages send their beacon when they are hidden and once more when they are left", "defect: twice", "beacon-twice"),
		of("beacons-refused", "the collector refuses the preflight of the pages' origin, and sendBeacon says true", "form: json, defect: wrong-origin", "beacon-refused"),
		of("beacons-early", "pages report before they are there", "defect: early", "beacon-early"),
	}
}
