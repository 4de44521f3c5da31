package story

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"throughline/docs"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/honesty"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// reason is why something proves nothing, in a few words, and what to change so that it
// does.
type reason struct{ why, advice string }

// inconclusive tells the first reason why the run proves nothing, and what to change.
func (t *teller) inconclusive() (title, sentence string) {
	nothing := "This run proves nothing" + t.about()
	all := t.v.Explanations
	if len(all) == 0 {
		return nothing + ": its scenario has no checks", nothing + ", because its scenario has no checks. Name under checks what it is to prove."
	}
	first := all[0].Findings[0]
	title = nothing + ": " + t.reason(first).why
	sentence = nothing + ", because " + midway(shown(t.v.Findings[first])) + ". " + all[0].Repair
	return title, sentence + also(all[1:])
}

// about tells what is in doubt, where the run as a whole is not: " about the database".
func (t *teller) about() string {
	var things []string
	for _, i := range t.having(verdict.Inconclusive) {
		f := t.v.Findings[i]
		thing := f.Check
		switch {
		case slices.Contains(ofTheRun, f.Check):
			return ""
		case f.Check == audit, f.Check == conservation && f.Layer == record.LayerDB:
			thing = "the database"
		case f.Check == conservation && f.Layer == record.LayerLB:
			thing = "the load balancer"
		}
		if !slices.Contains(things, thing) {
			things = append(things, thing)
		}
	}
	if len(things) == 0 {
		return ""
	}
	return " about " + list(things)
}

// ofTheRun are the checks whose doubt takes the whole run away.
var ofTheRun = []string{honesty.CheckRecord, honesty.CheckHarness, honesty.CheckTime, tiers.CheckHops, honesty.CheckEfficacy, honesty.CheckRequire, honesty.CheckVacuity}

// doubts explains why a run, or a check of it, proves nothing. What it does not bear out
// follows from the first.
func (t *teller) doubts(unborne []int) []verdict.Explanation {
	out := []verdict.Explanation{}
	for _, i := range t.having(verdict.Inconclusive) {
		f := t.v.Findings[i]
		if t.known(f) {
			continue // it is among the consequences of a cause
		}
		r := t.reason(i)
		at := slices.IndexFunc(out, func(e verdict.Explanation) bool { return e.Title == capital(r.why) && e.Cause == f.Cause })
		if at < 0 {
			at = len(out)
			out = append(out, verdict.Explanation{Cause: f.Cause, Title: capital(r.why), Sentence: asSentence(shown(f)), Repair: r.advice})
		}
		out[at].Findings = append(out[at].Findings, i)
	}
	if len(out) > 0 {
		out[0].Consequences = append(out[0].Consequences, unborne...)
	}
	return out
}

// known tells of a doubt whose cause is established by a failure of the same instance.
func (t *teller) known(f verdict.Finding) bool {
	if f.Cause == "" || f.Instance == "" {
		return false
	}
	return slices.ContainsFunc(t.having(verdict.Fail), func(i int) bool {
		g := t.v.Findings[i]
		return g.Cause == f.Cause && g.Instance == f.Instance
	})
}

// prefix is what a summary begins with before it says something: "audit of insert: ".
var prefix = regexp.MustCompile(`^(?:(?:conservation|audit|shutdown|hops|failures)\b[^:;]*|two views of [^:]+): `)

// shown is a doubt's summary, without what its sentence says anyway.
func shown(f verdict.Finding) string {
	text := strings.TrimSuffix(strings.TrimRight(f.Summary, ". "), ": the run proves nothing")
	text = withoutAsides(prefix.ReplaceAllString(strings.TrimSuffix(text, ": it proves nothing"), ""))
	if at := strings.LastIndex(text, ": "); f.Check == tiers.CheckHops && at >= 0 { // an account comes before what it comes to
		text = text[at+2:] + ": " + text[:at]
	}
	return text
}

var unread = reason{"users and database could not be compared", "Run again, and let the database be read before and after the load."}

