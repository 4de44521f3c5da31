package check

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const rulesOfTalk = `groups:
  - name: fleet
    labels: {team: web}
    rules:
      - {record: 'job:inserts:rate', expr: 'sum(rate(fullstack_insert_total[5s]))'}
      - alert: WebDown
        expr: count(fullstack_insert_total) < 3
        for: 2s
        annotations: {summary: '{{ $value }} instances are left'}
      - {alert: Lingers, expr: 'count(fullstack_insert_total{instance!="web-4"}) < 3 and on() (vector(time()) % 100 < 15)', keep_firing_for: 3s}
      - {alert: Mistyped, expr: 'sum(rate(fullstack_isnert_total[3s])) < 1'}
      - {alert: Patient, expr: 'count(fullstack_insert_total) < 3', for: 4s}
      - {alert: Broken, expr: 'count(fullstack_insert_total) < 3', annotations: {summary: '{{ query "((" }}'}}
      - {alert: Twins, expr: 'fullstack_insert_total > 0', labels: {instance: all}}
`

// talkWithRules is the talk's run, with a file of rules in its record.
func talkWithRules(checks, rules string) record.History {
	p := talk()
	p.checks = checks
	h := p.make()
	h.Run.Rules = map[string]string{"rules.yml": rules}
	return h
}

