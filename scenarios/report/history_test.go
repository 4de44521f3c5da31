package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/story"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

const (
	second = time.Second
	ms     = time.Millisecond
)

// killed is a run as it really goes: a load that swings around 200 requests a
// second, three instances of which web-2 is killed at 8.3 s, and web-4 that is
// launched at 16 s. The collector's intervals end at 0.37 s, 1.37 s, …
func killed() record.History {
	h := record.History{
		Run: record.Run{ID: "r7c1", Scenario: "replace-an-instance", File: "scenarios/replace-an-instance.yaml", Seed: 42,
			Platform: "local", Start: time.Date(2024, 5, 4, 9, 30, 0, 0, time.UTC), Interval: second, Database: "docstore",
			Versions: map[string]string{"haproxy": "2.6.12", "throughline": "0.1.0"}},
		Scenario: []byte("scenario: replace-an-instance\nabout: Replace an instance, keep the metrics.\nload: {rate: 200/s}\n"),
		Before:   &record.Documents{At: second},
	}
	h.Events = killedJournal(&h.Run)
	h.Requests = killedRequests()
	h.Series = killedSeries(h.Requests)
	words := map[string]int64{}
	for _, r := range h.Requests {
		if r.Route == "insert" && r.Outcome == record.Acked {
			words[r.Word]++
		}
	}
	h.After = &record.Documents{At: 28 * second}
	for word, n := range words {
		h.After.Words = append(h.After.Words, record.WordCount{Word: word, Count: n})
	}
	slices.SortFunc(h.After.Words, func(a, b record.WordCount) int { return record.CompareNames(a.Word, b.Word) })
	return h
}

func killedJournal(run *record.Run) []record.Event {
	at := func(d time.Duration, k record.Kind, instance string) record.Event {
		return record.Event{At: d, Kind: k, Instance: instance, Role: record.Web}
	}
	phase := func(d time.Duration, k record.Kind, name string) record.Event {
		return record.Event{At: d, Kind: k, Phase: name}
	}
	events := []record.Event{{Kind: record.RunBegin, Run: run},
		{At: 20 * ms, Kind: record.Birth, Instance: "db-1", Role: record.Database},
		{At: 90 * ms, Kind: record.Ready, Instance: "db-1", Role: record.Database},
		{At: 100 * ms, Kind: record.Birth, Instance: "lb-1", Role: record.LoadBalancer}}
	for i := range 3 {
		name := fmt.Sprintf("web-%d", i+1)
		d := time.Duration(120+40*i) * ms
		events = append(events, at(d, record.Birth, name), at(d+300*ms, record.Ready, name), at(d+600*ms, record.Serving, name))
	}
	events = append(events,
		phase(900*ms, record.PhaseBegin, "warm-up"), record.Event{At: 900 * ms, Kind: record.LoadBegin},
		phase(8250*ms, record.PhaseEnd, "warm-up"), phase(8250*ms, record.PhaseBegin, "one instance dies"),
		record.Event{At: 8280 * ms, Kind: record.StepBegin, Step: "kill web-2", Phase: "one instance dies"},
		record.Event{At: 8300 * ms, Kind: record.Signalled, Instance: "web-2", Role: record.Web, Signal: "SIGKILL"},
		record.Event{At: 8304 * ms, Kind: record.Death, Instance: "web-2", Role: record.Web, Signal: "SIGKILL", Code: -1, Expected: true},
		at(8700*ms, record.Down, "web-2"),
		record.Event{At: 8710 * ms, Kind: record.StepEnd, Step: "kill web-2", Phase: "one instance dies"},
		phase(16*second, record.PhaseEnd, "one instance dies"), phase(16*second, record.PhaseBegin, "its replacement arrives"),
		record.Event{At: 16010 * ms, Kind: record.StepBegin, Step: "launch 1", Phase: "its replacement arrives"},
		at(16020*ms, record.Birth, "web-4"), at(16410*ms, record.Ready, "web-4"), at(16720*ms, record.Serving, "web-4"),
		record.Event{At: 16730 * ms, Kind: record.StepEnd, Step: "launch 1", Phase: "its replacement arrives"},
		phase(25*second, record.PhaseEnd, "its replacement arrives"),
		record.Event{At: 25100 * ms, Kind: record.LoadEnd}, record.Event{At: 27500 * ms, Kind: record.Quiesced},
		record.Event{At: 28500 * ms, Kind: record.RunEnd})
	slices.SortStableFunc(events, func(a, b record.Event) int { return int(a.At - b.At) })
	return events
}

