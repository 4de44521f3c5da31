package check

import (
	"fmt"

	"throughline/scenarios/check/story"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// checkWaive is under which name waivers are told.
const checkWaive = story.CheckWaive

// waivers accept failures that the scenario declares as known. What is
// inconclusive is not accepted: it proves nothing, and no reason changes that.
type waivers struct {
	declared []script.Waiver
	list     []verdict.Waiver
}

func newWaivers(s script.Scenario) *waivers {
	w := &waivers{declared: s.Waive}
	for _, r := range s.Waive {
		w.list = append(w.list, verdict.Waiver{Check: r.Check, Instance: r.Instance, Reason: r.Reason})
	}
	return w
}

// apply waives what a check found. A finding that only sums up is waived when
// nothing that it sums up is left.
func (w *waivers) apply(r *verdict.Result) {
	left, used := 0, -1
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.Outcome != verdict.Fail {
			continue
		}
		k := w.match(*f)
		switch {
		case r.Sums && i == len(r.Findings)-1:
			if left == 0 && used >= 0 {
				w.waive(f, used)
			}
			continue
		case k < 0:
			left++
			continue
		}
		used = k
		if w.follows(*f, k) { // it is the same failure, seen from another side
			w.waive(f, k)
			w.book(r.Residuals, *f)
			continue
		}
		w.list[k].Findings++
		w.list[k].Lost += f.Lost
		w.list[k].Extra += f.Extra
		w.waive(f, k)
		w.book(r.Residuals, *f)
	}
}

// match finds the first waiver for a finding; -1: none.
func (w *waivers) match(f verdict.Finding) int {
	for k, r := range w.declared {
		if r.Check == f.Check && (r.Instance == "" || r.Instance == f.Instance || w.follows(f, k)) {
			return k
		}
	}
	return -1
}

// follows tells whether a finding about the whole stack is no larger than what
// was waived of single instances: the database holds what their metric lacks.
func (w *waivers) follows(f verdict.Finding, k int) bool {
	return f.Check == tiers.CheckConservation && f.Cause == verdict.CauseMetricDiffers && w.list[k].Findings > 0 &&
		f.Lost <= w.list[k].Lost+f.Bound && f.Extra <= w.list[k].Extra+f.Bound
}

func (w *waivers) waive(f *verdict.Finding, k int) {
	f.Outcome, f.Waived = verdict.Pass, w.declared[k].Reason
	f.Summary = fmt.Sprintf("waived (%s): %s", f.Waived, f.Summary)
}

// book moves what a waived finding could not explain to the waiver: of its
// instance, between its layer and the users', or the web's where its metric differs.
func (w *waivers) book(residuals []verdict.Residual, f verdict.Finding) {
	for i := range residuals {
		r := &residuals[i]
		from, to := r.Layers()
		same := to == f.Layer && (from == record.LayerUsers) == (f.Cause != verdict.CauseMetricDiffers)
		if same && r.Instance == f.Instance && r.Cause == verdict.CauseUnexplained {
			r.Cause = verdict.CauseWaived
		}
	}
}

// findings tells what was waived. A waiver that covered nothing leaves the run
// open: it hides nothing today, and would hide the next failure unseen. Passing
// it over would keep it for ever, and failing would blame the application for a
// line in the scenario.
func (w *waivers) findings() []verdict.Finding {
	var out []verdict.Finding
	for k, x := range w.list {
		what := x.Check
		if x.Instance != "" {
			what += " of " + x.Instance
		}
		f := verdict.Finding{Check: checkWaive, Instance: x.Instance, Outcome: verdict.Pass, Lost: x.Lost, Extra: x.Extra, Waived: x.Reason,
			Summary: fmt.Sprintf("%s of %s waived: %s", words.Times(int64(x.Findings), "failure"), what, x.Reason)}
		if x.Findings == 0 {
			f.Outcome, f.Waived = verdict.Inconclusive, ""
			f.Summary = fmt.Sprintf("%s: nothing of %s failed, so the waiver (%s) covers nothing: remove it, before it hides something else", w.declared[k].Pos, what, x.Reason)
		}
		out = append(out, f)
	}
	return out
}
