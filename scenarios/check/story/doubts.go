package story

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"throughline/docs"
	"throughline/scenarios/check/diagnose"
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
	sentence = nothing + ", because " + strings.TrimSuffix(midway(all[0].Sentence), ".") + ". " + all[0].Repair
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

// doubts explains why a run, or a check of it, proves nothing. What has a cause that is
// established already, by a failure of the same instance, joins that; what nothing can be
// said of because the run did not settle follows from that.
func (t *teller) doubts(causes []verdict.Explanation) []verdict.Explanation {
	out := causes
	doubts := t.having(verdict.Inconclusive)
	slices.SortStableFunc(doubts, func(a, b int) int { return cmp.Compare(t.gravity(a), t.gravity(b)) })
	for _, i := range doubts {
		f, r := t.v.Findings[i], t.reason(i)
		at := slices.IndexFunc(out, func(e verdict.Explanation) bool { return t.establishes(e, f) })
		if at < 0 && len(out) > len(causes) && t.unsettled() && f.Check != honesty.CheckRecord && f.Check != honesty.CheckHarness {
			at = len(causes)
		}
		if at >= 0 {
			out[at].Consequences = append(out[at].Consequences, i)
			continue
		}
		if at = slices.IndexFunc(out, func(e verdict.Explanation) bool { return e.Title == capital(r.why) }); at >= 0 {
			out[at].Findings = append(out[at].Findings, i)
			continue
		}
		out = append(out, verdict.Explanation{Cause: f.Cause, Title: capital(r.why), Sentence: asSentence(cmp.Or(shown(f), r.why)), Repair: r.advice, Findings: []int{i}})
	}
	return out
}

// grave finds what takes away all else that a record shows.
var grave = regexp.MustCompile(`^the (?:record is damaged|run was interrupted|journal has no end)`)

// gravity puts that first; the rest stays in the order of the checks.
func (t *teller) gravity(i int) int {
	if f := t.v.Findings[i]; f.Check == honesty.CheckRecord && grave.MatchString(f.Summary) {
		return 0
	}
	return 1
}

// establishes tells whether an explanation has the cause of a doubt, at the same instance, or
// has what a doubt only sums up.
func (t *teller) establishes(e verdict.Explanation, f verdict.Finding) bool {
	first := t.v.Findings[e.Findings[0]]
	if isSum(f) {
		return first.Check == f.Check
	}
	return first.Outcome == verdict.Fail && f.Cause != "" && f.Cause == e.Cause && f.Instance != "" && slices.Contains(t.instancesOf(e.Findings), f.Instance)
}

// unsettled tells whether the run was interrupted, or has no end.
func (t *teller) unsettled() bool {
	ended := false
	for _, ev := range t.h.Events {
		if ev.Kind == record.Interrupted || workerLost(ev) {
			return true
		}
		ended = ended || ev.Kind == record.RunEnd
	}
	return !ended
}

// prefix is what a summary begins with before it says something: "audit of insert: ".
var prefix = regexp.MustCompile(`^(?:(?:conservation|audit|shutdown|hops|failures|beacons|gauge|hygiene|identity|continuity|correlation|nesting|parity|latency|availability|in time|cost)\b[^:;]*|two views of [^:]+): `)

// shown is a doubt's summary, without what its sentence says anyway.
func shown(f verdict.Finding) string {
	text := strings.TrimSuffix(strings.TrimRight(f.Summary, ". "), ": the run proves nothing")
	text = plainly(prefix.ReplaceAllString(strings.TrimSuffix(text, ": it proves nothing"), ""))
	if at := strings.LastIndex(text, ": "); f.Check == tiers.CheckHops && at >= 0 { // an account comes before what it comes to
		text = text[at+2:] + ": " + text[:at]
	}
	return text
}

// What several checks and causes have in common.
var (
	unread = reason{"users and database could not be compared", "Let users write, and have the database read before and after the load."}
	tooFew = reason{"too few requests were sent", "Raise load.rate, or let phases last longer."}
)

