// Package story tells people what a verdict comes to: in a title, in one sentence, and in
// explanations, each of which has what one cause did, and what only follows from it.
//
// A verdict has a finding for each check and instance that a defect touches. One client that
// is not flushed on exit makes twelve: the counts that are missing, the timer that lacks them
// too, the gaps, the database that differs from the metric. Here they become one explanation
// with one amount and one repair.
//
// It decides nothing: outcome, causes and numbers are the findings'. What a cause is called
// and how it is repaired, it has from docs/DIAGNOSES.md. scenarios/check calls it, at the end
// of every judgement.
package story

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// Tell fills in the title, the sentence and the explanations of a verdict that is complete
// otherwise. h is the record that it is on, and s the scenario by which that was judged; the
// same three give the same text. "238 of 2,729 inserts (8.7 %) were never counted: …".
func Tell(v *verdict.Verdict, h record.History, s script.Scenario) {
	t := newTeller(v, h, s)
	v.Explanations = []verdict.Explanation{}
	switch v.Outcome {
	case verdict.Pass:
		v.Title, v.Sentence = t.passed()
	case verdict.Fail:
		v.Explanations = t.doubts(t.causes())
		v.Title, v.Sentence = t.failed()
	default:
		v.Explanations = t.doubts(v.Explanations)
		if len(v.Explanations) > 0 { // failures are not borne out by a record that proves nothing
			v.Explanations[0].Consequences = append(v.Explanations[0].Consequences, t.having(verdict.Fail)...)
		}
		v.Title, v.Sentence = t.inconclusive()
	}
	v.Sentence += t.waivers() + t.otherChecks()
}

// teller is a verdict that is being told.
type teller struct {
	v          *verdict.Verdict
	h          record.History
	s          script.Scenario
	lives      []record.Lifetime      // of the instances of all roles of the application
	lifeAt     map[string]int         // where in lives an instance is
	begin, end time.Duration          // of the load; record.Never where the journal has none
	noun       string                 // for what the metrics count: "insert"
	acked      int64                  // how many of them users had acknowledged
	series     func() *evidence.Index // laid out when it is asked for first
}

func newTeller(v *verdict.Verdict, h record.History, s script.Scenario) *teller {
	t := &teller{v: v, h: h, s: s, series: sync.OnceValue(func() *evidence.Index { return evidence.OfSeries(h) }), lifeAt: map[string]int{}, begin: record.Never, end: record.Never}
	for _, l := range h.Lifetimes() {
		if l.Role.Application() {
			t.lifeAt[l.Instance] = len(t.lives)
			t.lives = append(t.lives, l)
		}
	}
	for _, ev := range h.Events {
		switch ev.Kind {
		case record.LoadBegin:
			t.begin = ev.At
		case record.LoadEnd:
			t.end = ev.At
		}
	}
	told := map[string]bool{} // several metrics may count the requests of one route
	for _, c := range script.Promised[script.Conservation](s) {
		if told[c.Route] {
			continue
		}
		told[c.Route] = true
		t.acked += t.ackedOf(c.Route)
		if t.noun != "" && t.noun != c.Route {
			t.noun = "request"
			continue
		}
		t.noun = c.Route
	}
	if t.noun == "" {
		t.noun = "request"
	}
	return t
}

// ackedOf is how many requests of a route users had acknowledged.
func (t *teller) ackedOf(route string) int64 {
	for _, l := range t.v.LedgerEntries {
		if l.Layer == record.LayerUsers && l.Route == route && l.Instance == "" {
			return l.Counts["acked"]
		}
	}
	return 0
}

// failed tells the weightiest cause, and names the others.
func (t *teller) failed() (title, sentence string) {
	all := t.v.Explanations
	if len(all) == 0 {
		return "A check does not hold", "A check does not hold, and no finding says why."
	}
	sentence = all[0].Sentence
	if all[0].Repair != "" {
		sentence += " " + all[0].Repair
	}
	return all[0].Title, sentence + also(all[1:])
}

// mostAlso is how many causes are named beside the weightiest.
const mostAlso = 2

// also names further causes: " Also: web-2 has too many series."
func also(others []verdict.Explanation) string {
	var titles []string
	for _, e := range others[:min(mostAlso, len(others))] {
		titles = append(titles, midway(e.Title))
	}
	if len(titles) == 0 {
		return ""
	}
	text := " Also: " + strings.Join(titles, "; ")
	if n := len(others) - len(titles); n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text + "."
}

// waivers tells what the scenario accepts.
func (t *teller) waivers() string {
	text := ""
	for _, w := range t.v.Waived {
		if w.Findings == 0 {
			continue
		}
		of := w.Check
		if w.Instance != "" {
			of += " of " + w.Instance
		}
		text += fmt.Sprintf(" Waived: %s of %s", words.Times(w.Findings, "failure"), of)
		if n := w.Lost + w.Extra; n > 0 {
			text += fmt.Sprintf(", with %s lost or too many", words.Number(n))
		}
		text += fmt.Sprintf(" (%s).", strings.TrimSuffix(w.Reason, "."))
	}
	return text
}

// otherChecks tells that it is not the run's own verdict.
func (t *teller) otherChecks() string {
	if t.v.ChecksFrom == "" {
		return ""
	}
	return fmt.Sprintf(" This is by the checks of %s, not the run's own.", t.v.ChecksFrom)
}
