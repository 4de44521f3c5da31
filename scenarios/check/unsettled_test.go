package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// miscounting is a run whose instances miss one insert in 25, which is a failure
// of several checks.
func miscounting() plan {
	p := talk()
	p.checks = allChecks + promises
	p.counts = func(_ string, nth int, _ time.Duration) int64 { return int64(min(1, nth%25)) }
	return p
}

// A run that was interrupted accuses nobody: what is missing may have been on its
// way when the record was closed.
func TestARunThatDidNotSettleAccusesNobody(t *testing.T) {
	if v := judged(t, miscounting().make()); v.Outcome != verdict.Fail || v.Unexplained == 0 || len(said(v, "conservation", verdict.Fail)) < 2 {
		t.Fatalf("the run to its end: %v, %d unexplained; want a failure that can be taken back", v.Outcome, v.Unexplained)
	}
	for why, change := range map[string]func(*record.History){
		"the run was interrupted at 20.0 s, and nothing could settle": func(h *record.History) {
			tell(h, record.Event{At: 20 * time.Second, Kind: record.Interrupted})
		},
		"the run was cut short, and nothing could settle": func(h *record.History) { h.Events = h.Events[:len(h.Events)-1] },
	} {
		h := miscounting().make()
		change(&h)
		v := judged(t, h)
		for _, f := range v.Findings {
			if f.Outcome == verdict.Fail || f.Cause != "" || f.RunnerUp != "" {
				t.Errorf("%s: %v %s, likely cause %q: %s", why, f.Outcome, f.Check, f.Cause, f.Summary)
			}
			if f.Outcome == verdict.Inconclusive && f.Lost+f.Extra > 0 {
				t.Errorf("%s: a doubt with a number, %d lost and %d extra: %s", why, f.Lost, f.Extra, f.Summary)
			}
		}
		for _, r := range v.Residuals {
			if r.Cause == verdict.CauseUnexplained {
				t.Errorf("%s: %+v is unexplained", why, r)
			}
		}
		if v.Outcome != verdict.Inconclusive || v.Unexplained != 0 {
			t.Errorf("%s: outcome %v, %d unexplained", why, v.Outcome, v.Unexplained)
		}
		doubts := said(v, "conservation", verdict.Inconclusive)
		if want := []string{"conservation is not judged: " + why}; !slices.Equal(doubts, want) {
			t.Errorf("conservation says %q, want %q", doubts, want)
		}
		if len(said(v, "continuity", verdict.Pass)) == 0 {
			t.Errorf("%s: continuity no longer says that points were there", why)
		}
	}
}

// A waiver is not idle only because the run was interrupted before what it is for.
func TestAWaiverIsNotIdleInAnInterruptedRun(t *testing.T) {
	p := miscounting()
	p.checks += "waive:\n  - {check: conservation, reason: known}\n"
	h := p.make()
	if v := judged(t, h); len(said(v, "waive", verdict.Pass)) != 1 {
		t.Fatalf("the run to its end: %v", v.Findings)
	}
	tell(&h, record.Event{At: 20 * time.Second, Kind: record.Interrupted})
	v := judged(t, h)
	for _, f := range v.Findings {
		if f.Check == "waive" || f.Waived != "" {
			t.Errorf("%v %s: %s", f.Outcome, f.Check, f.Summary)
		}
	}
}

// A note is told and leaves the outcome as it is; trouble does not.
func TestNotesTouchNoOutcome(t *testing.T) {
	p := talk()
	p.checks = allChecks
	h := p.make()
	tell(&h, record.Event{At: 4 * time.Second, Kind: record.Note, About: "poller mongo", Count: 2, Error: "2 of 24 polls failed"})
	tell(&h, record.Event{At: 24 * time.Second, Kind: record.Note, About: "stop web-3", Instance: "web-3", Role: record.Web})
	v := judged(t, h)
	if v.Outcome != verdict.Pass {
		t.Errorf("outcome %v: %v", v.Outcome, v.Findings)
	}
	if want := []string{"poller mongo at 4.0 s: 2 of 24 polls failed", "stop web-3 at 24.0 s"}; !slices.Equal(v.Notes, want) {
		t.Errorf("notes %q, want %q", v.Notes, want)
	}
	if passed := said(v, "harness", verdict.Pass); len(passed) != 1 || !strings.Contains(passed[0], "no poll failed but of what a fault kept from answering") {
		t.Errorf("harness says %q", passed)
	}
	tell(&h, record.Event{At: 5 * time.Second, Kind: record.Trouble, About: "poller mongo", Count: 1, Error: "1 of 24 polls failed"})
	if v := judged(t, h); v.Outcome != verdict.Inconclusive {
		t.Errorf("with a poll that failed unexpectedly: %v", v.Outcome)
	}
}

// A doubt that names a cause or a number accuses too, a plain one does not.
func TestDoubtsOfARunThatDidNotSettle(t *testing.T) {
	h := talk().make()
	tell(&h, record.Event{At: 20 * time.Second, Kind: record.Interrupted})
	s, err := script.Parse("x.yaml", h.Scenario, script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	doubts := rule(func(*evidence.Index) []verdict.Finding {
		return []verdict.Finding{{Check: "a", Summary: "nothing was looked at"}, {Check: "a", Summary: "is gone", Cause: diagnose.LostOnExit}, {Check: "a", Summary: "3 are gone", Lost: 3}}
	})
	says(t, judge(evidence.New(h, s), []namedCheck{{"a", doubts}}), "a", verdict.Inconclusive,
		"a is not judged: the run was interrupted at 20.0 s, and nothing could settle", "nothing was looked at")
}
