package check

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/signals"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// maybeNever ends what is said of a selector that selected nothing.
const maybeNever = " If it may never be, as with absent(), say never_seen: yes in the check"

func TestAlert(t *testing.T) {
	const down = "name: WebDown, expr: 'count(fullstack_insert_total) < 3', "
	for _, c := range []struct {
		name    string
		rule    string
		change  func(*record.History)
		outcome verdict.Outcome
		want    string
	}{
		{"fires", down + "for: 2s, fires: {in: one dies, within: 6s}", nil, verdict.Pass, `alert WebDown: fired at 14.1 s, 3.6 s after the beginning of phase "one dies"`},
		{"fires and clears", down + "for: 2s, fires: {in: one dies, within: 6s}, clears: {within: 3s}", nil, verdict.Pass, `alert WebDown: fired at 14.1 s, 3.6 s after the beginning of phase "one dies", and cleared at 19.1 s, 0.6 s after the beginning of phase "one is replaced"`},
		{"clears by itself", "name: Few, expr: 'count(fullstack_insert_total) < 3 and on() (vector(time()) % 100 < 15)', fires: {in: one dies, within: 6s}, clears: {within: 1s}", nil, verdict.Pass, `alert Few: fired at 12.1 s, 1.6 s after the beginning of phase "one dies", and cleared at 15.1 s, 3.4 s before the beginning of phase "one is replaced"`},
		{"clears too late", "name: Few, expr: 'count(fullstack_insert_total{instance!=\"web-4\"}) < 3 and on() (vector(time()) % 100 < 22)', fires: {in: one dies, within: 6s}, clears: {within: 1s}", nil, verdict.Fail, `alert Few: fired at 12.1 s and cleared at 22.1 s, 3.6 s after the beginning of phase "one is replaced", and had to within 1s`},
		{"clears and fires again", "name: Few, expr: 'count(fullstack_insert_total{instance!=\"web-4\"}) < 3 and on() (vector(time()) % 100 < 15 or vector(time()) % 100 > 16)', fires: {in: one dies, within: 6s}, clears: {within: 5s}", nil, verdict.Fail, `alert Few: fired at 12.1 s and never cleared: it had to within 5s of the beginning of phase "one is replaced" at 18.5 s`},
		{"clears until another one leaves", down + "for: 2s, fires: {in: one dies, within: 6s}, clears: {within: 6s}", nil, verdict.Fail, `alert WebDown: fired at 14.1 s and never cleared: it had to within 6s of the beginning of phase "one is replaced" at 18.5 s`},
		{"never clears", "name: Few, expr: 'count(fullstack_insert_total{instance!=\"web-4\"}) < 3', fires: {in: one dies, within: 6s}, clears: {within: 5s}", nil, verdict.Fail, `alert Few: fired at 12.1 s and never cleared: it had to within 5s of the beginning of phase "one is replaced" at 18.5 s`},
		{"must clear after the record", "name: Few, expr: 'count(fullstack_insert_total{instance!=\"web-4\"}) < 3', fires: {in: one dies, within: 6s}, clears: {within: 1m}", nil, verdict.Inconclusive, "alert Few: fired at 12.1 s, and the record ends at 29.1 s, before it had to clear at 78.5 s"},
		{"fires too late", down + "for: 4s, fires: {in: one dies, within: 3s}", nil, verdict.Fail, `alert WebDown: fired at 16.1 s, 5.6 s after the beginning of phase "one dies", and had to within 3s`},
		{"fires too late after a slow kill", down + "for: 4s, fires: {in: one dies, within: 3s}", slowSteps("one dies", 2500*time.Millisecond), verdict.Fail, `alert WebDown: fired at 16.1 s, 5.6 s after the beginning of phase "one dies", and had to within 3s`},
		{"fires late because the kill took so long", down + "for: 4s, fires: {in: one dies, within: 3s}", slowSteps("one dies", 2700*time.Millisecond), verdict.Inconclusive, `alert WebDown: did not fire within 3s of the beginning of phase "one dies", but its steps took 2.7 s of the 3.0 s in which it had to: that proves nothing; give the phase longer`},
		{"fires late and the kill was slow, but not that slow", down + "for: 4s, fires: {in: one dies, within: 5500ms}", slowSteps("one dies", 2700*time.Millisecond), verdict.Fail, `alert WebDown: fired at 16.1 s, 5.6 s after the beginning of phase "one dies", and had to within 5.5s`},
		{"never fires, however long the kill took", down + "for: 20s, fires: {in: one dies, within: 3s}", slowSteps("one dies", 2700*time.Millisecond), verdict.Fail, `alert WebDown: did not fire within 3s of the beginning of phase "one dies" at 10.5 s, nor later; its expression had a result at 16 points, never for 20s on end`},
		{"clears late because the launch took so long", "name: Few, expr: 'count(fullstack_insert_total{instance!=\"web-4\"}) < 3 and on() (vector(time()) % 100 < 22)', fires: {in: one dies, within: 6s}, clears: {within: 2s}", slowSteps("one is replaced", 1700*time.Millisecond), verdict.Inconclusive, `alert Few: fired at 12.1 s and did not clear within 2s of the beginning of phase "one is replaced", but its steps took 1.7 s of the 2.0 s in which it had to: that proves nothing; give the phase longer`},
		{"fires too early", "name: Any, expr: 'fullstack_insert_total > 0', fires: {in: one dies, within: 3s}", nil, verdict.Fail, `alert Any: fires at 3.1 s already, before phase "one dies" began at 10.5 s`},
		{"pending for ever", "name: Blinks, expr: 'count(fullstack_insert_total) < 3 and on() (vector(time()) % 3 > 1)', for: 3s, fires: {in: one dies, within: 6s}", nil, verdict.Fail, `alert Blinks: did not fire within 6s of the beginning of phase "one dies" at 10.5 s, nor later; its expression had a result at 11 points, never for 3s on end`},
		{"nothing to compare", "name: AllDown, expr: 'count(nothing) < 1', never_seen: yes, fires: {in: one dies, within: 6s}", nil, verdict.Fail, `alert AllDown: did not fire within 6s of the beginning of phase "one dies" at 10.5 s, nor later; its expression never had a result in this run: where nothing is left to count there is no series to compare, and absent() may be missing`},
		{"a name that nobody sends", "name: Quiet, expr: 'sum(rate(fullstack_isnert_total[3s])) < 1', silent: [one dies]", nil, verdict.Inconclusive, `alert Quiet: sum(rate(fullstack_isnert_total[3s])) < 1: not evaluated, no series of this run was ever fullstack_isnert_total: did you mean fullstack_insert_total?` + maybeNever},
		{"a label that nobody has", "name: Quiet, expr: 'fullstack_insert_total{zone=\"d\"} < 1 or fullstack_inflight > 1e9', silent: [one dies]", nil, verdict.Inconclusive, `alert Quiet: fullstack_insert_total{zone="d"} < 1 or fullstack_inflight > 1e9: not evaluated, no series of this run was ever fullstack_insert_total{zone="d"}: no series of fullstack_insert_total has zone="d" (there are a, b, c).` + maybeNever},
		{"what may never be", "name: Quiet, expr: 'fullstack_errors_total > 0', never_seen: yes, silent: [one dies]", nil, verdict.Pass, `alert Quiet: silent in phase "one dies": 8 points evaluated, pending at 0`},
		{"silent", "name: Quiet, expr: 'sum(rate(fullstack_insert_total[3s])) < 1', silent: [one dies]", nil, verdict.Pass, `alert Quiet: silent in phase "one dies": 8 points evaluated, pending at 0`},
		{"silent, but pending", down + "for: 20s, silent: [one dies]", nil, verdict.Pass, `alert WebDown: silent in phase "one dies": 8 points evaluated, pending at 7`},
		{"not silent", down + "silent: [one dies]", nil, verdict.Fail, `alert WebDown: fires in phase "one dies", where it must be silent: at 7 of 8 points, first at 12.1 s`},
		{"the end of the record is too early", "name: Late, expr: 'fullstack_insert_total > 1e9', fires: {in: one is replaced, within: 1m}", nil, verdict.Inconclusive, "alert Late: the record ends at 29.1 s, before it had to fire at 78.5 s"},
		{"no such journal", down + "fires: {in: one dies, within: 6s}", func(h *record.History) {
			h.Events = h.Events[:0]
		}, verdict.Inconclusive, "alert WebDown: the journal does not tell when the phases began and ended"},
		{"a warning", "name: Odd, expr: 'quantile(2, fullstack_insert_total) > 0', silent: [run]", nil, verdict.Inconclusive, "alert Odd: quantile(2, fullstack_insert_total) > 0: could not be evaluated: PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.checks = "  - alert: {" + c.rule + "}\n"
			h := p.make()
			if c.change != nil {
				c.change(&h)
			}
			var got []verdict.Finding
			for _, f := range judged(t, h).Findings {
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

// slowSteps has the steps of a phase end so long after its beginning.
func slowSteps(phase string, took time.Duration) func(*record.History) {
	return func(h *record.History) {
		var begin time.Duration
		for i := range h.Events {
			switch e := &h.Events[i]; {
			case e.Kind == record.PhaseBegin && e.Phase == phase:
				begin = e.At
			case e.Kind == record.StepEnd && e.Phase == phase:
				e.At = begin + took
			}
		}
	}
}

// Each element of a result is pending for itself: two that take turns never
// fire together.
func TestAlertsArePendingOneByOne(t *testing.T) {
	p := talk()
	p.checks = "  - alert: {name: Turns, expr: turns == 1, for: 1s, silent: [run]}\n"
	h := p.make()
	for i, name := range []string{"a", "b"} {
		s := record.Series{Name: "turns", Labels: collector.NewLabels("who", name), Meta: collector.Meta{Type: collector.Gauge}}
		for k := range 28 {
			s.Points = append(s.Points, record.Point{At: worldPhase + time.Duration(k)*time.Second, Value: float64((k + i) % 2), Observed: 1})
		}
		h.Series = append(h.Series, s)
	}
	says(t, judged(t, h), "alert", verdict.Pass, `alert Turns: silent in phase "run": 24 points evaluated, pending at 24`)
}

func TestAlertsThatAreRefused(t *testing.T) {
	for expr, want := range map[string]string{
		"up <":                     `x.yaml:7:3: alert Down: "up <": `,
		"up < bool 1":              "an alert fires for each element of a vector, also for one whose value is 0; compare a vector, without bool",
		"scalar(up) - 1":           "an alert fires for each element of a vector",
		"up == 0":                  "",
		"absent(up)":               "",
		"count(rate(x[2s]) > 0)<3": "",
	} {
		s := script.Scenario{Checks: []script.Check{{Pos: script.Pos{File: "x.yaml", Line: 7, Column: 3}, Promise: script.Alert{Name: "Down", Expr: expr}}}}
		err := signals.ValidateExprs(s)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", expr, err, want)
		}
	}
}

// TestAlertFindsWhatWasPutIn makes a signal that is up for some intervals and
// compares the rule with a simple count of them.
func TestAlertFindsWhatWasPutIn(t *testing.T) {
	unhurried(t)
	const runs = 120 // each makes a store on disk
	for seed := range uint64(runs) {
		rnd := rand.New(rand.NewPCG(seed, 41))
		pending := rnd.IntN(5)
		within := 1 + rnd.IntN(7)
		p := talk()
		p.rate = 20
		p.checks = fmt.Sprintf("  - alert: {name: Up, expr: signal == 1, for: %ds, fires: {in: one dies, within: %ds}}\n", pending, within)
		h := p.make()
		from, long := 11+rnd.IntN(8), rnd.IntN(8)
		s := record.Series{Name: "signal", Meta: collector.Meta{Type: collector.Gauge}}
		for k := range 29 {
			up := 0.0
			if k >= from && k < from+long {
				up = 1
			}
			s.Points = append(s.Points, record.Point{At: worldPhase + time.Duration(k)*time.Second, Value: up, Observed: 1})
		}
		h.Series = append(h.Series, s)
		fires := worldPhase + time.Duration(from+pending)*time.Second
		want := verdict.Fail
		if long > pending && fires <= 10500*time.Millisecond+time.Duration(within)*time.Second {
			want = verdict.Pass
		}
		for _, f := range judged(t, h).Findings {
			if f.Check == "alert" && f.Outcome != want {
				t.Fatalf("seed %d: up from %d for %d, pending %d, within %d: %v, want %v: %s", seed, from, long, pending, within, f.Outcome, want, f.Summary)
			}
		}
	}
}
