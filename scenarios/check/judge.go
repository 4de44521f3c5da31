package check

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/honesty"
	"throughline/scenarios/check/signals"
	"throughline/scenarios/check/story"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Judge comes to a verdict on a record. The same record gives the same verdict,
// byte for byte. The error says that the scenario in the record cannot be read
// or asks for an expression that is no PromQL. In a record that is damaged this
// is no error: it proves nothing, and the verdict says where.
func Judge(h record.History) (verdict.Verdict, error) {
	return judgeAs(h, "", func(s script.Scenario) (script.Scenario, error) { return s, nil })
}

// JudgeBy is Judge by other checks than the run's own: those, and the waivers, of
// source, which is called file in errors and in the verdict's ChecksFrom. The files of alerting rules that they name are those
// that rules finds.
func JudgeBy(h record.History, file string, source []byte, rules RuleFiles) (verdict.Verdict, error) {
	return judgeAs(h, file, func(s script.Scenario) (script.Scenario, error) {
		s, err := s.WithChecks(file, source)
		if err != nil {
			return s, err
		}
		s.Rules, err = rules(s)
		return s, err
	})
}

// RuleFiles gives what is in the files of alerting rules that a scenario names, by name; see script.Scenario.Rules.
type RuleFiles func(script.Scenario) (map[string]string, error)

// ValidateExprs tells which PromQL expression of a scenario cannot be judged.
// The scenario language does not know PromQL, so that this is asked before a
// run, and again before a record is judged.
func ValidateExprs(s script.Scenario) error { return signals.ValidateExprs(s) }

// judgeAs judges a record by what as makes of its scenario, with the checks from a file; empty:
// its own.
func judgeAs(h record.History, checksFrom string, as func(script.Scenario) (script.Scenario, error)) (verdict.Verdict, error) {
	file := h.Run.File
	if file == "" {
		file = record.ScenarioFile
	}
	own, err := script.Parse(file, h.Scenario, script.Options{Ran: true})
	own.Rules = h.Run.Rules
	if err == nil {
		err = signals.ValidateExprs(own)
	}
	switch {
	case err != nil && len(h.Damage) > 0:
		v := unreadable(h)
		v.ChecksFrom = checksFrom
		addStory(&v, h, own)
		return v, nil
	case err != nil:
		return verdict.Verdict{}, fmt.Errorf("judge %s: the scenario in the record: %w", h.Run.ID, err)
	}
	s, err := as(own)
	if err == nil {
		err = signals.ValidateExprs(s)
	}
	if err != nil {
		return verdict.Verdict{}, err
	}
	e := evidence.New(h, s)
	v := judge(e, checksOf(s, e.Tiers))
	v.ChecksFrom = checksFrom
	addStory(&v, h, s)
	return v, nil
}

// addStory puts a verdict into a sentence. What it comes to does not depend on that, not even
// on whether it crashes.
func addStory(v *verdict.Verdict, h record.History, s script.Scenario) {
	defer func() {
		if p := recover(); p != nil {
			v.Title = "The verdict is " + v.Outcome.String()
			v.Sentence = fmt.Sprintf("The verdict is %s, and its findings say why; they could not be told in one sentence, for that crashed: %v.", v.Outcome, p)
			v.Explanations = []verdict.Explanation{}
		}
	}()
	story.Tell(v, h, s)
}

// unreadable is the verdict on a damaged record of which not even the scenario
// can be read.
func unreadable(h record.History) verdict.Verdict {
	v := verdictOf(h, h.Run.Scenario)
	v.Ledgers = verdict.Ledgers{LB: verdict.LBLedger{Responses: map[string]int64{}}, DB: verdict.DBLedger{Updates: -1}}
	for _, damage := range h.Damage {
		v.Findings = append(v.Findings, honesty.Damaged(damage))
	}
	return v
}