// killedRequests is the users' ledger: the load, who answered, and what became
// of the requests that met the dying instance.
func killedRequests() []record.Request {
	random := rand.New(rand.NewPCG(42, 1))
	var out []record.Request
	for due := 900 * ms; due < 25*second; {
		// Whole numbers, so that the goldens are the same on every machine.
		rate := math.Round(200 + 80*math.Sin(2*math.Pi*(due-900*ms).Seconds()/8))
		due += second / time.Duration(rate)
		serving := []string{"web-1", "web-2", "web-3"}
		if due > 8700*ms {
			serving = []string{"web-1", "web-3"}
		}
		if due > 16720*ms {
			serving = append(serving, "web-4")
		}
		r := record.Request{Seq: uint64(len(out)), Due: due, Sent: due + 80*time.Microsecond, Route: "insert", Attempts: 1,
			Word: fmt.Sprintf("word-%d", random.IntN(500)), Instance: serving[len(out)%len(serving)], Status: 200, Outcome: record.Acked}
		if len(out)%10 == 9 {
			r.Route, r.Word = "get", ""
		}
		took := 1200*time.Microsecond + time.Duration(500*random.ExpFloat64())*time.Microsecond
		if r.Instance == "web-2" && due > 8296*ms {
			r.Instance, r.Status, r.Outcome, took = "", 503, record.Refused, 14*ms+took
			if due < 8330*ms {
				r.Status, r.Outcome, r.Err, took = 0, record.Unknown, "EOF", 40*ms
			}
		}
		r.Done = r.Due + took
		out = append(out, r)
	}
	return out
}

// killedSeries is what the collector stored of these requests. web-2 loses
// what it acknowledged in its last 100 ms.
func killedSeries(requests []record.Request) []record.Series {
	pushed := func(instance string) record.Series {
		return record.Series{Name: "fullstack_insert_total", Labels: collector.NewLabels("instance", instance),
			Meta: collector.Meta{Type: collector.Counter, Sent: "fullstack.insert"}}
	}
	polled := func(name string, labels ...string) record.Series {
		return record.Series{Name: name, Labels: collector.NewLabels(labels...), Meta: collector.Meta{Type: collector.Counter}}
	}
	var series []record.Series
	for i := range 4 {
		name := fmt.Sprintf("web-%d", i+1)
		s := pushed(name)
		push(&s, requests, func(r record.Request) bool {
			return r.Instance == name && r.Route == "insert" && (name != "web-2" || r.Done < 8200*ms)
		})
		series = append(series, s)
	}
	for _, of := range []struct {
		s    record.Series
		want func(record.Request) bool
	}{
		{polled(lbRequests, "proxy", "users"), func(record.Request) bool { return true }},
		{polled(lbRequests, "proxy", "stats"), func(r record.Request) bool { return r.Seq%200 == 0 }},
		{polled("haproxy_frontend_hrsp_5xx", "proxy", "users"), func(r record.Request) bool { return r.Status >= 500 }},
		{polled("haproxy_backend_econ", "proxy", "web"), func(r record.Request) bool { return r.Status == 503 }},
		{polled("haproxy_backend_wretr", "proxy", "web"), func(r record.Request) bool { return r.Status == 503 }},
		{polled(record.Opcounters, "type", "update"), func(r record.Request) bool { return r.Route == "insert" && r.Outcome == record.Acked }},
		{polled(record.Opcounters, "type", "query"), func(r record.Request) bool { return r.Route == "get" }},
	} {
		poll(&of.s, requests, of.want)
		series = append(series, of.s)
	}
	return series
}

