package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// hindered is the talk with a fault of the network of a hop from 9 s to 12 s.
func hindered(step, fault, hop, on string) record.History {
	h := faulty(step, fault)
	for i := range h.Events {
		if h.Events[i].Fault != "" {
			h.Events[i].Hop, h.Events[i].Instance = hop, on
		}
	}
	tell(&h, record.Event{At: 11900 * time.Millisecond, Kind: record.PhaseEnd, Phase: "of somebody else"}) // what heals it begins
	slices.SortStableFunc(h.Events, func(a, b record.Event) int { return int(a.At - b.At) })
	return h
}

// later lets the answers come later that the users had while a fault was in force.
func later(h *record.History, by time.Duration, of string) {
	for i := range h.Requests {
		if r := &h.Requests[i]; r.Sent >= 9*time.Second && r.Sent < 12*time.Second && (of == "" || r.Instance == of) {
			r.Done += by
		}
	}
}

// A network that is slow lets no request pass sooner, and one that is cut none at all: the users know it as well as the link.
func TestFaultsOfTheNetworkShowInTheLedger(t *testing.T) {
	for name, c := range map[string]struct {
		step, fault, hop, on string
		change               func(*record.History)
		sooner               bool
	}{
		"slow, and it was not":            {"fault: slow-network, hop: users-lb, by: 100ms", "slow-network", "users-lb", "", func(*record.History) {}, true},
		"slow":                            {"fault: slow-network, hop: users-lb, by: 100ms", "slow-network", "users-lb", "", func(h *record.History) { later(h, 200*time.Millisecond, "") }, false},
		"slow there, and not back":        {"fault: slow-network, hop: users-lb, by: 100ms", "slow-network", "users-lb", "", func(h *record.History) { later(h, 100*time.Millisecond, "") }, true},
		"slow to web-2":                   {"fault: slow-network, hop: lb-web, by: 100ms, on: web-2", "slow-network", "lb-web", "web-2", func(h *record.History) { later(h, 200*time.Millisecond, "web-2") }, false},
		"slow to web-2, but it was web-1": {"fault: slow-network, hop: lb-web, by: 100ms, on: web-2", "slow-network", "lb-web", "web-2", func(h *record.History) { later(h, 200*time.Millisecond, "web-1") }, true},
		"slow to the database":            {"fault: slow-network, hop: web-db, by: 100ms", "slow-network", "web-db", "", func(*record.History) {}, false},
		"cut, and it was not":             {"fault: cut-network, hop: lb-web, on: web-2", "cut-network", "lb-web", "web-2", func(h *record.History) {}, true},
		"cut":                             {"fault: cut-network, hop: lb-web, on: web-2", "cut-network", "lb-web", "web-2", func(h *record.History) { later(h, 5*time.Second, "web-2") }, false},
	} {
		h := hindered(c.step, c.fault, c.hop, c.on)
		c.change(&h)
		got := said(judged(t, h), "efficacy", verdict.Inconclusive)
		if c.sooner != (len(got) == 1 && strings.Contains(got[0], " while it was in force")) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// While the network is cut nothing can be acknowledged, which is what the scenario wants; that web-1 is cut off excuses nobody else.
func TestNothingIsAcknowledgedOverACut(t *testing.T) {
	for name, c := range map[string]struct {
		step, fault, hop, on string
		vacuous              bool
	}{
		"the users'":         {"fault: cut-network, hop: users-lb", "cut-network", "users-lb", "", false},
		"the database's":     {"fault: cut-network, hop: web-db", "cut-network", "web-db", "", false},
		"one instance's":     {"fault: cut-network, hop: lb-web, on: web-1", "cut-network", "lb-web", "web-1", true},
		"slow, and not cut":  {"fault: slow-network, hop: users-lb", "slow-network", "users-lb", "", true},
		"nothing of network": {"fault: drop-datagrams", "drop-datagrams", "", "", true},
	} {
		h := hindered(c.step, c.fault, c.hop, c.on)
		for i := range h.Requests {
			if r := &h.Requests[i]; r.Sent >= 7*time.Second {
				r.Outcome, r.Status, r.Instance, r.Err = record.Unknown, 0, "", "given up"
			}
		}
		got := said(judged(t, h), "vacuity", verdict.Inconclusive)
		if vacuous := slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, `in phase "faulty" none of `) }); vacuous != c.vacuous {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// A request that the network holds back need not be in the gauge of its instance; one that waits for the database must.
func TestGaugeOfWhatIsOnItsWay(t *testing.T) {
	for _, c := range []struct {
		fault, hop, on string
		want           verdict.Outcome
	}{
		{"throttle-network", "users-lb", "", verdict.Pass},
		{"cut-network", "lb-web", "web-3", verdict.Pass},
		{"slow-network", "lb-web", "web-1", verdict.Fail},
		{"slow-network", "web-db", "", verdict.Fail},
	} {
		p := talk()
		p.checks = gaugeCheck
		h := p.make()
		lastUnknown(&h)
		h.Events = append(h.Events,
			record.Event{At: 12 * time.Second, Kind: record.FaultBegin, Fault: c.fault, Hop: c.hop, Instance: c.on},
			record.Event{At: 16 * time.Second, Kind: record.FaultEnd, Fault: c.fault, Hop: c.hop, Instance: c.on, Count: 1})
		got := verdict.Pass
		for _, f := range judged(t, h).Findings {
			if f.Check == "gauge" && f.Outcome != verdict.Pass {
				got = f.Outcome
			}
		}
		if got != c.want {
			t.Errorf("%s on %s %s: %v, want %v", c.fault, c.hop, c.on, got, c.want)
		}
	}
}

// What a network lets pass at once keeps those waiting that come after it: they need not be in the gauge of an instance either,
// until requests are as short again as they were.
func TestGaugeOfWhatWaitsBehindOthers(t *testing.T) {
	for name, c := range map[string]struct {
		held bool // a request was sent during the cut, and answered when the others had been sent
		want verdict.Outcome
	}{"behind one that was held back": {true, verdict.Pass}, "the network had settled": {false, verdict.Fail}} {
		p := talk()
		p.checks = gaugeCheck
		h := p.make()
		lastUnknown(&h)
		first := record.Never
		for i := range h.Requests {
			if r := &h.Requests[i]; r.Done-r.Sent > time.Second && (first == record.Never || r.Sent < first) {
				first = r.Sent
			}
		}
		h.Events = append(h.Events,
			record.Event{At: first - 900*time.Millisecond, Kind: record.FaultBegin, Fault: "cut-network", Hop: "users-lb"},
			record.Event{At: first - 600*time.Millisecond, Kind: record.FaultEnd, Fault: "cut-network", Hop: "users-lb", Count: 1})
		if c.held {
			for i := range h.Requests {
				if r := &h.Requests[i]; r.Sent > first-900*time.Millisecond {
					r.Done = first + time.Second
					break
				}
			}
		}
		got := verdict.Pass
		for _, f := range judged(t, h).Findings {
			if f.Check == "gauge" && f.Cause == "last-write-wins" {
				got = f.Outcome
			}
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A request that was held back before the load balancer may come to an instance that was born after its user gave it up.
func TestARequestMayComeToWhoWasBornLater(t *testing.T) {
	for hop, want := range map[string]verdict.Outcome{"": verdict.Fail, "lb-web": verdict.Fail, "users-lb": verdict.Pass} {
		p := talk()
		p.phases = []act{{"warm-up", nil, 5 * time.Second}, {"more", []string{"launch 1"}, 8 * time.Second}}
		h := p.make()
		h.Executions = nil // else its log tells who had it
		n := 0
		for i := range h.Requests {
			if r := &h.Requests[i]; r.Instance == "web-4" && r.Route == "insert" && r.Outcome == record.Acked && n < 5 {
				n++
				r.Due, r.Sent, r.Done = 6*time.Second, 6*time.Second, 7*time.Second
				r.Outcome, r.Status, r.Instance, r.Err = record.Unknown, 0, "", "given up"
			}
		}
		if n < 5 {
			t.Fatal("web-4 has too few requests")
		}
		if hop != "" {
			h.Events = append(h.Events,
				record.Event{At: 5 * time.Second, Kind: record.FaultBegin, Fault: "cut-network", Hop: hop},
				record.Event{At: 8 * time.Second, Kind: record.FaultEnd, Fault: "cut-network", Hop: hop, Count: 1})
		}
		got := verdict.Pass
		for _, f := range judged(t, h).Findings {
			if f.Check == "conservation" && f.Instance == "web-4" && f.Outcome == verdict.Fail {
				got = f.Outcome
			}
		}
		if got != want {
			t.Errorf("hop %q: %v, want %v", hop, got, want)
		}
	}
}
