package check

import (
	"strings"
	"testing"

	"throughline/scenarios/check/honesty"
	"throughline/scenarios/check/story"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Whatever check proves nothing, the sentence says what to change so that it does, and not
// only that something has to be.
func TestEveryDoubtHasAdvice(t *testing.T) {
	checks := append(script.CheckKinds(), checkWaive)
	for _, c := range checksOf(script.Scenario{}, record.AllTiers()) {
		checks = append(checks, c.name)
	}
	advised := map[string]string{}
	for _, check := range checks {
		f := verdict.Finding{Check: check, Summary: "nothing was looked at"}
		switch check {
		case honesty.CheckTime: // its doubts all have a cause
			f.Cause = verdict.CauseClock
		case honesty.CheckHarness:
			f.Instance = "web-1" // died
		case "conservation":
			f.Layer = record.LayerDB
		}
		v := verdict.Verdict{Findings: []verdict.Finding{f}}
		story.Tell(&v, record.History{}, script.Scenario{})
		advice := v.Explanations[0].Repair
		if advice == "" || strings.Contains(advice, "what the finding says") || !strings.HasSuffix(v.Sentence, advice) {
			t.Errorf("%s: the advice is %q, in %s", check, advice, v.Sentence)
		}
		advised[advice] = check
	}
	if len(checks) < 20 || len(advised) < 10 {
		t.Errorf("%d checks have %d different advices", len(checks), len(advised))
	}
}
