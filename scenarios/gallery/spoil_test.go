package gallery

import (
	"testing"

	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// TestSpoiledRecords does the defects of this tool and of other aggregators to
// saved records of healthy runs: each must be caught as the gallery wants it.
func TestSpoiledRecords(t *testing.T) {
	for _, e := range Entries() {
		if e.Spoil == nil || e.Stage.HTTPD { // no plain record has an httpd: TestSavedGalleryIsJudgedAsEver spoils a packed one
			continue
		}
		t.Run(e.Name, func(t *testing.T) {
			dir := "../testdata/records/quiet"
			if len(e.Stage.Steps) > 0 {
				dir = "../testdata/records/killed"
			}
			h, err := record.Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if v := verdictOf(t, h); v.Outcome != verdict.Pass {
				t.Fatalf("%s was not healthy: %v", dir, v.Outcome)
			}
			e.Spoil(&h)
			if r := Score(e, Run{History: h, Verdict: verdictOf(t, h)}); !r.Good() {
				t.Errorf("caught %v, instance %v, amount %v, cause %v (%s): %s", r.Caught, r.Instance, r.Amount, r.Cause, r.Named, r.Said)
			}
		})
	}
}

func verdictOf(t *testing.T, h record.History) verdict.Verdict {
	t.Helper()
	v, err := check.Judge(h)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
