package honesty

import (
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// refusing is the proof of a fault for which somebody must have been answered with an error: a disk that is full and of which
// nobody heard shows nothing.
func refusing[F script.Fault]() faultProof {
	p := striking[F]()
	p.effect = func(m *moves, t taken, move script.BeginFault) []string {
		did := m.struck(t, move)
		if did == nil {
			return nil
		}
		ended := m.fault(record.FaultEnd, move.Fault.Name(), t.begin)
		for i := range m.e.History.Requests {
			if r := &m.e.History.Requests[i]; r.Answered() == "5xx" && r.Done >= t.begin && r.Sent <= ended.At {
				return did
			}
		}
		m.fails(t.step, "", t.begin, "no request was answered with 5xx while it was in force")
		return nil
	}
	return p
}
