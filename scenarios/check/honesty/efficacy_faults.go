package honesty

import (
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// faultProof is how the journal shows that one fault took effect: that dropped datagrams
// were dropped, 212 of them, and whose; that who was frozen was let go again.
type faultProof struct {
	name   string // as the language has it
	effect func(m *moves, t taken, move script.BeginFault) []string
	// disturbs: what is polled or flushed in rhythm loses it while the fault is in
	// force, and just before and after.
	disturbs bool
}

// striking is the proof of a fault that tells how often it struck.
func striking[F script.Fault]() faultProof {
	var zero F
	return faultProof{name: zero.Name(), effect: (*moves).struck}
}

// disturbing is the proof of a fault that disturbs the rhythm.
func (p faultProof) disturbing() faultProof {
	p.disturbs = true
	return p
}

// faultProofs are those of all faults that the language has.
var faultProofs = []faultProof{
	striking[script.DropDatagrams](),
	striking[script.DuplicateDatagrams](),
	striking[script.ReorderDatagrams](),
	striking[script.TruncateDatagrams](),
	striking[script.DelayDatagrams](),
	striking[script.LeftoverLines](),
	striking[script.LeftoverLoad](),
	striking[script.ReplayRequests](),
	striking[script.Freeze](),
	striking[script.FreezeDatabase]().disturbing(),                                       // the database answers no poll
	{name: script.FreezePrimary{}.Name(), effect: (*moves).frozePrimary, disturbs: true}, // who stands still answers no poll
	{name: script.IsolateMember{}.Name(), effect: (*moves).isolatedMember},
	refusing[script.FillDisk](),
	striking[script.ReloadLB]().disturbing(), // HAProxy is polled once more, before and after
	striking[script.KillLB]().disturbing(),   // nor while there is none
	striking[script.ReloadHTTPD]().disturbing(),
	striking[script.KillHTTPD]().disturbing(),
	limitingHTTPD().disturbing(), // who asks waits with all others
	striking[script.MuteCloudWatch](),
	striking[script.RestartCollector]().disturbing(), // nobody polls and flushes for a while
	{name: script.KillCollector{}.Name(), effect: (*moves).killedCollector, disturbs: true},
	proving(func(f script.SlowNetwork) time.Duration { return 2 * f.By }), // there and back
	striking[script.ThrottleNetwork](),
	proving(func(script.CutNetwork) time.Duration { return evidence.Forever }),
	striking[script.ResetNetwork](),
}

// Faults names the faults whose effect is proved: all of the language's.
func Faults() []string {
	var names []string
	for _, p := range faultProofs {
		names = append(names, p.name)
	}
	return names
}

// disturbs tells whether a fault disturbs the rhythm in which things are sampled.
func disturbs(fault string) bool {
	return slices.ContainsFunc(faultProofs, func(p faultProof) bool { return p.name == fault && p.disturbs })
}

// begun is the proof of the step that begins a fault: that of the fault.
func (m *moves) begun(t taken, move script.BeginFault) []string {
	for _, p := range faultProofs {
		if p.name == move.Fault.Name() {
			return p.effect(m, t, move)
		}
	}
	m.fails(t.step, "", t.begin, "the journal shows nothing that would prove this fault")
	return nil
}

// struck is proved when the fault began, it ended, and it touched something. One that touched
// nothing would make any run green.
func (m *moves) struck(t taken, move script.BeginFault) []string {
	name := move.Fault.Name()
	began := m.fault(record.FaultBegin, name, t.begin)
	if began == nil || began.At > t.end {
		m.fails(t.step, move.Instance, t.begin, "the journal does not tell that it began")
		return nil
	}
	ended := m.fault(record.FaultEnd, name, began.At)
	switch {
	case ended == nil:
		m.fails(t.step, move.Instance, began.At, "it began at %s, and the journal does not tell what it touched", words.Seconds(began.At))
	case ended.Error != "":
		m.fails(t.step, move.Instance, ended.At, "%s", ended.Error)
	case ended.Count <= 0:
		m.fails(t.step, move.Instance, began.At, "it touched nothing from %s to %s", words.Seconds(began.At), words.Seconds(ended.At))
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
func (m *moves) healed(t taken, move script.Heal) []string {
	ended := m.fault(record.FaultEnd, move.Fault, t.begin)
	if ended == nil || ended.At > t.end {
		m.fails(t.step, "", t.begin, "the journal does not tell that it was over at %s", words.Seconds(t.end))
		return nil
	}
	return []string{fmt.Sprintf("over at %s", words.Seconds(ended.At))}
}

// fault gives the first event of a kind of a fault at or after from.
func (m *moves) fault(kind record.Kind, name string, from time.Duration) *record.Event {
	for i := range m.e.History.Events {
		if ev := &m.e.History.Events[i]; ev.Kind == kind && ev.Fault == name && ev.At >= from {
			return ev
		}
	}
	return nil
}
