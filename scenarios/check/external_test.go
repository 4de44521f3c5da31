package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// foreign makes of a made-up run that of a stack which ran already: what nobody saw is gone, and the command that killed web-2 was
// begun so much before it took effect, so that web-2 answered on meanwhile.
func foreign(h record.History, took time.Duration) record.History {
	stack := `  external:
    url: http://127.0.0.1:8080
    instances: [web-1, web-2, web-3]
    launched: web-{{.Number}}
    statsd: {listen: 127.0.0.1:8125, tag: instance}
    alive: ["true", "{{.Name}}"]
    do: {kill: ["true", "{{.Name}}"], launch: ["true", "{{.Name}}"], terminate: ["true", "{{.Name}}"]}
`
	h.Scenario = []byte(strings.Replace(string(h.Scenario), "  web: {instances: 3}\n", stack, 1))
	h.Run.Platform, h.Run.Database = record.External, record.NoDatabase
	h.Executions, h.Before, h.After = nil, nil, nil
	h.Series = slices.DeleteFunc(h.Series, func(s record.Series) bool {
		return strings.HasPrefix(s.Name, "haproxy_") || strings.HasPrefix(s.Name, "mongodb_")
	})
	h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool {
		return e.Role == record.LoadBalancer || e.Role == record.Database || e.Kind == record.Down || e.Kind == record.Removed || e.Kind == record.Draining
	})
	for i := range h.Events {
		e := &h.Events[i]
		switch {
		case e.Kind == record.Signalled && e.Signal == "SIGKILL":
			e.At -= took
		case e.Kind == record.StepBegin && strings.HasPrefix(e.Step, "kill "):
			e.At -= took
		case e.Kind == record.RunEnd && e.Tally != nil:
			tally := *e.Tally
			tally.Executions, tally.Points = 0, 0
			for _, s := range h.Series {
				tally.Points += int64(len(s.Points))
			}
			e.Tally = &tally
		}
	}
	slices.SortStableFunc(h.Events, func(a, b record.Event) int { return int(a.At - b.At) })
	return h
}

func foreignPlan(holding time.Duration) plan {
	return plan{seed: 7, instances: 3, rate: 150, holding: holding, checks: "  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}\n  - shutdown: {metric: fullstack.insert, client_window: 100ms}\n",
		phases: []act{{"warm-up", nil, 6 * time.Second}, {"one dies", []string{"kill web-2"}, 6 * time.Second}, {"replaced", []string{"launch 1", "terminate web-1"}, 6 * time.Second}}}
}

// A healthy stack that nobody started passes without what nobody saw, however long its command took to kill.
func TestForeignStack(t *testing.T) {
	for _, took := range []time.Duration{0, 50 * time.Millisecond, 900 * time.Millisecond} {
		v := judged(t, foreign(foreignPlan(0).make(), took))
		if v.Outcome != verdict.Pass {
			t.Errorf("a command of %v: %v", took, open(v))
		}
		for _, f := range v.Findings {
			if f.Layer == record.LayerLB || f.Layer == record.LayerDB {
				t.Errorf("a finding about what nobody saw: %s: %s", f.Check, f.Summary)
			}
		}
	}
}

// What a kill may lose is what was held when it took effect, which the last answers show: the command's own time excuses nothing.
func TestForeignKillIsBounded(t *testing.T) {
	for _, took := range []time.Duration{0, 900 * time.Millisecond} {
		v := judged(t, foreign(foreignPlan(2*time.Second).make(), took))
		if v.Outcome != verdict.Fail || !slices.ContainsFunc(v.Findings, func(f verdict.Finding) bool { return f.Outcome == verdict.Fail && f.Instance == "web-2" && f.Lost > 10 }) {
			t.Errorf("a client that held back up to 2 s, killed by a command of %v: %v: %v", took, v.Outcome, open(v))
		}
	}
}

func open(v verdict.Verdict) (all []string) {
	for _, f := range v.Findings {
		if f.Outcome != verdict.Pass {
			all = append(all, f.Outcome.String()+" "+f.Check+": "+f.Summary)
		}
	}
	return all
}
