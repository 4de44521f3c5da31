package check

import (
	"fmt"
	"strings"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/script"
)

const checkConservation = "conservation"

// conservation compares the users' ledger with one metric, instance by
// instance: acked ≤ counted ≤ acked + what may have been executed unseen, with
// a send buffer's width below where an instance was killed. The rule is that of
// Jepsen's set and counter checkers, not a tolerance.
// Source: https://github.com/jepsen-io/jepsen/blob/main/jepsen/src/jepsen/checker.clj
type conservation struct{ rule script.Conservation }

func (c conservation) judge(e *evidence) verdict.Result {
	r := verdict.Result{}
	if len(e.history.Series) == 0 {
		r.Findings = []verdict.Finding{c.finding(verdict.Inconclusive, "conservation of %s: the record holds no series at all, so there is nothing to compare the requests with", c.rule.Metric)}
		return r
	}
	b := newBooks(e, c.rule)
	t := tally{rule: c.rule, booked: map[string]int64{}}
	for i := range b.accounts {
		a := &b.accounts[i]
		if len(a.acked) == 0 && a.total == 0 {
			continue
		}
		findings, residuals := a.judge(b)
		if len(findings) == 0 {
			if f := a.judgeSurplus(e, b); f != nil {
				findings = append(findings, *f)
				residuals = append(residuals, verdict.Booked(verdict.UsersWeb, a.life.Instance, verdict.CauseUnexplained, false, f.Extra, 0))
			}
		}
		t.add(a, findings, residuals)
		r.Findings = append(r.Findings, findings...)
		r.Residuals = append(r.Residuals, residuals...)
	}
	for _, s := range b.strays {
		f := c.finding(verdict.Fail, "%s were counted by %s for %q, which is no web instance of this run", words.Times(s.counted, c.rule.Route), c.rule.Metric, s.instance)
		f.Instance, f.Extra = s.instance, s.counted
		r.Findings = append(r.Findings, f)
		r.Residuals = append(r.Residuals, verdict.Residual{Between: verdict.UsersWeb, Instance: s.instance, Cause: verdict.CauseUnexplained, Extra: s.counted})
	}
	if f, residual := t.together(b); f != nil {
		r.Findings = append(r.Findings, *f)
		r.Residuals = append(r.Residuals, residual)
	}
	r.Findings = append(r.Findings, t.summary())
	r.Sums = true
	r.Web = b.ledger()
	return r
}

func (c conservation) finding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: checkConservation, Outcome: o, Layer: verdict.LayerWeb, Summary: fmt.Sprintf(format, args...)}
}

func (b books) ledger() *verdict.WebLedger {
	l := verdict.WebLedger{Metric: b.rule.Metric, ByInstance: map[string]int64{}}
	for i := range b.accounts {
		a := &b.accounts[i]
		l.Counted += a.total
		l.ByInstance[a.life.Instance] = a.total
	}
	for _, s := range b.strays {
		l.Counted += s.counted
		l.ByInstance[s.instance] = s.counted
	}
	return &l
}

// judge compares one account. No finding means that all is explained.
func (a *account) judge(b books) ([]verdict.Finding, []verdict.Residual) {
	var findings []verdict.Finding
	var residuals []verdict.Residual
	if a.rule.SampleRate < 1 {
		findings, residuals = a.judgeSampled(b)
	} else {
		findings, residuals = a.judgeExact(b)
	}
	if f := a.judgeLateness(); f != nil {
		// What is lost because a client holds it too long is late before: one defect, one cause.
		if d := b.holding(a); f.Outcome == verdict.Fail && d.Cause != "" {
			f.Cause, f.RunnerUp, f.Possible = d.Cause, d.RunnerUp, d.Possible
		}
		findings = append(findings, *f)
	}
	return findings, residuals
}

func (a *account) judgeExact(b books) ([]verdict.Finding, []verdict.Residual) {
	k := a.book()
	if k.unexplained == 0 {
		return nil, k.residuals
	}
	rest := verdict.Residual{Between: verdict.UsersWeb, Instance: a.life.Instance, Cause: verdict.CauseUnexplained}
	f := a.finding(verdict.Fail)
	f.Lost, f.Extra = k.lost, k.extra
	switch {
	case k.extra > 0:
		rest.Extra = k.unexplained
		d := b.diagnosis(a)
		blame(&f, d)
		f.Summary = fmt.Sprintf("%s counted %s more than it acknowledged (%s acknowledged, %s counted%s); %s", a.life.Instance,
			words.Times(k.extra, a.rule.Route), words.Number(int64(len(a.acked))), words.Number(a.total), a.mayBe(), d.Why)
	case a.dropped:
		rest.Lost, rest.Cause = k.unexplained, verdict.CauseDropped
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary = fmt.Sprintf("%s acknowledged %s that no metric counted, but the collector's socket dropped datagrams: they may have been lost there",
			a.life.Instance, words.Times(k.lost, a.rule.Route))
	case a.early == 0 && a.life.Killed() && k.lost <= a.stalled:
		rest.Lost, rest.Cause, rest.Bound = k.unexplained, verdict.CauseStall, a.stalled-a.buffer
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Bound += a.stalled - a.buffer
		f.Summary = fmt.Sprintf("%s acknowledged %s that no metric counted, %s more than fit in client_window %s before its SIGKILL; "+
			"%s, and with that they fit", a.life.Instance, words.Times(k.lost, a.rule.Route), words.Number(k.unexplained), a.rule.ClientWindow, a.whyLate())
	default:
		rest.Lost = k.unexplained
		d := b.diagnosis(a)
		blame(&f, d)
		f.Summary = fmt.Sprintf("%s acknowledged %s that no metric counted, all between %s and %s%s; %s", a.life.Instance,
			words.Times(k.lost, a.rule.Route), words.Seconds(d.From), words.Seconds(d.To), a.bufferClause(k), d.Why)
	}
	return []verdict.Finding{f}, append(k.residuals, rest)
}

