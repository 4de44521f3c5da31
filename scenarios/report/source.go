package report

import (
	"regexp"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// sourceLine is a line of the scenario file.
type sourceLine struct {
	Number int
	Text   string
	Failed bool // it asks for a check that failed
}

// sourceView is the scenario file.
type sourceView struct {
	Lines  []sourceLine
	Failed bool // a line did
}

// checkLine is a line of the list of checks.
var checkLine = regexp.MustCompile(`^\s*-\s*\{?\s*([a-z_]+)\s*:`)

// newSource is the scenario file, with the lines marked that ask for what failed.
func newSource(h record.History, v verdict.Verdict) any {
	if len(h.Scenario) == 0 {
		return nil
	}
	failed := map[string]bool{}
	for _, f := range v.Findings {
		failed[f.Check] = failed[f.Check] || f.Outcome == verdict.Fail
	}
	var out sourceView
	within := false
	for i, line := range strings.Split(strings.TrimRight(string(h.Scenario), "\n"), "\n") {
		if line != "" && line[0] != ' ' && line[0] != '-' && line[0] != '#' {
			within = strings.HasPrefix(line, "checks:")
		}
		l := sourceLine{Number: i + 1, Text: printable(line)}
		if m := checkLine.FindStringSubmatch(line); within && m != nil && v.ChecksFrom == "" {
			l.Failed = failed[m[1]]
		}
		out.Lines, out.Failed = append(out.Lines, l), out.Failed || l.Failed
	}
	return out
}

// fileView is a file of the run directory, which the report is in as well.
type fileView struct{ Name, About string }

// filesOf are the files beside the report, as far as the record has had them.
func filesOf(h record.History) []fileView {
	files := []fileView{
		{VerdictFile, "the verdict, for programs"},
		{JUnitFile, "the verdict, for CI"},
		{record.JournalFile, "what happened, an event a line"},
		{record.UsersFile, "the users' ledger, a request a line"},
	}
	if h.Executions != nil {
		files = append(files, fileView{record.ExecutionsFile, "the load balancer's log, a request a line"})
	}
	if h.Passages != nil {
		files = append(files, fileView{record.PassagesFile, "the logs of the Apache HTTP servers, a request a line"})
	}
	if h.Beacons != nil {
		files = append(files, fileView{record.BeaconsFile, "what users' pages told, a beacon a line"})
	}
	if h.Arrivals != nil {
		files = append(files, fileView{record.ArrivalsFile, "what the collector took of it, likewise"})
	}
	return append(files, fileView{record.SeriesFile, "what the collector stored: the series"}, fileView{record.PointsFile, "and their points"},
		fileView{record.ScenarioFile, "the scenario as it was run"}, fileView{"logs/", "what the instances wrote"})
}
