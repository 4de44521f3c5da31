package account

import (
	"slices"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// silence is for how long before its kill at a time an instance did nothing, as its requests
// tell: it answered none, though one that it had waited for longer than it usually takes,
// while others answered what was sent after. Its process had no CPU then, or was stuck, and
// its client could not send either: what it held when that began, it held when it was killed.
//
// web-2 answered its last request at 10.00 s, got the next at 10.02 s and was killed at 10.32 s,
// and web-1 answered meanwhile: 300 ms. A kill takes no more for it than one window's worth
// of counts, of the last time in which the instance did anything.
func silence(e *evidence.Index, instance string, at time.Duration) time.Duration {
	if at == record.Never || !e.LogWhole() {
		return 0
	}
	last, waits := time.Duration(0), []time.Duration{}
	waiting := evidence.Forever // the first that was sent of those without an answer
	for i := range e.History.Requests {
		switch r := &e.History.Requests[i]; {
		case r.Instance == instance:
			last, waits = max(last, r.Done), append(waits, r.Done-r.Sent)
		case r.Sent < at && r.Done >= at && e.Had(i) == instance:
			waiting = min(waiting, r.Sent)
		}
	}
	if len(waits) == 0 || waiting == evidence.Forever {
		return 0
	}
	slices.Sort(waits)
	const nearlyAll = 99 // of 100 answers come sooner than what is unusual
	usual := waits[len(waits)*nearlyAll/100]
	from := max(last, waiting)
	if at-from <= max(usual, evidence.LeastStall) || !othersAnswered(e, instance, from, at) {
		return 0
	}
	return at - from
}

// othersAnswered tells whether another instance answered a request that was sent within a
// stretch before that was over: then neither users nor database stood still.
func othersAnswered(e *evidence.Index, instance string, from, to time.Duration) bool {
	return slices.ContainsFunc(e.History.Requests, func(r record.Request) bool {
		return r.Sent > from && r.Done < to && r.Outcome == record.Acked && r.Instance != instance
	})
}
