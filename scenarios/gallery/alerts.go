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
	}
}
