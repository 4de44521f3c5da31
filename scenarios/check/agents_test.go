package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
)

const agentChecks = `  - continuity: {metric: fullstack.insert, route: insert, max_gap: 2s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
`

// besideAgents is a run of three instances, each with an agent that declares a window of one second.
func besideAgents(steps ...string) plan {
	return plan{seed: 1, instances: 3, rate: 150, swing: 0.2, checks: agentChecks, stack: "  agent: {window: 1s}\n", agents: agentPlan{window: time.Second},
		phases: []act{{"before", nil, 7100 * time.Millisecond}, {"after", steps, 7 * time.Second}}}
}

func TestAgentsThatLoseNothing(t *testing.T) {
	for _, steps := range [][]string{nil, {"terminate agent-2"}, {"terminate agent-2", "terminate agent-2"}, {"terminate web-1"}, {"launch 1", "terminate web-1"}} {
		if v := judged(t, besideAgents(steps...).make()); v.Outcome != verdict.Pass {
			t.Errorf("%v: %v %+v", steps, v.Outcome, failing(v))
		}
	}
}

// What a killed agent held is booked to that, and what nobody took meanwhile to its absence.
func TestAKilledAgent(t *testing.T) {
	v := judged(t, besideAgents("kill agent-2, for: 500ms").make())
	if v.Outcome != verdict.Pass {
		t.Fatalf("%v %+v", v.Outcome, failing(v))
	}
	booked := map[string]int64{}
	for _, r := range v.Residuals {
		if r.Instance == "web-2" {
			booked[r.Cause] += r.Lost
		}
	}
	if booked["agent-held-at-sigkill"] < 5 || booked["agent-away"] < 20 || len(booked) != 2 {
		t.Errorf("booked %v", booked)
	}
}

// An agent that is asked to end has to give on what it holds.
func TestAnAgentDropsItsBucket(t *testing.T) {
	p := besideAgents("terminate agent-2")
	p.agents.drops = true
	w := p.world()
	f := about(t, judged(t, w.h), "conservation", "web-2", verdict.Fail)
	if f.Cause != "agent-lost" || f.Lost < 10 || !strings.HasSuffix(f.Summary, "they were lost at the end of agent-2, which got SIGTERM at 9.6 s: web-2 lived on, and nothing was lost before or after") {
		t.Errorf("%+v", f)
	}
}

// Where an instance ends together with its agent, nobody knows which of the two lost what; an agent that lingers has flushed before.
func TestAnAgentEndsWithItsInstance(t *testing.T) {
	p := besideAgents("terminate web-2")
	p.agents.drops = true
	f := about(t, judged(t, p.make()), "conservation", "web-2", verdict.Fail)
	if f.Cause != "undecided" || !slices.Equal(f.Possible, []string{"agent-lost", "lost-on-exit"}) || !strings.Contains(f.Summary, "stack.agent.linger") {
		t.Errorf("%+v", f)
	}
}

// What is lost beside, before or after an agent's end is not the agent's.
func TestLossesThatAreNotTheAgents(t *testing.T) {
	for name, counts := range map[string]func(instance string, nth int, life time.Duration) int64{
		"all along": func(_ string, nth int, _ time.Duration) int64 { return min(1, int64(nth%4)) },
		"before": func(_ string, _ int, life time.Duration) int64 {
			if life > 3*time.Second && life < 5*time.Second {
				return 0
			}
			return 1
		},
		"at the end": func(_ string, _ int, life time.Duration) int64 {
			if life > 12*time.Second {
				return 0
			}
			return 1
		},
	} {
		for _, steps := range []string{"terminate agent-2", "kill agent-2"} {
			p := besideAgents(steps)
			p.counts = func(instance string, nth int, life time.Duration) int64 {
				if instance != "web-2" {
					return 1
				}
				return counts(instance, nth, life)
			}
			if f := about(t, judged(t, p.make()), "conservation", "web-2", verdict.Fail); f.Cause == "agent-lost" {
				t.Errorf("%s, %s: %+v", name, steps, f)
			}
		}
	}
	// All instances lose alike: whatever that is, it is not the end of one agent.
	p := besideAgents("terminate agent-2")
	p.agents.drops = true
	p.counts = func(_ string, nth int, _ time.Duration) int64 { return min(1, int64(nth%9)) }
	if f := about(t, judged(t, p.make()), "conservation", "web-2", verdict.Fail); f.Cause == "agent-lost" {
		t.Errorf("%+v", f)
	}
}

