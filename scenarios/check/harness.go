package check

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The names of the rules that always run.
const (
	checkRecord  = "record"
	checkHarness = "harness"
	checkRequire = "require"
	checkVacuity = "vacuity"
)

// aboutCollector is the Trouble of datagrams that the collector's socket lost.
const aboutCollector = "collector"

// aboutRelay is the Trouble of datagrams that a relay before the collector lost
// although no fault asked for it.
const aboutRelay = "relay"

// aboutPoller begins what a Trouble or a Note of polls that failed is about.
const aboutPoller = "poller "

// wholeRecord asks whether the record can prove anything at all.
func wholeRecord(e *evidence) []verdict.Finding {
	var out []verdict.Finding
	say := func(format string, args ...any) {
		out = append(out, verdict.Finding{Check: checkRecord, Summary: fmt.Sprintf(format, args...)})
	}
	for _, damage := range e.history.Damage {
		out = append(out, damaged(damage))
	}
	var ended, interrupted bool
	for _, ev := range e.history.Events {
		ended = ended || ev.Kind == record.RunEnd
		if ev.Kind == record.Interrupted && !interrupted {
			interrupted = true
			say("the run was interrupted at %s: it proves nothing", words.Seconds(ev.At))
		}
	}
	if !ended {
		say("the journal has no end: the run was cut short and its record is not whole")
	}
	if len(e.history.Requests) == 0 {
		say("the users' ledger is empty: no request was sent")
	}
	if e.begin == record.Never || e.end == record.Never {
		say("the journal does not tell when the load began and ended")
	}
	for _, wrong := range e.flaws {
		say("the record is not what was seen: %s", wrong)
	}
	out = append(out, strangersFound(e)...)
	out = append(out, secondLives(e)...)
	if n := e.users.unattributed; n > 0 {
		say("no instance is named by %s, which may belong to any that was alive then", words.Times(n, "acknowledged request"))
	}
	if len(out) == 0 {
		out = append(out, verdict.Finding{Check: checkRecord, Outcome: verdict.Pass, Summary: fmt.Sprintf("the record is whole: %s, %s, %s",
			words.Times(int64(len(e.history.Events)), "event"), words.Times(e.users.requests, "request"), words.Plural(int64(len(e.history.Series)), "series"))})
	}
	return out
}

func damaged(how string) verdict.Finding {
	return verdict.Finding{Check: checkRecord, Summary: "the record is damaged: " + how}
}

// strangersFound reports instances that answered without ever being born.
func strangersFound(e *evidence) []verdict.Finding {
	var out []verdict.Finding
	for _, name := range e.strangers {
		out = append(out, verdict.Finding{Check: checkRecord, Layer: verdict.LayerUsers, Instance: name,
			Summary: fmt.Sprintf("%s answered %s, and the journal knows no birth of it: the record is not whole", name,
				words.Times(int64(len(e.acked(name))), "request"))})
	}
	return out
}