func (a *account) finding(o verdict.Outcome) verdict.Finding {
	return verdict.Finding{Check: checkConservation, Outcome: o, Layer: verdict.LayerWeb, Instance: a.life.Instance, Bound: a.sum() + a.buffer}
}

func blame(f *verdict.Finding, d diagnose.Diagnosis) {
	f.Cause, f.RunnerUp, f.Possible = d.Cause, d.RunnerUp, d.Possible
	f.From, f.To = d.From.Seconds(), d.To.Seconds()
}

// mayBe tells the width of the upper bound, where it has one.
func (a *account) mayBe() string {
	if a.sum() == 0 {
		return ""
	}
	return fmt.Sprintf(", %s more may have been executed", words.Number(a.sum()))
}

func (a *account) bufferClause(k booking) string {
	if !a.life.Killed() {
		return ""
	}
	if k.lost > a.buffer {
		return fmt.Sprintf(" (its send buffer explains at most %s)", words.Number(a.buffer))
	}
	return fmt.Sprintf(" (%s of them were missing before its SIGKILL already)", words.Number(min(a.early, k.lost)))
}

func (a *account) judgeLateness() *verdict.Finding {
	l := a.late
	if l.by == 0 {
		return nil
	}
	f := a.finding(verdict.Fail)
	f.Cause, f.From, f.To = diagnose.Late, (l.at - l.by).Seconds(), l.at.Seconds()
	least := ""
	if a.gap[len(a.gap)-1] > 0 {
		least = "at least " // what is missing for good hides some of the lag
	}
	f.Summary = fmt.Sprintf("counts of %s arrive late: by %s%s at %s; max_lag is %s", a.life.Instance, least, words.Seconds(l.by), words.Seconds(l.at), a.rule.MaxLag)
	if l.excused {
		f.Outcome = verdict.Inconclusive
		f.Summary += ", but the load generator or the collector was late itself then"
	}
	return &f
}

// tally adds the accounts up for the summary.
type tally struct {
	rule                     script.Conservation
	instances, sound, killed int
	acked, counted           int64 // of the sound ones
	// What could hide in the bounds of the sound ones.
	buffer, unknown, retries int64
	booked                   map[string]int64 // by cause
	allExtra                 int64            // of all instances
	overExtra                bool             // one of them is over its own bound
	failed                   bool             // one of them failed
}

func (t *tally) add(a *account, findings []verdict.Finding, residuals []verdict.Residual) {
	t.instances++
	t.allExtra += max(0, a.total-int64(len(a.acked)))
	for _, f := range findings {
		t.overExtra = t.overExtra || f.Extra > 0
		t.failed = t.failed || f.Outcome == verdict.Fail
	}
	if len(findings) > 0 {
		return
	}
	t.sound++
	t.acked += int64(len(a.acked))
	t.counted += a.total
	t.buffer += a.buffer
	t.unknown += a.unknown + a.replays
	t.retries += a.retries
	if a.life.Killed() {
		t.killed++
	}
	for _, r := range residuals {
		t.booked[r.Cause] += r.Lost + r.Extra
	}
}

// together fails when the instances' surpluses fit one by one, but not all at
// once: a row of which nobody knows who executed it was executed by one.
func (t *tally) together(b books) (*verdict.Finding, verdict.Residual) {
	if t.overExtra || t.rule.SampleRate < 1 || t.allExtra <= b.all.sum() {
		return nil, verdict.Residual{}
	}
	over := t.allExtra - b.all.sum()
	f := verdict.Finding{Check: checkConservation, Outcome: verdict.Fail, Layer: verdict.LayerWeb, Extra: t.allExtra, Bound: b.all.sum(),
		Summary: fmt.Sprintf("together the instances counted %s more than they acknowledged, and only %s more can have been executed",
			words.Times(t.allExtra, t.rule.Route), words.Number(b.all.sum()))}
	return &f, verdict.Residual{Between: verdict.UsersWeb, Cause: verdict.CauseUnexplained, Extra: over}
}

// summary tells what was looked at, and what could hide in the bounds.
func (t *tally) summary() verdict.Finding {
	f := verdict.Finding{Check: checkConservation, Layer: verdict.LayerWeb, Bound: t.buffer + t.unknown + t.retries}
	if t.rule.SampleRate < 1 {
		f.Bound += t.booked[verdict.CauseSampling]
	}
	what := fmt.Sprintf("conservation of %s: ", t.rule.Metric)
	if t.instances == 0 {
		f.Summary = what + fmt.Sprintf("no instance acknowledged any %s, so nothing was compared", t.rule.Route)
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
		words.Times(t.acked, t.rule.Route), words.Number(t.counted), t.bookedClause(), t.widths())
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
	for _, cause := range []string{verdict.CauseBuffer, verdict.CauseUnknown, verdict.CauseReplay, verdict.CauseRetry, verdict.CauseSampling} {
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
	if t.buffer > 0 {
		parts = append(parts, fmt.Sprintf("%s in the send buffers of killed instances (%d)", words.Number(t.buffer), t.killed))
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
