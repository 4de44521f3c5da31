package check

import (
	"testing"

	"throughline/docs"
	"throughline/scenarios/check/signals"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// TestWordsOfAVerdictAreExplained: throughline explain has the checks that no scenario
// needs to ask for, the outcomes and the layers. The causes are in
// TestDiagnosesAreDocumented, the checks of scenarios in script's tests.
func TestWordsOfAVerdictAreExplained(t *testing.T) {
	words := []string{signals.CheckNoticed}
	for _, tier := range record.AllTiers() {
		words = append(words, tier.Layer)
	}
	for _, c := range checksOf(script.Scenario{}, record.AllTiers()) {
		words = append(words, c.name)
	}
	for o := verdict.Inconclusive; o <= verdict.Fail; o++ {
		words = append(words, o.String())
	}
	if len(words) < 16 {
		t.Errorf("only %v were found", words)
	}
	for _, word := range words {
		if _, known := docs.Explain(word); !known {
			t.Errorf("%s is a word of a verdict, and docs/WORDS.md has no entry for it", word)
		}
	}
}
