package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"throughline/scenarios/record"
	"throughline/scenarios/report"
	"throughline/scenarios/script"
)

// errCalledOff is why a scenario was not begun.
var errCalledOff = errors.New("was not run: interrupted before it began")

// runAll runs scenarios one after the other. One that cannot be run does not keep
// the others from it.
func runAll(cmd *cobra.Command, args []string, flags runFlags) error {
	all, err := readScenarios(cmd.InOrStdin(), args)
	if err == nil {
		err = flags.check()
	}
	if err != nil {
		return usage(err)
	}
	have, missing := preflightEach(cmd, all, flags)
	worst := exitPass
	for i, s := range all {
		j := job{flags: flags, dir: directory(flags.out, s, i, len(all)), found: have[i]}
		worst = worse(worst, oneOfAll(cmd, s, j, missing[i]))
	}
	if worst != exitPass {
		return &statusError{status: worst}
	}
	return nil
}

// oneOfAll runs a scenario, unless something is missing for it, and gives its
// status. Whatever kept it from a verdict is in the report that it leaves.
func oneOfAll(cmd *cobra.Command, s script.Scenario, j job, missing error) int {
	taken := holdsRecord(j.dir) // and is not written into
	status, err := exitHarness, missing
	switch {
	case missing != nil: // which was told before any began
	case cmd.Context().Err() != nil:
		status, err = exitInconclusive, errCalledOff
	default:
		verdict := false
		if status, verdict, err = runOne(cmd, s, j); err != nil {
			tell(cmd, fmt.Errorf("%s: %w", s.Name, err))
		}
		if verdict {
			return status
		}
	}
	if !taken {
		if err := report.WriteUnrun(j.dir, s.Name, err); err != nil {
			tell(cmd, err)
		}
	}
	return status
}

// holdsRecord tells whether a directory holds the record of an earlier run.
func holdsRecord(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, record.JournalFile))
	return err == nil
}

// tell says what keeps a scenario from its verdict, and lets the next begin.
func tell(cmd *cobra.Command, err error) {
	fmt.Fprintf(cmd.ErrOrStderr(), "throughline: %v\n", err)
}

// preflightEach finds what each scenario needs, and tells all that is missing
// before the first begins. It gives what was found, or what is missing, by the
// scenario's place.
func preflightEach(cmd *cobra.Command, all []script.Scenario, flags runFlags) ([]found, []error) {
	have, missing := make([]found, len(all)), make([]error, len(all))
	together, err := preflight(cmd.Context(), all, flags)
	if err == nil {
		for i := range have {
			have[i] = together
		}
		return have, missing
	}
	able := 0
	for i := range all {
		if have[i], missing[i] = preflight(cmd.Context(), all[i:i+1], flags); missing[i] == nil {
			able++
		}
	}
	tell(cmd, err)
	if able > 0 {
		tell(cmd, fmt.Errorf("%d of %d scenarios cannot be run; the others are", len(all)-able, len(all)))
	}
	return have, missing
}

// directory is where the record of the i-th of n scenarios goes.
func directory(out string, s script.Scenario, i, n int) string {
	switch {
	case out == "":
		return filepath.Join("runs", time.Now().Format("20060102-150405")+"-"+s.Name)
	case n > 1:
		return filepath.Join(out, fmt.Sprintf("%02d-%s", i+1, s.Name))
	}
	return out
}

// worse orders what a sequence of scenarios comes to: one fail is a fail, whatever
// became of the others; one that could not be run is worse than one that proves
// nothing.
func worse(a, b int) int {
	order := map[int]int{exitPass: 0, exitInconclusive: 1, exitHarness: 2, exitFail: 3}
	if order[b] > order[a] {
		return b
	}
	return a
}
