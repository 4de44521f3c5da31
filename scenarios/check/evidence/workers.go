package evidence

import (
	"time"

	"throughline/scenarios/record"
)

// Workers is how many processes shared the load; 0: it was not shared. Request n is that of worker n mod Workers + 1.
func (e *Index) Workers() (n int) {
	for i := range e.History.Events {
		n = max(n, e.History.Events[i].Worker)
	}
	return n
}

// LostWorker is the first worker of the load that ended before it had told all; nil: none did.
func (e *Index) LostWorker() *record.Event {
	for i := range e.History.Events {
		if ev := &e.History.Events[i]; ev.Kind == record.WorkerEnd && !ev.Expected {
			return ev
		}
	}
	return nil
}

// Apart is by how much times in the users' ledger may be wrong at most, because the clocks of those who sent the load were
// compared with the run's over a network, and no better than that; 0: it is the run's clock.
func (e *Index) Apart() time.Duration { return e.apart }

// MostApart is how much of that a verdict bears: a tenth of an interval of the collector, which is as late as all but one of a
// hundred requests may be sent where that is 1 s. Beyond it, it is not told in which interval a request was.
func (e *Index) MostApart() time.Duration { return e.Interval / 10 }
