// Package honesty has the rules that ask whether a run proves anything: whether its
// record is whole, the harness saw and did all it had to, the clocks agree, each step
// took effect, and every instance served.
//
// They run whatever the scenario asks for, judge the tool and not the application, and
// so end in doubt, never in failure. scenarios/check has them in its table.
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

// The names of the rules that always run.
const (
	CheckRecord  = "record"
	CheckHarness = "harness"
	CheckRequire = "require"
	CheckVacuity = "vacuity"
)

// WholeRecord asks whether the record can prove anything at all.
type WholeRecord struct{}

// Judge makes the run void where the record is damaged or has flaws.
func (WholeRecord) Judge(e *evidence.Index) verdict.Result {
	var out []verdict.Finding
	say := func(format string, args ...any) {
		out = append(out, verdict.Finding{Check: CheckRecord, Summary: fmt.Sprintf(format, args...)})
	}
	for _, damage := range e.History.Damage {
		out = append(out, Damaged(damage))
	}
	var ended, interrupted bool
	for _, ev := range e.History.Events {
		ended = ended || ev.Kind == record.RunEnd
		if ev.Kind == record.Interrupted && !interrupted {
			interrupted = true
			say("the run was interrupted at %s: it proves nothing", words.Seconds(ev.At))
		}
	}
	if !ended {
		say("the journal has no end: the run was cut short and its record is not whole")
	}
	if len(e.History.Requests) == 0 {
		say("the users' ledger is empty: no request was sent")
	}
	if e.Begin == record.Never || e.End == record.Never {
		say("the journal does not tell when the load began and ended")
	}
	flaws := flaws(e)
	for _, wrong := range flaws {
		say("the record is not what was seen: %s", wrong)
	}
	out = append(out, strangersFound(e)...)
	out = append(out, secondLives(e)...)
	if n := e.Users.Unattributed; n > 0 {
		say("no instance is named by %s, which may belong to any that was alive then", words.Times(n, "acknowledged request"))
	}
	if len(out) == 0 {
		out = append(out, verdict.Finding{Check: CheckRecord, Outcome: verdict.Pass, Summary: fmt.Sprintf("the record is whole: %s, %s, %s",
			words.Times(int64(len(e.History.Events)), "event"), words.Times(e.Users.Requests, "request"), words.Plural(int64(len(e.History.Series)), "series"))})
	}
	return verdict.Result{Findings: out, Void: len(e.History.Damage)+len(flaws) > 0}
}

// Damaged is the finding about a part of the record that cannot be read.
func Damaged(how string) verdict.Finding {
	return verdict.Finding{Check: CheckRecord, Summary: "the record is damaged: " + how}
}

// strangersFound reports instances that answered without ever being born.
func strangersFound(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	for _, name := range e.Strangers {
		out = append(out, verdict.Finding{Check: CheckRecord, Layer: record.LayerUsers, Instance: name,
			Summary: fmt.Sprintf("%s answered %s, and the journal knows no birth of it: the record is not whole", name,
				words.Times(int64(len(e.Acked(name))), "request"))})
	}
	return out
}

// secondLives reports instances of which the journal knows one life, or would
// know only the last, and that had others: what is compared with a lifetime
// would be compared with the wrong one.
func secondLives(e *evidence.Index) []verdict.Finding {
	births, dead, unborn := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, ev := range e.History.Events {
		if ev.Kind == record.Birth {
			births[ev.Instance]++
		}
	}
	lives := map[string]record.Lifetime{}
	for _, l := range e.Lives {
		lives[l.Instance] = l
	}
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if r.Outcome != record.Acked || r.Instance == "" {
			continue
		}
		switch l := lives[r.Instance]; {
		case l.Death != record.Never && r.Sent > l.Death:
			dead[r.Instance]++
		case l.Birth != record.Never && r.Done < l.Birth:
			unborn[r.Instance]++
		}
	}
	var out []verdict.Finding
	for _, l := range e.Lives {
		say := func(format string, args ...any) {
			out = append(out, verdict.Finding{Check: CheckRecord, Layer: record.LayerUsers, Instance: l.Instance, Summary: fmt.Sprintf(format, args...)})
		}
		if n := births[l.Instance]; n > 1 {
			say("%s was born %s: the name of an instance is not used twice", l.Instance, words.Times(n, "time"))
		}
		if n := dead[l.Instance]; n > 0 {
			say("%s answered %s that were sent after its death at %s: it has another life, of which the journal knows nothing", l.Instance, words.Times(n, "request"), words.Seconds(l.Death))
		}
		if n := unborn[l.Instance]; n > 0 {
			say("%s answered %s before its birth at %s: it has another life, of which the journal knows nothing", l.Instance, words.Times(n, "request"), words.Seconds(l.Birth))
		}
	}
	return out
}

