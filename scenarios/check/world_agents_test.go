package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// agentPlan puts an agent beside each instance of a made-up run. It adds up what comes from a window's first line on, and sends that
// on when the window is over, and at SIGTERM.
type agentPlan struct {
	window time.Duration                         // what it really has; 0: there are none
	drops  bool                                  // SIGTERM does not flush
	start  time.Duration                         // how long another one takes to come; 0 = 80 ms
	same   bool                                  // it never ends: the next one is the same process
	late   func(due time.Duration) time.Duration // how long its process waits to flush a window that is over
}

// agentEnd is the end of one of them.
type agentEnd struct {
	agent             string
	asked, gone, next time.Duration
	killed            bool
}

// agentStep ends the agent that a step names, "agent-2, for: 1s", and has another one come.
func (w *world) agentStep(verb, object string, t time.Duration) time.Duration {
	name, away, _ := strings.Cut(object, ", for: ")
	serves := "web-" + strings.TrimPrefix(name, "agent-")
	wait, _ := time.ParseDuration(cmp.Or(away, "0s"))
	ends := w.agentEnds[serves]
	end := agentEnd{agent: nthAgent(name, len(ends)), asked: t + 2*time.Millisecond, gone: t + 8*time.Millisecond, killed: verb == "kill"}
	end.next = end.gone + wait + cmp.Or(w.p.agents.start, 80*time.Millisecond)
	w.agentEnds[serves] = append(ends, end)
	return end.next
}

func nthAgent(name string, n int) string {
	if n == 0 {
		return name
	}
	return fmt.Sprintf("%s.%d", name, n+1)
}

// agentLives writes the lives of all agents into the journal. That of an instance that ends ends after it.
func (w *world) agentLives() {
	if w.p.agents.window == 0 {
		return
	}
	tell := func(at time.Duration, kind record.Kind, agent string, change func(*record.Event)) {
		w.event(at, kind, func(e *record.Event) {
			e.Instance, e.Role = agent, record.Agent
			if change != nil {
				change(e)
			}
		})
	}
	for _, b := range w.beings {
		name := "agent-" + strings.TrimPrefix(b.name, "web-")
		ends := w.agentEnds[b.name]
		if b.death != evidence.Forever {
			ends = append(ends, agentEnd{agent: nthAgent(name, len(ends)), asked: b.death + 2*time.Millisecond, gone: b.death + 8*time.Millisecond, next: record.Never})
			w.agentEnds[b.name] = ends
		}
		born := func(at time.Duration, n int) {
			tell(at, record.Birth, nthAgent(name, n), func(e *record.Event) {
				e.Serves, e.ID = b.name, fmt.Sprint(1000+n)
				if w.p.agents.same {
					e.ID = "1000"
				}
			})
		}
		born(b.birth-50*time.Millisecond, 0)
		tell(b.birth-20*time.Millisecond, record.Ready, name, nil)
		for n, end := range ends {
			signal := "SIGTERM"
			if end.killed {
				signal = evidence.SigKill
			}
			tell(end.asked, record.Signalled, end.agent, func(e *record.Event) { e.Signal = signal })
			tell(end.gone, record.Death, end.agent, func(e *record.Event) {
				e.Expected = true
				if end.killed {
					e.Signal, e.Code = signal, -1
				}
			})
			if end.next != record.Never {
				born(end.gone+time.Millisecond, n+1)
				tell(end.next, record.Ready, nthAgent(name, n+1), nil)
			}
		}
	}
}

// throughAgent gives when lines come to the collector that were sent to the agent beside an instance; those that never do are left out.
func (w *world) throughAgent(b *being, sent []arrival) []arrival {
	if w.p.agents.window == 0 {
		return sent
	}
	slices.SortStableFunc(sent, func(x, y arrival) int { return cmp.Compare(x.at, y.at) })
	ends := w.agentEnds[b.name]
	var out []arrival
	var closes time.Duration // of the present window
	for _, a := range sent {
		var end *agentEnd // the next of the agent that gets it
		nobody := false
		for k := range ends {
			e := &ends[k]
			if a.at >= e.asked && (e.next == record.Never || a.at < e.next) {
				nobody = true
			}
			if a.at < e.asked && end == nil {
				end = e
			}
		}
		if nobody {
			continue
		}
		if a.at >= closes {
			closes = a.at + w.p.agents.window
			if w.p.agents.late != nil {
				closes += w.p.agents.late(closes)
			}
		}
		at := closes
		if end != nil && at > end.asked {
			if end.killed || w.p.agents.drops {
				continue
			}
			at = end.asked
		}
		out = append(out, arrival{at, a.n})
	}
	return out
}
