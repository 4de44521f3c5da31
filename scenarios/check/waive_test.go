package check

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// waived is the talk's run with waivers.
func waived(waive string) plan {
	p := talk()
	p.checks = allChecks + "waive:\n" + waive
	return p
}

func TestWaivers(t *testing.T) {
	const web3 = "  - {check: conservation, instance: web-3, reason: known since May}\n"
	lost := func(h *record.History, instance string) {
		shift(*h, "fullstack_insert_total", instance, 12*time.Second, -30)
	}
	for _, c := range []struct {
		name     string
		waive    string
		change   func(*record.History)
		outcome  verdict.Outcome
		findings int
		want     string
	}{
		{"what is known", web3, func(h *record.History) { lost(h, "web-3") }, verdict.Pass, 1, "1 failure of conservation of web-3 waived: known since May"},
		{"another instance", web3, func(h *record.History) { lost(h, "web-3"); lost(h, "web-1") }, verdict.Fail, 1, "1 failure of conservation of web-3 waived: known since May"},
		{"another check", web3, func(h *record.History) {
			lost(h, "web-3")
			s := &h.Series[0]
			for i := range h.Series {
				if x := &h.Series[i]; x.Name == "fullstack_insert_total" && x.Labels.Get("instance") == "web-3" {
					s = x
				}
			}
			for k := 8; k < 16; k++ {
				s.Points[k].Observed = 0
			}
		}, verdict.Fail, 1, "1 failure of conservation of web-3 waived: known since May"},
		{"any instance", "  - {check: conservation, reason: known}\n", func(h *record.History) { lost(h, "web-3"); lost(h, "web-1") }, verdict.Pass, 2,
			"2 failures of conservation waived: known"},
		{"what the database lost is another matter", web3, func(h *record.History) { lost(h, "web-3"); gain(h, "word3", -5) }, verdict.Fail, 1, "1 failure of conservation of web-3 waived: known since May"},
		{"nothing failed", web3, func(*record.History) {}, verdict.Inconclusive, 0,
			"scenario.yaml:21:5: nothing of conservation of web-3 failed, so the waiver (known since May) covers nothing: remove it, before it hides something else"},
		{"what is inconclusive", web3, func(h *record.History) {
			lost(h, "web-3")
			tell(h, record.Event{At: 12 * time.Second, Kind: record.Trouble, About: "collector", Instance: "web-3", Count: 2})
		}, verdict.Inconclusive, 0, "scenario.yaml:21:5: nothing of conservation of web-3 failed, so the waiver (known since May) covers nothing: remove it, before it hides something else"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := waived(c.waive).make()
			c.change(&h)
			v := judged(t, h)
			if v.Outcome != c.outcome {
				t.Errorf("the run is %v, want %v: %+v", v.Outcome, c.outcome, v.Findings)
			}
			var texts []string
			for _, f := range v.Findings {
				if f.Check == "waive" {
					texts = append(texts, f.Summary)
				}
				if f.Waived != "" && (f.Outcome != verdict.Pass || f.Check != "waive" && !strings.HasPrefix(f.Summary, "waived ("+f.Waived+"): ")) {
					t.Errorf("%+v", f)
				}
			}
			if len(texts) != 1 || texts[0] != c.want {
				t.Errorf("got %q, want %q", texts, c.want)
			}
			if len(v.Waived) != 1 || v.Waived[0].Findings != c.findings || v.Waived[0].Lost < 30*int64(c.findings) {
				t.Errorf("waived %+v, want %d findings", v.Waived, c.findings)
			}
			for _, r := range v.Residuals {
				if c.outcome == verdict.Pass && (r.Cause == verdict.CauseUnexplained || v.Unexplained != 0) {
					t.Errorf("a run that passes has the residual %+v, %d unexplained", r, v.Unexplained)
				}
			}
		})
	}
}

// A check whose every finding is waived has nothing left to sum up.
func TestWaivedSums(t *testing.T) {
	p := talk()
	p.checks = "  - continuity: {metric: fullstack.insert, route: insert, max_gap: 2s}\nwaive:\n  - {check: continuity, instance: web-3, reason: known}\n"
	h := p.make()
	s := seriesOf(t, h, "fullstack_insert_total", "web-3")
	for k := 8; k < 16; k++ { // they come when the gap is over
		s.Points[16].Observed += s.Points[k].Observed
		s.Points[k].Observed = 0
	}
	v := judged(t, h)
	says(t, v, "continuity", verdict.Pass,
		"waived (known): continuity of fullstack.insert: 60 cells of 4 instances looked at, 8 missing, the longest gap 9.0 s of at most 2s",
		"waived (known): fullstack.insert of web-3 has a gap of 9.0 s from 10.2 s to 19.1 s: 8 cells missing, max_gap is 2s")
	if v.Outcome != verdict.Pass {
		t.Errorf("outcome %v", v.Outcome)
	}
}

// Without waivers the verdict's file is what it was.
func TestVerdictsWithoutWaivers(t *testing.T) {
	text, err := json.Marshal(judged(t, talk().make()))
	if err != nil || strings.Contains(string(text), "waive") || strings.Contains(string(text), "Waive") {
		t.Errorf("%v: %s", err, text)
	}
}