// ofChecks are the reasons of checks that have but one, or none better.
var ofChecks = map[string]reason{
	tiers.CheckHops: {"the collector's own account does not add up",
		"Run again; if it comes back, it is the collector that loses or makes up values."},
	honesty.CheckEfficacy: {"a step did not take effect",
		"See why in the step's finding, give it more time (within) or mend it, and run again."},
	honesty.CheckRequire: {"users were not served at the rate that a phase requires",
		"Give the machine or the stack more room, or lower the phase's require."},
	honesty.CheckVacuity: {"an instance or a phase had nothing to show",
		"Let phases last longer, or raise load.rate, so that each instance answers requests."},
	tiers.CheckRequests: {"requests could not be followed one by one",
		"Run again, and keep the load balancer's log."},
	shutdown: {"no instance was ended", "Let a step end an instance (terminate, replace, kill), or leave the check out."},
	audit:    unread,
	honesty.CheckTime: {"its times do not fit together",
		"Keep the wall clock from being set, and the machine from being too busy, and run again."},
	correlation: {"there is too little to correlate", "Let the load swing, and last longer."},
}

// otherwise is the advice where a check has none of its own.
const otherwise = "See what the finding lacks, give the check something to look at, and run again."

// reason tells why a finding proves nothing.
func (t *teller) reason(i int) reason {
	f := t.v.Findings[i]
	switch {
	case f.Check == honesty.CheckRecord:
		return t.ofRecord(f)
	case f.Check == honesty.CheckHarness:
		return t.ofHarness(f)
	case f.Check == conservation && f.Cause == "" && f.Layer == record.LayerLB:
		return reason{"users and load balancer could not be compared", "Run again, and let the load balancer's statistics be polled all the while."}
	case f.Check == conservation && f.Cause == "" && f.Layer == record.LayerDB:
		return unread
	case f.Check == checkWaive:
		return reason{"a waiver covers nothing", "Remove the waiver, before it hides something else."}
	}
	if r, known := ofChecks[f.Check]; known {
		return r
	}
	if d, known := docs.Find(f.Cause); known && d.Repair != "" && f.Cause != undecided {
		who, several := t.who([]int{i})
		return reason{midway(d.Titled(who, several)), d.Repair}
	}
	return reason{head(shown(f)), otherwise}
}

const checkWaive = "waive"

// ofRecord is about a record that is not whole.
func (t *teller) ofRecord(f verdict.Finding) reason {
	interrupted, ended := false, false
	for _, ev := range t.h.Events {
		interrupted = interrupted || ev.Kind == record.Interrupted
		ended = ended || ev.Kind == record.RunEnd
	}
	switch {
	case len(t.h.Damage) > 0:
		return reason{"its record is damaged", "Judge the record as the run wrote it, or run again."}
	case interrupted:
		return reason{"it was interrupted", "Let the run come to its end."}
	case !ended:
		return reason{"it was cut short", "Let the run come to its end."}
	case len(t.h.Requests) == 0:
		return reason{"no request was sent", "Raise load.rate, or let phases last longer."}
	}
	return reason{head(f.Summary), "Run again; if it comes back, it is throughline that errs."}
}

// ofHarness is about a harness that was late, lost something, or saw somebody die.
func (t *teller) ofHarness(f verdict.Finding) reason {
	i := slices.IndexFunc(t.h.Events, func(ev record.Event) bool {
		return ev.Kind == record.Trouble && ev.At.Seconds() == f.From && ev.Instance == f.Instance
	})
	switch {
	case i < 0:
		return reason{f.Instance + " died, and nobody had asked for it", fmt.Sprintf("Look into logs/%s.log, mend it, and run again.", f.Instance)}
	case f.Layer == record.LayerUsers:
		return reason{"the load missed its schedule", fmt.Sprintf("Give the machine more room, or lower load.rate (%.4g/s).", t.s.Load.Rate)}
	case f.Layer == record.LayerWeb:
		return reason{"the collector's socket dropped datagrams", "Raise net.core.rmem_max and the collector's buffer, or lower load.rate."}
	case strings.HasPrefix(t.h.Events[i].About, evidence.AboutPoller):
		return reason{"a poll failed", "Give the machine more room, and run again."}
	}
	return reason{"the harness had trouble with " + t.h.Events[i].About, "Mend what the finding names, and run again."}
}
