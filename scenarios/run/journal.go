package run

import (
	"fmt"
	"maps"
	"slices"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// newRecord begins the record of a run. What the instances are told in their
// environment is not in it: passwords and keys are among that.
func newRecord(c Config) (*record.Writer, error) {
	source, err := c.Scenario.Masked()
	if err != nil {
		return nil, err
	}
	journal, err := record.Create(c.Dir, c.Run, source)
	if err == nil {
		journal.Hide(script.Mask, slices.Collect(maps.Values(c.Scenario.Stack.Web.Env))...)
	}
	return journal, err
}

// plural writes "1 line" and "2 lines".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
