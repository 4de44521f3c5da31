package check

import (
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// verdictOf gives a verdict that has what the record says of its run, and has judged
// nothing yet.
func verdictOf(h record.History, scenario string) verdict.Verdict {
	return verdict.Verdict{Version: verdict.Format, Scenario: scenario, Seed: h.Run.Seed, Platform: h.Run.Platform, Start: inUTC(h.Run.Start), Versions: h.Run.Versions,
		Phases: phases(h.Events), Findings: []verdict.Finding{}, LedgerEntries: []verdict.Ledger{}, Residuals: []verdict.Residual{}}
}

// inUTC keeps a verdict from telling the time zone of the machine it was given on. A time
// whose year has no four digits there, as only a forged record can have, stays as it is.
func inUTC(t time.Time) time.Time {
	if utc := t.UTC(); utc.Year() >= 0 && utc.Year() <= 9999 {
		return utc
	}
	return t
}

// phases are those that began, as the journal has them. One without an end lasts until the
// next begins, or the record ends.
func phases(events []record.Event) []verdict.Phase {
	out := []verdict.Phase{}
	var open *verdict.Phase
	for _, e := range events {
		if open != nil && (e.Kind == record.PhaseBegin || e.Kind == record.PhaseEnd && e.Phase == open.Name) {
			open.To, open = e.At.Seconds(), nil
		}
		if e.Kind == record.PhaseBegin {
			out = append(out, verdict.Phase{Name: e.Phase, From: e.At.Seconds()})
			open = &out[len(out)-1]
		}
	}
	if open != nil {
		open.To = events[len(events)-1].At.Seconds()
	}
	return out
}
