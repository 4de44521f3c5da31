package check

import (
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

const checkTime = "time"

// clocks asks whether the times in the record can be compared at all: the
// collector's interval ends, the users' clock and the journal's are meant to be
// one. What is judged from curves needs it.
func clocks(e *evidence) []verdict.Finding {
	var out []verdict.Finding
	say := func(cause, format string, args ...any) {
		out = append(out, verdict.Finding{Check: checkTime, Cause: cause, Summary: fmt.Sprintf(format, args...)})
	}
	if n := e.greatest(clockStepsSeries, 0, forever); n > 0 {
		say(verdict.CauseClock, "the wall clock was set %s in this run: intervals before and after do not fit together", words.Times(whole(n), "time"))
	}
	if n := e.greatest(collectorPrefix+"append_errors_total", 0, forever); n > 0 {
		say(verdict.CauseDropped, "the collector could not keep the samples of %s: what they held is missing in the record", words.Times(whole(n), "flush"))
	}
	late := time.Duration(min(e.greatest(flushLateness, 0, forever), 1e9) * float64(time.Second))
	if late >= e.interval {
		say(diagnose.Late, "the collector ended an interval %s late, longer than the interval itself: what arrived when is uncertain by that much", words.Seconds(late))
	}
	out = append(out, e.backwards()...)
	out = append(out, e.offGrid()...)
	out = append(out, e.ahead()...)
	if len(out) == 0 {
		out = append(out, verdict.Finding{Check: checkTime, Outcome: verdict.Pass,
			Summary: fmt.Sprintf("one clock for all: %s of the collector ended at most %s late, nothing was answered before it was sent or counted before it was asked for",
				words.Times(int64(len(e.ticks)), "interval"), late.Round(100*time.Microsecond))})
	}
	return out
}

// backwards finds requests that were answered before they were sent, or sent
// before they were due.
func (e *evidence) backwards() []verdict.Finding {
	var n int64
	var first record.Request
	for i := range e.history.Requests {
		r := &e.history.Requests[i]
		if r.Done < r.Sent || r.Sent < r.Due {
			if n++; n == 1 {
				first = *r
			}
		}
	}
	if n == 0 {
		return nil
	}
	return []verdict.Finding{{Check: checkTime, Layer: verdict.LayerUsers, Cause: verdict.CauseClock, From: first.Sent.Seconds(), To: first.Done.Seconds(),
		Summary: fmt.Sprintf("the users' clock went back: of %s the end comes before the beginning, the first was sent %s after it was due and done %s after it was sent", words.Times(n, "request"),
			first.Sent-first.Due, first.Done-first.Sent)}}
}

// aligned is how far two interval ends may be from a whole number of intervals
// apart: offsets are rounded to microseconds.
const aligned = time.Millisecond

// offGrid finds points that are at no interval end, or after the end of the
// record.
func (e *evidence) offGrid() []verdict.Finding {
	if len(e.ticks) == 0 {
		return nil
	}
	end := e.ticks[len(e.ticks)-1]
	for _, ev := range e.history.Events {
		if ev.Kind == record.RunEnd {
			end = ev.At + e.interval
		}
	}
	// Most are right: the phase of the median is that of the grid.
	phases := make([]time.Duration, len(e.ticks))
	for i, t := range e.ticks {
		phases[i] = t % e.interval
	}
	slices.Sort(phases)
	phase := phases[len(phases)/2]
	var off, beyond int64
	first := record.Never
	for _, t := range e.ticks {
		d := (t - phase) % e.interval
		switch {
		case t > end:
			beyond++
		case min(max(d, -d), e.interval-max(d, -d)) > aligned:
			off++
		default:
			continue
		}
		if first == record.Never {
			first = t
		}
	}
	if off+beyond == 0 {
		return nil
	}
	f := verdict.Finding{Check: checkTime, Layer: verdict.LayerWeb, Cause: verdict.CauseClock, From: first.Seconds(), To: first.Seconds()}
	f.Summary = fmt.Sprintf("interval ends of the collector do not fit: %s no whole number of intervals apart from the others, %s after the end of the record, the first at %s",
		words.Number(off), words.Number(beyond), first)
	return []verdict.Finding{f}
}

// ahead finds counts that are in the record before their requests were sent,
// and fit later: then it is not the count that is wrong, but a clock.
func (e *evidence) ahead() []verdict.Finding {
	var out []verdict.Finding
	for _, c := range e.scenario.Checks {
		r := c.Conservation
		if r == nil || r.SampleRate < 1 {
			continue
		}
		var series []*record.Series
		for _, instance := range e.senders() {
			series = append(series, e.counters(instance, r.Metric)...)
		}
		counted := sumOf(series)
		if f := e.aheadOf(counted, e.asked(r.Route), newAllowances(e, r.Route).all()); f != nil {
			f.Summary = fmt.Sprintf("%s: %s", r.Metric, f.Summary)
			out = append(out, *f)
		}
	}
	return out
}

// asked is when requests of a route were sent, in order, refused ones too.
func (e *evidence) asked(route string) []time.Duration {
	at := make([]time.Duration, 0, len(e.history.Requests))
	for i := range e.history.Requests {
		if r := &e.history.Requests[i]; r.Route == route {
			at = append(at, r.Sent)
		}
	}
	slices.Sort(at)
	return at
}

func (e *evidence) aheadOf(counted curve, asked []time.Duration, more allowance) *verdict.Finding {
	repeated := more.replays + more.retries
	if whole(counted.last()) > int64(len(asked))+repeated {
		return nil // too many altogether: conservation says so
	}
	var worst, at time.Duration
	var n int64
	for k, t := range counted.at {
		over := whole(counted.n[k]) - countUpTo(asked, t) - repeated
		if over <= 0 {
			continue
		}
		// The request that the count stands for, at the latest.
		if by := asked[min(whole(counted.n[k])-repeated, int64(len(asked)))-1] - t; by > worst {
			worst, at, n = by, t, over
		}
	}
	if n == 0 {
		return nil
	}
	return &verdict.Finding{Check: checkTime, Layer: verdict.LayerWeb, Cause: verdict.CauseClock, From: at.Seconds(), To: (at + worst).Seconds(), Extra: n,
		Summary: fmt.Sprintf("%s stood in the record at %s that were sent only later, the last %s later: the clocks of users and collector differ", words.Times(n, "count"), words.Seconds(at), worst.Round(time.Millisecond))}
}
