package confusion

import (
	"os"
	"strconv"
	"testing"

	"throughline/scenarios/synthetic"
)

func TestScaledRuns(t *testing.T) {
	runs := 12
	if n, err := strconv.Atoi(os.Getenv("SCALED_RUNS")); err == nil {
		runs = n
	}
	for _, cause := range synthetic.ScaledCauses() {
		t.Run(cause, func(t *testing.T) {
			marks := map[Mark]int{}
			for seed := range uint64(runs) {
				r, err := TryScaled(seed+1, cause)
				if err != nil {
					t.Fatal(err)
				}
				marks[r.Mark]++
				if r.Mark == Alarm || r.Mark == Wrong || r.Mark == Missed || r.Error != "" || r.Mark == Inconclusive {
					t.Logf("%d %s %v %s %s", r.Seed, r.Mark, r.Named, r.Said, r.Error)
				}
			}
			t.Log(marks)
		})
	}
}
