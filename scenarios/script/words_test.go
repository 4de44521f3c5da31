package script_test

import (
	"testing"

	"throughline/docs"
	"throughline/scenarios/script"
)

// TestChecksAreExplained: throughline explain has each kind of check, under its name.
func TestChecksAreExplained(t *testing.T) {
	for _, kind := range script.CheckKinds() {
		if e, known := docs.Explain(kind); !known || e.Word != kind {
			t.Errorf("docs/SCENARIOS.md explains no check %s under its heading checks", kind)
		}
	}
}
