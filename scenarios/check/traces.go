package check

import (
	"slices"

	"throughline/scenarios/record"
)

// aboutLog is the Trouble of a load balancer's log that is not whole.
const aboutLog = "executions"

// trace is what the load balancer's log says of one request of the users.
type trace struct {
	lines    uint32 // all of them
	reached  uint32 // those whose request an instance may have got
	answered bool   // one of them was answered by an instance
	acked    bool   // with a 2xx
	named    bool   // by the instance that the user saw
	last     int32  // its last line, an index into History.Executions
}

// indexTraces follows the requests through the load balancer's log: one trace
// for each row of the users' ledger. Without a log there are none.
func (e *evidence) indexTraces() {
	h := &e.history
	if h.Executions == nil {
		return
	}
	e.traces = make([]trace, len(h.Requests))
	for i := range h.Executions {
		x := &h.Executions[i]
		row, ok := e.rowOf(x)
		if !ok {
			continue
		}
		t := &e.traces[row]
		t.lines++
		t.last = int32(i)
		if x.Reached() {
			t.reached++
		}
		t.answered = t.answered || x.Answered
		if x.Answered && x.Status >= 200 && x.Status < 300 {
			t.acked = true
			t.named = t.named || x.Server == h.Requests[row].Instance
		}
	}
}

// rowOf finds the row of the users' ledger that x is the execution of.
func (e *evidence) rowOf(x *record.Execution) (row int, ok bool) {
	rows := e.history.Requests
	switch {
	case x.Foreign:
		return 0, false
	case x.Seq < uint64(len(rows)) && rows[x.Seq].Seq == x.Seq: // none is left out
		return int(x.Seq), true
	}
	return slices.BinarySearchFunc(rows, x.Seq, func(r record.Request, seq uint64) int {
		switch {
		case r.Seq < seq:
			return -1
		case r.Seq > seq:
			return 1
		}
		return 0
	})
}

// logWhole tells whether the load balancer's log can be taken for complete.
func (e *evidence) logWhole() bool {
	return len(e.history.Executions) > 0 && !slices.ContainsFunc(e.history.Events, func(ev record.Event) bool {
		return ev.Kind == record.Trouble && ev.About == aboutLog
	})
}

// attribute tells of requests of unknown outcome, where users do not know who
// had them, to which instance the load balancer sent them: nobody else can have
// executed them. One that was tried again, or sent twice, may have been on
// another as well.
func (e *evidence) attribute() {
	if e.traces == nil || !e.logWhole() {
		return
	}
	for i := range e.users.spans {
		s := &e.users.spans[i]
		t := e.traces[s.row]
		if s.key.instance != "" || s.acked || s.replays > 0 || t.lines != 1 || t.reached != 1 {
			continue
		}
		x := e.history.Executions[t.last]
		known := slices.ContainsFunc(e.lives, func(l record.Lifetime) bool { return l.Instance == x.Server })
		if known && x.Retries == 0 {
			s.had = x.Server
		}
	}
}
