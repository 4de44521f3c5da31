package account

import (
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
)

// Blame writes a diagnosis into the finding that it explains.
func Blame(f *verdict.Finding, d diagnose.Diagnosis) {
	f.Cause, f.RunnerUp, f.Possible = d.Cause, d.RunnerUp, d.Possible
	f.From, f.To = d.From.Seconds(), d.To.Seconds()
}
