package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"throughline/cmd/throughline/cli"
	"throughline/scenarios/report"
	"throughline/scenarios/report/ci"
	"throughline/scenarios/script"
)

// forgeFlags say what a CI system is told beside the verdict.
type forgeFlags struct {
	annotations string
	summary     string
	badge       string
	junit       string
	retries     int
}

// stepSummary is the variable with the file whose Markdown GitHub shows on the page of a job.
const stepSummary = "GITHUB_STEP_SUMMARY"

func (f *forgeFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.annotations, "annotations", "", "annotate the lines of the scenario file: github (workflow commands on standard output; also appends the summary to the file that $"+stepSummary+" names)")
	set.StringVar(&f.summary, "summary", "", "append a summary in Markdown to this file")
	set.StringVar(&f.badge, "badge", "", "write a badge as shields.io reads it (JSON) into this file")
	set.StringVar(&f.junit, "junit", "", "write one JUnit report of all scenarios, with a case for each check and instance, into this file")
	set.IntVar(&f.retries, "retry-inconclusive", 0, "how often a run that proves nothing is run again; its record is kept, in DIR-try-1 and so on")
}

func (f forgeFlags) check(format string) error {
	switch {
	case f.annotations != "" && f.annotations != "github":
		return fmt.Errorf("--annotations %s: no such forge (have github); others read junit.xml", f.annotations)
	case f.annotations != "" && format == "json":
		return fmt.Errorf("--annotations %s: would stand between the lines of --format json; leave one of the two out", f.annotations)
	case f.retries < 0:
		return fmt.Errorf("--retry-inconclusive %d: want 0 or more", f.retries)
	}
	return nil
}

// tell tells the CI system what came of the scenarios, all of it that can be told.
func (f forgeFlags) tell(cmd *cobra.Command, all []ci.Ended) error {
	var failed []error
	if f.annotations != "" {
		failed = append(failed, ci.WriteGitHub(cmd.OutOrStdout(), all))
		if file := os.Getenv(stepSummary); file != "" && file != f.summary {
			failed = append(failed, write(file, os.O_APPEND, all, ci.WriteMarkdown))
		}
	}
	if f.summary != "" {
		failed = append(failed, write(f.summary, os.O_APPEND, all, ci.WriteMarkdown))
	}
	if f.badge != "" {
		failed = append(failed, write(f.badge, os.O_TRUNC, all, ci.WriteBadge))
	}
	return errors.Join(failed...)
}

// tellJUnit writes the JUnit report of all scenarios.
func (f forgeFlags) tellJUnit(results []report.Result) error {
	if f.junit == "" {
		return nil
	}
	if err := report.WriteJUnitFile(f.junit, results); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", f.junit, cli.Reason(err))
	}
	return nil
}

func write(file string, how int, all []ci.Ended, as func(io.Writer, []ci.Ended) error) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|how, 0o644)
	if err == nil {
		err = errors.Join(as(f, all), f.Close())
	}
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", file, cli.Reason(err))
	}
	return nil
}

// forged joins what came of scenarios with where their checks stand.
func forged(scenarios []script.Scenario, dirs []string, results []report.Result) []ci.Ended {
	all := make([]ci.Ended, len(results))
	for i, r := range results {
		s := scenarios[i]
		all[i] = ci.Ended{Scenario: r.Scenario, Verdict: r.Verdict, Unrun: r.Unrun, Tries: r.Tries, Dir: dirs[i], Checks: map[string]int{}}
		if _, err := os.Stat(s.File); err == nil { // neither built in nor standard input
			all[i].File = s.File
		}
		for _, c := range s.Checks {
			if _, ok := all[i].Checks[c.Kind()]; !ok {
				all[i].Checks[c.Kind()] = c.Pos.Line
			}
		}
	}
	return all
}
