package trial

import (
	"fmt"
	"path/filepath"

	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/report"
)

// Judged is a record with a verdict on it.
type Judged struct {
	Dir     string // of the record
	History record.History
	Verdict verdict.Verdict
}

// Judge reads a record and judges it by the run's own checks. The verdict names version,
// that of this program. The error says that the
// directory holds no record, or one that this judge cannot judge; what was read of it is
// given all the same.
func Judge(dir, version string) (Judged, error) {
	history, err := record.Read(dir)
	if err != nil {
		return Judged{}, err
	}
	verdict, err := check.Judge(history)
	verdict.ToolVersion = version
	if err != nil {
		err = fmt.Errorf("%s: %w", filepath.Clean(dir), err)
	}
	return Judged{dir, history, verdict}, err
}

// JudgeBy judges a record by the checks of a scenario other than its own, read from
// source; errors call it name. rules finds the files of alerting rules that those name (Reader.Rules).
func JudgeBy(dir, version, name string, source []byte, rules check.RuleFiles) (Judged, error) {
	history, err := record.Read(dir)
	if err != nil {
		return Judged{}, err
	}
	verdict, err := check.JudgeBy(history, name, source, rules)
	verdict.ToolVersion = version
	return Judged{dir, history, verdict}, err
}

// Status is what the verdict comes to.
func (j Judged) Status() Status { return statusOf(j.Verdict.Outcome) }

// Write writes verdict.json, junit.xml and report.html into a directory that is there.
func (j Judged) Write(dir string) error {
	_, err := report.WriteAll(dir, j.History, j.Verdict)
	return err
}
