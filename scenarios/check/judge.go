package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Judge comes to a verdict on a record. The same record gives the same verdict,
// byte for byte. The error says that the scenario in the record cannot be read
// or asks for an expression that is no PromQL. In a record that is damaged this
// is no error: it proves nothing, and the verdict says where.
func Judge(h record.History) (verdict.Verdict, error) {
	return judgeAs(h, func(s script.Scenario) (script.Scenario, error) { return s, nil })
}

// JudgeBy is Judge by other checks than the run's own: those, and the waivers, of
// source, which is called file in errors and in the verdict's ChecksFrom.
func JudgeBy(h record.History, file string, source []byte) (verdict.Verdict, error) {
	v, err := judgeAs(h, func(s script.Scenario) (script.Scenario, error) { return s.WithChecks(file, source) })
	v.ChecksFrom = file
	return v, err
}

// judgeAs judges a record by what as makes of its scenario.
func judgeAs(h record.History, as func(script.Scenario) (script.Scenario, error)) (verdict.Verdict, error) {
	file := h.Run.File
	if file == "" {
		file = record.ScenarioFile
	}
	own, err := script.Parse(file, h.Scenario, script.Options{Ran: true})
	if err == nil {
		err = ValidateExprs(own)
	}
	switch {
	case err != nil && len(h.Damage) > 0:
		return unreadable(h), nil
	case err != nil:
		return verdict.Verdict{}, fmt.Errorf("judge %s: the scenario in the record: %w", h.Run.ID, err)
	}
	s, err := as(own)
	if err == nil {
		err = ValidateExprs(s)
	}
	if err != nil {
		return verdict.Verdict{}, err
	}
	return judge(newEvidence(h, s), checksOf(s)), nil
}

// unreadable is the verdict on a damaged record of which not even the scenario
// can be read.
func unreadable(h record.History) verdict.Verdict {
	v := verdict.Verdict{Scenario: h.Run.Scenario, Seed: h.Run.Seed, Findings: []verdict.Finding{}, Residuals: []verdict.Residual{},
		Ledgers: verdict.Ledgers{LB: verdict.LBLedger{Responses: map[string]int64{}}, DB: verdict.DBLedger{Updates: -1}}}
	for _, damage := range h.Damage {
		v.Findings = append(v.Findings, damaged(damage))
	}
	return v
}

// named is a check with the name that its crash is reported under.
type named struct {
	name  string
	check Check
}

// checksOf gives the rules for a scenario: those that always run, and then its
// own.
func checksOf(s script.Scenario) []named {
	out := []named{
		{checkRecord, rule(wholeRecord)},
		{checkHarness, rule(harness)},
		{checkTime, rule(clocks)},
		{checkHops, rule(hops)},
		{checkEfficacy, rule(efficacy)},
		{checkRequire, rule(required)},
		{checkVacuity, rule(everyInstanceServed)},
		// HAProxy's retry-on is conn-failure in every stack.
		{checkRequests, requests{resends: s.Stack.RetryAll}},
	}
	conserved := false
	for _, c := range s.Checks {
		out = append(out, named{c.Name, checkOf(c, s)})
		if c.Conservation != nil && !conserved {
			conserved = true
			out = append(out, named{checkConservation, betweenUsersAndLB{}}, named{checkConservation, betweenUsersAndDB{}})
		}
	}
	return out
}

// checkOf gives the rule that a scenario asks for.
func checkOf(c script.Check, s script.Scenario) Check {
	switch {
	case c.Conservation != nil:
		return conservation{*c.Conservation}
	case c.Continuity != nil:
		return continuity{*c.Continuity, windowOf(s, c.Continuity.Metric), rateOf(s, c.Continuity.Metric)}
	case c.Correlation != nil:
		metric := c.Correlation.Metric
		return correlation{*c.Correlation, windowOf(s, metric), rateOf(s, metric), routeOf(s, metric)}
	case c.PromQL != nil:
		return promql{*c.PromQL}
	case c.Identity != nil:
		return identity{*c.Identity, windowOf(s, c.Identity.Metric), rateOf(s, c.Identity.Metric)}
	case c.Nesting != nil:
		return nesting{*c.Nesting}
	case c.Gauge != nil:
		return gauge{*c.Gauge}
	case c.Shutdown != nil:
		return shutdown{*c.Shutdown, rateOf(s, c.Shutdown.Metric), confidenceOf(s, c.Shutdown.Metric)}
	case c.Hygiene != nil:
		return hygiene{*c.Hygiene}
	case c.Alert != nil:
		return alert{*c.Alert}
	case c.Audit != nil:
		return audit{*c.Audit}
	case c.Failures != nil:
		return failures{*c.Failures}
	case c.TwoViews != nil:
		return twoViews{*c.TwoViews}
	}
	return rule(unknownCheck(c))
}

