package check

import (
	"cmp"
	"fmt"
	"slices"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/honesty"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// unsettled says why nothing that the record lacks, or has too much of, can be
// held against anybody: the run was interrupted or cut short, so that requests were
// under way and counts in the clients' buffers when the record was closed. Empty:
// all had their time to settle. So it is where users' times cannot be told, or not what
// some of them sent, because who sent it was lost.
func unsettled(e *evidence.Index) string {
	why := "the run was cut short, and nothing could settle"
	for _, ev := range e.History.Events {
		switch ev.Kind {
		case record.Interrupted:
			return fmt.Sprintf("the run was interrupted at %s, and nothing could settle", words.Seconds(ev.At))
		case record.RunEnd:
			why = ""
		}
	}
	if lost := e.LostWorker(); why == "" && lost != nil {
		return fmt.Sprintf("worker %d of the load was lost at %s, and nobody knows what became of its requests", lost.Worker, words.Seconds(lost.At))
	}
	return cmp.Or(why, honesty.Unreliable(e))
}

// acquit takes back what a check accuses somebody of in a run that never settled:
// its failures, and doubts that name a cause or a number, become one doubt that says why there is no judgement, unless that is
// among those said, and what it could not explain is booked to that. What passed
// stays: that two accounts agree, or that a point was there, is true however the run
// ended.
func acquit(e *evidence.Index, r *verdict.Result, said []verdict.Finding) {
	why := unsettled(e)
	if why == "" {
		return
	}
	var left []verdict.Finding
	for _, f := range r.Findings {
		if f.Outcome == verdict.Pass || f.Outcome == verdict.Inconclusive && f.Cause == "" && f.Lost+f.Extra == 0 {
			left = append(left, f)
			continue
		}
		doubt := verdict.Finding{Check: f.Check, Summary: fmt.Sprintf("%s is not judged: %s", f.Check, why)}
		same := func(g verdict.Finding) bool { return g.Check == doubt.Check && g.Summary == doubt.Summary }
		if !slices.ContainsFunc(left, same) && !slices.ContainsFunc(said, same) {
			left = append(left, doubt)
		}
	}
	r.Findings, r.Sums = left, false
	for i := range r.Residuals {
		if r.Residuals[i].Cause == verdict.CauseUnexplained {
			r.Residuals[i].Cause = verdict.CauseUnsettled
		}
	}
}
