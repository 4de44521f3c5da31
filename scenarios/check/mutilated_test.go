package check

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// TestMutilatedRecordsAreJudged takes things away from records and twists
// others: whatever is left is judged, and no check crashes.
func TestMutilatedRecordsAreJudged(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED by -short: it judges 250 records, which takes the race detector a quarter of a minute")
	}
	for seed := range uint64(250) {
		rnd := rand.New(rand.NewPCG(seed, 13))
		p := promising(anyPlan(seed))
		p.checks += "  - promql: {expr: 'sum(fullstack_insert_total) > 0', within: run}\n"
		p.checks += "  - alert: {name: Few, expr: 'count(fullstack_insert_total) < 3', fires: {in: warm-up, within: 6s}, clears: {within: 4s}, silent: [move 0]}\n"
		if seed%10 > 0 { // a store takes a while to make
			p.checks = strings.ReplaceAll(p.checks, "  - promql: {expr: 'sum(fullstack_insert_total) > 0', within: run}\n", "")
			p.checks = p.checks[:strings.Index(p.checks, "  - alert:")]
		}
		h := p.make()
		share := rnd.Float64()
		less := func() bool { return rnd.Float64() < share*share }
		h.Events = slices.DeleteFunc(h.Events, func(record.Event) bool { return less() })
		h.Requests = slices.DeleteFunc(h.Requests, func(record.Request) bool { return less() })
		h.Series = slices.DeleteFunc(h.Series, func(record.Series) bool { return less() })
		for i := range h.Series {
			s := &h.Series[i]
			s.Points = slices.DeleteFunc(s.Points, func(record.Point) bool { return less() })
			for k := range s.Points {
				if less() && rnd.IntN(4) == 0 {
					s.Points[k].Value = []float64{math.NaN(), math.Inf(1), -1, 1e300, 0.5}[rnd.IntN(5)]
				}
			}
		}
		for i := range h.Requests {
			if r := &h.Requests[i]; less() {
				r.Instance = []string{"", "web-1", "web-77", "lb"}[rnd.IntN(4)]
				r.Done += time.Duration(rnd.Int64N(int64(10*time.Second))) - 5*time.Second
				r.Outcome = record.Outcome(rnd.IntN(4))
			}
		}
		h.Executions = slices.DeleteFunc(h.Executions, func(record.Execution) bool { return less() })
		for i := range h.Executions {
			if x := &h.Executions[i]; less() {
				x.Seq = []uint64{0, x.Seq + 1, math.MaxUint64}[rnd.IntN(3)]
				x.Foreign, x.Answered = rnd.IntN(2) == 0, rnd.IntN(2) == 0
				x.Server, x.Termination, x.Retries = []string{"", "web-1", "web-77"}[rnd.IntN(3)], []string{"", "SH"}[rnd.IntN(2)], 65535
			}
		}
		if less() {
			h.Run.Interval = 0
		}
		if less() {
			h.Before = nil
		}
		v := judged(t, h)
		for _, f := range v.Findings {
			if strings.Contains(f.Summary, "crashed") {
				t.Fatalf("seed %d: %s", seed, f.Summary)
			}
		}
		if _, err := json.Marshal(v); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestOutcomesInFiles(t *testing.T) {
	for _, o := range []verdict.Outcome{verdict.Inconclusive, verdict.Pass, verdict.Fail} {
		text, err := json.Marshal(o)
		var back verdict.Outcome
		if err != nil || json.Unmarshal(text, &back) != nil || back != o {
			t.Errorf("%v: %s %v", o, text, err)
		}
	}
	var o verdict.Outcome
	if err := json.Unmarshal([]byte(`"maybe"`), &o); err == nil || !strings.Contains(err.Error(), `outcome "maybe": not one of pass, fail, inconclusive`) {
		t.Errorf("error %v", err)
	}
}

// unheard is a promise of a kind that no version has.
type unheard struct{ script.Hygiene }

func (unheard) Kind() string { return "unheard-of" }

func TestACheckThatThisVersionDoesNotHave(t *testing.T) {
	h := talk().make()
	s := mustParse(h)
	s.Checks = []script.Check{{Promise: unheard{}, Pos: script.Pos{File: "x.yaml", Line: 9, Column: 5}}}
	v := judge(evidence.New(h, s), checksOf(s, record.AllTiers()))
	says(t, v, "unheard-of", verdict.Inconclusive, "x.yaml:9:5: this version cannot judge the check unheard-of")
	if v.Outcome != verdict.Inconclusive {
		t.Errorf("outcome %v", v.Outcome)
	}
}
