package script

import "slices"

// What the language has, for the tests of its document and of its errors.
var (
	FaultKeys = faultKeys()

	// As errors list them.
	KnownStepKinds = list(StepKinds())
	KnownSteps     = list(stepKeys())
	KnownFaults    = list(slices.Sorted(slices.Values(FaultNames())))
	KnownChecks    = list(CheckKinds())
)
