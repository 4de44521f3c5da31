package honesty

import (
	"fmt"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// The steps on members of the database. Of `kill: primary` the journal must have four things: who it was, SIGKILL sent
// to that one at 14.9 s, its process gone by a signal, and another member elected after that.

// killedMember is proved when the primary was gone by the signal, and another one was elected.
func (m *moves) killedMember(t taken) []string {
	sent := m.firstEvent(record.Signalled, t.whom, evidence.SigKill, t.begin)
	gone := record.Event{At: record.Never}
	for _, ev := range m.e.EventsOf(t.whom) {
		if ev.Kind == record.Death && ev.At >= sent {
			gone = *ev
		}
	}
	switch {
	case t.whom == "":
		m.fails(t.step, "", t.begin, "the journal does not tell who was the primary")
	case m.ledBy(t.begin) != t.whom:
		m.fails(t.step, t.whom, t.begin, "%s was killed, and the primary was %s", t.whom, m.ledBy(t.begin))
	case sent == record.Never:
		m.fails(t.step, t.whom, t.begin, "%s was never sent SIGKILL", t.whom)
	case gone.At == record.Never:
		m.fails(t.step, t.whom, sent, "%s got SIGKILL at %s and was not seen to die", t.whom, words.Seconds(sent))
	case gone.Code != -1 && gone.Code != killedStatus:
		m.fails(t.step, t.whom, gone.At, "%s ended by itself with exit status %d, not by SIGKILL", t.whom, gone.Code)
	default:
		if next := m.electedIn(t, sent); next != "" {
			return []string{fmt.Sprintf("%s: SIGKILL at %s, gone at %s", t.whom, words.Seconds(sent), words.Seconds(gone.At)), next}
		}
	}
	return nil
}

// steppedDown is proved when another one was elected.
func (m *moves) steppedDown(t taken, _ script.StepDown) []string {
	switch {
	case t.whom == "":
		m.fails(t.step, "", t.begin, "the journal does not tell who was the primary")
	case m.ledBy(t.begin) != t.whom:
		m.fails(t.step, t.whom, t.begin, "%s was asked to, and the primary was %s", t.whom, m.ledBy(t.begin))
	default:
		if next := m.electedIn(t, t.begin); next != "" {
			return []string{t.whom + " stepped down", next}
		}
	}
	return nil
}

// launchedMember is proved when a member was born in the step, and follows the primary.
func (m *moves) launchedMember(t taken) []string {
	for _, ev := range m.e.History.Events {
		if ev.Kind != record.Birth || ev.Role != record.Database || ev.At < t.begin || ev.At > t.end {
			continue
		}
		joined := m.firstEvent(record.Serving, ev.Instance, "", ev.At)
		if joined == record.Never {
			m.fails(t.step, ev.Instance, ev.At, "%s was born at %s and never followed the primary", ev.Instance, words.Seconds(ev.At))
			return nil
		}
		return []string{fmt.Sprintf("%s follows the primary at %s", ev.Instance, words.Seconds(joined))}
	}
	m.fails(t.step, "", t.begin, "no member of the database was born")
	return nil
}

// frozePrimary is proved when the primary stood still, another one was elected meanwhile, and the old one, let go again, said itself
// that it is the primary no more.
func (m *moves) frozePrimary(t taken, move script.BeginFault) []string {
	return m.sidelined(t, move, true)
}

// isolatedMember is proved when what the member and the others said to each other was held up, and it knew itself that it had
// lost its part; where it was the primary, another one was elected.
func (m *moves) isolatedMember(t taken, move script.BeginFault) []string {
	isolate, _ := move.Fault.(script.IsolateMember)
	return m.sidelined(t, move, isolate.Member == script.Primary)
}

func (m *moves) sidelined(t taken, move script.BeginFault, primary bool) []string {
	switch led := m.ledBy(t.begin); {
	case t.whom == "":
		m.fails(t.step, "", t.begin, "the journal does not tell which member it was")
		return nil
	case primary != (led == t.whom):
		m.fails(t.step, t.whom, t.begin, "it was done to %s, and the primary was %s", t.whom, led)
		return nil
	}
	did := m.struck(t, move)
	if did == nil {
		return nil
	}
	if primary {
		next := m.electedIn(t, t.begin)
		if next == "" {
			return nil
		}
		did = append(did, next)
	}
	knew, until := m.firstEvent(record.Sidelined, t.whom, "", t.begin), m.fault(record.FaultEnd, move.Fault.Name(), t.begin).At
	if knew == record.Never || knew > until {
		m.fails(t.step, t.whom, t.begin, "%s never said that it had lost its part", t.whom)
		return nil
	}
	return append(did, fmt.Sprintf("%s knows at %s", t.whom, words.Seconds(knew)))
}

// ledBy is who was the primary at a time; "": the journal does not tell.
func (m *moves) ledBy(at time.Duration) (name string) {
	for _, ev := range m.e.History.Events {
		if ev.Kind == record.Elected && ev.At <= at {
			name = ev.Instance
		}
	}
	return name
}

// electedIn tells who was elected within a step, after a time, if that is another one than the step was done to.
func (m *moves) electedIn(t taken, after time.Duration) string {
	for _, ev := range m.e.History.Events {
		if ev.Kind == record.Elected && ev.At >= after && ev.At <= t.end && ev.Instance != t.whom {
			return fmt.Sprintf("%s elected at %s", ev.Instance, words.Seconds(ev.At))
		}
	}
	m.fails(t.step, t.whom, t.begin, "no other member was elected")
	return ""
}
