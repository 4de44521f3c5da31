package tiers

import (
	"fmt"
	"strings"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// tally adds the accounts up for the summary.
type tally struct {
	promise                  script.Conservation
	instances, sound, killed int
	acked, counted           int64 // of the sound ones
	// What could hide in the bounds of the sound ones.
	buffer, unknown, retries, agents int64
	booked                           map[string]int64 // by cause
	allExtra                         int64            // of all instances
	overExtra                        bool             // one of them is over its own bound
	failed                           bool             // one of them failed
	scraped                          bool             // the metric is
}

func (t *tally) add(a *account.Account, findings []verdict.Finding, residuals []verdict.Residual) {
	t.instances++
	t.allExtra += max(0, a.Total-int64(len(a.Acked)))
	for _, f := range findings {
		t.overExtra = t.overExtra || f.Extra > 0
		t.failed = t.failed || f.Outcome == verdict.Fail
	}
	if len(findings) > 0 {
		return
	}
	t.sound++
	t.acked += int64(len(a.Acked))
	t.counted += a.Total
	t.buffer += a.Buffer
	t.unknown += a.Unknown + a.Replays
	t.retries += a.Retries
	agents, _ := a.Agents()
	t.agents += agents
	if a.Cut() {
		t.killed++
	}
	t.scraped = t.scraped || a.Scraped
	for _, r := range residuals {
		t.booked[r.Cause] += r.Lost + r.Extra
	}
}

// together fails when the instances' surpluses fit one by one, but not all at
// once: a row of which nobody knows who executed it was executed by one.
func (t *tally) together(b account.Books) (*verdict.Finding, verdict.Residual) {
	if t.overExtra || t.promise.SampleRate < 1 || t.allExtra <= b.All.Sum() {
		return nil, verdict.Residual{}
	}
	over := t.allExtra - b.All.Sum()
	f := verdict.Finding{Check: CheckConservation, Outcome: verdict.Fail, Layer: record.LayerWeb, Extra: t.allExtra, Bound: b.All.Sum(),
		Summary: fmt.Sprintf("together the instances counted %s more than they acknowledged, and only %s more can have been executed",
			words.Times(t.allExtra, t.promise.Route), words.Number(b.All.Sum()))}
	return &f, verdict.Residual{Between: account.Between, Cause: verdict.CauseUnexplained, Extra: over}
}

// summary tells what was looked at, and what could hide in the bounds.
func (t *tally) summary() verdict.Finding {
	f := verdict.Finding{Check: CheckConservation, Layer: record.LayerWeb, Bound: t.buffer + t.unknown + t.retries + t.agents}
	if t.promise.SampleRate < 1 {
		f.Bound += t.booked[verdict.CauseSampling]
	}
	what := fmt.Sprintf("conservation of %s: ", t.promise.Metric)
	if t.instances == 0 {
		f.Summary = what + fmt.Sprintf("no instance acknowledged any %s, so nothing was compared", t.promise.Route)
		return f
	}
	if t.sound == 0 {
		f.Summary = what + fmt.Sprintf("none of %d instances agrees with its metric", t.instances)
		if t.instances == 1 {
			f.Summary = what + "the one instance does not agree with its metric"
		}
		if t.failed {
			f.Outcome = verdict.Fail
		}
		return f
	}
	f.Outcome = verdict.Pass
	f.Summary = what + fmt.Sprintf("%s: %s acknowledged, %s counted, 0 unexplained%s; %s", t.agree(),
		words.Times(t.acked, t.promise.Route), words.Number(t.counted), t.bookedClause(), t.widths())
	return f
}

// agree tells how many of the instances agree, "3 of 4 instances agree".
func (t *tally) agree() string {
	switch {
	case t.instances == 1:
		return "the one instance agrees"
	case t.sound == 1:
		return fmt.Sprintf("1 of %d instances agrees", t.instances)
	}
	return fmt.Sprintf("%d of %d instances agree", t.sound, t.instances)
}

func (t *tally) bookedClause() string {
	var parts []string
	for _, cause := range []string{verdict.CauseBuffer, verdict.CauseUnscraped, verdict.CauseAgentKilled, verdict.CauseAgentAway, verdict.CauseUnknown, verdict.CauseReplay, verdict.CauseRetry, verdict.CauseSampling} {
		if n := t.booked[cause]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", words.Number(n), cause))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func (t *tally) widths() string {
	var parts []string
	switch {
	case t.buffer > 0 && t.scraped:
		parts = append(parts, fmt.Sprintf("%s after the last scrapes of instances that ended (%d)", words.Number(t.buffer), t.killed))
	case t.buffer > 0:
		parts = append(parts, fmt.Sprintf("%s in the send buffers of killed instances (%d)", words.Number(t.buffer), t.killed))
	}
	if t.agents > 0 {
		parts = append(parts, words.Number(t.agents)+" at the ends of agents")
	}
	if t.unknown > 0 {
		parts = append(parts, words.Number(t.unknown)+" in requests of unknown outcome")
	}
	if t.retries > 0 {
		parts = append(parts, words.Number(t.retries)+" in retries of the load balancer")
	}
	if len(parts) == 0 {
		return "the bounds have no width"
	}
	return "up to " + strings.Join(parts, ", ") + " could hide"
}
