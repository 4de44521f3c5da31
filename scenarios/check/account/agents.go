package account

import (
	"fmt"
	"math"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
)

// agency is what the ends of the agents beside an instance can have cost it. Of an agent that was killed that is what it held;
// of any, what was sent while none was there. One that was asked to end can give on what it holds, so that it loses nothing.
type agency struct {
	ends []evidence.AgentEnd // while the instance lived
	// Held and Away are the most that is accounted for, and Stalled the most of both where the machine was late itself.
	Held, Away, Stalled int64
	// most is what the ends can have cost, whoever was asked to end, and elsewhere what was lost before, between or after.
	most, elsewhere int64
	// with are ends that came with the instance's own: who of the two lost what, nobody can tell.
	with []evidence.AgentEnd
}

// agencyOf looks at the ends of the agents beside an instance. With a window of 1 s and a client that holds counts for 100 ms, an agent that is
// killed at 5.0 s, and whose place is taken at 5.2 s, may cost what was acknowledged from 3.9 to 5.3 s: until 4.9 s it may have had it,
// and from then on nobody may have taken it.
func (a *Account) agencyOf(e *evidence.Index) agency {
	var g agency
	client := a.Promise.ClientWindow + clockGrace(a.Promise.ClientWindow)
	for _, end := range e.AgentEnds(a.Life.Instance) {
		if end.Next == record.Never {
			if end.Asked-a.Life.Death < a.heldFor+client {
				g.with = append(g.with, end)
			}
			continue
		}
		g.ends = append(g.ends, end)
		late := e.Waits(a.Life.Instance, end.Asked-a.heldFor-time.Second, end.Next+time.Second)
		from, to := end.Asked-client, end.Next+client
		g.Away += within(a.Acked, from, to)
		stalledFrom := from - late
		if end.Killed {
			g.Held += within(a.Acked, from-a.agentLate, from)
			stalledFrom -= a.agentLate
		}
		g.Stalled += within(a.Acked, stalledFrom, to+late)
		g.most += within(a.Acked, from-a.agentLate-late, to+late)
	}
	g.elsewhere = a.elsewhere(e, g.ends)
	return g
}

// within counts those from a time until before another.
func within(sorted []time.Duration, from, to time.Duration) int64 {
	return evidence.CountUpTo(sorted, to-1) - evidence.CountUpTo(sorted, from-1)
}

// agentCost is the most that ends of agents beside an instance can have cost of what was acknowledged by t.
func agentCost(e *evidence.Index, instance string, acked []time.Duration, clientWindow, t time.Duration) (sum int64) {
	client := clientWindow + clockGrace(clientWindow)
	for _, end := range e.AgentEnds(instance) {
		if end.Asked > t {
			break
		}
		from := end.Asked - client
		if end.Killed {
			from -= e.AgentLate(instance)
		}
		to := t
		if end.Next != record.Never {
			to = min(t, end.Next+client)
		}
		sum += within(acked, from, to)
	}
	return sum
}

// beyondAgents is how many are lost at least that no end of an agent can have cost, nor the client's buffer, to which so many are booked.
func (a *Account) beyondAgents(buffered int64) int64 { return max(0, a.agency.elsewhere-buffered) }

// buffered is how many of those lost are booked to the client's buffer.
func (a *Account) buffered() int64 {
	lost := max(0, int64(len(a.Acked))-a.Total)
	return max(0, min(a.Buffer, lost-a.Early))
}

// AgentStalled tells whether what is lost would be accounted for by the ends of agents if each was as late as the machine then.
func (a *Account) AgentStalled() bool {
	lost := int64(len(a.Acked)) - a.Total - a.buffered()
	return lost > 0 && lost <= a.agency.Stalled && a.beyondAgents(a.buffered()) == 0
}

// elsewhere is how many are lost at least that no end of an agent can have cost: those missing shortly before one although nobody
// may hold them any more, and those that were lost when all that an agent holds had come again. What may have been executed beyond what
// was acknowledged is taken for counted, so that it is never too many.
func (a *Account) elsewhere(e *evidence.Index, ends []evidence.AgentEnd) (sum int64) {
	unseen := make([]float64, len(a.ticks)) // what can have been executed, and is not counted
	for k, t := range a.ticks {
		unseen[k] = float64(a.possible[k]) - a.counted.UpTo(t)
	}
	lost, before := permanent(unseen), int64(0)
	for _, end := range ends {
		sum += max(0, a.missingAt(e, end.Asked)-before)
		settled := end.Next + a.heldFor + clockGrace(a.heldFor) + e.Interval
		for k, t := range a.ticks {
			if t >= settled {
				before = evidence.Whole(math.Ceil(lost[k]))
				break
			}
			before = math.MaxInt64 / 2 // it has not settled: nothing can be told from then on
		}
	}
	if len(ends) == 0 || before > int64(len(a.Acked)) {
		return sum
	}
	return sum + max(0, int64(len(a.Acked))-a.Total-before)
}

