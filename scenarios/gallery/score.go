package gallery

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// Mark is the answer to one question about a verdict.
type Mark int

// The marks. The zero value says that the question was not asked.
const (
	NotAsked Mark = iota
	Right
	Wrong
)

// String gives the word used in the matrix.
func (m Mark) String() string { return [...]string{"-", "yes", "NO"}[m] }

// MarshalText writes yes, no or nothing.
func (m Mark) MarshalText() ([]byte, error) { return []byte([...]string{"", "yes", "no"}[m]), nil }

// UnmarshalText reads it again.
func (m *Mark) UnmarshalText(text []byte) error {
	at := slices.Index([]string{"", "yes", "no"}, string(text))
	if at < 0 {
		return fmt.Errorf("mark %q: not one of yes, no or nothing", text)
	}
	*m = Mark(at)
	return nil
}

func mark(right bool) Mark {
	if right {
		return Right
	}
	return Wrong
}

// Result is what came of one run.
type Result struct {
	Name    string          `json:"name"`
	Control bool            `json:"control,omitempty"` // nothing was wrong
	Outcome verdict.Outcome `json:"outcome"`
	// Proved is false for a run that says nothing about the judge: the
	// machine was too busy for it, or it could not be run (Error).
	Proved   bool          `json:"proved"`
	Caught   Mark          `json:"caught,omitempty"` // of a control: silent
	By       string        `json:"by,omitempty"`     // the checks that spoke
	Instance Mark          `json:"instance,omitempty"`
	Amount   Mark          `json:"amount,omitempty"`
	Cause    Mark          `json:"cause,omitempty"`
	Said     string        `json:"said,omitempty"`  // the first finding that decided, or what went wrong
	Named    string        `json:"named,omitempty"` // the causes it named
	Took     time.Duration `json:"took_ns"`
	Error    string        `json:"error,omitempty"` // why there is no verdict
	Dir      string        `json:"dir,omitempty"`   // the record
}

// Good tells whether nothing about it is wrong.
func (r Result) Good() bool {
	return r.Proved && !slices.Contains([]Mark{r.Caught, r.Instance, r.Amount, r.Cause}, Wrong)
}

// Run is what there is to score: a record, its verdict, and what instances
// logged that they had done to their metric, by name.
type Run struct {
	History record.History
	Verdict verdict.Verdict
	Logged  map[string]Amount
}

// Amount is what a defective instance says it did: how many measurements it
// dropped, and how many it sent too much.
type Amount struct{ Dropped, Extra int64 }

// Score compares the verdict on an entry's run with what it must say.
func Score(e Entry, r Run) Result {
	out := Result{Name: e.Name, Outcome: r.Verdict.Outcome, Proved: true, By: speakers(r.Verdict, e.Want.Outcome)}
	findings := wanted(e.Want, r.Verdict)
	out.Caught = mark(r.Verdict.Outcome == e.Want.Outcome && len(findings) > 0)
	if out.Caught == Wrong {
		// A run that was disturbed has not been missed, and a defect that by its own
		// log did nothing is none: they prove nothing.
		out.Proved = r.Verdict.Outcome != verdict.Inconclusive
		out.Said = firstOf(r.Verdict)
		if r.Verdict.Outcome == verdict.Pass && e.Want.Logged && idle(e.Want.Instances, r.Logged) {
			out.Proved, out.Said = false, "the defect did nothing in this run, as the instances logged"
		}
		return out
	}
	out.Said = findings[0].Summary
	out.Named = causes(findings)
	if len(e.Want.Causes) > 0 {
		out.Cause = mark(!slices.ContainsFunc(findings, func(f verdict.Finding) bool { return !slices.Contains(e.Want.Causes, f.Cause) }))
	}
	if len(e.Want.Instances) > 0 {
		out.Instance = mark(slices.Equal(blamed(findings), sorted(e.Want.Instances)))
	}
	if e.Want.Amount != nil {
		out.Amount = mark(!slices.ContainsFunc(findings, func(f verdict.Finding) bool { return !amountFits(e.Want, f, r) }))
	}
	return out
}

// idle tells whether all the instances logged that they did nothing.
func idle(instances []string, logged map[string]Amount) bool {
	for _, instance := range instances {
		if did, known := logged[instance]; !known || did != (Amount{}) {
			return false
		}
	}
	return len(instances) > 0
}

// ScoreControl scores the verdict on a healthy run.
func ScoreControl(name string, v verdict.Verdict) Result {
	out := Result{Name: name, Control: true, Outcome: v.Outcome, Proved: v.Outcome != verdict.Inconclusive,
		By: speakers(v, verdict.Fail), Caught: mark(v.Outcome == verdict.Pass)}
	if v.Outcome != verdict.Pass {
		out.Said = firstOf(v)
	}
	return out
}

// wanted are the findings that say what the entry wants said.
func wanted(w Want, v verdict.Verdict) []verdict.Finding {
	var out []verdict.Finding
	for _, f := range v.Findings {
		// The sum over all instances repeats what is said of each.
		if f.Check == w.Check && f.Outcome == w.Outcome && strings.Contains(f.Summary, w.Words) && (len(w.Instances) == 0 || f.Instance != "") {
			out = append(out, f)
		}
	}
	return out
}

// amountFits compares a finding's number with the rows, and with what the
// instance says it did.
func amountFits(w Want, f verdict.Finding, r Run) bool {
	said := f.Lost - f.Extra
	off := func(truth int64) int64 { return max(said-truth, truth-said) }
	if off(w.Amount(r.History, f.Instance)) > f.Bound {
		return false
	}
	did, known := r.Logged[f.Instance]
	return !w.Logged || !known || off(did.Dropped-did.Extra) <= f.Bound
}

func blamed(findings []verdict.Finding) []string {
	var names []string
	for _, f := range findings {
		names = append(names, f.Instance)
	}
	return sorted(names)
}

func causes(findings []verdict.Finding) string {
	var names []string
	for _, f := range findings {
		if f.Cause != "" {
			names = append(names, f.Cause)
		}
	}
	return strings.Join(sorted(names), ", ")
}

// speakers are the checks with a finding of this outcome.
func speakers(v verdict.Verdict, o verdict.Outcome) string {
	var names []string
	for _, f := range v.Findings {
		if f.Outcome == o {
			names = append(names, f.Check)
		}
	}
	return strings.Join(sorted(names), ", ")
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// firstOf is what decided a verdict.
func firstOf(v verdict.Verdict) string {
	for _, f := range v.Findings {
		if f.Outcome == v.Outcome && f.Outcome != verdict.Pass {
			return f.Check + ": " + f.Summary
		}
	}
	return "everything passes"
}
