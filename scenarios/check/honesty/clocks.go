package honesty

import (
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// CheckTime is the name of Clocks.
const CheckTime = "time"

// Clocks asks whether the times in the record can be compared at all: the
// collector's interval ends, the users' clock and the journal's are meant to be
// one. What is judged from curves needs it.
//
// A request done at 3.0 s that was sent at 3.2 s, a point at 7.4 s where the others are at
// 1.1, 2.1, 3.1 s, 40 counts that stand in the record at 5.1 s when only 30 had been sent
// by then: each says that two of the clocks differ, and loss cannot be told from that.
func Clocks(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	say := func(cause, format string, args ...any) {
		out = append(out, verdict.Finding{Check: CheckTime, Cause: cause, Summary: fmt.Sprintf(format, args...)})
	}
	if n := e.Greatest(record.ClockSteps, 0, evidence.Forever); n > 0 {
		say(verdict.CauseClock, "the wall clock was set %s in this run: intervals before and after do not fit together", words.Times(evidence.Whole(n), "time"))
	}
	if n := e.Greatest(record.CollectorPrefix+"append_errors_total", 0, evidence.Forever); n > 0 {
		say(verdict.CauseDropped, "the collector could not keep the samples of %s: what they held is missing in the record", words.Times(evidence.Whole(n), "flush"))
	}
	late := time.Duration(min(e.Greatest(record.FlushLateness, 0, evidence.Forever), 1e9) * float64(time.Second))
	if late >= e.Interval {
		say(diagnose.Late, "the collector ended an interval %s late, longer than the interval itself: what arrived when is uncertain by that much", words.Seconds(late))
	}
	if why := Unreliable(e); why != "" {
		out = append(out, verdict.Finding{Check: CheckTime, Layer: record.LayerUsers, Summary: fmt.Sprintf("%s; a verdict bears less than %s", why, e.MostApart())})
	}
	out = append(out, backwards(e)...)
	out = append(out, offGrid(e)...)
	for _, p := range account.PrematureCounts(e) {
		out = append(out, verdict.Finding{Check: CheckTime, Layer: record.LayerWeb, Cause: verdict.CauseClock, From: p.At.Seconds(), To: (p.At + p.By).Seconds(), Extra: p.N,
			Summary: fmt.Sprintf("%s: %s stood in the record at %s that were sent only later, the last %s later: the clocks of users and collector differ", p.Metric,
				words.Times(p.N, "count"), words.Seconds(p.At), p.By.Round(time.Millisecond))})
	}
	if len(out) == 0 {
		one := "one clock for all"
		if n := e.Workers(); n > 0 {
			one = fmt.Sprintf("clocks of %s of the load within %s of one", words.Times(int64(n), "worker"), e.Apart().Round(time.Microsecond))
		}
		out = append(out, verdict.Finding{Check: CheckTime, Outcome: verdict.Pass,
			Summary: fmt.Sprintf("%s: %s of the collector ended at most %s late, nothing was answered before it was sent or counted before it was asked for",
				one, words.Times(int64(len(e.Ticks)), "interval"), late.Round(100*time.Microsecond))})
	}
	return out
}

// Unreliable says why no time in the users' ledger can be held against anybody; "": they can.
func Unreliable(e *evidence.Index) string {
	if e.Apart() < e.MostApart() {
		return ""
	}
	return fmt.Sprintf("times in the users' ledger may be wrong by %s, for the clocks of the load's workers could be compared no better", e.Apart().Round(time.Microsecond))
}

// backwards finds requests that were answered before they were sent, or sent
// before they were due.
func backwards(e *evidence.Index) []verdict.Finding {
	var n int64
	var first record.Request
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if r.Done < r.Sent || r.Sent < r.Due {
			if n++; n == 1 {
				first = *r
			}
		}
	}
	if n == 0 {
		return nil
	}
	return []verdict.Finding{{Check: CheckTime, Layer: record.LayerUsers, Cause: verdict.CauseClock, From: first.Sent.Seconds(), To: first.Done.Seconds(),
		Summary: fmt.Sprintf("the users' clock went back: of %s the end comes before the beginning, the first was sent %s after it was due and done %s after it was sent", words.Times(n, "request"),
			first.Sent-first.Due, first.Done-first.Sent)}}
}

// aligned is how far two interval ends may be from a whole number of intervals
// apart: offsets are rounded to microseconds.
const aligned = time.Millisecond

// offGrid finds points that are at no interval end, or after the end of the
// record.
func offGrid(e *evidence.Index) []verdict.Finding {
	if len(e.Ticks) == 0 {
		return nil
	}
	end := e.Ticks[len(e.Ticks)-1]
	for _, ev := range e.History.Events {
		if ev.Kind == record.RunEnd {
			end = ev.At + e.Interval
		}
	}
	// Most are right: the phase of the median is that of the grid.
	phases := make([]time.Duration, len(e.Ticks))
	for i, t := range e.Ticks {
		phases[i] = t % e.Interval
	}
	slices.Sort(phases)
	phase := phases[len(phases)/2]
	var off, beyond int64
	first := record.Never
	for _, t := range e.Ticks {
		d := (t - phase) % e.Interval
		switch {
		case t > end:
			beyond++
		case min(max(d, -d), e.Interval-max(d, -d)) > aligned:
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
	f := verdict.Finding{Check: CheckTime, Layer: record.LayerWeb, Cause: verdict.CauseClock, From: first.Seconds(), To: first.Seconds()}
	f.Summary = fmt.Sprintf("interval ends of the collector do not fit: %s no whole number of intervals apart from the others, %s after the end of the record, the first at %s",
		words.Number(off), words.Number(beyond), first)
	return []verdict.Finding{f}
}