func judge(e *evidence.Index, checks []namedCheck) verdict.Verdict {
	defer e.Close()
	v := verdictOf(e.History, e.Scenario.Name)
	v.Ledgers = tiers.Ledgers(e)
	var webs []verdict.WebLedger
	w := newWaivers(e.Scenario)
	void := len(e.History.Damage) > 0
	for _, c := range checks {
		r := guarded(c, e)
		void = void || r.Void
		acquit(e, &r, v.Findings)
		w.apply(&r)
		add(&v, r)
		if r.Web != nil {
			webs = append(webs, *r.Web)
		}
	}
	if len(webs) > 0 {
		v.Ledgers.Web = webs[0]
	}
	v.LedgerEntries = tiers.Entries(e, v.Ledgers, webs)
	if unsettled(e) == "" { // else nothing can have failed, and no waiver can be called idle
		v.Findings = append(v.Findings, w.findings()...)
	}
	v.Findings = append(v.Findings, noticedBy(e)...)
	v.Waived = w.list
	v.Notes = honesty.Notes(e)
	v.Unexplained = unexplained(v.Residuals)
	if n := len(e.History.Events); n > 0 {
		v.Seconds = e.History.Events[n-1].At.Seconds()
	}
	v.Outcome = verdict.Inconclusive
	if !void && unsettled(e) == "" {
		v.Outcome = decide(e, v)
	}
	return v
}

// add puts what a check found into the verdict.
func add(v *verdict.Verdict, r verdict.Result) {
	slices.SortStableFunc(r.Findings, words.CompareFindings)
	v.Findings = append(v.Findings, fold(r.Findings)...)
	v.Residuals = append(v.Residuals, r.Residuals...)
	addVersions(v, r.Versions)
	addAlerts(v, r.Alerts)
	v.Cells.LookedAt += r.Cells.LookedAt
	v.Cells.Missing += r.Cells.Missing
}

// addAlerts adds alerts, each once, whatever is asked of their rule.
func addAlerts(v *verdict.Verdict, all []verdict.Alert) {
	for _, a := range all {
		if !slices.ContainsFunc(v.Alerts, func(b verdict.Alert) bool { return reflect.DeepEqual(a, b) }) {
			v.Alerts = append(v.Alerts, a)
		}
	}
	slices.SortStableFunc(v.Alerts, func(a, b verdict.Alert) int { return cmp.Compare(a.Pending, b.Pending) })
}

// addVersions adds a comparison of versions, that of each metric and route once.
func addVersions(v *verdict.Verdict, compared []verdict.Version) {
	for _, one := range compared {
		known := slices.ContainsFunc(v.WebVersions, func(w verdict.Version) bool {
			return w.Version == one.Version && w.Metric == one.Metric && w.Route == one.Route
		})
		if !known {
			v.WebVersions = append(v.WebVersions, one)
		}
	}
}

// unexplained is how many requests no cause was found for. What two other tiers do not
// agree on, the users and one of them do not either: it counts once.
func unexplained(residuals []verdict.Residual) (n int64) {
	for _, r := range residuals {
		if from, _ := r.Layers(); r.Cause == verdict.CauseUnexplained && from == record.LayerUsers {
			n += r.Lost + r.Extra
		}
	}
	return n
}

// noticedBy gives what no check asked about. It can decide nothing, not even by
// crashing.
func noticedBy(e *evidence.Index) (out []verdict.Finding) {
	defer func() {
		if p := recover(); p != nil {
			out = []verdict.Finding{{Check: signals.CheckNoticed, Outcome: verdict.Pass, Noticed: true, Summary: fmt.Sprintf("what else there was to notice is not known, for looking crashed: %v", p)}}
		}
	}()
	return signals.Noticed(e).Findings
}

// guarded runs a check. One that crashes has proved nothing.
func guarded(c namedCheck, e *evidence.Index) (r verdict.Result) {
	defer func() {
		if p := recover(); p != nil {
			r = verdict.Result{Findings: []verdict.Finding{{Check: c.name, Summary: fmt.Sprintf("the check %s crashed: %v", c.name, p)}}}
		}
	}()
	r = c.check.Judge(e)
	if len(r.Findings) == 0 {
		r.Findings = []verdict.Finding{{Check: c.name, Summary: fmt.Sprintf("the check %s looked at nothing", c.name)}}
	}
	return r
}

// decide of a run that settled, and whose record is whole: one failure fails it;
// one doubt leaves it open.
func decide(e *evidence.Index, v verdict.Verdict) verdict.Outcome {
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
	if len(v.Findings) == 0 || len(e.Scenario.Checks) == 0 {
		return verdict.Inconclusive
	}
	return worst
}
