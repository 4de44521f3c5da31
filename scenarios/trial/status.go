package trial

import "throughline/scenarios/check/verdict"

// Status is what came of one trial or of many, as the number that is the exit status.
// Scripts depend on the numbers; 3 is a bad command line's.
type Status int

// The statuses.
const (
	Pass         Status = 0
	Fail         Status = 1
	Inconclusive Status = 2 // it proves nothing
	Unrun        Status = 4 // the harness could not run it
)

// Worse gives the one that decides what a sequence comes to: one fail is a fail,
// whatever became of the others; one that could not be run is worse than one that
// proves nothing.
func Worse(a, b Status) Status {
	order := map[Status]int{Pass: 0, Inconclusive: 1, Unrun: 2, Fail: 3}
	if order[b] > order[a] {
		return b
	}
	return a
}

func statusOf(o verdict.Outcome) Status {
	switch o {
	case verdict.Pass:
		return Pass
	case verdict.Fail:
		return Fail
	}
	return Inconclusive
}