// windowOf is how long the client of a metric buffers, where the scenario says
// it.
func windowOf(s script.Scenario, metric string) (window time.Duration) {
	window = defaultWindow
	for _, c := range s.Checks {
		if c.Conservation != nil && c.Conservation.Metric == metric {
			window = c.Conservation.ClientWindow
		}
	}
	return window
}

// rateOf is the sample rate of a metric, where the scenario says it.
func rateOf(s script.Scenario, metric string) float64 {
	for _, c := range s.Checks {
		if c.Conservation != nil && c.Conservation.Metric == metric {
			return c.Conservation.SampleRate
		}
	}
	return 1
}

// confidenceOf is how sure the interval of a sampled metric must be, where the
// scenario says it.
func confidenceOf(s script.Scenario, metric string) float64 {
	for _, c := range s.Checks {
		if c.Conservation != nil && c.Conservation.Metric == metric {
			return c.Conservation.Confidence
		}
	}
	return 1
}

// routeOf is whose requests a metric counts, where the scenario says it, and
// names but one.
func routeOf(s script.Scenario, metric string) (route string) {
	for _, c := range s.Checks {
		if c.Conservation == nil || c.Conservation.Metric != metric {
			continue
		}
		if route != "" && route != c.Conservation.Route {
			return ""
		}
		route = c.Conservation.Route
	}
	return route
}

// unknownCheck is for a check that the language has and this package has not.
func unknownCheck(c script.Check) rule {
	return func(*evidence) []verdict.Finding {
		return []verdict.Finding{{Check: c.Name, Summary: fmt.Sprintf("%s: this version cannot judge the check %s", c.Pos, c.Name)}}
	}
}

func judge(e *evidence, checks []named) verdict.Verdict {
	defer e.close()
	v := verdict.Verdict{Scenario: e.scenario.Name, Seed: e.history.Run.Seed, Findings: []verdict.Finding{}, Residuals: []verdict.Residual{}, Ledgers: e.ledgers()}
	w := newWaivers(e.scenario)
	for _, c := range checks {
		r := guarded(c, e)
		e.acquit(&r, v.Findings)
		w.apply(&r)
		slices.SortStableFunc(r.Findings, verdict.CompareFindings)
		v.Findings = append(v.Findings, fold(r.Findings)...)
		v.Residuals = append(v.Residuals, r.Residuals...)
		v.Cells.LookedAt += r.Cells.LookedAt
		v.Cells.Missing += r.Cells.Missing
		if r.Web != nil && v.Ledgers.Web.Metric == "" {
			v.Ledgers.Web = *r.Web
		}
	}
	if e.unsettled() == "" { // else nothing can have failed, and no waiver can be called idle
		v.Findings = append(v.Findings, w.findings()...)
	}
	v.Findings = append(v.Findings, noticedBy(e)...)
	v.Waived = w.list
	v.Notes = e.notes()
	for _, r := range v.Residuals {
		if r.Cause == verdict.CauseUnexplained && strings.HasPrefix(r.Between, verdict.LayerUsers) {
			v.Unexplained += r.Lost + r.Extra
		}
	}
	if n := len(e.history.Events); n > 0 {
		v.Seconds = e.history.Events[n-1].At.Seconds()
	}
	v.Outcome = e.outcome(v)
	return v
}

// noticedBy gives what no check asked about. It can decide nothing, not even by
// crashing.
func noticedBy(e *evidence) (out []verdict.Finding) {
	defer func() {
		if p := recover(); p != nil {
			out = []verdict.Finding{{Check: checkNoticed, Outcome: verdict.Pass, Noticed: true, Summary: fmt.Sprintf("what else there was to notice is not known, for looking crashed: %v", p)}}
		}
	}()
	return things(e).Findings
}

