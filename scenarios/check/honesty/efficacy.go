package honesty

import (
	"fmt"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// CheckEfficacy is the name of Efficacy.
const CheckEfficacy = "efficacy"

// Efficacy asks whether each step of the scenario had its effect: chaos that
// never happened makes every run green.
//
// Of `kill: web-2` the journal must have four things, in this order: SIGKILL sent at 14.9 s,
// the process gone at 14.9 s, by a signal and not by itself, and the load balancer's server
// down at 15.3 s. Where one lacks, nothing that this run shows says what a kill does.
func Efficacy(e *evidence.Index) []verdict.Finding {
	m := moves{e: e}
	for i, phase := range e.Scenario.Phases {
		m.phase(i, phase)
	}
	switch {
	case len(m.out) > 0:
	case len(m.done) == 0:
		m.out = append(m.out, verdict.Finding{Check: CheckEfficacy, Outcome: verdict.Pass, Summary: "the scenario does nothing to the stack"})
	default:
		m.out = append(m.out, verdict.Finding{Check: CheckEfficacy, Outcome: verdict.Pass,
			Summary: fmt.Sprintf("%s took effect: %s", words.Times(int64(len(m.done)), "step"), strings.Join(m.done, "; "))})
	}
	return m.out
}

// moves plays the scenario's steps through against the journal.
type moves struct {
	e    *evidence.Index
	done []string // what each step that worked did
	out  []verdict.Finding
}

// taken is one step as the journal has it.
type taken struct {
	step       script.Step
	begin, end time.Duration
	// whom is for whom a word of the step, like newest, stood; "": it has none, or the journal does not tell.
	whom string
}

func (m *moves) fails(step script.Step, instance string, at time.Duration, format string, args ...any) {
	if at == record.Never {
		at = 0
	}
	m.out = append(m.out, verdict.Finding{Check: CheckEfficacy, Instance: instance, From: at.Seconds(), To: at.Seconds(),
		Summary: fmt.Sprintf("the fault did not take effect: %s: %s", step, fmt.Sprintf(format, args...))})
}

// phase pairs the steps of a phase with the journal's, in order.
func (m *moves) phase(i int, phase script.Phase) {
	if len(phase.Do) == 0 {
		return
	}
	begun := m.stepEvents(i, record.StepBegin)
	ended := m.stepEvents(i, record.StepEnd)
	for k, step := range phase.Do {
		if k >= len(begun) {
			m.fails(step, step.Target(), record.Never, "the journal does not have it in phase %q", phase.Name)
			continue
		}
		if k >= len(ended) {
			m.fails(step, step.Target(), begun[k].At, "it began at %s and never ended", words.Seconds(begun[k].At))
			continue
		}
		if ended[k].Error != "" {
			m.fails(step, step.Target(), ended[k].At, "%s", ended[k].Error)
			continue
		}
		failed := len(m.out)
		did := m.effect(taken{step, begun[k].At, ended[k].At, ended[k].Instance})
		if len(m.out) == failed {
			m.done = append(m.done, fmt.Sprintf("%s (%s)", step, strings.Join(did, ", ")))
		}
	}
}

// stepEvents gives the step events of the i-th phase in order. Phases of one name
// follow each other in the journal as in the scenario.
func (m *moves) stepEvents(i int, kind record.Kind) []record.Event {
	phases := m.e.Scenario.Phases
	skip := 0
	for _, p := range phases[:i] {
		if p.Name == phases[i].Name {
			skip += len(p.Do)
		}
	}
	var out []record.Event
	for _, ev := range m.e.History.Events {
		if ev.Kind != kind || ev.Phase != phases[i].Name {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		out = append(out, ev)
	}
	return out
}

// proof tells what the journal shows of one kind of step, and complains about what it
// does not show.
type proof struct {
	kind   string // as the language has it
	effect func(m *moves, t taken) []string
}

// proofOf is the proof of one type of move.
func proofOf[M script.Move](effect func(m *moves, t taken, move M) []string) proof {
	var zero M
	return proof{zero.Kind(), func(m *moves, t taken) []string { return effect(m, t, t.step.Move.(M)) }}
}

// proofs are those of all kinds of steps that the language has.
var proofs = []proof{
	proofOf(func(m *moves, t taken, move script.Kill) []string {
		if move.Instance == script.Primary {
			return m.killedMember(t)
		}
		if number, agent := script.AgentNumber(move.Instance); agent {
			return m.endedAgent(t, number, evidence.SigKill)
		}
		return m.of(t, move.Instance, m.killed)
	}),
	proofOf(func(m *moves, t taken, move script.Terminate) []string {
		if number, agent := script.AgentNumber(move.Instance); agent {
			return m.endedAgent(t, number, "SIGTERM")
		}
		return m.of(t, move.Instance, func(t taken, name string) []string { return m.terminated(t, name, !move.Abrupt) })
	}),
	proofOf(func(m *moves, t taken, move script.Interrupt) []string {
		return m.of(t, move.Instance, func(t taken, name string) []string { return m.interrupted(t, name, move) })
	}),
	proofOf(func(m *moves, t taken, move script.Launch) []string {
		if move.Member {
			return m.launchedMember(t)
		}
		return m.launched(t, move.Count)
	}),
	proofOf((*moves).replaced),
	proofOf((*moves).deployed),
	proofOf((*moves).rolledBack),
	proofOf((*moves).scaled),
	proofOf((*moves).limited),
	proofOf((*moves).steppedDown),
	proofOf((*moves).begun),
	proofOf((*moves).healed),
}

// Steps names the kinds of steps whose effect is proved: all of the language's.
func Steps() []string {
	var names []string
	for _, p := range proofs {
		names = append(names, p.kind)
	}
	return names
}

// effect is the proof of a step.
func (m *moves) effect(t taken) []string {
	for _, p := range proofs {
		if p.kind == t.step.Kind() {
			return p.effect(m, t)
		}
	}
	m.fails(t.step, "", t.begin, "the journal shows nothing that would prove this kind of step")
	return nil
}

func (m *moves) aliveAt(role string, at time.Duration) []string {
	var out []string
	for _, l := range m.e.LivesOf(role) {
		if l.Alive(at) {
			out = append(out, l.Instance)
		}
	}
	return out
}

// servingAt are those alive that got requests, and that nobody had begun to end. Only beside an autoscaler are they not
// all that are alive when a step begins.
func (m *moves) servingAt(role string, at time.Duration) []string {
	before := func(t time.Duration) bool { return t != record.Never && t < at }
	var out []string
	for _, l := range m.e.LivesOf(role) {
		if l.Alive(at) && before(l.Serving) && !before(l.Draining) && !before(l.Signalled) {
			out = append(out, l.Instance)
		}
	}
	return out
}

// life gives an instance that the journal has events of.
func (m *moves) life(name string) record.Lifetime {
	if l, known := m.e.LifeOf(name); known {
		return l
	}
	return record.Lifetime{Instance: name}
}

// firstEvent gives the time of the first event of a kind of an instance at or after
// from; of a signal, if one is named.
func (m *moves) firstEvent(kind record.Kind, name, signal string, from time.Duration) time.Duration {
	for _, ev := range m.e.EventsOf(name) {
		if ev.Kind == kind && ev.At >= from && (signal == "" || ev.Signal == signal) {
			return ev.At
		}
	}
	return record.Never
}

// killedStatus is how shells and container engines write "ended by SIGKILL".
const killedStatus = 128 + 9

// killed is proved when the signal was sent, the process was gone by it, the load balancer or
// the port knew.
func (m *moves) killed(t taken, name string) []string {
	sent := m.firstEvent(record.Signalled, name, evidence.SigKill, t.begin)
	if sent == record.Never {
		m.fails(t.step, name, t.begin, "%s was never sent SIGKILL", name)
		return nil
	}
	gone := m.firstEvent(record.Death, name, "", sent)
	if gone == record.Never {
		m.fails(t.step, name, sent, "%s got SIGKILL at %s and was not seen to die", name, words.Seconds(sent))
		return nil
	}
	if l := m.life(name); l.Code != -1 && l.Code != killedStatus {
		m.fails(t.step, name, gone, "%s ended by itself with exit status %d, not by SIGKILL", name, l.Code)
		return nil
	}
	if m.e.Scenario.Stack.External != nil {
		return []string{fmt.Sprintf("told at %s, gone by %s", words.Seconds(sent), words.Seconds(gone))}
	}
	down := m.firstEvent(record.Down, name, "", sent)
	if down == record.Never {
		down = m.firstEvent(record.Removed, name, "", sent)
	}
	if down == record.Never {
		m.fails(t.step, name, gone, "%s was gone at %s, and the load balancer never marked it down", name, words.Seconds(gone))
		return nil
	}
	return []string{fmt.Sprintf("SIGKILL at %s, gone at %s, down at %s", words.Seconds(sent), words.Seconds(gone), words.Seconds(down))}
}

// replaced is proved when as many as leave were launched, and each was terminated.
func (m *moves) replaced(t taken, move script.Replace) []string {
	each := func(leaving ...string) []string {
		did := m.launched(t, len(leaving))
		for _, name := range leaving {
			did = append(did, m.terminated(t, name, true)...)
		}
		return did
	}
	if move.Instance == script.ReplaceAll {
		return each(m.servingAt(t.step.Role, t.begin)...)
	}
	return m.of(t, move.Instance, func(_ taken, name string) []string { return each(name) })
}

// scaled is proved when those that were missing were launched, or those too many terminated.
func (m *moves) scaled(t taken, move script.Scale) []string {
	more := move.Count - len(m.aliveAt(t.step.Role, t.begin))
	if more >= 0 {
		return m.launched(t, more)
	}
	return m.shrunk(t, -more)
}

// terminated is proved when it was drained if it had to be, got SIGTERM and ended. How it ended is the
// application's affair, and is mentioned.
func (m *moves) terminated(t taken, name string, drain bool) []string {
	if m.e.Scenario.Stack.External != nil {
		return m.terminatedThere(t, name)
	}
	drained := m.firstEvent(record.Draining, name, "", t.begin)
	sent := m.firstEvent(record.Signalled, name, "SIGTERM", t.begin)
	gone := m.firstEvent(record.Death, name, "", t.begin)
	switch {
	case drained == record.Never && drain:
		m.fails(t.step, name, t.begin, "%s was not drained", name)
	case sent == record.Never:
		m.fails(t.step, name, drained, "%s was never sent SIGTERM", name)
	case gone < sent:
		m.fails(t.step, name, sent, "%s got SIGTERM at %s and was not seen to die after it", name, words.Seconds(sent))
	case !drain:
		return []string{fmt.Sprintf("%s not drained, SIGTERM at %s, gone at %s%s", name, words.Seconds(sent), words.Seconds(gone), m.untidy(name))}
	default:
		return []string{fmt.Sprintf("%s drained at %s, SIGTERM at %s, gone at %s%s", name, words.Seconds(drained), words.Seconds(sent), words.Seconds(gone), m.untidy(name))}
	}
	return nil
}

// untidy mentions an exit after SIGTERM that was not clean.
func (m *moves) untidy(name string) string {
	l := m.life(name)
	switch {
	case l.Signal == evidence.SigKill:
		return fmt.Sprintf(", but only by a SIGKILL at %s", words.Seconds(l.Signalled))
	case l.Code == -1:
		return ", by the signal itself: it does not handle it"
	case l.Code != 0:
		return fmt.Sprintf(", with exit status %d", l.Code)
	}
	return ""
}

// launched is proved when so many instances were born in the step, got ready and serve.
func (m *moves) launched(t taken, want int) []string {
	var did []string
	complaints := len(m.out)
	for _, l := range m.e.LivesOf(t.step.Role) {
		if l.Birth < t.begin || l.Birth > t.end || l.Birth == record.Never {
			continue
		}
		switch {
		case l.Serving == record.Never && m.e.Scenario.Autoscale != nil: // it may be the autoscaler's
		case l.Ready == record.Never:
			m.fails(t.step, l.Instance, l.Birth, "%s was born at %s and never got ready", l.Instance, words.Seconds(l.Birth))
		case l.Serving == record.Never:
			m.fails(t.step, l.Instance, l.Ready, "%s was ready at %s and the load balancer never marked it up", l.Instance, words.Seconds(l.Ready))
		default:
			did = append(did, fmt.Sprintf("%s serving at %s", l.Instance, words.Seconds(l.Serving)))
		}
	}
	if len(did) < want && len(m.out) == complaints {
		m.fails(t.step, "", t.begin, "%d of %d new instances came to serve", len(did), want)
	}
	if want == 0 {
		did = append(did, "nothing to launch")
	}
	return did
}

// shrunk is proved when so many instances were terminated in the step.
func (m *moves) shrunk(t taken, want int) []string {
	var did []string
	began := func(l record.Lifetime) time.Duration {
		if m.e.Scenario.Stack.External != nil { // whether anybody drains it, nobody knows
			return l.Signalled
		}
		return l.Draining
	}
	for _, l := range m.e.LivesOf(t.step.Role) {
		if at := began(l); at != record.Never && at >= t.begin && at <= t.end {
			did = append(did, m.terminated(t, l.Instance, true)...)
		}
	}
	if len(did) < want {
		m.fails(t.step, "", t.begin, "%d of %d instances were terminated", len(did), want)
	}
	return did
}
