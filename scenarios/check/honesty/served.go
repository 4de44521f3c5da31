package honesty

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Requirements asks whether the users were served at the rate that each phase asks
// for. With `require: {users: 150/s}`, a phase of 8 s needs 1,200 acknowledged requests: with
// 900 it reached 112.5/s, and whatever held in it was not tried under the load that was meant.
func Requirements(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	asked := 0
	for i, phase := range e.Scenario.Phases {
		if phase.Require.Users <= 0 {
			continue
		}
		asked++
		from, to, ok := e.Phase(i)
		if !ok {
			out = append(out, verdict.Finding{Check: CheckRequire, Layer: record.LayerUsers,
				Summary: fmt.Sprintf("phase %q: the journal does not tell when it began and ended", phase.Name)})
			continue
		}
		rate := float64(ackedBetween(e, from, to)) / (to - from).Seconds()
		f := verdict.Finding{Check: CheckRequire, Outcome: verdict.Pass, Layer: record.LayerUsers, From: from.Seconds(), To: to.Seconds(),
			Summary: fmt.Sprintf("phase %q reached %.0f/s of %.4g/s", phase.Name, rate, phase.Require.Users)}
		if rate < phase.Require.Users {
			f.Outcome = verdict.Inconclusive
			f.Summary = fmt.Sprintf("phase %q reached %.4g/s of %.4g/s: the run proves nothing", phase.Name, rate, phase.Require.Users)
		}
		out = append(out, f)
	}
	if asked == 0 {
		out = append(out, verdict.Finding{Check: CheckRequire, Outcome: verdict.Pass, Layer: record.LayerUsers, Summary: "no phase requires a rate"})
	}
	return out
}

// ackedBetween counts requests acknowledged in [from, to).
func ackedBetween(e *evidence.Index, from, to time.Duration) int64 {
	var n int64
	for _, at := range e.Users.AckedAt {
		n += evidence.CountUpTo(at, to-1) - evidence.CountUpTo(at, from-1)
	}
	for _, s := range e.Users.Spans {
		if s.Acked && s.Done >= from && s.Done < to {
			n++
		}
	}
	return n
}

// leastServing is how long an instance must have served under load before it
// must have answered something.
const leastServing = 2 * time.Second

// InstancesServed asks whether each instance took part: one that never
// answered proves nothing about its metrics. One that served for 6 s under load without a
// single request counted 0, and that is right whatever its client does.
func InstancesServed(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	looked := 0
	who := "web instance"
	if len(e.Scenario.Stack.Others) > 0 {
		who = "instance that users reach"
	}
	for _, l := range e.Lives {
		from, to := serving(e, l)
		if to-from < leastServing || !e.WithUsers(l) {
			continue
		}
		looked++
		if len(e.Acked(l.Instance)) == 0 {
			out = append(out, verdict.Finding{Check: CheckVacuity, Layer: record.LayerUsers, Instance: l.Instance, From: from.Seconds(), To: to.Seconds(),
				Summary: fmt.Sprintf("%s served for %s under load and answered no request: nothing can be said about it", l.Instance, words.Seconds(to-from))})
		}
	}
	out = append(out, standstills(e)...)
	switch {
	case looked == 0:
		out = append(out, verdict.Finding{Check: CheckVacuity, Layer: record.LayerUsers,
			Summary: fmt.Sprintf("no %s served for %s under load: nothing can be said about any", who, leastServing)})
	case len(out) == 0:
		out = append(out, verdict.Finding{Check: CheckVacuity, Outcome: verdict.Pass, Layer: record.LayerUsers,
			Summary: fmt.Sprintf("each of %s that served under load answered requests", counted(looked, who))})
	}
	return out
}

// counted says how many instances were looked at.
func counted(n int, who string) string {
	if noun, rest, more := strings.Cut(who, " that "); more {
		return words.Times(int64(n), noun) + " that " + rest
	}
	return words.Times(int64(n), who)
}

// leastSent is of how many requests one must succeed while an instance serves.
const leastSent = 10

// standstills finds phases in which nothing went on, although an instance served
// from their beginning to their end: what was done to the stack then was done to
// one that was out of order already.
func standstills(e *evidence.Index) []verdict.Finding {
	type progress struct{ sent, acked int64 }
	of := make([]progress, len(e.Scenario.Phases))
	spans := make([]evidence.Stretch, len(of))
	for i := range of {
		spans[i].From, spans[i].To, _ = e.Phase(i)
	}
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		k := sort.Search(len(spans), func(k int) bool { return spans[k].To > r.Sent })
		if k == len(spans) || spans[k].From > r.Sent {
			continue
		}
		of[k].sent++
		if r.Outcome == record.Acked {
			of[k].acked++
		}
	}
	var out []verdict.Finding
	for i, p := range of {
		at := spans[i]
		if p.acked > 0 || p.sent < leastSent || at.To-at.From < leastServing || !servedThroughout(e, at) {
			continue
		}
		out = append(out, verdict.Finding{Check: CheckVacuity, Layer: record.LayerUsers, From: at.From.Seconds(), To: at.To.Seconds(),
			Summary: fmt.Sprintf("in phase %q none of %s was acknowledged, although an instance served all along: what was done then proves nothing",
				e.Scenario.Phases[i].Name, words.Times(p.sent, "request"))})
	}
	return out
}

// servedThroughout tells whether an instance was to be sent requests, and could
// answer them, in all of a stretch.
func servedThroughout(e *evidence.Index, at evidence.Stretch) bool {
	idle := func(fault string) bool { // what keeps the database from its work
		return script.IsFault[script.FreezeDatabase](fault) || script.IsFault[script.FreezePrimary](fault) || script.IsFault[script.FillDisk](fault)
	}
	if slices.ContainsFunc(e.FaultSpans(idle), func(f evidence.FaultSpan) bool { return f.From < at.To && f.To > at.From }) {
		return false
	}
	return slices.ContainsFunc(e.Lives, func(l record.Lifetime) bool {
		from, to := serving(e, l)
		return e.WithUsers(l) && from <= at.From && to >= min(at.To, e.End) && to > from && e.Frozen(l.Instance, at.From, at.To) == 0 && !e.CutOff(l.Instance, at.From, at.To)
	})
}

// serving is the part of the load during which the instance was to be sent
// requests.
func serving(e *evidence.Index, l record.Lifetime) (from, to time.Duration) {
	if l.Serving == record.Never || e.Begin == record.Never || e.End == record.Never {
		return 0, 0
	}
	to = e.End
	for _, t := range []time.Duration{l.Draining, l.Signalled, l.Death} {
		if t != record.Never {
			to = min(to, t)
		}
	}
	return max(l.Serving, e.Begin), to
}
