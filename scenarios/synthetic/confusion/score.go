// Package confusion holds the judge's verdicts on made-up runs against what is true
// of them, and makes a page of the result: which cause was named for which.
//
// It is to scenarios/synthetic what scenarios/gallery is to real runs. The command
// line runs it, as throughline selftest --synthetic.
package confusion

import (
	"slices"
	"strings"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/synthetic"
)

// Mark is what a verdict on a made-up run is worth.
type Mark string

// The marks of a run with a defect.
const (
	Right        Mark = "right"        // every cause that is named is the true one, or one that the record cannot tell from it
	Undecided    Mark = "undecided"    // no wrong cause is named, and a finding says what is possible
	Unnamed      Mark = "unnamed"      // the run failed, and no finding names a cause
	Wrong        Mark = "wrong"        // a finding names a wrong cause
	Missed       Mark = "missed"       // nothing was found, and what is wrong is more than the bounds hide
	Hidden       Mark = "hidden"       // nothing was found, and nothing could be
	Inconclusive Mark = "inconclusive" // the run proves nothing
)

// The marks of a healthy run; Inconclusive is another.
const (
	Silent Mark = "silent"
	Alarm  Mark = "false alarm"
)

// Marks are all, in the order of a table.
var Marks = []Mark{Right, Undecided, Unnamed, Wrong, Missed, Hidden, Inconclusive, Silent, Alarm}

// undecided is the cause of a finding that does not decide between several.
const undecided = "undecided"

// excuses are causes that explain a difference away; they accuse nobody.
var excuses = []string{"flush-late-on-busy-machine", "client-buffer-at-sigkill", "outcome-unknown", "not-polled", "clock-set", "collector-dropped"}

// Result is the score of one run.
type Result struct {
	Seed  uint64 `json:"seed"`
	Cause string `json:"cause"` // the true one
	Mark  Mark   `json:"mark"`
	// Named are the causes that the findings name, sorted; those that a finding
	// leaves undecided are not among them.
	Named []string `json:"named,omitempty"`
	// Possible tells, of a run that is undecided, whether the true cause is among
	// those that are possible.
	Possible bool `json:"possible,omitempty"`
	Amount   bool `json:"amount,omitempty"` // the numbers are right, within their bounds
	// Telling tells that the run's record has much by which its cause can be told.
	Telling bool   `json:"telling,omitempty"`
	Said    string `json:"said,omitempty"`  // the finding that decided
	Error   string `json:"error,omitempty"` // why there is no verdict
}

// Score holds a verdict against the truth.
func Score(m synthetic.Made, v verdict.Verdict) Result {
	if m.Params.Scaled != nil {
		return scoreScaled(m, v)
	}
	r := Result{Seed: m.Seed, Cause: m.Truth.Cause, Telling: m.Telling()}
	found := accusing(v)
	r.Amount = amounts(m.Truth, found)
	var wrong []verdict.Finding
	open := false
	for _, f := range found {
		switch {
		case f.Cause == undecided:
			open = true
			r.Possible = r.Possible || slices.ContainsFunc(f.Possible, m.Truth.Accepts)
		case f.Cause != "":
			r.Named = append(r.Named, f.Cause)
			if !m.Truth.Accepts(f.Cause) {
				wrong = append(wrong, f)
			}
		}
	}
	slices.Sort(r.Named)
	r.Named = slices.Compact(r.Named)
	if len(found) > 0 {
		r.Said = found[0].Summary
	} else if i := slices.IndexFunc(v.Findings, func(f verdict.Finding) bool { return f.Outcome == v.Outcome && v.Outcome != verdict.Pass }); i >= 0 {
		r.Said = v.Findings[i].Check + ": " + v.Findings[i].Summary
	}
	switch {
	case m.Truth.Cause == synthetic.Healthy:
		r.Mark = map[verdict.Outcome]Mark{verdict.Pass: Silent, verdict.Fail: Alarm, verdict.Inconclusive: Inconclusive}[v.Outcome]
	case len(wrong) > 0:
		r.Mark, r.Said = Wrong, wrong[0].Summary
	case open:
		r.Mark = Undecided
	case len(r.Named) > 0:
		r.Mark = Right
	case len(found) > 0:
		r.Mark = Unnamed
	case v.Outcome == verdict.Inconclusive:
		r.Mark = Inconclusive
	case m.Truth.Shows():
		r.Mark = Missed
	default:
		r.Mark = Hidden
	}
	return r
}

// accusing are the findings that say something is wrong with the counter: failures
// of conservation and continuity, and doubts that name a cause which is no excuse.
// A sum over all instances repeats what is said of each.
func accusing(v verdict.Verdict) []verdict.Finding {
	var out []verdict.Finding
	for _, f := range v.Findings {
		if f.Check != "conservation" && f.Check != "continuity" || f.Layer != "web" || f.Waived != "" {
			continue
		}
		if f.Outcome == verdict.Fail || f.Outcome == verdict.Inconclusive && f.Cause != "" && !slices.Contains(excuses, f.Cause) {
			out = append(out, f)
		}
	}
	return out
}

// amounts tells whether each number that is said of an instance is right.
func amounts(t synthetic.Truth, found []verdict.Finding) bool {
	for _, f := range found {
		if f.Check != "conservation" || f.Instance == "" || f.Lost == 0 && f.Extra == 0 {
			continue
		}
		a, known := t.Instances[f.Instance]
		// What users know bounds what can be said: the finding's own bound is part
		// of that.
		said, slack := f.Extra-f.Lost, f.Bound
		if !known || said < a.Counted-a.Most-slack || said > a.Counted-a.Least+slack {
			return false
		}
	}
	return true
}

// named is how a result stands in a row of the matrix.
func (r Result) named() string {
	switch r.Mark {
	case Right, Wrong:
		return strings.Join(r.Named, " + ")
	}
	return string(r.Mark)
}
