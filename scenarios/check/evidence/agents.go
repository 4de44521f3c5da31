package evidence

import (
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// AgentEnd is the end of the agent beside an instance.
type AgentEnd struct {
	Agent string
	// Asked is when it was sent its first signal, or when it was gone if nobody sent one. Killed: that was SIGKILL, or nobody asked.
	Asked  time.Duration
	Killed bool
	Gone   time.Duration
	// Next is when another one was ready in its place; record.Never: it ended with its instance, and none was wanted.
	Next time.Duration
	For  time.Duration // for how long the scenario wants nobody there
}

// AgentLate is for how long an agent between an instance and the collector may hold a count, as declared; 0: there is none.
func (e *Index) AgentLate(instance string) time.Duration {
	if len(e.agents[instance]) == 0 {
		return 0
	}
	return e.Scenario.Stack.Agent.Late()
}

// Waits is how long what an instance counts may have waited for the machine between from and to, on its way to the collector: as long as
// the machine was late, and once more where an agent holds it after the client.
func (e *Index) Waits(instance string, from, to time.Duration) time.Duration {
	stall, flush := e.Delays(from, to)
	if e.AgentLate(instance) > 0 {
		return 2 * max(stall, flush)
	}
	return max(stall, flush)
}

// Quiet is from when on nothing may come of an instance that is gone: it is gone, and so is the agent that outlives it.
func (e *Index) Quiet(l record.Lifetime) time.Duration {
	quiet := l.Death
	for _, agent := range e.agents[l.Instance] {
		if quiet = max(quiet, agent.Death); agent.Death == record.Never && l.Death != record.Never {
			return Forever / 2
		}
	}
	return quiet
}

// AgentEnds are the ends of the agents beside an instance, in order.
func (e *Index) AgentEnds(instance string) (ends []AgentEnd) {
	if len(e.agents[instance]) == 0 {
		return nil
	}
	all, asked := e.agents[instance], e.awaysOf(instance)
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
		} else if life, known := e.LifeOf(instance); known && (life.Death == record.Never || life.Death > end.Asked) {
			end.Next = Forever / 2 // nobody came any more, for an instance that lived on
		}
		if i < len(asked) {
			end.For = asked[i]
		}
		ends = append(ends, end)
	}
	return ends
}

// awaysOf are for how long the scenario's steps want nobody in the place of the agents beside an instance, in order.
func (e *Index) awaysOf(instance string) (all []time.Duration) {
	agent := script.AgentOf(instance)
	for _, phase := range e.Scenario.Phases {
		for _, step := range phase.Do {
			if step.Target() == agent {
				all = append(all, script.AwayOf(step.Move))
			}
		}
	}
	return all
}

// AgentGaps is how long nothing can have come of an instance between from and to although it spoke: what a killed agent held
// was lost, and a new one holds what it has until its window is over. For how long none ran, away tells, which is no part of it, and
// late how much of that nobody asked for: the agent took so long to end, or the next one to come.
func (e *Index) AgentGaps(instance string, window, from, to time.Duration) (sum, away, late time.Duration) {
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
		late += overlap(from, to, end.Asked, end.Gone) + overlap(from, to, min(end.Gone+end.For, end.Next), end.Next)
	}
	return min(sum, to-from), away, late
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

// createdOf is the series that tells when a scraped one began; nil: none does. Where agents took turns, [Index.acrossAgents] has put
// them together already.
func (e *Index) createdOf(s *record.Series, created map[string]*record.Series) *record.Series {
	if len(e.agents[s.Labels.Get(LabelInstance)]) > 0 {
		return nil
	}
	return created[s.Labels.Key(createdName(s.Name))]
}

// acrossAgents is a counter that is scraped of the agents beside an instance: each begins at zero, so that the instance's count goes on
// from where the one before ended. What is not of that sort is given as it is.
func (e *Index) acrossAgents(s *record.Series, instance string) *record.Series {
	all := e.agents[instance]
	if len(all) < 2 || !s.Scraped() || s.Meta.Type != collector.Counter {
		return s
	}
	whole := *s
	whole.Points = slices.Clone(s.Points)
	var before, last float64
	next := 1 // the agent that may have begun anew
	for i := range whole.Points {
		p := &whole.Points[i]
		for next < len(all) && all[next].Birth <= p.At {
			before, last, next = before+last, 0, next+1
		}
		if p.HasNumber() {
			last = p.Value
			p.Value += before
		}
	}
	return &whole
}