const (
	quieter     = "Run again on a quiet machine."
	moreBuffer  = "Raise net.core.rmem_max and the collector's buffer, or lower load.rate."
	keepAccount = "Run again with a collector that keeps account of what comes to it."
	nothingSent = "Check the metric's name and route, let instances answer more requests, and run again."
)

// ofCauses are the reasons of doubts that have a cause.
var ofCauses = map[string]reason{
	verdict.CauseClock:         {"its times do not fit together", "Keep the wall clock from being set, and the machine from being too busy, and run again."},
	verdict.CauseStall:         {"the machine was late itself", quieter},
	diagnose.Late:              {"the machine was late itself", quieter},
	verdict.CauseDropped:       {"the collector's socket dropped datagrams", moreBuffer},
	verdict.CauseMetricDiffers: {"database and metric could not be compared", quieter},
	verdict.CauseReset:         {"counters began anew, and nobody had asked for it", "Find who started anew what counts, keep it from that, and run again."},
}

// ofChecks are the reasons of doubts that have none.
var ofChecks = map[string]reason{
	tiers.CheckHops: {"the record has no account of what came to the collector", keepAccount},
	honesty.CheckEfficacy: {"a step did not take effect",
		"See why in the step's finding, give it more time (within) or mend it, and run again."},
	honesty.CheckRequire: {"users were not served at the rate that a phase requires",
		"Give the machine or the stack more room, or lower the phase's require."},
	honesty.CheckVacuity: {"an instance or a phase had nothing to show",
		"Let phases last longer, or raise load.rate, so that each instance answers requests."},
	tiers.CheckRequests: {"requests could not be followed one by one",
		"Run again, and keep the load balancer's log."},
	CheckWaive:   {"a waiver covers nothing", "Remove the waiver, before it hides something else."},
	audit:        unread,
	correlation:  {"curves could not be compared", "Let the load swing, and last longer, on a machine that is not too busy."},
	shutdown:     {"no instance ended that had something to lose", "Let a step end an instance under load (terminate, replace, kill), or leave the check out."},
	alert:        {"an alert could not be judged", "Mend its expression or give the phase longer, as the finding says, and run again."},
	promQL:       {"an expression could not be evaluated", "Mend it or give the phase longer, as the finding says, and run again."},
	gauge:        {"a gauge had nothing to show", nothingSent},
	identity:     {"identity had nothing to look at", nothingSent},
	continuity:   {"continuity could not be judged", nothingSent},
	nesting:      {"timers could not be compared", nothingSent},
	hygiene:      {"hygiene had nothing to look at", keepAccount},
	failures:     {"no request was sent", "Raise load.rate, or let phases last longer."},
	beacons:      {"pages and beacons could not be compared", "Let users get pages of the route, and the application time them, and run again."},
	latency:      tooFew,
	availability: tooFew,
	parity:       {"two counts could not be compared", "Name metrics that instances send and that count the same, and run again."},
	scaling:      {"the autoscaler could not be judged", "Let the load call for more instances and for fewer, on a metric that a conservation check promises, and run again."},
	twoViews:     {"the two views could not be compared", "Keep the machine idle, have host and agent asked all the while, let instances live for longer, and run again."},
}

// otherwise is the advice where a check has none of its own.
const otherwise = "Mend what the finding says, and run again."