// TestAlertsOfAFile: what a rule of a file says of a run, and each finding once where it fails.
func TestAlertsOfAFile(t *testing.T) {
	for _, c := range []struct {
		name, alert string
		outcome     verdict.Outcome
		want        string
	}{
		{"fires and clears", "name: WebDown, fires: {in: one dies, within: 6s}, clears: {within: 3s}", verdict.Pass, `alert WebDown: fired at 14.1 s, 3.6 s after the beginning of phase "one dies", and cleared at 19.1 s, 0.6 s after the beginning of phase "one is replaced"`},
		{"goes on firing for a while", "name: Lingers, fires: {in: one dies, within: 6s}, clears: {in: one dies, within: 9s}", verdict.Pass, `alert Lingers: fired at 12.1 s, 1.6 s after the beginning of phase "one dies", and cleared at 18.1 s, 7.6 s after the beginning of phase "one dies"`},
		{"goes on firing for too long", "name: Lingers, fires: {in: one dies, within: 6s}, clears: {in: one dies, within: 5s}", verdict.Fail, `alert Lingers: fired at 12.1 s and cleared at 18.1 s, 7.6 s after the beginning of phase "one dies", and had to within 5s`},
		{"cannot fire", "name: Mistyped, fires: {in: one dies, within: 6s}", verdict.Inconclusive, `alert Mistyped: sum(rate(fullstack_isnert_total[3s])) < 1: not evaluated, no series of this run was ever fullstack_isnert_total: did you mean fullstack_insert_total?` + maybeNever},
		{"fires late", "name: Patient, fires: {in: one dies, within: 3s}", verdict.Fail, `alert Patient: fired at 16.1 s, 5.6 s after the beginning of phase "one dies", and had to within 3s`},
		{"is not silent", "name: WebDown, silent: [one dies]", verdict.Fail, `alert WebDown: fires in phase "one dies", where it must be silent: at 5 of 8 points, first at 14.1 s`},
		{"two that look alike", "name: Twins, silent: [one dies]", verdict.Inconclusive, `alert Twins: fullstack_insert_total > 0: could not be evaluated: rule "fullstack_insert_total > 0": two elements of its result have the same labels once those of the alert are set: {alertname="Twins", exported_zone="a", instance="all", team="web", zone="a"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := judged(t, talkWithRules("  - alert: {file: rules.yml, "+c.alert+"}\n", rulesOfTalk))
			var got []verdict.Finding
			for _, f := range v.Findings {
				if f.Check == "alert" {
					got = append(got, f)
				}
			}
			if len(got) != 1 || got[0].Outcome != c.outcome || got[0].Summary != c.want {
				t.Errorf("%+v\nwant %v %s", got, c.outcome, c.want)
			}
		})
	}
}

// TestAlertsAreInTheVerdict: those of a file, once, whoever asks of them; of rules in the scenario there are none.
func TestAlertsAreInTheVerdict(t *testing.T) {
	v := judged(t, talkWithRules(`  - alert: {file: rules.yml, name: WebDown, fires: {in: one dies, within: 6s}}
  - alert: {file: rules.yml, name: WebDown, silent: [warm-up]}
  - alert: {name: Same, expr: 'count(fullstack_insert_total) < 3', silent: [warm-up]}
`, rulesOfTalk))
	var fired []verdict.Alert
	for _, a := range v.Alerts {
		if a.Pending < 20 { // before the one that is replaced leaves
			a.Pending, a.Firing, a.Ended = float64(int(a.Pending)), float64(int(a.Firing)), float64(int(a.Ended))
			fired = append(fired, a)
		}
	}
	want := []verdict.Alert{{Name: "WebDown", File: "rules.yml", Labels: map[string]string{"team": "web"}, Annotations: map[string]string{"summary": "2 instances are left"}, Pending: 12, Firing: 14, Ended: 19}}
	if diff := cmp.Diff(want, fired); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAnnotationsThatCannotBeExpanded: who is woken would read an error.
func TestAnnotationsThatCannotBeExpanded(t *testing.T) {
	v := judged(t, talkWithRules("  - alert: {file: rules.yml, name: Broken, fires: {in: one dies, within: 6s}}\n", rulesOfTalk))
	says(t, v, "alert", verdict.Pass, `alert Broken: fired at 12.1 s, 1.6 s after the beginning of phase "one dies"`)
	found := false
	for _, f := range v.Findings {
		found = found || f.Check == "alert" && f.Outcome == verdict.Fail && strings.HasPrefix(f.Summary, `alert Broken: fires at 12.1 s, and its annotation summary cannot be expanded: `)
	}
	if !found {
		t.Errorf("nobody tells of it: %+v", v.Findings)
	}
}

// TestAllAlertsOfAFile: without a name each alert of the file is judged.
func TestAllAlertsOfAFile(t *testing.T) {
	const two = "groups: [{name: g, rules: [{alert: A, expr: 'count(fullstack_insert_total) < 3'}, {alert: B, expr: 'count(fullstack_insert_total) < 1'}]}]"
	v := judged(t, talkWithRules("  - alert: {file: rules.yml, silent: [one dies]}\n", two))
	says(t, v, "alert", verdict.Fail, `alert A: fires in phase "one dies", where it must be silent: at 7 of 8 points, first at 12.1 s`)
	says(t, v, "alert", verdict.Pass, `alert B: silent in phase "one dies": 8 points evaluated, pending at 0`)
}

// TestRuleFilesThatAreRefused: before a run, each with its place.
func TestRuleFilesThatAreRefused(t *testing.T) {
	fires := &script.Deadline{In: "p"}
	for _, c := range []struct {
		promise script.Alert
		rules   string
		want    string
	}{
		{script.Alert{Name: "WebDwon"}, rulesOfTalk, "x.yaml:7:3: alert: rules.yml has no alert WebDwon: did you mean WebDown? (it has WebDown, Lingers, Mistyped, Patient, Broken, Twins)"},
		{script.Alert{Fires: fires}, rulesOfTalk, "rules.yml has 6 alerts (WebDown, Lingers, Mistyped, Patient, Broken, Twins): which of them must fire? add name"},
		{script.Alert{Name: "A"}, "groups: [{name: g, rules: [{alert: A, expr: up < 1}]}, {name: h, rules: [{alert: A, expr: up < 2}]}]", "rules.yml has 2 alerts A, in group g and h: give each a name of its own"},
		{script.Alert{Name: "A"}, "groups: [{name: g, rules: [{alert: A, expr: 'up < bool 1'}]}]", `alert: rules.yml: A: "up < bool 1": an alert fires for each element of a vector`},
		{script.Alert{Name: "A"}, "groups: [{name: g, rules: [{record: 'a:b', expr: up}, {alert: A, expr: 'a:b < 1'}]}]", "alert: rules.yml: A: asks for a:b, which a recording rule of the file makes: those are not evaluated here; write its expression into the alert"},
		{script.Alert{Name: "A"}, "groups: [{name: g, interval: 5s, rules: [{alert: A, expr: up}]}]", `rules.yml: group "g": interval: 5s`},
		{script.Alert{Name: "A"}, "groups: [", "rules.yml: yaml:"},
		{script.Alert{Name: "WebDown"}, rulesOfTalk, ""},
	} {
		c.promise.File = "rules.yml"
		s := script.Scenario{Rules: map[string]string{"rules.yml": c.rules}, Checks: []script.Check{{Pos: script.Pos{File: "x.yaml", Line: 7, Column: 3}, Promise: c.promise}}}
		err := ValidateExprs(s)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v of %.60s:\n%v\nwant %q", c.promise, c.rules, err, c.want)
		}
	}
	s := script.Scenario{Checks: []script.Check{{Promise: script.Alert{File: "rules.yml", Name: "A"}}}}
	if err := ValidateExprs(s); err == nil || !strings.Contains(err.Error(), "rules.yml: what is in it is not known") {
		t.Errorf("a file that was not read: %v", err)
	}
}

// TestJudgedByRulesOfAnother: other checks bring their own files.
func TestJudgedByRulesOfAnother(t *testing.T) {
	h := talkWithRules("  - continuity: {metric: fullstack.insert}\n", "none that can be read")
	other := []byte("checks:\n  - alert: {file: mine.yml, silent: [one dies]}\n")
	rules := func(s script.Scenario) (map[string]string, error) {
		return map[string]string{"mine.yml": "groups: [{name: g, rules: [{alert: A, expr: 'count(fullstack_insert_total) < 1'}]}]"}, nil
	}
	v, err := JudgeBy(h, "other.yaml", other, rules)
	if err != nil {
		t.Fatal(err)
	}
	says(t, v, "alert", verdict.Pass, `alert A: silent in phase "one dies": 8 points evaluated, pending at 0`)
}
