package honesty

import (
	"fmt"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// endedAgent is proved when the agent that was beside an instance got the signal, was gone after it, and another process took its
// place. Of `kill: agent-2` the journal must have SIGKILL sent to the agent beside web-2, its process gone by a signal, and
// then the birth of another one beside web-2, which got ready.
func (m *moves) endedAgent(t taken, number int, signal string) []string {
	serves := script.InstanceName(script.FirstRole, number)
	var sent, gone, born *record.Event
	for i := range m.e.History.Events {
		ev := &m.e.History.Events[i]
		switch {
		case ev.Role != record.Agent || ev.At < t.begin || ev.At > t.end:
		case sent == nil && ev.Kind == record.Signalled && ev.Signal == signal && m.beside(ev.Instance) == serves:
			sent = ev
		case sent != nil && gone == nil && ev.Kind == record.Death && ev.Instance == sent.Instance:
			gone = ev
		case gone != nil && born == nil && ev.Kind == record.Birth && ev.Serves == serves:
			born = ev
		}
	}
	name := script.InstanceName(script.AgentRole, number)
	switch {
	case sent == nil:
		m.fails(t.step, name, t.begin, "no agent beside %s was sent %s", serves, signal)
		return nil
	case gone == nil:
		m.fails(t.step, sent.Instance, sent.At, "%s got %s at %s and was not seen to die", sent.Instance, signal, words.Seconds(sent.At))
		return nil
	case signal == evidence.SigKill && gone.Code != -1 && gone.Code != killedStatus:
		m.fails(t.step, sent.Instance, gone.At, "%s ended by itself with exit status %d, not by SIGKILL", sent.Instance, gone.Code)
		return nil
	case born == nil:
		m.fails(t.step, sent.Instance, gone.At, "%s was gone at %s, and no other agent took its place", sent.Instance, words.Seconds(gone.At))
		return nil
	}
	before, known := m.birthOf(sent.Instance)
	ready := m.firstEvent(record.Ready, born.Instance, "", born.At)
	switch {
	case !known || before.ID == born.ID && born.ID != "":
		m.fails(t.step, born.Instance, born.At, "%s has the process of %s: it never ended", born.Instance, sent.Instance)
	case ready == record.Never:
		m.fails(t.step, born.Instance, born.At, "%s was born at %s in the place of %s and never got ready", born.Instance, words.Seconds(born.At), sent.Instance)
	case ready-gone.At-script.AwayOf(t.step.Move) > m.startOf(before):
		m.fails(t.step, born.Instance, ready, "%s was in the place of %s only %s after that was gone: what was sent meanwhile hides what its end cost", born.Instance, sent.Instance, words.Seconds(ready-gone.At))
	default:
		return []string{fmt.Sprintf("%s: %s at %s, gone at %s, %s in its place at %s", sent.Instance, signal, words.Seconds(sent.At), words.Seconds(gone.At),
			born.Instance, words.Seconds(ready))}
	}
	return nil
}

// soon is how long another agent may take to come on a machine that is not late itself.
const soon = time.Second

// startOf is how long another agent may take that is started as one was: as long as that one took before the load, if it is more than soon.
func (m *moves) startOf(one record.Event) time.Duration {
	ready := m.firstEvent(record.Ready, one.Instance, "", one.At)
	if ready == record.Never || ready > m.e.Begin {
		return soon
	}
	return max(soon, ready-one.At)
}

// beside is the instance beside which an agent is.
func (m *moves) beside(agent string) string {
	born, _ := m.birthOf(agent)
	return born.Serves
}

func (m *moves) birthOf(name string) (record.Event, bool) {
	for _, ev := range m.e.EventsOf(name) {
		if ev.Kind == record.Birth {
			return *ev, true
		}
	}
	return record.Event{}, false
}
