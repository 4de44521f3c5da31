package check

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/signals"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Where an expression does not hold only when the load generator or the collector was late by more than an interval, what
// there would have been to see is not known; where it fails at other times too, it fails.
func TestExpressionsOnALateMachine(t *testing.T) {
	const check = "  - promql: {expr: 'sum(rate(fullstack_insert_total[3s])) > 170', throughout: one dies}\n"
	plain := talk()
	plain.checks = check
	h := plain.make()
	f := said(judged(t, h), "promql", verdict.Fail)
	if len(f) != 1 {
		t.Fatalf("the expression holds, or proves nothing: %v", said(judged(t, h), "promql", verdict.Pass))
	}
	const doubt = ", but the load generator or the collector was late by more than an interval itself then"
	for name, c := range map[string]struct {
		late func(at time.Duration) float64
		want verdict.Outcome
	}{
		"late all the while": {func(time.Duration) float64 { return 1.2 }, verdict.Inconclusive},
		"late by less":       {func(time.Duration) float64 { return 0.9 }, verdict.Fail},
		"late before it": {func(at time.Duration) float64 {
			if at < 4*time.Second {
				return 1.2
			}
			return 0.01
		}, verdict.Fail},
	} {
		h := plain.make()
		own(&h, record.FlushLateness, "", c.late)
		got := said(judged(t, h), "promql", c.want)
		want := f[0]
		if c.want == verdict.Inconclusive {
			want += doubt
		}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestExpressions(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	killed := filepath.Join(os.Getenv("TMPDIR"), "throughline-judge-1") // what a judge left behind that was killed
	if err := errors.Join(os.Mkdir(killed, 0o700), os.WriteFile(filepath.Join(killed, ".scratch"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		check   string
		outcome verdict.Outcome
		want    string
	}{
		{`expr: 'sum(rate(fullstack_insert_total[3s])) > 50', throughout: one dies`, verdict.Pass,
			`sum(rate(fullstack_insert_total[3s])) > 50 holds throughout phase "one dies": 8 points evaluated`},
		{`expr: 'fullstack_insert_total{instance="web-2"} > 0', throughout: run`, verdict.Fail,
			`fullstack_insert_total{instance="web-2"} > 0 does not hold throughout phase "run": not at 15 of 24 points, first at 12.1 s`},
		{`expr: 'fullstack_insert_total{instance="web-4"} > 0', within: one is replaced`, verdict.Pass,
			`fullstack_insert_total{instance="web-4"} > 0 holds within phase "one is replaced": first at 19.1 s, at 8 of 8 points`},
		{`expr: 'fullstack_insert_total{instance="web-4"} > 0', within: one dies`, verdict.Fail,
			`fullstack_insert_total{instance="web-4"} > 0 never holds within phase "one dies": 8 points evaluated`},
		{`expr: 'fullstack_insert_total{instance="web-3"} < bool 0', within: run`, verdict.Fail,
			`fullstack_insert_total{instance="web-3"} < bool 0 never holds within phase "run": 24 points evaluated`},
		{`expr: 'vector(0) == 0', never_seen: yes, throughout: run`, verdict.Pass, `vector(0) == 0 holds throughout phase "run": 24 points evaluated`},
		{`expr: 'scalar(vector(1)) - 1', never_seen: yes, within: run`, verdict.Fail, `scalar(vector(1)) - 1 never holds within phase "run": 24 points evaluated`},
		{`expr: '2 > bool 1', never_seen: yes, throughout: run`, verdict.Pass, `2 > bool 1 holds throughout phase "run": 24 points evaluated`},
		{`expr: 'absent(nothing)', never_seen: yes, throughout: warm-up`, verdict.Pass, `absent(nothing) holds throughout phase "warm-up": 8 points evaluated`},
		{`expr: 'absent(nothing)', within: run`, verdict.Inconclusive, `absent(nothing): not evaluated, no series of this run was ever nothing: the record has no such name, nor one like it; it has fullstack_inflight, fullstack_insert_total, haproxy_backend_econ, haproxy_backend_eresp, haproxy_backend_hrsp_5xx, … (28 in all).` + maybeNever},
		{`expr: 'fullstack_insert > 0', within: run`, verdict.Inconclusive, `fullstack_insert > 0: not evaluated, no series of this run was ever fullstack_insert: did you mean fullstack_insert_total?` + maybeNever},
		{`expr: 'sum(fullstack_insert_total) / sum(fullstack_insert_total{instnce="web-1"})', within: run`, verdict.Inconclusive, `sum(fullstack_insert_total) / sum(fullstack_insert_total{instnce="web-1"}): not evaluated, no series of this run was ever fullstack_insert_total{instnce="web-1"}: no series of fullstack_insert_total has a label instnce; did you mean instance?` + maybeNever},
		{`expr: 'fullstack_insert_total{instance="web-1",zone="b"}', within: run`, verdict.Inconclusive, `fullstack_insert_total{instance="web-1",zone="b"}: not evaluated, no series of this run was ever fullstack_insert_total{instance="web-1",zone="b"}: each of its labels is there, but no series has all of them at once.` + maybeNever},
		{`expr: 'vector(0) == 0', within: run`, verdict.Inconclusive, `vector(0) == 0: not evaluated, it asks for no series, so it says nothing of this run`},
		{`expr: 'max_over_time((rate(fullstack_insert_total{zone!="x"}[3s]) > 0)[5s:1s])', within: run`, verdict.Pass, `max_over_time((rate(fullstack_insert_total{zone!="x"}[3s]) > 0)[5s:1s]) holds within phase "run": first at 5.1 s, at 22 of 24 points`},
	} {
		p := talk()
		p.checks = "  - promql: {" + c.check + "}\n"
		v := judged(t, p.make())
		says(t, v, "promql", c.outcome, c.want)
	}
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// What must hold within a phase had no fair chance where the phase's own steps took
// most of it.
func TestExpressionsAfterSlowSteps(t *testing.T) {
	for _, c := range []struct {
		took    time.Duration
		phase   string
		outcome verdict.Outcome
		want    string
	}{
		{3900 * time.Millisecond, "one is replaced", verdict.Fail, `fullstack_insert_total > 1e9 never holds within phase "one is replaced": 8 points evaluated`},
		{4100 * time.Millisecond, "one is replaced", verdict.Inconclusive, `fullstack_insert_total > 1e9 never holds within phase "one is replaced", but its steps took 4.1 s of the 8.0 s in which it had to: that proves nothing; give the phase longer`},
		{7900 * time.Millisecond, "run", verdict.Fail, `fullstack_insert_total > 1e9 never holds within phase "run": 24 points evaluated`},
	} {
		p := talk()
		p.checks = "  - promql: {expr: 'fullstack_insert_total > 1e9', within: " + c.phase + "}\n"
		h := p.make()
		slowSteps("one is replaced", c.took)(&h)
		says(t, judged(t, h), "promql", c.outcome, c.want)
	}
}

func TestExpressionsThatAreNotEvaluated(t *testing.T) {
	p := talk()
	p.checks = "  - promql: {expr: 'up == 1', throughout: one dies}\n"
	h := p.make()
	kept := h.Events[:0]
	for _, e := range h.Events {
		if e.Kind != record.PhaseEnd {
			kept = append(kept, e)
		}
	}
	h.Events = kept
	says(t, judged(t, h), "promql", verdict.Inconclusive, `up == 1: the journal does not tell when phase "one dies" began and ended`)

	warned := talk()
	warned.checks = "  - promql: {expr: 'quantile(2, fullstack_insert_total) > 0', within: run}\n"
	says(t, judged(t, warned.make()), "promql", verdict.Inconclusive, `quantile(2, fullstack_insert_total) > 0: could not be evaluated: PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)`)

	p.phases[1].long = 100 * time.Millisecond
	says(t, judged(t, p.make()), "promql", verdict.Inconclusive, `up == 1: no interval of the collector ends in phase "one dies", so it was not evaluated`)

	p = talk()
	p.checks = "  - promql: {expr: 'fullstack_insert_total + on() fullstack_inflight > 0', throughout: one dies}\n"
	if got := said(judged(t, p.make()), "promql", verdict.Inconclusive); len(got) != 1 || !strings.Contains(got[0], "could not be evaluated") {
		t.Errorf("got %q", got)
	}
}

// TestGreedyExpressions: what would take hours or all memory is refused before a
// run, and before a record is judged.
func TestGreedyExpressions(t *testing.T) {
	for expr, want := range map[string]string{
		strings.Repeat("(", 50_000) + "1" + strings.Repeat(")", 50_000): "the expression has 100001 bytes: want at most",
		`sum_over_time(count({__name__=~".+"})[10y:1ms]) > 0`:           "the query evaluates 315446486402 steps",
		`sum_over_time(x[1h:1s]) > 0`:                                   "the query looks at 311130001 steps of subqueries in its windows",
	} {
		at := script.Pos{File: "x.yaml", Line: 7, Column: 3}
		for _, c := range []script.Check{
			{Pos: at, Promise: script.PromQL{Expr: expr, Within: script.WholeRun}},
			{Pos: at, Promise: script.Alert{Name: "a", Expr: expr}},
		} {
			s := script.Scenario{Phases: []script.Phase{{Name: "one", For: 20 * time.Hour}, {Name: "two", For: 4 * time.Hour}}, Checks: []script.Check{c}}
			err := signals.ValidateExprs(s)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.yaml:7:3: "+c.Kind()) || len(err.Error()) > 1000 {
				t.Errorf("%s: %.60s: error %.400v, want %q", c.Kind(), expr, err, want)
			}
		}
	}
	p := talk()
	p.checks = "  - promql: {expr: 'sum_over_time(up[10y:1ms]) > 0', throughout: run}\n"
	if _, err := Judge(p.make()); err == nil || !strings.Contains(err.Error(), "the query evaluates") {
		t.Errorf("judged: %v", err)
	}
}

func TestBadExpressionsAreErrors(t *testing.T) {
	for expr, want := range map[string]string{
		"sum(":                    "promql: \"sum(\": ",
		"x[5s]":                   "gives neither an instant vector nor a scalar",
		`"text"`:                  "gives neither an instant vector nor a scalar",
		"rate(x)":                 "expected type range vector",
		"x) + (y":                 "promql:",
		`x{a="b"} == 1 # comment`: "",
	} {
		s := script.Scenario{Checks: []script.Check{{Pos: script.Pos{File: "x.yaml", Line: 7, Column: 3}, Promise: script.PromQL{Expr: expr}}}}
		err := signals.ValidateExprs(s)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", expr, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.yaml:7:3: ")):
			t.Errorf("%s: error %v, want %q", expr, err, want)
		}
	}
	p := talk()
	p.checks = "  - promql: {expr: 'sum(', throughout: run}\n"
	if _, err := Judge(p.make()); err == nil {
		t.Error("judged")
	}
}
