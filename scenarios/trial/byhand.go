package trial

import (
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// ByHand is the scenario of a stack that nothing is done to but by hand: so many instances
// of the reference app, with a defect or none (""), and a load in requests per second. What
// is done is written down in its place.
func ByHand(instances int, defect string, rate float64, options script.Options) (script.Scenario, error) {
	nothing := []script.Improvisation{{Phase: "by hand", For: time.Second}}
	source := script.Improvised{Instances: instances, Defect: defect, Rate: rate, Moves: nothing}.Source()
	return script.Parse(record.ScenarioFile, source, options)
}
