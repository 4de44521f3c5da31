package honesty

import (
	"fmt"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// killedCollector is the proof that the collector was killed. The journal must have the end of its process, by SIGKILL, and the
// beginning of another one, before the fault was over; and the record must agree: no point of the time between, and a
// collector that says it was started later than the one before.
func (m *moves) killedCollector(t taken, move script.BeginFault) []string {
	fails := func(at time.Duration, format string, args ...any) []string {
		m.fails(t.step, "", at, format, args...)
		return nil
	}
	name := move.Fault.Name()
	began := m.fault(record.FaultBegin, name, t.begin)
	if began == nil || began.At > t.end {
		return fails(t.begin, "the journal does not tell that it began")
	}
	ended := m.fault(record.FaultEnd, name, began.At)
	switch {
	case ended == nil:
		return fails(began.At, "it began at %s, and the journal does not tell that it was over", words.Seconds(began.At))
	case ended.Error != "":
		return fails(ended.At, "%s", ended.Error)
	}
	gone := m.collector(record.CollectorEnd, began.At, ended.At)
	switch {
	case gone == nil:
		return fails(began.At, "the journal does not tell that the collector's process ended")
	case gone.Signal != evidence.SigKill:
		return fails(gone.At, "the collector's process ended otherwise than by %s (%s)", evidence.SigKill, exitText(*gone))
	}
	next := m.collector(record.CollectorBegin, gone.At, ended.At)
	switch {
	case next == nil:
		return fails(gone.At, "the journal does not tell that another collector was started")
	case next.ID == gone.ID:
		return fails(next.At, "the collector's process is the same as before (%s)", next.ID)
	}
	if at, some := m.flushed(gone.At, next.At); some {
		return fails(at, "the record has points of the collector of %s, when there was none", words.Seconds(at))
	}
	before, after := m.started(gone.At)
	if !(after > before) || before == 0 {
		return fails(gone.At, "the collector does not say that it was started anew: at %.3f before, at %.3f after", before, after)
	}
	lost := ""
	if ended.Count > 0 {
		lost = fmt.Sprintf(", and %s went nowhere (%s)", words.Times(ended.Count, "datagram"), ended.About)
	}
	return []string{fmt.Sprintf("its process ended by %s at %s, another one was there at %s%s", gone.Signal, words.Seconds(gone.At), words.Seconds(next.At), lost)}
}

// collector gives the first event of a kind of the collector's process in a time.
func (m *moves) collector(kind record.Kind, from, to time.Duration) *record.Event {
	for i := range m.e.History.Events {
		if ev := &m.e.History.Events[i]; ev.Kind == kind && ev.At >= from && ev.At <= to {
			return ev
		}
	}
	return nil
}

// flushed finds an interval end between two times at which the collector gave a point of itself.
func (m *moves) flushed(from, to time.Duration) (time.Duration, bool) {
	for _, s := range m.e.Polled[record.FlushLateness] {
		for _, p := range s.Points {
			if p.At > from && p.At < to {
				return p.At, true
			}
		}
	}
	return 0, false
}

// started is when the collectors before and after a time were started, as they say, in seconds since 1970; 0: they do not.
func (m *moves) started(at time.Duration) (before, after float64) {
	for _, s := range m.e.Polled[record.StartTime] {
		for _, p := range s.Points {
			switch {
			case !p.HasNumber():
			case p.At <= at:
				before = p.Value
			case after == 0:
				after = p.Value
			}
		}
	}
	return before, after
}