// guarded runs a check. One that crashes has proved nothing.
func guarded(c named, e *evidence) (r verdict.Result) {
	defer func() {
		if p := recover(); p != nil {
			r = verdict.Result{Findings: []verdict.Finding{{Check: c.name, Summary: fmt.Sprintf("the check %s crashed: %v", c.name, p)}}}
		}
	}()
	r = c.check.judge(e)
	if len(r.Findings) == 0 {
		r.Findings = []verdict.Finding{{Check: c.name, Summary: fmt.Sprintf("the check %s looked at nothing", c.name)}}
	}
	return r
}

// outcome of a run: one that never settled, or whose record is damaged, proves
// nothing, whatever was found; one failure fails it; one doubt leaves it open.
func (e *evidence) outcome(v verdict.Verdict) verdict.Outcome {
	if e.unsettled() != "" || len(e.history.Damage)+len(e.flaws) > 0 {
		return verdict.Inconclusive
	}
	worst := verdict.Pass
	for _, f := range v.Findings {
		if f.Noticed {
			continue
		}
		switch f.Outcome {
		case verdict.Fail:
			return verdict.Fail
		case verdict.Inconclusive:
			worst = verdict.Inconclusive
		}
	}
	if len(v.Findings) == 0 || len(e.scenario.Checks) == 0 {
		return verdict.Inconclusive
	}
	return worst
}

// ledgers writes the accounts down as they are; web comes from conservation.
func (e *evidence) ledgers() verdict.Ledgers {
	u := e.users
	l := verdict.Ledgers{
		Users: verdict.UsersLedger{Requests: u.requests, Attempts: u.attempts, Acked: u.acked, Refused: u.refused, Unknown: u.unknown, NoAnswer: u.noAnswer},
		LB:    verdict.LBLedger{Responses: map[string]int64{}},
		DB:    verdict.DBLedger{Updates: -1},
	}
	l.Users.Answered = e.answered(func(record.Request) bool { return true })
	for _, c := range e.scenario.Checks {
		if c.Conservation != nil {
			countRoute(&l.Users, e, c.Conservation.Route)
			break
		}
	}
	if b, ok := newBalancer(e); ok {
		l.LB = b.ledger()
	}
	if d := e.history.After; d != nil {
		l.DB.Documents = int64(len(d.Words))
	}
	l.DB.Increments, _ = e.increments()
	if updates := e.updates(); len(updates.at) > 0 {
		l.DB.Updates = whole(updates.since(e.begin))
	}
	return l
}

// answered counts answers that acknowledge nothing, by their class.
func (e *evidence) answered(want func(record.Request) bool) map[string]int64 {
	by := map[string]int64{}
	for i := range e.history.Requests {
		if class := e.history.Requests[i].Answered(); class != "" && want(e.history.Requests[i]) {
			by[class]++
		}
	}
	return by
}

func countRoute(l *verdict.UsersLedger, e *evidence, route string) {
	l.Route, l.ByInstance = route, map[string]int64{}
	l.RouteAcked = e.ackedTotal(route)
	l.RouteAnswered = e.answered(func(r record.Request) bool { return r.Route == route })
	for _, life := range e.lives {
		if n := int64(len(e.acked(life.Instance, route))); n > 0 {
			l.ByInstance[life.Instance] = n
		}
	}
	for _, s := range e.users.spans {
		if !s.acked && s.key.route == route {
			l.RouteUnknown += s.unknown
		}
	}
}

func (b balancer) ledger() verdict.LBLedger {
	l := verdict.LBLedger{Responses: map[string]int64{}, ByInstance: map[string]int64{}}
	l.Requests, _ = b.since(frontendPrefix, "req_tot")
	for _, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
		if n, ok := b.since(frontendPrefix, "hrsp_"+class); ok {
			l.Responses[class] = n
		}
	}
	l.Errors, _ = b.since(backendPrefix, "econ")
	l.Retries, _ = b.since(backendPrefix, "wretr")
	l.Redispatch, _ = b.since(backendPrefix, "wredis")
	for _, life := range b.e.lives {
		if n := b.e.serverDelta("hrsp_2xx", life.Instance); n > 0 {
			l.ByInstance[life.Instance] = n
		}
	}
	return l
}
