// Package check judges a record: History in, findings and a verdict out.
//
// A check is a pure function of the record. It starts nothing, reads no clock
// and never asks the platform, so that a run can be judged again years later
// with the identical result. It prints nothing either: scenarios/report does.
// cmd/throughline calls it, after a run and for judge and selftest.
//
// [Judge] is the way in. It lays the record out once (package evidence) and hands
// it to every rule in its table: those that always run and ask whether the run
// proves anything (honesty), and those that the scenario asks for (signals, tiers).
// What is common to findings is here: that a rule which crashes proves nothing, what
// is waived, and what a run that never settled leaves open.
package check
