package gallery

import "throughline/scenarios/check/verdict"

// alertEntries are alerting rules that do not do what they are for.
func alertEntries() []Entry {
	return []Entry{
		{Name: "inert-alert", Fault: "F48", About: "an alert on absence that cannot fire: a series of the dead is never zero", Stage: Stage{
			Steps: []string{"kill: web-2"}, After: 6,
			Checks: []string{`alert: {name: WebDown, expr: 'rate(fullstack_insert_total{instance="web-2"}[1s]) == 0', fires: {in: after, within: 6s}}`}},
			Want: Want{Outcome: verdict.Fail, Check: "alert", Words: "did not fire"}},
		{Name: "noisy-alert", Fault: "F42", About: "a planned scale-in sets off the alert", Stage: Stage{
			Steps: []string{"terminate: web-3"}, After: 6,
			Checks: []string{`alert: {name: WebDown, expr: 'count(fullstack_insert_total) < 3', silent: [after]}`}},
			Want: Want{Outcome: verdict.Fail, Check: "alert", Words: "must be silent"}},
		{Name: "mistyped-alert", Fault: "F48", About: "a rule of a file asks for a metric that nobody sends, and can never fire", Stage: Stage{
			Steps: []string{"kill: web-2"}, After: 6, Rules: alertRule("sum(rate(fullstack_isnert_total[2s])) < 1", "1s"),
			Checks: []string{"alert: {file: " + RulesFile + ", name: Down, silent: [before]}"}},
			Want: Want{Outcome: verdict.Inconclusive, Check: "alert", Words: "did you mean fullstack_insert_total?"}},
		{Name: "late-alert", Fault: "F48", About: "a rule of a file fires later than whoever is to be woken needs it", Stage: Stage{
			Steps: []string{"kill: web-2"}, After: 14, Rules: alertRule("count(fullstack_insert_total) < 3", "9s"),
			Checks: []string{"alert: {file: " + RulesFile + ", name: Down, fires: {in: after, within: 4s}}"}},
			Want: Want{Outcome: verdict.Fail, Check: "alert", Words: "and had to within 4s"}},
	}
}

// alertRule is a file with one rule.
func alertRule(expr, hold string) string {
	return "groups: [{name: stage, rules: [{alert: Down, expr: '" + expr + "', for: " + hold + "}]}]\n"
}
