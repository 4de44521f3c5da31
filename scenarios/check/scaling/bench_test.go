package scaling

import (
	"fmt"
	"testing"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// BenchmarkHour judges an hour of 300 instances, one decision each 15 s: of counters that are right, and of such that lack
// one of ten, so that all three truths are asked.
func BenchmarkHour(b *testing.B) {
	for name, each := range map[string]float64{"right": 1, "one of ten is lost": 0.9} {
		b.Run(name, func(b *testing.B) {
			h, s := hour(300, each)
			for b.Loop() {
				e := evidence.New(h, s)
				found := Scaling{Promise: script.Scaling{Astray: 0.05, Overshoot: script.AnyNumber, Flaps: script.AnyNumber, Cost: 1.3}}.Judge(e).Findings
				e.Close()
				if len(found) < 3 || found[0].Outcome == verdict.Inconclusive {
					b.Fatalf("%+v", found)
				}
			}
		})
	}
}

// hour is a record of so many instances that count once a second each.
func hour(instances int, each float64) (record.History, script.Scenario) {
	h := record.History{Run: record.Run{ID: "r1", Start: time.Unix(1_700_000_000, 0).UTC(), Interval: second}}
	h.Events = append(h.Events, record.Event{Kind: record.LoadBegin})
	for n := range instances {
		name := fmt.Sprintf("web-%d", n+1)
		for _, kind := range []record.Kind{record.Birth, record.Serving} {
			h.Events = append(h.Events, record.Event{Kind: kind, Instance: name, Role: record.Web})
		}
		s := counter(name, 0, 12, 0)
		s.Points = s.Points[:1]
		for k := range 3600 {
			s.Points = append(s.Points, record.Point{At: time.Duration(k+1) * second, Value: each * float64(k+1), Observed: 1})
		}
		h.Series = append(h.Series, s)
	}
	for k := range 3600 {
		for n := range instances {
			t := time.Duration(k)*second + time.Duration(n)*time.Millisecond
			h.Requests = append(h.Requests, record.Request{Seq: uint64(len(h.Requests)), Due: t, Sent: t, Done: t + 10*time.Millisecond, Route: "insert",
				Instance: fmt.Sprintf("web-%d", n+1), Status: 200, Attempts: 1, Outcome: record.Acked})
		}
	}
	a := script.Autoscale{On: "sum(rate(hits_total[1m]))", Policy: autoscale.Policy{Min: 1, Max: 400, Form: autoscale.Sum, Target: 1, Tolerance: 0.05, Every: 15 * second}}
	for t := 15 * second; t < 3600*second; t += 15 * second {
		h.Events = append(h.Events, record.Event{At: t, Kind: record.Decided, Decision: &autoscale.Decision{At: t, Had: instances, Wanted: int(float64(instances) * each)}})
	}
	h.Events = append(h.Events, record.Event{At: 3600 * second, Kind: record.LoadEnd})
	return h, script.Scenario{Autoscale: &a, Checks: []script.Check{{Promise: hits}}}
}
