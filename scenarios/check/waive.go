package check

import (
	"fmt"
	"strings"

	"throughline/scenarios/script"
)

// checkWaive is under which name waivers are told.
const checkWaive = "waive"

// waivers accept failures that the scenario declares as known. What is
// inconclusive is not accepted: it proves nothing, and no reason changes that.
type waivers struct {
	rules []script.Waiver
	list  []Waiver
}

func newWaivers(s script.Scenario) *waivers {
	w := &waivers{rules: s.Waive}
	for _, r := range s.Waive {
		w.list = append(w.list, Waiver{Check: r.Check, Instance: r.Instance, Reason: r.Reason})
	}
	return w
}

// apply waives what a check found. A finding that only sums up is waived when
// nothing that it sums up is left.
func (w *waivers) apply(r *result) {
	left, used := 0, -1
	for i := range r.findings {
		f := &r.findings[i]
		if f.Outcome != Fail {
			continue
		}
		k := w.match(*f)
		switch {
		case r.sums && i == len(r.findings)-1:
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
			w.book(r.residuals, *f)
			continue
		}
		w.list[k].Findings++
		w.list[k].Lost += f.Lost
		w.list[k].Extra += f.Extra
		w.waive(f, k)
		w.book(r.residuals, *f)
	}
}

// match finds the first waiver for a finding; -1: none.
func (w *waivers) match(f Finding) int {
	for k, r := range w.rules {
		if r.Check == f.Check && (r.Instance == "" || r.Instance == f.Instance || w.follows(f, k)) {
			return k
		}
	}
	return -1
}

// follows tells whether a finding about the whole stack is no larger than what
// was waived of single instances: the database holds what their metric lacks.
func (w *waivers) follows(f Finding, k int) bool {
	return f.Check == checkConservation && f.Cause == causeMetricDiffers && w.list[k].Findings > 0 &&
		f.Lost <= w.list[k].Lost+f.Bound && f.Extra <= w.list[k].Extra+f.Bound
}

func (w *waivers) waive(f *Finding, k int) {
	f.Outcome, f.Waived = Pass, w.rules[k].Reason
	f.Summary = fmt.Sprintf("waived (%s): %s", f.Waived, f.Summary)
}

// book moves what a waived finding could not explain to the waiver: of its
// instance, between its layer and the one before.
func (w *waivers) book(residuals []Residual, f Finding) {
	for i := range residuals {
		r := &residuals[i]
		between := strings.HasSuffix(r.Between, "→"+f.Layer) && (r.Between == webDB) == (f.Cause == causeMetricDiffers)
		if between && r.Instance == f.Instance && r.Cause == causeUnexplained {
			r.Cause = causeWaived
		}
	}
}

// findings tells what was waived. A waiver that covered nothing leaves the run
// open: it hides nothing today, and would hide the next failure unseen. Passing
// it over would keep it for ever, and failing would blame the application for a
// line in the scenario.
func (w *waivers) findings() []Finding {
	var out []Finding
	for k, x := range w.list {
		what := x.Check
		if x.Instance != "" {
			what += " of " + x.Instance
		}
		f := Finding{Check: checkWaive, Instance: x.Instance, Outcome: Pass, Lost: x.Lost, Extra: x.Extra, Waived: x.Reason,
			Summary: fmt.Sprintf("%s of %s waived: %s", times(int64(x.Findings), "failure"), what, x.Reason)}
		if x.Findings == 0 {
			f.Outcome, f.Waived = Inconclusive, ""
			f.Summary = fmt.Sprintf("%s: nothing of %s failed, so the waiver (%s) covers nothing: remove it, before it hides something else", w.rules[k].Pos, what, x.Reason)
		}
		out = append(out, f)
	}
	return out
}
