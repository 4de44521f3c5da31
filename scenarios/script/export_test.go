package script

import (
	"maps"
	"slices"
)

// What the language has, for the test of its document.
var (
	StepKinds  = stepKinds
	CheckKinds = checkKinds
	FaultKeys  = faultKeys
	FaultNames = slices.Sorted(maps.Keys(faults))
)