// secondLives reports instances of which the journal knows one life, or would
// know only the last, and that had others: what is compared with a lifetime
// would be compared with the wrong one.
func secondLives(e *evidence) []verdict.Finding {
	births, dead, unborn := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, ev := range e.history.Events {
		if ev.Kind == record.Birth {
			births[ev.Instance]++
		}
	}
	lives := map[string]record.Lifetime{}
	for _, l := range e.lives {
		lives[l.Instance] = l
	}
	for i := range e.history.Requests {
		r := &e.history.Requests[i]
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
	for _, l := range e.lives {
		say := func(format string, args ...any) {
			out = append(out, verdict.Finding{Check: checkRecord, Layer: verdict.LayerUsers, Instance: l.Instance, Summary: fmt.Sprintf(format, args...)})
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

// harness asks whether the tool itself saw and did all it had to.
func harness(e *evidence) []verdict.Finding {
	var out []verdict.Finding
	for _, ev := range e.history.Events {
		switch {
		case ev.Kind == record.Trouble:
			out = append(out, trouble(ev))
		case ev.Kind == record.Death && !ev.Expected:
			out = append(out, verdict.Finding{Check: checkHarness, Instance: ev.Instance, From: ev.At.Seconds(), To: ev.At.Seconds(),
				Summary: fmt.Sprintf("%s died at %s and nobody had asked for it (%s): what its metrics lack proves nothing", ev.Instance, words.Seconds(ev.At), exit(ev))})
		}
	}
	if len(out) == 0 {
		polls := "no poll failed"
		if slices.ContainsFunc(e.history.Events, func(ev record.Event) bool { return ev.Kind == record.Note && strings.HasPrefix(ev.About, aboutPoller) }) {
			polls = "no poll failed but of what a fault kept from answering"
		}
		out = append(out, verdict.Finding{Check: checkHarness, Outcome: verdict.Pass,
			Summary: fmt.Sprintf("the harness kept its schedule and saw everything: no datagram dropped, %s, no instance died unasked; requests were sent at most %s late",
				polls, e.users.latest.Round(100*time.Microsecond))})
	}
	return out
}

// notes are what the harness wrote down beside what it had to do. They touch no
// outcome.
func (e *evidence) notes() []string {
	var out []string
	for _, ev := range e.history.Events {
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
	f := verdict.Finding{Check: checkHarness, Instance: ev.Instance, From: ev.At.Seconds(), To: ev.At.Seconds()}
	why := ""
	if ev.Error != "" {
		why = ": " + ev.Error
	}
	switch {
	case ev.About == "load":
		f.Layer = verdict.LayerUsers
		f.Summary = fmt.Sprintf("the load generator missed its schedule at %s (%s late)%s", words.Seconds(ev.At), words.Times(ev.Count, "request"), why)
	case ev.About == aboutCollector && ev.Count > 0:
		f.Layer = verdict.LayerWeb
		whose := "the instances"
		if ev.Instance != "" {
			whose = ev.Instance
		}
		f.Summary = fmt.Sprintf("the collector's socket dropped %s of %s%s", words.Times(ev.Count, "datagram"), whose, why)
	case strings.HasPrefix(ev.About, aboutPoller):
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

// required asks whether the users were served at the rate that each phase asks
// for.
func required(e *evidence) []verdict.Finding {
	var out []verdict.Finding
	asked := 0
	for i, phase := range e.scenario.Phases {
		if phase.Require.Users <= 0 {
			continue
		}
		asked++
		from, to, ok := e.phase(i)
		if !ok {
			out = append(out, verdict.Finding{Check: checkRequire, Layer: verdict.LayerUsers,
				Summary: fmt.Sprintf("phase %q: the journal does not tell when it began and ended", phase.Name)})
			continue
		}
		rate := float64(e.ackedBetween(from, to)) / (to - from).Seconds()
		f := verdict.Finding{Check: checkRequire, Outcome: verdict.Pass, Layer: verdict.LayerUsers, From: from.Seconds(), To: to.Seconds(),
			Summary: fmt.Sprintf("phase %q reached %.0f/s of %.4g/s", phase.Name, rate, phase.Require.Users)}
		if rate < phase.Require.Users {
			f.Outcome = verdict.Inconclusive
			f.Summary = fmt.Sprintf("phase %q reached %.4g/s of %.4g/s: the run proves nothing", phase.Name, rate, phase.Require.Users)
		}
		out = append(out, f)
	}
	if asked == 0 {
		out = append(out, verdict.Finding{Check: checkRequire, Outcome: verdict.Pass, Layer: verdict.LayerUsers, Summary: "no phase requires a rate"})
	}
	return out
}

// phase gives begin and end of the scenario's i-th phase. Phases of one name
// follow each other in the journal as in the scenario.
func (e *evidence) phase(i int) (from, to time.Duration, ok bool) {
	name := e.scenario.Phases[i].Name
	nth := 0
	for _, p := range e.scenario.Phases[:i] {
		if p.Name == name {
			nth++
		}
	}
	from, to = record.Never, record.Never
	begins, ends := 0, 0
	for _, ev := range e.history.Events {
		if ev.Phase != name {
			continue
		}
		switch ev.Kind {
		case record.PhaseBegin:
			if begins == nth {
				from = ev.At
			}
			begins++
		case record.PhaseEnd:
			if ends == nth {
				to = ev.At
			}
			ends++
		}
	}
	return from, to, from != record.Never && to > from
}

// ackedBetween counts requests acknowledged in [from, to).
func (e *evidence) ackedBetween(from, to time.Duration) int64 {
	var n int64
	for _, at := range e.users.ackedAt {
		n += countUpTo(at, to-1) - countUpTo(at, from-1)
	}
	for _, s := range e.users.spans {
		if s.acked && s.done >= from && s.done < to {
			n++
		}
	}
	return n
}

// leastServing is how long an instance must have served under load before it
// must have answered something.
const leastServing = 2 * time.Second

// everyInstanceServed asks whether each instance took part: one that never
// answered proves nothing about its metrics.
func everyInstanceServed(e *evidence) []verdict.Finding {
	var out []verdict.Finding
	looked := 0
	for _, l := range e.lives {
		from, to := e.serving(l)
		if to-from < leastServing {
			continue
		}
		looked++
		if len(e.acked(l.Instance)) == 0 {
			out = append(out, verdict.Finding{Check: checkVacuity, Layer: verdict.LayerUsers, Instance: l.Instance, From: from.Seconds(), To: to.Seconds(),
				Summary: fmt.Sprintf("%s served for %s under load and answered no request: nothing can be said about it", l.Instance, words.Seconds(to-from))})
		}
	}
	out = append(out, standstills(e)...)
	switch {
	case looked == 0:
		out = append(out, verdict.Finding{Check: checkVacuity, Layer: verdict.LayerUsers,
			Summary: fmt.Sprintf("no web instance served for %s under load: nothing can be said about any", leastServing)})
	case len(out) == 0:
		out = append(out, verdict.Finding{Check: checkVacuity, Outcome: verdict.Pass, Layer: verdict.LayerUsers,
			Summary: fmt.Sprintf("each of %s that served under load answered requests", words.Times(int64(looked), "web instance"))})
	}
	return out
}

// leastSent is of how many requests one must succeed while an instance serves.
const leastSent = 10

// standstills finds phases in which nothing went on, although an instance served
// from their beginning to their end: what was done to the stack then was done to
// one that was out of order already.
func standstills(e *evidence) []verdict.Finding {
	type progress struct{ sent, acked int64 }
	of := make([]progress, len(e.scenario.Phases))
	spans := make([]stretch, len(of))
	for i := range of {
		spans[i].from, spans[i].to, _ = e.phase(i)
	}
	for i := range e.history.Requests {
		r := &e.history.Requests[i]
		k := sort.Search(len(spans), func(k int) bool { return spans[k].to > r.Sent })
		if k == len(spans) || spans[k].from > r.Sent {
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
		if p.acked > 0 || p.sent < leastSent || at.to-at.from < leastServing || !e.servedThroughout(at) {
			continue
		}
		out = append(out, verdict.Finding{Check: checkVacuity, Layer: verdict.LayerUsers, From: at.from.Seconds(), To: at.to.Seconds(),
			Summary: fmt.Sprintf("in phase %q none of %s was acknowledged, although an instance served all along: what was done then proves nothing",
				e.scenario.Phases[i].Name, words.Times(p.sent, "request"))})
	}
	return out
}

// servedThroughout tells whether an instance was to be sent requests, and could
// answer them, in all of a stretch.
func (e *evidence) servedThroughout(at stretch) bool {
	began := forever // of a freeze of the database
	for _, ev := range e.history.Events {
		switch {
		case ev.Fault != script.FreezeDatabase:
		case ev.Kind == record.FaultBegin:
			began = ev.At
		case ev.Kind == record.FaultEnd && began < at.to && ev.At > at.from:
			return false
		}
	}
	return slices.ContainsFunc(e.lives, func(l record.Lifetime) bool {
		from, to := e.serving(l)
		return from <= at.from && to >= min(at.to, e.end) && to > from && e.frozen(l.Instance, at.from, at.to) == 0
	})
}

// serving is the part of the load during which the instance was to be sent
// requests.
func (e *evidence) serving(l record.Lifetime) (from, to time.Duration) {
	if l.Serving == record.Never || e.begin == record.Never || e.end == record.Never {
		return 0, 0
	}
	to = e.end
	for _, t := range []time.Duration{l.Draining, l.Signalled, l.Death} {
		if t != record.Never {
			to = min(to, t)
		}
	}
	return max(l.Serving, e.begin), to
}