// push fills in the points of a counter that an instance pushes: one for each
// interval in which it counted something.
func push(s *record.Series, requests []record.Request, want func(record.Request) bool) {
	total := 0.0
	for end := 370 * ms; end < 28*second; end += second {
		seen := uint64(0)
		for _, r := range requests {
			if r.Done > end-second && r.Done <= end && want(r) {
				seen++
			}
		}
		total += float64(seen)
		if seen > 0 {
			s.Points = append(s.Points, record.Point{At: end, Value: total, Observed: seen})
		}
	}
	if last := s.Points[len(s.Points)-1].At; last < 20*second {
		s.Points = append(s.Points, record.Point{At: last + second, Stale: true})
	}
}

// poll fills in the points of a counter that is polled, which had a past.
func poll(s *record.Series, requests []record.Request, want func(record.Request) bool) {
	for at := 370 * ms; at < 28*second; at += second {
		total := 7.0
		for _, r := range requests {
			if r.Done <= at && want(r) {
				total++
			}
		}
		s.Points = append(s.Points, record.Point{At: at, Value: total, Observed: 1})
	}
}

// judged is a verdict on killed that fails, passes or proves nothing. Its
// ledgers are counted from the record.
func judged(h record.History, o verdict.Outcome) verdict.Verdict {
	v := verdict.Verdict{Version: verdict.Format, ToolVersion: "0.2.0", Scenario: h.Run.Scenario, Outcome: o, Seed: h.Run.Seed, Seconds: 28.5,
		Platform: h.Run.Platform, Start: h.Run.Start, Versions: h.Run.Versions, Cells: verdict.Cells{LookedAt: 84, Missing: 0},
		Phases: []verdict.Phase{{Name: "warm-up", From: 0.5, To: 8.2}, {Name: "one instance dies", From: 8.2, To: 16.3}}}
	u, l, web := &v.Ledgers.Users, &v.Ledgers.LB, &v.Ledgers.Web
	u.Route, u.ByInstance, l.ByInstance, web.ByInstance = "insert", map[string]int64{}, map[string]int64{}, map[string]int64{}
	l.Responses = map[string]int64{"2xx": 0, "4xx": 0, "5xx": 0}
	for _, r := range h.Requests {
		u.Requests++
		u.Attempts += int64(r.Attempts)
		switch r.Outcome {
		case record.Acked:
			u.Acked++
			l.Responses["2xx"]++
			l.ByInstance[r.Instance]++
			if r.Route == "insert" {
				u.RouteAcked++
				u.ByInstance[r.Instance]++
			}
		case record.Refused:
			u.Refused++
			l.Responses["5xx"]++
			l.Errors++
			l.Retries += 3
		default:
			u.Unknown++
			if r.Status == 0 {
				u.NoAnswer++
			}
			u.RouteUnknown++
		}
	}
	l.Requests = u.Requests
	web.Metric = "fullstack.insert"
	for _, s := range h.Series {
		if s.Meta.Sent == web.Metric {
			web.ByInstance[s.Labels.Get("instance")] = int64(gained(s))
			web.Counted += int64(gained(s))
		}
	}
	v.Ledgers.DB = verdict.DBLedger{Documents: int64(len(h.After.Words)), Increments: h.After.Sum(), Updates: u.RouteAcked}
	v.LedgerEntries = []verdict.Ledger{
		{Layer: "users", Counts: map[string]int64{"requests": u.Requests, "acked": u.Acked}},
		{Layer: "web", Instance: "web-2", Metric: web.Metric, Counts: map[string]int64{"counted": web.ByInstance["web-2"]}}}
	lost := u.RouteAcked - web.Counted
	residual := verdict.Residual{Between: "users→web", Instance: "web-2", Cause: "client-buffer-at-kill", Lost: lost, Bound: lost + 3}
	switch o {
	case verdict.Fail:
		residual.Cause, residual.Bound = "unexplained", 0
		v.Unexplained = lost
		v.Findings = append(v.Findings, verdict.Finding{Check: "conservation", Outcome: verdict.Fail, Layer: "web", Instance: "web-2",
			Summary: fmt.Sprintf("web-2 acknowledged %d inserts that no metric counted, all between 8.2 s and 8.3 s; web-2 got SIGKILL at 8.3 s: what its client had not sent is lost", lost),
			From:    8.2, To: 8.3, Lost: lost, Bound: 2, Cause: "lost-on-exit", RunnerUp: "client-buffer-at-kill"})
	case verdict.Inconclusive:
		v.Findings = append(v.Findings, verdict.Finding{Check: "collector", Outcome: verdict.Inconclusive,
			Summary: "the kernel dropped 17 datagrams before the collector could read them, between 8.0 s and 9.0 s; what they held is in no ledger.", From: 8, To: 9})
	}
	v.Residuals = []verdict.Residual{residual}
	v.Findings = append(v.Findings,
		verdict.Finding{Check: "continuity", Outcome: verdict.Pass, Summary: "fullstack.insert: all of 84 cells are present, 4 instances, the longest gap is 0 s"},
		verdict.Finding{Check: "correlation", Outcome: verdict.Pass, Summary: "users and lb: r = 0.998 at lag 0 s"},
		verdict.Finding{Check: "correlation", Outcome: verdict.Pass, Summary: "lb and web: r = 0.996 at lag 0 s"})
	v.LedgerEntries = append(v.LedgerEntries, verdict.Ledger{Layer: "users", Route: "insert", Counts: map[string]int64{"acked": u.RouteAcked}})
	story.Tell(&v, h, script.Scenario{Checks: []script.Check{{Promise: script.Conservation{Metric: script.Metric(web.Metric), Route: "insert", SampleRate: 1}}}})
	return v
}

