package tiers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// What latency and availability have in common: whose requests they look at, what of it is the harness's own doing, and
// with what the requests coincide that fell short.

// demanded are the requests that a promise to users is about.
type demanded struct {
	e     *evidence.Index
	check string // that promises it
	whose string // "insert in phase \"after\""
	rows  []*record.Request
	whole bool // they are of the whole run
	// unsure is how many of them, at most, the load generator sent late or could not send, and unsent how many more may
	// have been due, by its own account.
	unsure, unsent int64
}

// demandedOf finds the requests of a route that were due in a phase. why: they cannot be told.
func demandedOf(e *evidence.Index, check, route, phase string) (d demanded, why string) {
	d = demanded{e: e, check: check, whose: "all routes"}
	if route != "" {
		d.whose = route
	}
	from, to := -evidence.Forever, evidence.Forever
	d.whole = phase == script.WholeRun && len(e.Scenario.Phases) > 1
	if phase != script.WholeRun {
		d.whose += fmt.Sprintf(" in phase %q", phase)
		var ok bool
		if from, to, ok = e.Span(phase); !ok {
			return d, fmt.Sprintf("%s of %s: the journal does not tell when the phase began and ended", check, d.whose)
		}
	}
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if (route == "" || r.Route == route) && r.Due >= from && r.Due < to {
			d.rows = append(d.rows, r)
		}
	}
	if len(d.rows) == 0 {
		return d, fmt.Sprintf("%s of %s: no request was sent, so nothing was looked at", check, d.whose)
	}
	for _, ev := range e.History.Events {
		if ev.Kind == record.Trouble && ev.About == evidence.AboutLoad {
			d.unsent += ev.Count
		}
	}
	for _, r := range d.rows {
		if r.Attempts == 0 && d.unsure < d.unsent {
			d.unsure++
		}
	}
	return d, ""
}

// handovers are how often a request passes from one process to another: from the user over load balancer and web to the
// database, and back. At each, the next may have to wait for a processor as long as the load generator had to at that time.
const handovers = 6

// surely is how long a user waited for a request at least because of the stack: since it was sent, not since it was due,
// less what the machine may have kept it waiting.
func (d demanded) surely(r *record.Request) time.Duration {
	return r.Done - r.Sent - handovers*d.e.Stall(r.Sent, r.Done)
}

// beyond tells whether more requests fall short than may: those that surely do, of which the load generator's own are
// none. It asks of no more than it must: how long the machine kept each waiting takes its time to find out.
func (d demanded) beyond(short []*record.Request, falls func(*record.Request) bool, may int64) bool {
	n := -d.unsure
	for _, r := range short {
		if falls(r) {
			if n++; n > may {
				return true
			}
		}
	}
	return false
}

// finding is one on the requests, from the first to the last of those that fall short.
func (d demanded) finding(o verdict.Outcome, short []*record.Request, format string, args ...any) verdict.Finding {
	f := verdict.Finding{Check: d.check, Outcome: o, Layer: record.LayerUsers, Summary: fmt.Sprintf(format, args...)}
	for _, r := range short {
		if f.To == 0 || r.Due.Seconds() < f.From {
			f.From = r.Due.Seconds()
		}
		f.To = max(f.To, r.Done.Seconds())
	}
	return f
}

// inFull tells that an answer came in full, whoever made it.
func inFull(r *record.Request) bool { return r.Status != 0 && r.Err == "" }

// cameTo sorts requests by what came of them, the most first: "20 got no answer, 4 were answered with 503".
func cameTo(short []*record.Request) string {
	return tallied(short, func(r *record.Request) string {
		switch {
		case r.Outcome == record.Refused && r.Status == 0:
			return "%s refused"
		case r.Status == 0:
			return "%s without an answer"
		case r.Err != "":
			return "%s with an answer that broke off"
		}
		return "%s answered with " + fmt.Sprint(r.Status)
	})
}

// where tells in which phases requests were due, if that was not asked for, which instances answered, as far as any did, and
// with which move most of them coincide: "; 20 at web-2; 22 of them while or just after kill web-2 (5.0 s)". It says what was
// at the same time, not what is to blame.
func (d demanded) where(short []*record.Request) string {
	var out strings.Builder
	say := func(text string) {
		if text != "" {
			out.WriteString("; " + text)
		}
	}
	if d.whole {
		say(tallied(short, d.phaseOf))
	}
	say(tallied(short, func(r *record.Request) string {
		if r.Instance == "" {
			return ""
		}
		return "%s at " + r.Instance
	}))
	say(mostly(short, movesOf(d.e)))
	return out.String()
}

// mostly tells the move with which more than half of the requests coincide; "" where none is that.
func mostly(short []*record.Request, moves []move) string {
	n := map[string]int{}
	for _, r := range short {
		for _, m := range moves { // the latest first
			if m.From <= r.Done && r.Due <= m.To {
				n[m.what]++
				break
			}
		}
	}
	for what, n := range n {
		if 2*n > len(short) {
			return fmt.Sprintf("%s of them while or just after %s", words.Number(n), what)
		}
	}
	return ""
}

// phaseOf is in which phase a request was due.
func (d demanded) phaseOf(r *record.Request) string {
	phase := ""
	for _, ev := range d.e.History.Events {
		if ev.Kind == record.PhaseBegin && ev.At <= r.Due {
			phase = ev.Phase
		}
	}
	if phase == "" {
		return ""
	}
	return fmt.Sprintf("%%s in phase %q", phase)
}

// tallied counts requests by a phrase, in which %s stands for how many, and lists the most frequent ones; "" is left out.
func tallied(rows []*record.Request, phrase func(*record.Request) string) string {
	n := map[string]int{}
	var phrases []string
	for _, r := range rows {
		p := phrase(r)
		if p == "" {
			continue
		}
		if n[p]++; n[p] == 1 {
			phrases = append(phrases, p)
		}
	}
	slices.SortStableFunc(phrases, func(a, b string) int { return n[b] - n[a] })
	var all []string
	for _, p := range phrases {
		all = append(all, strings.Replace(p, "%s", words.Number(n[p]), 1))
	}
	return words.Some(all)
}

// move is what was done to the stack, and until when something may come of it.
type move struct {
	evidence.Stretch
	what string
}

// aftermath is how long after a move something that happens coincides with it.
const aftermath = 2 * time.Second

// movesOf are the steps and faults of a run, the latest first.
func movesOf(e *evidence.Index) (all []move) {
	add := func(what string, from, to time.Duration) {
		all = append(all, move{evidence.Stretch{From: from, To: to + aftermath}, fmt.Sprintf("%s (%s)", what, words.Seconds(from))})
	}
	began, open := map[string]time.Duration{}, map[string]time.Duration{}
	for _, ev := range e.History.Events {
		switch ev.Kind {
		case record.StepBegin:
			began[ev.Step] = ev.At
		case record.StepEnd:
			if verb, _, _ := strings.Cut(ev.Step, " "); verb != "fault" && verb != "heal" {
				add(ev.Step, began[ev.Step], ev.At)
			}
		case record.FaultBegin:
			open[ev.Fault] = ev.At
		case record.FaultEnd:
			if from, is := open[ev.Fault]; is {
				add("the fault "+ev.Fault, from, ev.At)
				delete(open, ev.Fault)
			}
		}
	}
	for fault, from := range open {
		add("the fault "+fault, from, max(from, e.End))
	}
	slices.SortFunc(all, func(a, b move) int {
		if c := evidence.CompareTimes(b.From, a.From); c != 0 {
			return c
		}
		return strings.Compare(a.what, b.what)
	})
	return all
}
