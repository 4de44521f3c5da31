package evidence

import (
	"time"

	"throughline/scenarios/record"
)

// AgentEnd is the end of the agent beside an instance.
type AgentEnd struct {
	Agent string
	// Asked is when it was sent its first signal, or when it was gone if nobody sent one. Killed: that was SIGKILL, or nobody asked.
	Asked  time.Duration
	Killed bool
	Gone   time.Duration
	Next   time.Duration // when another one was ready in its place; record.Never: none was
}

// AgentLate is for how long an agent between an instance and the collector may hold a count, as declared; 0: there is none.
func (e *Index) AgentLate(instance string) time.Duration {
	if len(e.agents[instance]) == 0 {
		return 0
	}
	return e.Scenario.Stack.Agent.Late()
}

// AgentEnds are the ends of the agents beside an instance, in order.
func (e *Index) AgentEnds(instance string) (ends []AgentEnd) {
	all := e.agents[instance]
	for i, l := range all {
		if l.Death == record.Never {
			continue
		}
		end := AgentEnd{Agent: l.Instance, Asked: l.Death, Killed: true, Gone: l.Death, Next: record.Never}
		for _, ev := range e.EventsOf(l.Instance) {
			if ev.Kind == record.Signalled {
				end.Asked, end.Killed = ev.At, ev.Signal == SigKill
				break
			}
		}
		if i+1 < len(all) {
			end.Next = all[i+1].Ready
		}
		ends = append(ends, end)
	}
	return ends
}

// AgentGaps is how long nothing can have come of an instance between from and to although it spoke: what a killed agent held
// was lost, and a new one holds what it has until its window is over. For how long none ran, away tells, which is no part of it.
func (e *Index) AgentGaps(instance string, window, from, to time.Duration) (sum, away time.Duration) {
	held := e.AgentLate(instance) + window
	for _, end := range e.AgentEnds(instance) {
		if end.Next == record.Never {
			continue
		}
		if end.Killed {
			sum += overlap(from, to, end.Asked-held, end.Asked)
		}
		sum += overlap(from, to, end.Next, end.Next+held)
		away += overlap(from, to, end.Asked, end.Next)
	}
	return min(sum, to-from), away
}

// overlap is how much of one stretch is in another.
func overlap(from, to, begin, end time.Duration) time.Duration {
	return max(0, min(to, end)-max(from, begin))
}

// indexAgents lays out the agents by the instance beside which they are.
func (e *Index) indexAgents(all []record.Lifetime) {
	e.agents = map[string][]record.Lifetime{}
	for _, l := range all {
		if l.Role == record.Agent && l.Serves != "" {
			e.agents[l.Serves] = append(e.agents[l.Serves], l)
		}
	}
}
