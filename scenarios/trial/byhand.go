package trial

import (
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// ByHand is the scenario of a stack that nothing is done to but by hand: the instances of the
// reference app, in a cloud or not, and the load. Its moves are what is done, which is written down in their place.
func ByHand(stack script.Improvised, options script.Options) (script.Scenario, error) {
	stack.Moves = []script.Improvisation{{Phase: "by hand", For: time.Second}}
	return script.Parse(record.ScenarioFile, stack.Source(), options)
}
