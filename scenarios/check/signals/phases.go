package signals

import (
	"fmt"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// stepTime is how much of the time from the beginning of a phase went into its own
// steps: a launch that took four seconds leaves the phase so much less.
func stepTime(e *evidence.Index, phase string) time.Duration {
	from, to, ok := e.Span(phase)
	if !ok {
		return 0
	}
	last := from
	for _, ev := range e.History.Events {
		if ev.Kind == record.StepEnd && ev.At >= from && ev.At <= to {
			last = max(last, ev.At)
		}
	}
	return last - from
}

// hurried tells when the steps of a phase took more than half of the time, counted
// from its beginning, in which something had to come of them; "" when they did not.
// How long a launch takes is the machine's doing as much as the application's.
func hurried(e *evidence.Index, phase string, allowed time.Duration) string {
	moved := stepTime(e, phase)
	if 2*moved <= allowed {
		return ""
	}
	return fmt.Sprintf("its steps took %s of the %s in which it had to: that proves nothing; give the phase longer", words.Seconds(moved), words.Seconds(allowed))
}

// firstTick is the first interval end after t. Interval ends are those of the
// collector, continued in both directions: also an interval in which the
// collector stored nothing is one.
func firstTick(e *evidence.Index, t time.Duration) time.Duration {
	phase := time.Duration(0)
	if len(e.Ticks) > 0 {
		phase = e.Ticks[0] % e.Interval
	}
	end := t - t%e.Interval + phase
	for end <= t {
		end += e.Interval
	}
	for end-e.Interval > t {
		end -= e.Interval
	}
	return end
}

// ticksBetween are the interval ends from one moment to another.
func ticksBetween(e *evidence.Index, from, to time.Duration) []time.Duration {
	var grid []time.Duration
	for t := firstTick(e, from-1); t <= to; t += e.Interval {
		grid = append(grid, t)
	}
	return grid
}
