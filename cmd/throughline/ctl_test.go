package main

import (
	"strings"
	"testing"

	"throughline/scenarios/script"
)

// Who looks for the moves finds each in the help of ctl.
func TestCtlHelpKnowsEveryMove(t *testing.T) {
	cmd, _, err := newRoot().Find([]string{"ctl"})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range script.StepKinds() {
		if !strings.Contains(cmd.Long, "\n  "+kind+" ") {
			t.Errorf("%s is not told", kind)
		}
	}
}
