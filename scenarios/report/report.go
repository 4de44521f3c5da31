// Package report tells people and machines what a verdict says: as text at the
// end of a run, as verdict.json and junit.xml for CI, as report.html for the
// eye, and as progress while the run goes on.
//
// It judges nothing and measures nothing: every number comes from the record
// or from the verdict, and only what can be drawn from the record (rates,
// percentiles over time) is computed here. scenarios/trial and the command line call it.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// The files that WriteAll writes into a run directory.
const (
	VerdictFile = "verdict.json"
	JUnitFile   = "junit.xml"
	HTMLFile    = "report.html"
)

// Files are the paths of what WriteAll wrote; empty where it could not.
type Files struct {
	Verdict string
	JUnit   string
	HTML    string
}

// WriteAll writes verdict.json, junit.xml and report.html into the run
// directory dir, for its owner alone, as the record is. Each file appears whole or not at all, and takes the place of
// that of an earlier judgement. One that cannot be written does not keep the
// others from being written; the error names each.
func WriteAll(dir string, h record.History, v verdict.Verdict) (Files, error) {
	var files Files
	var failed error
	for _, f := range []struct {
		name  string
		into  *string
		write func(io.Writer) error
	}{
		{VerdictFile, &files.Verdict, func(w io.Writer) error { return WriteJSON(w, v) }},
		{JUnitFile, &files.JUnit, func(w io.Writer) error { return WriteJUnit(w, v) }},
		{HTMLFile, &files.HTML, func(w io.Writer) error { return WriteHTML(w, h, v) }},
	} {
		path := filepath.Join(dir, f.name)
		if err := writeFile(path, f.write); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: cannot write the report: %w", path, err))
			continue
		}
		*f.into = path
	}
	return files, failed
}

// WriteUnrun writes the junit.xml of a scenario that came to no verdict into dir,
// which it makes: who collects such reports must not miss a scenario because it could
// not be run.
func WriteUnrun(dir, scenario string, why error) error {
	path := filepath.Join(dir, JUnitFile)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = writeFile(path, func(w io.Writer) error { return writeUnrun(w, scenario, why) })
	}
	if err != nil {
		return fmt.Errorf("%s: cannot write the report: %w", path, err)
	}
	return nil
}

// writeFile writes path as a whole: a reader sees the old file or the new one.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// WriteJSON writes the verdict as one indented JSON document. Lists and
// objects that are empty are written as [] and {}, never as null, so that a
// script may loop over them.
func WriteJSON(w io.Writer, v verdict.Verdict) error {
	if err := finite(v); err != nil {
		return err
	}
	if v.Findings == nil {
		v.Findings = []verdict.Finding{}
	}
	if v.Explanations == nil {
		v.Explanations = []verdict.Explanation{}
	}
	if v.Residuals == nil {
		v.Residuals = []verdict.Residual{}
	}
	if v.Ledgers.LB.Responses == nil {
		v.Ledgers.LB.Responses = map[string]int64{}
	}
	if v.Versions == nil {
		v.Versions = map[string]string{}
	}
	if v.Phases == nil {
		v.Phases = []verdict.Phase{}
	}
	if v.LedgerEntries == nil {
		v.LedgerEntries = []verdict.Ledger{}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // "users→web" and "<" are to be read by people too
	return e.Encode(v)
}

// finite refuses a number that JSON cannot hold, and says where it stands.
func finite(v verdict.Verdict) error {
	if !isFinite(v.Seconds) {
		return fmt.Errorf("verdict: seconds is %v, not a number of seconds", v.Seconds)
	}
	for i, f := range v.Findings {
		if !isFinite(f.From) || !isFinite(f.To) {
			return fmt.Errorf("verdict: finding %d of check %s: from %v to %v is no stretch of time", i+1, f.Check, f.From, f.To)
		}
	}
	return nil
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
