package confusion

import (
	"slices"
	"testing"

	"throughline/docs"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/synthetic"
)

// Runs with an autoscaler: nothing is said of those that are healthy, no cause is named that is
// not the true one, and what is far off is found.
func TestScaledRuns(t *testing.T) {
	const runs = 1
	for _, cause := range synthetic.ScaledCauses() {
		t.Run(cause, func(t *testing.T) {
			t.Parallel()
			if _, known := docs.Find(cause); !known && cause != synthetic.HealthyScaled {
				t.Error("it is no cause of docs/DIAGNOSES.md")
			}
			for seed := range uint64(runs) {
				r, err := Try(seed+1, cause)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Contains([]Mark{Silent, Right, Hidden}, r.Mark) || r.Error != "" {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

// What is said of an autoscaler is held against what may be said of it, and what must.
func TestScoreScaled(t *testing.T) {
	made := func(cause string, may []string, must ...[]string) synthetic.Made {
		m := made(cause)
		m.Params.Scaled = &synthetic.Scaled{May: may, Must: must}
		return m
	}
	found := func(causes ...string) (all []verdict.Finding) {
		for _, cause := range causes {
			all = append(all, verdict.Finding{Check: "scaling", Outcome: verdict.Fail, Cause: cause})
		}
		return all
	}
	few, big := "misled-too-small", "misled-too-big"
	for name, c := range map[string]struct {
		made  synthetic.Made
		found []verdict.Finding
		all   verdict.Outcome
		want  Mark
	}{
		"the cause":                   {made(few, []string{few}, []string{few}), found(few), verdict.Fail, Right},
		"one of two that it may be":   {made(few, []string{few, "missing-taken-for-zero"}, []string{few, "missing-taken-for-zero"}), found(few), verdict.Fail, Right},
		"another one":                 {made(few, []string{few}, []string{few}), found(big), verdict.Fail, Wrong},
		"another one beside it":       {made(few, []string{few}, []string{few}), found(few, big), verdict.Fail, Wrong},
		"nothing":                     {made(few, []string{few}, []string{few}), nil, verdict.Fail, Missed},
		"one of two that must be":     {made(few, []string{few, big}, []string{few}, []string{big}), found(few), verdict.Fail, Missed},
		"nothing, and nothing is due": {made(few, []string{few}), nil, verdict.Pass, Hidden},
		"nothing proved":              {made(few, []string{few}, []string{few}), nil, verdict.Inconclusive, Inconclusive},
		"healthy":                     {made(synthetic.HealthyScaled, nil), nil, verdict.Pass, Silent},
		"healthy and accused":         {made(synthetic.HealthyScaled, nil), found(few), verdict.Fail, Alarm},
	} {
		if got := Score(c.made, verdict.Verdict{Outcome: c.all, Findings: c.found}); got.Mark != c.want {
			t.Errorf("%s: marked %s, want %s", name, got.Mark, c.want)
		}
	}
}

// Without a cause some of the seeds draw a run with an autoscaler, and those of which they do are no others than before.
func TestSomeHaveAnAutoscaler(t *testing.T) {
	n := 0
	for seed := range uint64(40) {
		made, err := Make(seed, "")
		if err != nil {
			t.Fatal(err)
		}
		if made.Params.Scaled != nil {
			n++
		}
	}
	if n == 0 || n > 10 {
		t.Errorf("%d of 40 runs have an autoscaler", n)
	}
}
