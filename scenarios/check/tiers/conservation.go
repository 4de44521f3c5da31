// Package tiers has the rules that hold the ledgers of neighbouring tiers against each
// other: users, load balancer, web instances with their collector, and database. What
// one tier handed on, the next must have got: in sum, request by request, word by word
// and in time.
//
// What a single metric looks like is asked in signals. scenarios/check has the rules in
// its table.
package tiers

import (
	"fmt"
	"slices"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Conservation compares the users' ledger with one metric, instance by
// instance: acked ≤ counted ≤ acked + what may have been executed unseen, with
// a send buffer's width below where an instance was killed. The bounds are those of
// Jepsen's set and counter checkers, not a tolerance.
//
// web-2 acknowledged 812 inserts, 2 more had no answer, and a SIGKILL came when 9 of them were
// younger than the client's window: it may have counted 803 to 814. 790 is a failure: 9 of the
// 22 that lack are booked to the buffer, and 13 are unexplained.
// Source: https://github.com/jepsen-io/jepsen/blob/main/jepsen/src/jepsen/checker.clj
type Conservation struct{ Promise script.Conservation }

// Judge looks at all instances, or says why it cannot.
func (c Conservation) Judge(e *evidence.Index) verdict.Result {
	r := verdict.Result{}
	if len(e.History.Series) == 0 {
		r.Findings = []verdict.Finding{c.finding(verdict.Inconclusive, "conservation of %s: the record holds no series at all, so there is nothing to compare the requests with", c.Promise.Metric)}
		return r
	}
	b := account.NewBooks(e, c.Promise)
	t := tally{promise: c.Promise, booked: map[string]int64{}}
	several := len(script.Promised[script.Conservation](e.Scenario)) > 1 // which of them is it about?
	for i := range b.Accounts {
		a := &b.Accounts[i]
		if len(a.Acked) == 0 && a.Total == 0 {
			continue
		}
		findings, residuals := judgeAccount(a, b)
		if len(findings) == 0 {
			if f := judgeSurplus(a, b); f != nil {
				findings = append(findings, *f)
				residuals = append(residuals, verdict.Booked(account.Between, a.Life.Instance, verdict.CauseUnexplained, false, f.Extra, 0))
			}
		}
		t.add(a, findings, residuals)
		if several {
			for j := range findings {
				findings[j].Summary = string(c.Promise.Metric) + ": " + findings[j].Summary
			}
		}
		r.Findings = append(r.Findings, findings...)
		r.Residuals = append(r.Residuals, residuals...)
	}
	for _, s := range b.Strays {
		if b.Overwritten(e, s.Instance) { // which is told of them already
			r.Residuals = append(r.Residuals, verdict.Residual{Between: account.Between, Instance: s.Instance, Cause: diagnose.Honored, Extra: s.Counted})
			continue
		}
		f := c.finding(verdict.Fail, "%s were counted by %s for %q, which is no web instance of this run", words.Times(s.Counted, c.Promise.Route), c.Promise.Metric, s.Instance)
		f.Instance, f.Extra = s.Instance, s.Counted
		r.Findings = append(r.Findings, f)
		r.Residuals = append(r.Residuals, verdict.Residual{Between: account.Between, Instance: s.Instance, Cause: verdict.CauseUnexplained, Extra: s.Counted})
	}
	if f, residual := t.together(b); f != nil {
		r.Findings = append(r.Findings, *f)
		r.Residuals = append(r.Residuals, residual)
	}
	whole := t.summary()
	whole.Summary += c.elsewhere(e)
	r.Findings = append(r.Findings, whole)
	r.Sums = true
	r.Web, r.Versions = webLedger(b), b.Versions()
	return r
}

// elsewhere mentions what other roles count under the metric's name, unless another conservation check looks at it.
func (c Conservation) elsewhere(e *evidence.Index) string {
	looked := map[string]bool{}
	for _, p := range script.Promised[script.Conservation](e.Scenario) {
		if p.Metric == c.Promise.Metric {
			looked[e.Scenario.Stack.OwnerOf(p.Route)] = true
		}
	}
	concerned := map[string]bool{}
	for _, l := range e.LivesFor(c.Promise.Route) {
		concerned[l.Instance] = true
	}
	var n int64
	var roles []string
	for _, l := range e.Lives {
		counted := evidence.Whole(evidence.SumOf(e.Counts(l.Instance, c.Promise.Metric)).Last())
		if role := string(l.Role); !concerned[l.Instance] && !looked[role] && counted > 0 {
			n += counted
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %s more counted under this name by instances of %s were not looked at: they answer no %s", words.Number(n), words.Some(roles), c.Promise.Route)
}

func (c Conservation) finding(o verdict.Outcome, format string, args ...any) verdict.Finding {
	return verdict.Finding{Check: CheckConservation, Outcome: o, Layer: record.LayerWeb, Summary: fmt.Sprintf(format, args...)}
}

func webLedger(b account.Books) *verdict.WebLedger {
	l := verdict.WebLedger{Metric: string(b.Promise.Metric), ByInstance: map[string]int64{}}
	for i := range b.Accounts {
		a := &b.Accounts[i]
		l.Counted += a.Total
		l.ByInstance[a.Life.Instance] = a.Total
	}
	for _, s := range b.Strays {
		l.Counted += s.Counted
		l.ByInstance[s.Instance] = s.Counted
	}
	return &l
}

// judgeAccount compares one account. No finding means that all is explained.
func judgeAccount(a *account.Account, b account.Books) ([]verdict.Finding, []verdict.Residual) {
	var findings []verdict.Finding
	var residuals []verdict.Residual
	if a.Promise.SampleRate < 1 {
		findings, residuals = judgeSampled(a, b)
	} else {
		findings, residuals = judgeExact(a, b)
	}
	if f := judgeLateness(a); f != nil {
		// What is lost because a client holds it too long is late before: one defect, one cause.
		if d := b.Holding(a); f.Outcome == verdict.Fail && d.Cause != "" {
			f.Cause, f.RunnerUp, f.Possible = d.Cause, d.RunnerUp, d.Possible
		}
		findings = append(findings, *f)
	}
	return findings, residuals
}

func judgeExact(a *account.Account, b account.Books) ([]verdict.Finding, []verdict.Residual) {
	k := a.Book()
	if k.Unexplained == 0 {
		return nil, k.Residuals
	}
	rest := verdict.Residual{Between: account.Between, Instance: a.Life.Instance, Cause: verdict.CauseUnexplained}
	f := accountFinding(a, verdict.Fail)
	f.Lost, f.Extra = k.Lost, k.Extra
	switch {
	case k.Extra > 0:
		rest.Extra = k.Unexplained
		d := b.Diagnosis(a)
		account.Blame(&f, d)
		f.Summary = fmt.Sprintf("%s counted %s more than it acknowledged (%s acknowledged, %s counted%s); %s", a.Life.Instance,
			words.Times(k.Extra, a.Promise.Route), words.Number(int64(len(a.Acked))), words.Number(a.Total), mayBeExecuted(a), d.Why)
	case a.Dropped:
		rest.Lost, rest.Cause = k.Unexplained, verdict.CauseDropped
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary = fmt.Sprintf("%s acknowledged %s that no metric counted, but the collector's socket dropped datagrams: they may have been lost there",
			a.Life.Instance, words.Times(k.Lost, a.Promise.Route))
	case a.Early == 0 && a.Cut() && k.Lost <= a.Stalled:
		rest.Lost, rest.Cause, rest.Bound = k.Unexplained, verdict.CauseStall, a.Stalled-a.Buffer
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Bound += a.Stalled - a.Buffer
		f.Summary = fmt.Sprintf("%s acknowledged %s that no metric counted, %s more than fit in client_window %s before %s; "+
			"%s, and with that they fit", a.Life.Instance, words.Times(k.Lost, a.Promise.Route), words.Number(k.Unexplained), a.Promise.ClientWindow, a.EndedBy(), a.WhyLate())
	case a.AgentStalled():
		rest.Lost, rest.Cause = k.Unexplained, verdict.CauseStall
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseStall
		f.Summary = fmt.Sprintf("%s acknowledged %s that no metric counted, %s more than the end of its agent accounts for; the machine was late then, and with that they fit",
			a.Life.Instance, words.Times(k.Lost, a.Promise.Route), words.Number(k.Unexplained))
	default:
		rest.Lost = k.Unexplained
		d := b.Diagnosis(a)
		account.Blame(&f, d)
		if d.Cause == diagnose.ScrapeFailed && a.Excused {
			f.Outcome, f.Cause, rest.Cause = verdict.Inconclusive, verdict.CauseStall, verdict.CauseStall
		}
		f.Summary = fmt.Sprintf("%s acknowledged %s that no metric counted, all between %s and %s%s; %s", a.Life.Instance,
			words.Times(k.Lost, a.Promise.Route), words.Seconds(d.From), words.Seconds(d.To), bufferClause(a, k), d.Why)
	}
	return []verdict.Finding{f}, append(k.Residuals, rest)
}

func accountFinding(a *account.Account, o verdict.Outcome) verdict.Finding {
	return verdict.Finding{Check: CheckConservation, Outcome: o, Layer: record.LayerWeb, Instance: a.Life.Instance, Bound: a.Sum() + a.Buffer}
}

// mayBeExecuted tells the width of the upper bound, where it has one, and that it was
// not as wide yet where only that leaves something unexplained.
func mayBeExecuted(a *account.Account) string {
	if a.Sum() == 0 {
		return ""
	}
	text := fmt.Sprintf(", %s more may have been executed", words.Number(a.Sum()))
	if a.Total-int64(len(a.Acked)) <= a.Sum() {
		text += fmt.Sprintf(" in the end, but fewer when it had counted them: %s too many, first at %s", words.Number(a.Ahead.N), words.Seconds(a.Ahead.At))
	}
	return text
}

func bufferClause(a *account.Account, k account.Booking) string {
	if !a.Cut() {
		return ""
	}
	if k.Lost > a.Buffer {
		still := ""
		if a.Silent > 0 && !a.Scraped {
			still = fmt.Sprintf(", for the %s before its SIGKILL in which it did nothing too", words.Seconds(a.Silent))
		}
		return fmt.Sprintf(" (%s explains at most %s%s)", a.LastHeld(), words.Number(a.Buffer), still)
	}
	return fmt.Sprintf(" (%s of them were missing before %s already)", words.Number(min(a.Early, k.Lost)), a.EndedBy())
}

func judgeLateness(a *account.Account) *verdict.Finding {
	l := a.Late
	if l.By == 0 {
		return nil
	}
	f := accountFinding(a, verdict.Fail)
	f.Cause, f.From, f.To = diagnose.Late, (l.At - l.By).Seconds(), l.At.Seconds()
	least := ""
	if a.Gap[len(a.Gap)-1] > 0 {
		least = "at least " // what is missing for good hides some of the lag
	}
	f.Summary = fmt.Sprintf("counts of %s arrive late: by %s%s at %s; max_lag is %s", a.Life.Instance, least, words.Seconds(l.By), words.Seconds(l.At), a.Promise.MaxLag)
	if l.Excused {
		f.Outcome = verdict.Inconclusive
		f.Summary += ", but the load generator or the collector was late itself then"
	}
	return &f
}

// judgeSampled compares an account whose client was told to sample.
func judgeSampled(a *account.Account, b account.Books) ([]verdict.Finding, []verdict.Residual) {
	n := int64(len(a.Acked))
	s := a.Sampling(len(b.Accounts))
	residual := verdict.Residual{Between: account.Between, Instance: a.Life.Instance, Cause: verdict.CauseSampling,
		Lost: max(0, n-a.Total), Extra: max(0, a.Total-n), Bound: a.SampledWidth(s)}
	if s.Fits {
		if residual.Lost+residual.Extra == 0 {
			return nil, nil
		}
		return nil, []verdict.Residual{residual}
	}
	f := accountFinding(a, verdict.Fail)
	f.Bound, f.Lost, f.Extra = residual.Bound, residual.Lost, residual.Extra
	expected := fmt.Sprintf("%s acknowledged at sample rate %g make %s to %s measurements (%g %% confidence for all instances together), and %s came, counted as %s",
		words.Times(n, a.Promise.Route), a.Promise.SampleRate, words.Number(s.Least), words.Number(s.Most), 100*a.Promise.Confidence, words.Number(s.Kept), words.Number(a.Total))
	if a.Dropped && s.Kept < s.Least {
		f.Outcome, f.Cause = verdict.Inconclusive, verdict.CauseDropped
		f.Summary = fmt.Sprintf("%s: %s, but the collector's socket dropped datagrams: they may have been lost there", a.Life.Instance, expected)
		residual.Cause = verdict.CauseDropped
		return []verdict.Finding{f}, []verdict.Residual{residual}
	}
	d := b.Diagnosis(a)
	account.Blame(&f, d)
	f.Summary = fmt.Sprintf("%s: %s; %s", a.Life.Instance, expected, d.Why)
	residual.Cause = verdict.CauseUnexplained
	return []verdict.Finding{f}, []verdict.Residual{residual}
}

// judgeSurplus is for an account that agrees in the end.
func judgeSurplus(a *account.Account, b account.Books) *verdict.Finding {
	if a.Ahead.N == 0 {
		return nil
	}
	f := accountFinding(a, verdict.Fail)
	cause := diagnose.Burst
	for i, d := range b.Explained() { // what others have too many of, it had, and lost in a kill
		if b.Accounts[i].Total > int64(len(b.Accounts[i].Acked)) && d.Cause != "" {
			cause = d.Cause
		}
	}
	f.Cause, f.Extra, f.From, f.To = cause, a.Ahead.N, a.Ahead.At.Seconds(), a.Ahead.At.Seconds()
	f.Summary = fmt.Sprintf("%s counted %s more than had been sent to it, first at %s, and agrees in the end: as many were lost later", a.Life.Instance,
		words.Times(a.Ahead.N, a.Promise.Route), words.Seconds(a.Ahead.At))
	return &f
}
