package honesty

import (
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// proving is the proof of a fault of the network that no request could pass sooner than in some time: beside what the links
// say of themselves, the users' ledger must not have one that did. With a load balancer whose way to web-2 is slow by 200 ms,
// web-2 has answered nobody within 400 ms; with one whose way is cut, nobody at all.
func proving[F script.Fault](least func(F) time.Duration) faultProof {
	p := striking[F]()
	p.effect = func(m *moves, t taken, move script.BeginFault) []string {
		did := m.struck(t, move)
		if did == nil {
			return nil
		}
		if r := m.sooner(t, move, least(move.Fault.(F))); r != nil {
			m.fails(t.step, r.Instance, r.Sent, "request %d was acknowledged by %s after %s while it was in force", r.Seq, r.Instance, words.Seconds(r.Done-r.Sent))
			return nil
		}
		return did
	}
	return p
}

// sooner finds a request that passed a hop in less than some time: it was sent when the step that began the fault was over,
// and acknowledged before what healed it began. Nil: there is none, or the users cannot know who passes the hop.
func (m *moves) sooner(t taken, move script.BeginFault, least time.Duration) *record.Request {
	hop := script.HopOf(move.Fault)
	if hop == script.WebDB {
		return nil // not every request has to go there
	}
	ended := m.fault(record.FaultEnd, move.Fault.Name(), t.begin)
	until := m.healBegan(ended)
	for i := range m.e.History.Requests {
		r := &m.e.History.Requests[i]
		through := hop == script.UsersLB || move.Instance == "" || r.Instance == move.Instance
		if through && r.Outcome == record.Acked && r.Sent-m.e.Apart() >= t.end && r.Done+m.e.Apart() < until && (least == evidence.Forever || r.Done-r.Sent < least) {
			return r
		}
	}
	return nil
}

// healBegan is when what ended a fault began: the step that heals it, or the end of the last phase.
func (m *moves) healBegan(ended *record.Event) time.Duration {
	began := time.Duration(0)
	for _, ev := range m.e.History.Events {
		if ev.At <= ended.At && (ev.Kind == record.StepBegin || ev.Kind == record.PhaseEnd) {
			began = max(began, ev.At)
		}
	}
	return began
}