// missingAt is how many were missing, at each of the last interval ends before a time, although they were older than anybody may
// hold them.
func (a *Account) missingAt(e *evidence.Index, at time.Duration) int64 {
	var missing, looked int64
	for k := len(a.ticks) - 1; k >= 0 && a.ticks[k] > at-evidence.Settle*e.Interval; k-- {
		t := a.ticks[k]
		if t > at {
			continue
		}
		oldest := e.HeldSince(a.Life.Instance, t, a.heldFor+clockGrace(a.heldFor))
		late := e.Waits(a.Life.Instance, oldest-time.Second, t+time.Second)
		m := max(0, evidence.CountUpTo(a.Acked, oldest-max(late, a.slowed))-evidence.Whole(math.Ceil(a.counted.UpTo(t))))
		if looked == 0 || m < missing {
			missing = m
		}
		looked++
	}
	if looked < 2 {
		return 0
	}
	return missing
}

// agentLost tells why an account lacks counts that agents beside its instance can have lost at their ends; false: it is
// not for that, or not for that alone. n is how many accounts lack some of whose instances no agent ended.
func (a *Account) agentLost(n int) (diagnose.Diagnosis, bool) {
	lost := int64(len(a.Acked)) - a.Total - a.buffered()
	if len(a.agency.ends) == 0 && len(a.agency.with) == 0 || lost <= 0 {
		return diagnose.Diagnosis{}, false
	}
	d := diagnose.Diagnosis{Cause: diagnose.Undecided, From: a.heldFrom(), To: a.heldTo()}
	switch {
	case len(a.agency.ends) == 0:
		end := a.agency.with[0]
		d.Possible = []string{diagnose.AgentLost, diagnose.LostOnExit}
		if a.Life.Killed() {
			d.Possible[1] = diagnose.LargeBuffer
		}
		d.Why = fmt.Sprintf("%s and %s ended together, and either may have ended with what it held: let the agent outlive its instance (stack.agent.linger) to tell", a.Life.Instance, end.Agent)
	case lost > a.agency.most:
		d.Why = fmt.Sprintf("%s ended at %s, and more is missing than it can have held by stack.agent.window: it holds counts for longer than that, or %s lost some too",
			a.agency.ends[0].Agent, words.Seconds(a.agency.ends[0].Asked), a.Life.Instance)
	case a.beyondAgents(a.buffered()) > 0 || n > 0:
		d.Why = fmt.Sprintf("%s ended at %s, and counts are missing too that it cannot have held then", a.agency.ends[0].Agent, words.Seconds(a.agency.ends[0].Asked))
	default:
		d.Cause = diagnose.AgentLost
		d.Why = a.agentWhy()
	}
	return d, true
}

// agentWhy tells of ends of agents that lost what they held.
func (a *Account) agentWhy() string {
	var ended []string
	for _, end := range a.agency.ends {
		how := "got SIGTERM"
		if end.Killed {
			how = "was killed"
		}
		ended = append(ended, fmt.Sprintf("%s, which %s at %s", end.Agent, how, words.Seconds(end.Asked)))
	}
	return fmt.Sprintf("they were lost at the end of %s: %s lived on, and nothing was lost before or after", words.Some(ended), a.Life.Instance)
}

// heldFrom and heldTo are between when what agents can have lost was acknowledged.
func (a *Account) heldFrom() time.Duration {
	for _, end := range append(a.agency.ends, a.agency.with...) {
		return max(0, end.Asked-a.heldFor)
	}
	return 0
}

func (a *Account) heldTo() time.Duration {
	var to time.Duration
	for _, end := range append(a.agency.ends, a.agency.with...) {
		to = max(to, end.Gone, end.Next)
	}
	return to
}

// Agents is the most that the ends of agents account for, and what they would if each was as late as the machine then.
func (a *Account) Agents() (most, stalled int64) {
	return a.agency.Held + a.agency.Away, a.agency.Stalled
}