// Harness asks whether the tool itself saw and did all it had to.
func Harness(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	for _, ev := range e.History.Events {
		switch {
		case ev.Kind == record.Trouble:
			out = append(out, trouble(ev))
		case ev.Kind == record.Death && !ev.Expected:
			out = append(out, verdict.Finding{Check: CheckHarness, Instance: ev.Instance, From: ev.At.Seconds(), To: ev.At.Seconds(),
				Summary: fmt.Sprintf("%s died at %s and nobody had asked for it (%s): what its metrics lack proves nothing", ev.Instance, words.Seconds(ev.At), exit(ev))})
		}
	}
	if len(out) == 0 {
		polls := "no poll failed"
		if slices.ContainsFunc(e.History.Events, func(ev record.Event) bool {
			return ev.Kind == record.Note && strings.HasPrefix(ev.About, evidence.AboutPoller)
		}) {
			polls = "no poll failed but of what a fault kept from answering"
		}
		out = append(out, verdict.Finding{Check: CheckHarness, Outcome: verdict.Pass,
			Summary: fmt.Sprintf("the harness kept its schedule and saw everything: no datagram dropped, %s, no instance died unasked; requests were sent at most %s late",
				polls, e.Users.Latest.Round(100*time.Microsecond))})
	}
	return out
}

// Notes are what the harness wrote down beside what it had to do. They touch no
// outcome.
func Notes(e *evidence.Index) []string {
	var out []string
	for _, ev := range e.History.Events {
		if ev.Kind != record.Note {
			continue
		}
		text := fmt.Sprintf("%s at %s", ev.About, words.Seconds(ev.At))
		if ev.Error != "" {
			text += ": " + ev.Error
		}
		out = append(out, text)
	}
	return out
}

func trouble(ev record.Event) verdict.Finding {
	f := verdict.Finding{Check: CheckHarness, Instance: ev.Instance, From: ev.At.Seconds(), To: ev.At.Seconds()}
	why := ""
	if ev.Error != "" {
		why = ": " + ev.Error
	}
	switch {
	case ev.About == "load":
		f.Layer = record.LayerUsers
		f.Summary = fmt.Sprintf("the load generator missed its schedule at %s (%s late)%s", words.Seconds(ev.At), words.Times(ev.Count, "request"), why)
	case ev.About == evidence.AboutCollector && ev.Count > 0:
		f.Layer = record.LayerWeb
		whose := "the instances"
		if ev.Instance != "" {
			whose = ev.Instance
		}
		f.Summary = fmt.Sprintf("the collector's socket dropped %s of %s%s", words.Times(ev.Count, "datagram"), whose, why)
	case strings.HasPrefix(ev.About, evidence.AboutPoller):
		f.Summary = fmt.Sprintf("%s failed at %s%s", ev.About, words.Seconds(ev.At), why)
	default:
		f.Summary = fmt.Sprintf("trouble with %s at %s%s", ev.About, words.Seconds(ev.At), why)
	}
	return f
}

// exit tells how a process ended: "exit status 3", "SIGSEGV".
func exit(ev record.Event) string {
	if ev.Signal != "" {
		return ev.Signal
	}
	return fmt.Sprintf("exit status %d", ev.Code)
}

// Requirements asks whether the users were served at the rate that each phase asks
// for.
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
// answered proves nothing about its metrics.
func InstancesServed(e *evidence.Index) []verdict.Finding {
	var out []verdict.Finding
	looked := 0
	for _, l := range e.Lives {
		from, to := serving(e, l)
		if to-from < leastServing {
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
			Summary: fmt.Sprintf("no web instance served for %s under load: nothing can be said about any", leastServing)})
	case len(out) == 0:
		out = append(out, verdict.Finding{Check: CheckVacuity, Outcome: verdict.Pass, Layer: record.LayerUsers,
			Summary: fmt.Sprintf("each of %s that served under load answered requests", words.Times(int64(looked), "web instance"))})
	}
	return out
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
	began := evidence.Forever // of a freeze of the database
	for _, ev := range e.History.Events {
		switch {
		case !script.IsFault[script.FreezeDatabase](ev.Fault):
		case ev.Kind == record.FaultBegin:
			began = ev.At
		case ev.Kind == record.FaultEnd && began < at.To && ev.At > at.From:
			return false
		}
	}
	return slices.ContainsFunc(e.Lives, func(l record.Lifetime) bool {
		from, to := serving(e, l)
		return from <= at.From && to >= min(at.To, e.End) && to > from && e.Frozen(l.Instance, at.From, at.To) == 0
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
