package honesty

import (
	"fmt"
	"time"

	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// injected: the fault began, it ended, and it touched something. One that
// touched nothing would make any run green.
func (m *moves) injected(t taken) []string {
	began := m.fault(record.FaultBegin, t.step, t.begin)
	if began == nil || began.At > t.end {
		m.fails(t.step, t.step.Instance, t.begin, "the journal does not tell that it began")
		return nil
	}
	ended := m.fault(record.FaultEnd, t.step, began.At)
	switch {
	case ended == nil:
		m.fails(t.step, t.step.Instance, began.At, "it began at %s, and the journal does not tell what it touched", words.Seconds(began.At))
	case ended.Error != "":
		m.fails(t.step, t.step.Instance, ended.At, "%s", ended.Error)
	case ended.Count <= 0:
		m.fails(t.step, t.step.Instance, began.At, "it touched nothing from %s to %s", words.Seconds(began.At), words.Seconds(ended.At))
	default:
		return []string{fmt.Sprintf("from %s to %s, touched %s", words.Seconds(began.At), words.Seconds(ended.At), touched(*ended))}
	}
	return nil
}

// touched tells how much a fault touched, and whose.
func touched(ended record.Event) string {
	if ended.About == "" {
		return words.Number(ended.Count)
	}
	return fmt.Sprintf("%s (%s)", words.Number(ended.Count), ended.About)
}

// healed: the fault was over when the step was.
func (m *moves) healed(t taken) []string {
	ended := m.fault(record.FaultEnd, t.step, t.begin)
	if ended == nil || ended.At > t.end {
		m.fails(t.step, "", t.begin, "the journal does not tell that it was over at %s", words.Seconds(t.end))
		return nil
	}
	return []string{fmt.Sprintf("over at %s", words.Seconds(ended.At))}
}

// fault gives the first event of a kind of the step's fault at or after from.
func (m *moves) fault(kind record.Kind, step script.Step, from time.Duration) *record.Event {
	for i := range m.e.History.Events {
		if ev := &m.e.History.Events[i]; ev.Kind == kind && ev.Fault == step.Fault.Name && ev.At >= from {
			return ev
		}
	}
	return nil
}
