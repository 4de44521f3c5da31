package evidence

import (
	"slices"
	"time"

	"throughline/scenarios/record"
)

// aboutLog is the Trouble of a load balancer's log that is not whole.
const aboutLog = "executions"

// Trace is what the load balancer's log says of one request of the users.
type Trace struct {
	Lines    uint32 // all of them
	Reached  uint32 // those whose request an instance may have got
	Answered bool   // one of them was answered by an instance
	Acked    bool   // with a 2xx
	Named    bool   // by the instance that the user saw
	Last     int32  // its last line, an index into History.Executions
}

// indexTraces follows the requests through the load balancer's log: one trace
// for each row of the users' ledger. Without a log there are none.
func (e *Index) indexTraces() {
	h := &e.History
	if h.Executions == nil {
		return
	}
	e.Traces = make([]Trace, len(h.Requests))
	for i := range h.Executions {
		x := &h.Executions[i]
		row, ok := e.RowOf(x)
		if !ok {
			continue
		}
		t := &e.Traces[row]
		t.Lines++
		t.Last = int32(i)
		if x.Reached() {
			t.Reached++
		}
		t.Answered = t.Answered || x.Answered
		if x.Answered && x.Status >= 200 && x.Status < 300 {
			t.Acked = true
			t.Named = t.Named || x.Server == h.Requests[row].Instance
		}
	}
}

// Had names the instance that had a row of the users' ledger last, by the load balancer's log;
// "": none did, or nobody knows.
func (e *Index) Had(row int) string {
	if e.Traces == nil || e.Traces[row].Reached == 0 {
		return ""
	}
	return e.History.Executions[e.Traces[row].Last].Server
}

// RowOf finds the row of the users' ledger that x is the execution of.
func (e *Index) RowOf(x *record.Execution) (row int, ok bool) {
	rows := e.History.Requests
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

// LogWhole tells whether the load balancer's log can be taken for complete.
func (e *Index) LogWhole() bool {
	return len(e.History.Executions) > 0 && !slices.ContainsFunc(e.History.Events, func(ev record.Event) bool {
		return ev.Kind == record.Trouble && ev.About == aboutLog
	})
}

// Unlogged tells whether the load balancer was killed while a request was under way, from when it was sent to when its user
// knew its outcome, so that there may be no line of it.
func (e *Index) Unlogged(from, to time.Duration) bool {
	return slices.ContainsFunc(e.crashes, func(c FaultSpan) bool { return to >= c.From && from <= c.To })
}

// attribute tells of requests of unknown outcome, where users do not know who
// had them, to which instance the load balancer sent them: nobody else can have
// executed them. One that was tried again, or sent twice, may have been on
// another as well.
func (e *Index) attribute() {
	if e.Traces == nil || !e.LogWhole() {
		return
	}
	for i := range e.Users.Spans {
		s := &e.Users.Spans[i]
		t := e.Traces[s.row]
		if s.Key.Instance != "" || s.Acked || s.Replays > 0 || t.Lines != 1 || t.Reached != 1 {
			continue
		}
		x := e.History.Executions[t.Last]
		if _, known := e.LifeOf(x.Server); known && x.Retries == 0 {
			s.Had = x.Server
		}
	}
}