// many is a fleet of n instances that are born and replaced all the time, one
// of them by itself, and whose record ends in the middle.
func many(n int) record.History {
	h := record.History{Run: record.Run{Scenario: "many", Interval: second, Database: "none"}}
	h.Events = append(h.Events, record.Event{Kind: record.RunBegin, Run: &h.Run},
		record.Event{At: second, Kind: record.PhaseBegin, Phase: "churn"})
	for i := range n {
		name, born := fmt.Sprintf("web-%d", i+1), time.Duration(i)*200*ms
		h.Events = append(h.Events, record.Event{At: born, Kind: record.Birth, Instance: name, Role: record.Web})
		died := born + time.Duration(5+i%9)*second
		s := record.Series{Name: "fullstack_insert_total", Labels: collector.NewLabels("instance", name),
			Meta: collector.Meta{Type: collector.Counter, Sent: "fullstack.insert"}}
		for at := born.Truncate(second) + second; at < died && at < 60*second; at += second {
			s.Points = append(s.Points, record.Point{At: at, Value: float64((at - born.Truncate(second)) / second * time.Duration(10+i%7)), Observed: 3})
		}
		h.Series = append(h.Series, s)
		if died < 60*second {
			h.Events = append(h.Events, record.Event{At: died, Kind: record.Death, Instance: name, Role: record.Web, Code: 0, Expected: i%50 != 3})
		}
	}
	slices.SortStableFunc(h.Events, func(a, b record.Event) int { return int(a.At - b.At) })
	return h
}

// gained is how much a cumulative series of an instance grew.
func gained(s record.Series) (n float64) {
	for _, p := range s.Points {
		if !p.Stale {
			n = max(n, p.Value)
		}
	}
	return n
}