// reason tells why a finding proves nothing.
func (t *teller) reason(i int) reason {
	f := t.v.Findings[i]
	switch {
	case f.Check == honesty.CheckRecord:
		return t.ofRecord(f)
	case f.Check == honesty.CheckHarness:
		return t.ofHarness(f)
	case f.Check == tiers.CheckHops && f.Cause != "":
		return reason{"the collector's own account does not add up", "Run again; if it comes back, it is the collector that loses or makes up values."}
	case f.Check == honesty.CheckTime && f.Cause == "" && f.Layer == record.LayerUsers:
		return farApart
	case f.Check == honesty.CheckTime && f.Cause == verdict.CauseDropped:
		return reason{"the collector could not keep its samples", "Give its disk and the machine more room, and run again."}
	}
	if r, known := ofCauses[f.Cause]; known {
		return r
	}
	if d, known := docs.Find(f.Cause); known && d.Repair != "" && f.Cause != undecided {
		who, several := t.who([]int{i})
		return reason{midway(d.Titled(who, several)), d.Repair}
	}
	switch {
	case f.Check == conservation && f.Layer == record.LayerLB:
		return reason{"users and load balancer could not be compared", "Run again, and have the load balancer's statistics polled all the while."}
	case f.Check == conservation && f.Layer == record.LayerDB:
		return unread
	}
	if r, known := ofChecks[f.Check]; known {
		return r
	}
	return reason{cmp.Or(head(shown(f)), "the check "+f.Check+" says nothing"), otherwise}
}

// CheckWaive is under which name waivers are told, by scenarios/check itself.
const CheckWaive = "waive"

// ofRecord is about a record that is not whole.
func (t *teller) ofRecord(f verdict.Finding) reason {
	interrupted := slices.ContainsFunc(t.h.Events, func(ev record.Event) bool { return ev.Kind == record.Interrupted })
	switch {
	case len(t.h.Damage) > 0:
		return reason{"its record is damaged", "Judge the record as the run wrote it, or run again."}
	case interrupted:
		return reason{"it was interrupted", "Let the run come to its end."}
	case t.unsettled():
		return reason{"it was cut short", "Let the run come to its end."}
	case len(t.h.Requests) == 0:
		return reason{"no request was sent", "Raise load.rate, or let phases last longer."}
	}
	again := "Run again; if it comes back, it is throughline that errs."
	if strings.Contains(f.Summary, ": it lacks ") { // a poll that was not over when the next one was due
		again = "Run again, on a machine with less to do: it may have been too slow to measure. If it comes back there, it is throughline that errs."
	}
	return reason{cmp.Or(head(f.Summary), "the record is not whole"), again}
}

// workerLost tells whether a worker of the load ended before it had told all.
func workerLost(ev record.Event) bool { return ev.Kind == record.WorkerEnd && !ev.Expected }

var (
	lostWorker = reason{"a worker of the load was lost", "Look why it ended (the finding has its last words), and run again."}
	farApart   = reason{"the clocks of the load's workers could not be compared well enough", "Give the machines of the workers, and the network between them and the run, more room."}
)

// ofHarness is about a harness that was late, lost something, or saw somebody die.
func (t *teller) ofHarness(f verdict.Finding) reason {
	if slices.ContainsFunc(t.h.Events, func(ev record.Event) bool { return workerLost(ev) && ev.At.Seconds() == f.From && f.Instance == "" }) {
		return lostWorker
	}
	i := slices.IndexFunc(t.h.Events, func(ev record.Event) bool {
		return ev.Kind == record.Trouble && ev.At.Seconds() == f.From && ev.Instance == f.Instance
	})
	switch {
	case i < 0 && f.Instance == "":
		return reason{"the harness had trouble", otherwise}
	case i < 0:
		return reason{f.Instance + " died, and nobody had asked for it", fmt.Sprintf("Look into logs/%s.log, mend it, and run again.", f.Instance)}
	case f.Layer == record.LayerUsers:
		return reason{"the load missed its schedule", fmt.Sprintf("Give the machine more room, or lower load.rate (%.4g/s).", t.s.Load.Rate)}
	case f.Layer == record.LayerWeb:
		return ofCauses[verdict.CauseDropped]
	case strings.HasPrefix(t.h.Events[i].About, evidence.AboutPoller):
		return reason{"a poll failed", "Give the machine more room, and run again."}
	}
	return reason{"the harness had trouble with " + t.h.Events[i].About, "Mend what the finding names, and run again."}
}
