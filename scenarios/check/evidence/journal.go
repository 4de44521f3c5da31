package evidence

import (
	"time"

	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// AboutCollector is the Trouble of datagrams that the collector's socket lost.
const AboutCollector = "collector"

// AboutLoad is the Trouble of requests that the load generator sent late, or could not send.
const AboutLoad = "load"

// aboutRelay is the Trouble of datagrams that a relay before the collector lost
// although no fault asked for it.
const aboutRelay = "relay"

// AboutAgent is the Trouble of datagrams that the kernel dropped before an agent, which read too slowly.
const AboutAgent = "agent"

// AboutPoller begins what a Trouble or a Note of polls that failed is about.
const AboutPoller = "poller "

// Phase gives begin and end of the scenario's i-th phase. Phases of one name
// follow each other in the journal as in the scenario.
func (e *Index) Phase(i int) (from, to time.Duration, ok bool) {
	name := e.Scenario.Phases[i].Name
	nth := 0
	for _, p := range e.Scenario.Phases[:i] {
		if p.Name == name {
			nth++
		}
	}
	from, to = record.Never, record.Never
	begins, ends := 0, 0
	for _, ev := range e.History.Events {
		if ev.Phase != name {
			continue
		}
		switch ev.Kind {
		case record.PhaseBegin:
			if begins == nth {
				from = ev.At
			}
			begins++
		case record.PhaseEnd:
			if ends == nth {
				to = ev.At
			}
			ends++
		}
	}
	return from, to, from != record.Never && to > from
}

// Span is when a phase of the scenario, or all together ([script.WholeRun]), began and ended; of a name that several have,
// from the first to the last.
func (e *Index) Span(name string) (from, to time.Duration, ok bool) {
	first, last := -1, -1
	for i, phase := range e.Scenario.Phases {
		if phase.Name == name || name == script.WholeRun {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return 0, 0, false
	}
	from, _, ok = e.Phase(first)
	_, to, okLast := e.Phase(last)
	return from, to, ok && okLast
}

// ClockSteps tells whether the wall clock was set while the collector ran.
func (e *Index) ClockSteps() bool { return e.Greatest(record.ClockSteps, 0, Forever) > 0 }

// Delays is how late the load generator and the collector were between from
// and to: what the machine, not the application, made late. A scrape that began
// after it was due is the collector's lateness, too.
func (e *Index) Delays(from, to time.Duration) (stall, flush time.Duration) {
	late := max(e.Greatest(record.FlushLateness, from, to+e.Interval), e.Greatest(record.ScrapeLateness, from, to+e.Interval), e.unasked(from, to))
	return e.Stall(from, to), time.Duration(min(late, 1e9) * float64(time.Second))
}

// KilledAt is when the instance lost its chance to flush; Never if it had it.
// The harness notes its own SIGKILL just before it sends it. A death that
// nobody asked for is noticed only afterwards: the last answer is the last sign
// of life.
func (e *Index) KilledAt(l record.Lifetime) time.Duration {
	switch {
	case !l.Killed():
		return record.Never
	case l.Signal == SigKill && l.Signalled != record.Never:
		if e.Scenario.Stack.External != nil {
			return e.latestSign(l)
		}
		return l.Signalled
	}
	at := l.Death
	for _, route := range e.Users.Routes {
		if acked := e.Acked(l.Instance, route); len(acked) > 0 {
			at = min(at, acked[len(acked)-1])
		}
	}
	return at
}

// latestSign is when an instance was last known to live that the user's command has killed: it died between then and when the
// user's probe found it gone. The command takes its time, and whom it has not reached yet goes on answering, and flushing: of
// what was sent after the command began, too, the answers tell.
func (e *Index) latestSign(l record.Lifetime) time.Duration {
	if at, have := e.signs[l.Instance]; have {
		return at
	}
	at := l.Signalled
	for i := range e.History.Requests {
		r := &e.History.Requests[i]
		if r.Instance == l.Instance && r.Outcome == record.Acked && (l.Death == record.Never || r.Sent <= l.Death) {
			at = max(at, r.Sent)
		}
	}
	e.signs[l.Instance] = at
	return at
}

// FaultSpan is a time in which a fault was in force, from the event that told its begin to the one that
// told its end.
type FaultSpan struct {
	Stretch
	End *record.Event
}

// FaultSpans are the times in which faults of some names were in force, in the order of their ends.
// Of each fault one is under way at a time; one that did not end has none.
func (e *Index) FaultSpans(of func(fault string) bool) (all []FaultSpan) {
	began := map[string]time.Duration{}
	for i := range e.History.Events {
		ev := &e.History.Events[i]
		if ev.Fault == "" || !of(ev.Fault) {
			continue
		}
		at, under := began[ev.Fault]
		switch {
		case ev.Kind == record.FaultBegin:
			began[ev.Fault] = ev.At
		case ev.Kind == record.FaultEnd && under:
			all = append(all, FaultSpan{Stretch{at, ev.At}, ev})
			delete(began, ev.Fault)
		}
	}
	return all
}

// EventsOf are the journal's events of an instance, in their order.
func (e *Index) EventsOf(instance string) []*record.Event {
	if e.events == nil {
		e.events = map[string][]*record.Event{}
		for i := range e.History.Events {
			ev := &e.History.Events[i]
			e.events[ev.Instance] = append(e.events[ev.Instance], ev)
		}
	}
	return e.events[instance]
}

// LifeOf is the lifetime of a web instance; false where nothing is known of it.
func (e *Index) LifeOf(instance string) (record.Lifetime, bool) {
	if e.lifeAt == nil {
		e.lifeAt = make(map[string]int, len(e.Lives))
		for i := len(e.Lives) - 1; i >= 0; i-- {
			e.lifeAt[e.Lives[i].Instance] = i
		}
	}
	i, known := e.lifeAt[instance]
	if !known {
		return record.Lifetime{}, false
	}
	return e.Lives[i], true
}

// SigKill is how the journal writes the signal that no process can handle: what is in its
// buffers then is gone.
const SigKill = "SIGKILL"

// Dropped tells whether the collector's socket, a relay or the socket of an agent before it lost
// datagrams that may have been the instance's.
func (e *Index) Dropped(instance string) bool {
	if e.dropped == nil {
		e.dropped = map[string]bool{}
		for _, ev := range e.History.Events {
			if ev.Kind == record.Trouble && (ev.About == AboutCollector || ev.About == aboutRelay || ev.About == AboutAgent) && ev.Count > 0 {
				e.dropped[ev.Instance] = true
			}
		}
	}
	return e.dropped[instance] || e.dropped[""]
}
