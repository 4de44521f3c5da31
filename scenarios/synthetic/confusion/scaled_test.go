package confusion

import (
	"slices"
	"testing"

	"throughline/docs"
	"throughline/scenarios/synthetic"
)

// Runs with an autoscaler: nothing is said of those that are healthy, no cause is named that is
// not the true one, and what is far off is found.
func TestScaledRuns(t *testing.T) {
	const runs = 3
	for _, cause := range synthetic.ScaledCauses() {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			if _, known := docs.Find(cause); !known && cause != synthetic.HealthyScaled {
				t.Error("it is no cause of docs/DIAGNOSES.md")
			}
			found := false
			for seed := range uint64(runs) {
				r, err := Try(seed+1, cause)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains([]Mark{Silent, Right, Hidden}, r.Mark) || r.Error != "" {
					t.Errorf("%+v", r)
				}
				found = found || r.Mark == Right || r.Mark == Silent
			}
			if !found {
				t.Error("nothing was found in any run")
			}
		})
	}
}