// An agent that holds counts for longer than declared is no agent that lost a bucket.
func TestAnAgentThatHoldsLonger(t *testing.T) {
	p := besideAgents("terminate agent-2")
	p.agents.window, p.agents.drops = 6*time.Second, true
	v := judged(t, p.make())
	if v.Outcome != verdict.Fail || slices.ContainsFunc(v.Findings, func(f verdict.Finding) bool { return f.Cause == "agent-lost" }) {
		t.Errorf("%v %+v", v.Outcome, failing(v))
	}
}

// For how long nobody takes what an instance sends is the scenario's to say: then it is a gap that the agent made. If it was longer than
// that, the run proves nothing.
func TestAnAgentIsAway(t *testing.T) {
	v := judged(t, besideAgents("kill agent-2, for: 3s").make())
	if f := about(t, v, "continuity", "web-2", verdict.Fail); f.Cause != "agent-away" || !strings.Contains(f.Summary, "no agent ran for ") {
		t.Errorf("%+v", f)
	}
	p := besideAgents("kill agent-2")
	p.agents.start = 3 * time.Second
	v = judged(t, p.make())
	if f := about(t, v, "efficacy", "agent-2.2", verdict.Inconclusive); v.Outcome != verdict.Inconclusive || !strings.Contains(f.Summary, "only 3.0 s after that was gone") {
		t.Errorf("%v %+v", v.Outcome, failing(v))
	}
}

// hesitant is a run in which the agents flush a window in the middle so much later than they should. How much later they flush their
// first ones says where in the collector's intervals they flush the others.
func hesitant(window, first, late time.Duration) plan {
	p := besideAgents()
	p.stack, p.agents.window = fmt.Sprintf("  agent: {window: %s}\n", window), window
	p.agents.late = func(due time.Duration) time.Duration {
		switch {
		case due < worldBegin+2*window:
			return first
		case due > 8*time.Second && due <= 8*time.Second+window:
			return late
		}
		return 0
	}
	return p
}

// A gap has in it what an agent may hold as declared, beside max_gap: one that is asked to flush and waits for the machine for a second
// is no gap yet.
func TestAnAgentThatFlushesLate(t *testing.T) {
	for _, window := range []time.Duration{time.Second, 3 * time.Second} {
		for first := time.Duration(0); first < time.Second; first += 100 * time.Millisecond {
			// What is in the last windows has no time to come, which conservation tells.
			for _, f := range failing(judged(t, hesitant(window, first, 980*time.Millisecond).make())) {
				if f.Check == "continuity" || f.Cause == "late" {
					t.Errorf("window %v, first %v: %+v", window, first, f)
				}
			}
		}
		late := 2600 * time.Millisecond
		v := judged(t, hesitant(window, 0, late).make())
		about(t, v, "continuity", "web-1", verdict.Fail) // it is a gap if nothing says that the machine was late
		p := hesitant(window, 0, late)
		p.stall = func(at time.Duration) time.Duration {
			if begin := 8800 * time.Millisecond; at >= begin && at < begin+900*time.Millisecond {
				return begin + 900*time.Millisecond - at
			}
			return 0
		}
		for _, f := range failing(judged(t, p.make())) {
			if f.Outcome == verdict.Fail {
				t.Errorf("window %v, on a machine that is late: %+v", window, f)
			}
		}
	}
}

// Another process has to be there afterwards.
func TestAnAgentThatNeverEnded(t *testing.T) {
	p := besideAgents("kill agent-2")
	p.agents.same = true
	if f := about(t, judged(t, p.make()), "efficacy", "agent-2.2", verdict.Inconclusive); !strings.HasSuffix(f.Summary, "agent-2.2 has the process of agent-2: it never ended") {
		t.Errorf("%+v", f)
	}
}

func failing(v verdict.Verdict) (out []verdict.Finding) {
	for _, f := range v.Findings {
		if f.Outcome != verdict.Pass {
			out = append(out, f)
		}
	}
	return out
}
