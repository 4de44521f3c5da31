// Package check judges a record: History in, findings and a verdict out.
//
// A check is a pure function of the record. It starts nothing, reads no clock
// and never asks the platform, so that a run can be judged again years later
// with the identical result. It prints nothing either: scenarios/report does.
// cmd/throughline calls it, after a run and for judge and selftest.
//
// [Judge] is the way in. It lays the record out once (evidence) and hands it to
// every rule: those that always run and ask whether the run proves anything,
// and those that the scenario asks for.
package check

import "throughline/scenarios/check/verdict"

// Check is one rule. Rules share the evidence, because indexing a million
// requests once per rule would take longer than judging them.
type Check interface {
	// judge adds what it found; at least one finding, also when all is well.
	judge(e *evidence) verdict.Result
}

// rule is a Check without settings.
type rule func(*evidence) []verdict.Finding

func (r rule) judge(e *evidence) verdict.Result { return verdict.Result{Findings: r(e)} }
