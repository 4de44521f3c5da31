package tiers_test

import (
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/signals"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// stack is one of two roles that users reach, whose instances count under one name, and of a worker.
var stack = script.Stack{
	Web: script.Web{Routes: map[string]script.Route{"insert": {}}},
	Others: []script.Web{
		{Role: "api", Routes: map[string]script.Route{"find": {}}},
		{Role: "worker"},
	},
}

// made is a record of 20 s of load, with one instance of each role.
func made() *record.History {
	h := &record.History{Run: record.Run{Interval: time.Second}}
	at := func(t time.Duration, kind record.Kind, name string) {
		h.Events = append(h.Events, record.Event{At: t, Kind: kind, Instance: name, Role: record.Role(script.RoleOf(name))})
	}
	for _, name := range []string{"web-1", "api-1", "worker-1"} {
		at(time.Second/2, record.Birth, name)
		at(time.Second/2, record.Ready, name)
		at(time.Second/2, record.Serving, name)
	}
	h.Events = append(h.Events, record.Event{At: time.Second, Kind: record.LoadBegin}, record.Event{At: 20 * time.Second, Kind: record.LoadEnd})
	return h
}

// asked has an instance acknowledge so many requests of a route, evenly.
func asked(h *record.History, instance, route string, n int) {
	for i := range n {
		t := time.Second + time.Duration(i+1)*18*time.Second/time.Duration(n)
		h.Requests = append(h.Requests, record.Request{Seq: uint64(len(h.Requests)), Due: t, Sent: t, Done: t + time.Millisecond, Route: route, Instance: instance, Status: 200,
			Attempts: 1, Outcome: record.Acked})
	}
}

// counts has an instance send a counter that comes to so many evenly, but for the seconds between from and to.
func counts(h *record.History, instance, metric string, n, from, to int) {
	s := record.Series{Name: strings.ReplaceAll(metric, ".", "_") + "_total", Labels: collector.NewLabels("instance", instance), Meta: collector.Meta{Sent: metric, Type: collector.Counter}}
	for k := 1; k <= 22; k++ {
		p := record.Point{At: time.Duration(k) * time.Second, Value: float64(n * min(max(k-1, 0), 19) / 19), Observed: 1}
		if k > from && k < to {
			p.Observed, p.Value = 0, s.Points[len(s.Points)-1].Value
		}
		s.Points = append(s.Points, p)
	}
	h.Series = append(h.Series, s)
}

func of(h *record.History) *evidence.Index { return evidence.New(*h, script.Scenario{Stack: stack}) }

// found is the worst outcome of findings, and all their summaries.
func found(r verdict.Result) (worst verdict.Outcome, text string) {
	worst = verdict.Pass
	for _, f := range r.Findings {
		if f.Outcome == verdict.Fail || f.Outcome == verdict.Inconclusive && worst == verdict.Pass {
			worst = f.Outcome
		}
		text += f.Instance + ": " + f.Summary + "\n"
	}
	return worst, text
}

// conserved holds a route against a metric that both roles send.
func conserved(h *record.History, route string) (verdict.Outcome, string) {
	return found(tiers.Conservation{Promise: script.Conservation{Metric: "app.hits", Route: route, ClientWindow: 100 * time.Millisecond, MaxLag: 2 * time.Second, SampleRate: 1, Confidence: 0.999}}.Judge(of(h)))
}

// Two roles may count different things under one name: each is held against its own route.
func TestConservationIsOfTheRoleThatHasTheRoute(t *testing.T) {
	h := made()
	asked(h, "web-1", "insert", 190)
	asked(h, "api-1", "find", 380)
	counts(h, "web-1", "app.hits", 190, 0, 0)
	counts(h, "api-1", "app.hits", 380, 0, 0)
	for _, route := range []string{"insert", "find"} {
		outcome, text := conserved(h, route)
		if outcome != verdict.Pass {
			t.Errorf("%s: %v\n%s", route, outcome, text)
		}
		if other := map[string]string{"insert": "380 more counted under this name by instances of api", "find": "190 more counted under this name by instances of web"}[route]; !strings.Contains(text, other) {
			t.Errorf("%s: nothing is said of what the other role counts: %s", route, text)
		}
	}
	h.Series = h.Series[:1]
	counts(h, "api-1", "app.hits", 361, 0, 0)
	if outcome, text := conserved(h, "insert"); outcome != verdict.Pass {
		t.Errorf("what api loses is told of web: %s", text)
	}
	if outcome, text := conserved(h, "find"); outcome != verdict.Fail || !strings.Contains(text, "api-1 acknowledged 19 finds that no metric counted") || strings.Contains(text, "web-1") {
		t.Errorf("%v\n%s", outcome, text)
	}
}

// Who answers a request of another role's route is looked at too: nothing is lost where requests go astray.
func TestConservationSeesWhoAnsweredAstray(t *testing.T) {
	h := made()
	asked(h, "web-1", "insert", 190)
	asked(h, "api-1", "insert", 19)
	counts(h, "web-1", "app.hits", 190, 0, 0)
	if outcome, text := conserved(h, "insert"); outcome != verdict.Fail || !strings.Contains(text, "api-1 acknowledged 19 inserts that no metric counted") {
		t.Errorf("%v\n%s", outcome, text)
	}
}

// continued asks for continuity of the worker.
func continued(h *record.History) (verdict.Outcome, string) {
	return found(signals.Continuity{Promise: script.Continuity{Metric: "jobs.done", Role: "worker", MaxGap: 2 * time.Second}, Window: 100 * time.Millisecond, Rate: 1}.Judge(of(h)))
}

func TestContinuityOfAWorker(t *testing.T) {
	for name, c := range map[string]struct {
		change func(h *record.History)
		want   verdict.Outcome
		text   string
	}{
		"whole":             {func(h *record.History) { counts(h, "worker-1", "jobs.done", 500, 0, 0) }, verdict.Pass, "0 missing"},
		"a short silence":   {func(h *record.History) { counts(h, "worker-1", "jobs.done", 500, 8, 10) }, verdict.Pass, ""},
		"a long silence":    {func(h *record.History) { counts(h, "worker-1", "jobs.done", 500, 8, 13) }, verdict.Fail, "worker-1: jobs.done of worker-1 has a gap of"},
		"it never speaks":   {func(h *record.History) { counts(h, "web-1", "jobs.done", 500, 0, 0) }, verdict.Fail, "worker-1: jobs.done of worker-1 has a gap of"},
		"silent to the end": {func(h *record.History) { counts(h, "worker-1", "jobs.done", 500, 12, 30) }, verdict.Fail, "worker-1: jobs.done of worker-1 has a gap of"},
		"asked to end": {func(h *record.History) {
			counts(h, "worker-1", "jobs.done", 500, 12, 30)
			h.Events = append(h.Events, record.Event{At: 12 * time.Second, Kind: record.Signalled, Instance: "worker-1", Role: "worker", Signal: "SIGTERM"})
		}, verdict.Pass, ""},
		"nobody there": {func(h *record.History) {
			counts(h, "worker-1", "jobs.done", 500, 0, 0)
			h.Events = append(h.Events, record.Event{At: time.Second, Kind: record.Signalled, Instance: "worker-1", Role: "worker", Signal: "SIGTERM"})
		}, verdict.Inconclusive, "because no instance of worker was there"},
	} {
		t.Run(name, func(t *testing.T) {
			h := made()
			asked(h, "web-1", "insert", 190)
			c.change(h)
			if outcome, text := continued(h); outcome != c.want || !strings.Contains(text, c.text) {
				t.Errorf("%v, want %v and %q\n%s", outcome, c.want, c.text, text)
			}
		})
	}
}
