package diff_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/report/diff"
)

// runOf is a run with 200 acknowledged requests that waited 1 to 200 ms, and a cause for
// each of those given, each with so many lost.
func runOf(o verdict.Outcome, lost map[string]int64) diff.Run {
	r := diff.Run{Dir: "runs/x", Verdict: verdict.Verdict{Scenario: "x", Outcome: o, Title: "t"}}
	for i := range 200 {
		r.Requests = append(r.Requests, record.Request{Route: "insert", Outcome: record.Acked, Done: time.Duration(i+1) * time.Millisecond})
	}
	r.Requests = append(r.Requests, record.Request{Route: "insert", Outcome: record.Unknown, Done: time.Hour})
	for cause, n := range lost {
		r.Verdict.Findings = append(r.Verdict.Findings, verdict.Finding{Outcome: verdict.Fail, Cause: cause, Lost: n}, verdict.Finding{Outcome: verdict.Pass, Lost: 99})
		at := len(r.Verdict.Findings)
		r.Verdict.Explanations = append(r.Verdict.Explanations, verdict.Explanation{Cause: cause, Title: "title of " + cause, Findings: []int{at - 2, at - 1}})
	}
	return r
}

func TestCompare(t *testing.T) {
	pass, fail, open := verdict.Pass, verdict.Fail, verdict.Inconclusive
	late, lost := map[string]int64{"late": 10}, map[string]int64{"lost-on-exit": 20}
	for _, c := range []struct {
		name          string
		before, after diff.Run
		want          string
		causes        []diff.Cause
	}{
		{"both pass", runOf(pass, nil), runOf(pass, nil), diff.AsGood, nil},
		{"a fail after a pass", runOf(pass, nil), runOf(fail, lost), diff.Worse,
			[]diff.Cause{{Cause: "lost-on-exit", State: "new", Title: "title of lost-on-exit", After: 0.1}}},
		{"the same fail, twice as heavy", runOf(fail, late), runOf(fail, map[string]int64{"late": 20}), diff.AsGood,
			[]diff.Cause{{Cause: "late", State: "both", Title: "title of late", Before: 0.05, After: 0.1}}},
		{"another fail", runOf(fail, late), runOf(fail, lost), diff.Worse, []diff.Cause{
			{Cause: "lost-on-exit", State: "new", Title: "title of lost-on-exit", After: 0.1}, {Cause: "late", State: "gone", Title: "title of late", Before: 0.05}}},
		{"mended", runOf(fail, late), runOf(pass, nil), diff.AsGood, []diff.Cause{{Cause: "late", State: "gone", Title: "title of late", Before: 0.05}}},
		{"nothing was proved before", runOf(open, nil), runOf(pass, nil), diff.Unknown, nil},
		{"nothing was proved after", runOf(pass, nil), runOf(open, nil), diff.Unknown, nil},
	} {
		got := diff.Compare(c.before, c.after)
		if got.Verdict != c.want {
			t.Errorf("%s: %s, want %s", c.name, got.Verdict, c.want)
		}
		if d := cmp.Diff(c.causes, got.Causes); d != "" {
			t.Errorf("%s: causes (-want +got):\n%s", c.name, d)
		}
		want := []diff.Latency{{Route: "insert", Before: diff.Quantiles{N: 200, P50: 100, P99: 198}, After: diff.Quantiles{N: 200, P50: 100, P99: 198}}}
		if d := cmp.Diff(want, got.Routes); d != "" {
			t.Errorf("%s: routes (-want +got):\n%s", c.name, d)
		}
	}
}

func TestText(t *testing.T) {
	before, after := runOf(verdict.Pass, nil), runOf(verdict.Fail, map[string]int64{"lost-on-exit": 20})
	after.Requests = append(after.Requests, record.Request{Route: "get", Outcome: record.Acked, Done: 3 * time.Millisecond})
	var out strings.Builder
	if err := diff.WriteText(&out, diff.Compare(before, after)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"WORSE  ", "new   lost-on-exit: title of lost-on-exit, 10 % of the requests\n", "\n  get p50      –          3.0 ms\n", "\n  insert p99   198.0 ms   198.0 ms\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in:\n%s", want, out.String())
		}
	}
}
