package check

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// talk is the run of the talk: an instance dies, another is replaced.
func talk() plan {
	return plan{seed: 1, instances: 3, rate: 200, swing: 0.4, phases: []act{
		{"warm-up", nil, 8 * time.Second},
		{"one dies", []string{"kill web-2"}, 8 * time.Second},
		{"one is replaced", []string{"launch 1", "terminate web-1"}, 8 * time.Second},
	}}
}

const allChecks = `  - continuity: {metric: fullstack.insert, route: insert, max_gap: 2s}
  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}
  - correlation: {layers: [users, lb, web, db], at_least: 0.9}
`

// promises are the checks that a run can be asked for beside allChecks.
const promises = identityCheck + nestingCheck + gaugeCheck + shutdownCheck + hygieneCheck + auditCheck

func judged(t testing.TB, h record.History) verdict.Verdict {
	t.Helper()
	v, err := Judge(h)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// said gives the findings of a check with an outcome, one line each.
func said(v verdict.Verdict, check string, o verdict.Outcome) []string {
	var out []string
	for _, f := range v.Findings {
		if f.Check == check && f.Outcome == o {
			out = append(out, f.Summary)
		}
	}
	return out
}

// says fails the test unless the check has exactly these findings of the
// outcome.
func says(t *testing.T, v verdict.Verdict, check string, o verdict.Outcome, want ...string) {
	t.Helper()
	if got := said(v, check, o); !slices.Equal(got, want) {
		t.Errorf("%s says %v:\n\t%s\nwant:\n\t%s", check, o, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// about finds the one finding of an instance with an outcome.
func about(t *testing.T, v verdict.Verdict, check, instance string, o verdict.Outcome) verdict.Finding {
	t.Helper()
	var found []verdict.Finding
	for _, f := range v.Findings {
		if f.Check == check && f.Instance == instance && f.Outcome == o {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d findings of %s about %s are %v, want 1: %v", len(found), check, instance, o, v.Findings)
	}
	return found[0]
}

// shift adds n to a series of an instance from a moment on.
func shift(h record.History, name, instance string, from time.Duration, n float64) {
	for i := range h.Series {
		s := &h.Series[i]
		if s.Name != name || s.Labels.Get("instance") != instance {
			continue
		}
		for k := range s.Points {
			if s.Points[k].At >= from && !s.Points[k].Stale {
				s.Points[k].Value += n
			}
		}
	}
}

func drop(h *record.History, gone func(record.Series) bool) {
	h.Series = slices.DeleteFunc(h.Series, gone)
}

func tell(h *record.History, e record.Event) {
	h.Events = append(h.Events, e)
	slices.SortStableFunc(h.Events, func(a, b record.Event) int { return evidence.CompareTimes(a.At, b.At) })
}

func TestAHealthyRunPasses(t *testing.T) {
	p := talk()
	p.checks = allChecks
	v := judged(t, p.make())
	if v.Outcome != verdict.Pass || v.Unexplained != 0 {
		t.Errorf("outcome %v, unexplained %d, want pass and 0", v.Outcome, v.Unexplained)
	}
	for _, f := range v.Findings {
		if f.Outcome != verdict.Pass {
			t.Errorf("%s: %v: %s", f.Check, f.Outcome, f.Summary)
		}
	}
	says(t, v, "conservation", verdict.Pass,
		"conservation of fullstack.insert: 4 of 4 instances agree: 4,421 inserts acknowledged, 4,419 counted, 0 unexplained (2 client-buffer-at-sigkill); up to 7 in the send buffers of killed instances (1) could hide",
		"4 servers agree with their instances: 4,942 requests acknowledged, 4,942 answered with 2xx; up to 0 of unknown outcome could hide a difference",
		"HAProxy's own numbers add up: backend sessions = frontend requests; backend choices = backend sessions + redispatches; backend requests = frontend responses; 5xx that no server made = failed connections and responses; sessions that servers had more than the backend are redispatches and retries",
		"users had the answers that HAProxy's frontend fe_main gave, by class: 4,942 2xx; up to 0 could hide a difference",
		"users sent 4,942 requests, HAProxy's frontend fe_main received 4,942; up to 0 without an answer could hide a difference",
		"50 documents, one for each word",
		"50 words: each document gained what its users had acknowledged, within its bounds",
		"the database holds 4,421 writes, fullstack.insert counted 4,419: within 7 of each other, as unknown outcomes and send buffers allow",
		"users had 4,421 writes acknowledged, the database holds 4,421; up to 0 could hide in requests of unknown outcome, replays and retries")
	says(t, v, "continuity", verdict.Pass, "continuity of fullstack.insert: 60 cells of 4 instances looked at, 0 missing, the longest gap 0.0 s of at most 2s")
	says(t, v, "record", verdict.Pass, "the record is whole: 36 events, 4,942 requests, 52 series")
	if v.Cells != (verdict.Cells{LookedAt: 60}) {
		t.Errorf("cells %+v", v.Cells)
	}
	l := v.Ledgers
	if l.Users.Acked != 4942 || l.Users.RouteAcked != 4421 || l.LB.Requests != 4942 || l.LB.Responses["2xx"] != 4942 || l.Web.Counted != 4419 ||
		l.DB.Increments != 4421 || l.DB.Updates != 4421 || l.DB.Documents != 50 {
		t.Errorf("ledgers %+v", l)
	}
	if len(v.Residuals) != 1 || v.Residuals[0] != (verdict.Residual{Between: "users→web", Instance: "web-2", Cause: "client-buffer-at-sigkill", Lost: 2, Bound: 7}) {
		t.Errorf("residuals %+v", v.Residuals)
	}
}

func TestTheSameRecordGivesTheSameVerdict(t *testing.T) {
	p := talk()
	p.checks = allChecks + promises
	p.delay = func(string) time.Duration { return 4 * time.Second }
	p.slow = 40 * time.Millisecond
	h := p.make()
	first, err := json.Marshal(judged(t, h))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, _ := json.Marshal(judged(t, h))
		if string(again) != string(first) {
			t.Fatalf("two verdicts:\n%s\n%s", first, again)
		}
	}
}

func TestJudgeRefusesAScenarioThatIsNone(t *testing.T) {
	h := talk().make()
	h.Scenario = []byte("scenario: x\nphasen: []\n")
	if _, err := Judge(h); err == nil || !strings.Contains(err.Error(), "judge r1: the scenario in the record: scenario.yaml:1:1: ") {
		t.Errorf("error %v", err)
	}
}

func TestTheOutcomeOfARun(t *testing.T) {
	p := talk()
	failing := p
	failing.counts = func(_ string, nth int, _ time.Duration) int64 { return int64(min(1, nth%25)) }
	for _, c := range []struct {
		name   string
		plan   plan
		change func(*record.History)
		want   verdict.Outcome
	}{
		{"healthy", p, nil, verdict.Pass},
		{"defect", failing, nil, verdict.Fail},
		{"doubt", p, func(h *record.History) {
			tell(h, record.Event{At: 4 * time.Second, Kind: record.Trouble, About: "poller mongodb", Error: "timeout"})
		}, verdict.Inconclusive},
		{"defect and doubt", failing, func(h *record.History) {
			tell(h, record.Event{At: 4 * time.Second, Kind: record.Trouble, About: "poller mongodb", Error: "timeout"})
		}, verdict.Fail},
		{"damage", p, func(h *record.History) { h.Damage = []string{"users.csv: line 7 is cut short"} }, verdict.Inconclusive},
		{"defect and damage", failing, func(h *record.History) { h.Damage = []string{"users.csv: line 7 is cut short"} }, verdict.Inconclusive},
		{"defect and no end", failing, func(h *record.History) { h.Events = h.Events[:len(h.Events)-1] }, verdict.Inconclusive},
		{"defect and interrupted", failing, func(h *record.History) {
			tell(h, record.Event{At: 20 * time.Second, Kind: record.Interrupted})
		}, verdict.Inconclusive},
		{"nothing happened", p, func(h *record.History) {
			*h = record.History{Run: h.Run, Scenario: h.Scenario}
		}, verdict.Inconclusive},
	} {
		h := c.plan.make()
		if c.change != nil {
			c.change(&h)
		}
		if got := judged(t, h).Outcome; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestACheckThatCrashesIsADoubtThatNamesIt(t *testing.T) {
	h := talk().make()
	s, err := script.Parse("x.yaml", h.Scenario, script.Options{Ran: true})
	if err != nil {
		t.Fatal(err)
	}
	bad := rule(func(*evidence.Index) []verdict.Finding { panic("out of range") })
	v := judge(evidence.New(h, s), []namedCheck{{"hygiene", bad}, {"shutdown", rule(func(*evidence.Index) []verdict.Finding { return nil })}})
	says(t, v, "hygiene", verdict.Inconclusive, "the check hygiene crashed: out of range")
	says(t, v, "shutdown", verdict.Inconclusive, "the check shutdown looked at nothing")
	if v.Outcome != verdict.Inconclusive {
		t.Errorf("outcome %v", v.Outcome)
	}
}

func TestRecordsThatProveNothing(t *testing.T) {
	for _, c := range []struct {
		change func(*record.History)
		want   []string
	}{
		{func(h *record.History) { h.Damage = []string{"points: line 9 is cut short"} }, []string{"the record is damaged: points: line 9 is cut short"}},
		{func(h *record.History) { h.Events = h.Events[:len(h.Events)-1] }, []string{"the journal has no end: the run was cut short and its record is not whole"}},
		{func(h *record.History) { h.Requests = nil }, []string{"the users' ledger is empty: no request was sent"}},
		{func(h *record.History) { tell(h, record.Event{At: 9 * time.Second, Kind: record.Interrupted}) }, []string{"the run was interrupted at 9.0 s: it proves nothing"}},
		{func(h *record.History) {
			h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Instance == "web-3" })
		}, []string{"web-3 answered 2,179 requests, and the journal knows no birth of it: the record is not whole"}},
		{func(h *record.History) {
			tell(h, record.Event{At: 12 * time.Second, Kind: record.Birth, Instance: "web-1", Role: record.Web})
			for i := range h.Requests {
				h.Requests[i].Instance = strings.Replace(h.Requests[i].Instance, "web-1", "web-3", 1)
			}
		}, []string{"web-1 was born 2 times: the name of an instance is not used twice"}},
		{func(h *record.History) {
			for i := range h.Requests {
				if r := &h.Requests[i]; r.Instance == "web-3" && r.Sent > 15*time.Second {
					r.Instance = "web-2"
				}
			}
		}, []string{"web-2 answered 1,050 requests after its death at 10.5 s: it has another life, of which the journal knows nothing"}},
		{func(h *record.History) {
			for i := range h.Requests {
				if r := &h.Requests[i]; r.Instance == "web-3" && r.Sent < 5*time.Second {
					r.Instance = "web-4"
				}
			}
		}, []string{"web-4 answered 232 requests before its birth at 18.5 s: it has another life, of which the journal knows nothing"}},
		{func(h *record.History) { h.Requests[5].Instance = "" }, []string{"no instance is named by 1 acknowledged request, which may belong to any that was alive then"}},
	} {
		h := talk().make()
		c.change(&h)
		v := judged(t, h)
		says(t, v, "record", verdict.Inconclusive, c.want...)
		if v.Outcome == verdict.Pass {
			t.Errorf("%q: the run passes", c.want)
		}
	}
}

func TestTroubleOfTheHarness(t *testing.T) {
	h := talk().make()
	tell(&h, record.Event{At: 3 * time.Second, Kind: record.Trouble, About: "load", Count: 17})
	tell(&h, record.Event{At: 4 * time.Second, Kind: record.Trouble, About: "poller haproxy", Error: "connection refused"})
	tell(&h, record.Event{At: 5 * time.Second, Kind: record.Trouble, About: "collector", Instance: "web-3", Count: 12})
	tell(&h, record.Event{At: 26 * time.Second, Kind: record.Death, Instance: "web-3", Role: record.Web, Code: 2})
	v := judged(t, h)
	says(t, v, "harness", verdict.Inconclusive,
		"the load generator missed its schedule at 3.0 s (17 requests late)",
		"poller haproxy failed at 4.0 s: connection refused",
		"the collector's socket dropped 12 datagrams of web-3",
		"web-3 died at 26.0 s and nobody had asked for it (exit status 2): what its metrics lack proves nothing")
}

func TestARateThatWasNotReached(t *testing.T) {
	h := talk().make()
	h.Requests = slices.DeleteFunc(h.Requests, func(r record.Request) bool { return r.Seq%4 != 0 })
	v := judged(t, h)
	says(t, v, "require", verdict.Inconclusive, `phase "warm-up" reached 51/s of 66.67/s: the run proves nothing`)
	says(t, judged(t, talk().make()), "require", verdict.Pass, `phase "warm-up" reached 204/s of 66.67/s`)
}

func TestAnInstanceThatNeverAnswered(t *testing.T) {
	h := talk().make()
	h.Requests = slices.DeleteFunc(h.Requests, func(r record.Request) bool { return r.Instance == "web-3" })
	v := judged(t, h)
	says(t, v, "vacuity", verdict.Inconclusive, "web-3 served for 24.2 s under load and answered no request: nothing can be said about it")
	says(t, judged(t, talk().make()), "vacuity", verdict.Pass, "each of 4 web instances that served under load answered requests")
}

func TestAPhaseWithoutProgress(t *testing.T) {
	refuse := func(h *record.History) { // as a load balancer does that has lost its servers
		for i := range h.Requests {
			if r := &h.Requests[i]; r.Sent > 10500*time.Millisecond && r.Sent < 19*time.Second {
				r.Outcome, r.Instance, r.Status = record.Refused, "", 503
			}
		}
	}
	h := talk().make()
	refuse(&h)
	says(t, judged(t, h), "vacuity", verdict.Inconclusive, `in phase "one dies" none of 1,628 requests was acknowledged, although an instance served all along: what was done then proves nothing`)
	p := talk() // but nobody is left to answer
	p.phases[1].steps = []string{"kill web-1", "kill web-2", "kill web-3"}
	p.phases[2].steps = []string{"launch 1"}
	says(t, judged(t, p.make()), "vacuity", verdict.Inconclusive)
	p = frozenPlan(1, 100*time.Millisecond, 12*time.Second, 4*time.Second, false)
	p.instances = 3
	h = p.make()
	for i := range h.Events { // all stand still
		if e := &h.Events[i]; script.IsFault[script.Freeze](e.Fault) {
			e.Instance = ""
		}
	}
	for i := range h.Requests {
		if r := &h.Requests[i]; r.Sent > 12*time.Second && r.Sent < 16100*time.Millisecond {
			r.Outcome, r.Instance, r.Status = record.Unknown, "", 0
		}
	}
	says(t, judged(t, h), "vacuity", verdict.Inconclusive)
}

// without takes entries about an instance out of a journal.
func without(kind record.Kind, instance string) func(*record.History) {
	return func(h *record.History) {
		h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == kind && e.Instance == instance })
	}
}

// changing changes entries about an instance, or of a step.
func changing(kind record.Kind, which string, to func(*record.Event)) func(*record.History) {
	return func(h *record.History) {
		for i := range h.Events {
			if e := &h.Events[i]; e.Kind == kind && (e.Instance == which || e.Step == which) {
				to(e)
			}
		}
	}
}

func TestFaultsThatDidNotTakeEffect(t *testing.T) {
	const no = "the fault did not take effect: "
	for _, c := range []struct {
		change func(*record.History)
		want   string
	}{
		{without(record.Signalled, "web-2"), no + "kill web-2: web-2 was never sent SIGKILL"},
		{without(record.Death, "web-2"), no + "kill web-2: web-2 got SIGKILL at 10.5 s and was not seen to die"},
		{without(record.Down, "web-2"), no + "kill web-2: web-2 was gone at 10.5 s, and the load balancer never marked it down"},
		{changing(record.Death, "web-2", func(e *record.Event) { e.Code = 1 }), no + "kill web-2: web-2 ended by itself with exit status 1, not by SIGKILL"},
		{changing(record.StepEnd, "kill web-2", func(e *record.Event) { e.Error = "port still answers after 10s" }), no + "kill web-2: port still answers after 10s"},
		{without(record.Draining, "web-1"), no + "terminate web-1: web-1 was not drained"},
		{without(record.Signalled, "web-1"), no + "terminate web-1: web-1 was never sent SIGTERM"},
		{without(record.Death, "web-1"), no + "terminate web-1: web-1 got SIGTERM at 19.1 s and was not seen to die after it"},
		{without(record.Ready, "web-4"), no + "launch 1: web-4 was born at 18.5 s and never got ready"},
		{without(record.Serving, "web-4"), no + "launch 1: web-4 was ready at 18.8 s and the load balancer never marked it up"},
		{func(h *record.History) {
			h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Step == "kill web-2" })
		}, no + `kill web-2: the journal does not have it in phase "one dies"`},
		{func(h *record.History) {
			h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Kind == record.StepEnd && e.Step == "kill web-2" })
		}, no + "kill web-2: it began at 10.5 s and never ended"},
	} {
		h := talk().make()
		c.change(&h)
		actedInVain(t, h, c.want)
	}
	h := talk().make()
	changing(record.Death, "web-1", func(e *record.Event) { e.Code = -1 })(&h)
	says(t, judged(t, h), "efficacy", verdict.Pass, "3 steps took effect: kill web-2 (SIGKILL at 10.5 s, gone at 10.5 s, down at 10.8 s); launch 1 (web-4 serving at 18.9 s); "+
		"terminate web-1 (web-1 drained at 19.0 s, SIGTERM at 19.1 s, gone at 19.2 s, by the signal itself: it does not handle it)")
}

func TestReplaceAndScale(t *testing.T) {
	p := talk()
	p.phases = []act{{"warm-up", nil, 4 * time.Second}, {"moves", []string{"replace all", "scale 5", "scale 1"}, 8 * time.Second}}
	h := p.make()
	v := judged(t, h)
	says(t, v, "efficacy", verdict.Pass, "3 steps took effect: replace all (web-4 serving at 6.9 s, web-5 serving at 7.6 s, web-6 serving at 8.4 s, "+
		"web-1 drained at 7.0 s, SIGTERM at 7.1 s, gone at 7.2 s, web-2 drained at 7.7 s, SIGTERM at 7.8 s, gone at 7.9 s, "+
		"web-3 drained at 8.5 s, SIGTERM at 8.6 s, gone at 8.6 s); scale 5 (web-7 serving at 9.1 s, web-8 serving at 9.6 s); "+
		"scale 1 (web-5 drained at 10.4 s, SIGTERM at 10.5 s, gone at 10.6 s, web-6 drained at 10.2 s, SIGTERM at 10.2 s, gone at 10.3 s, "+
		"web-7 drained at 9.9 s, SIGTERM at 10.0 s, gone at 10.1 s, web-8 drained at 9.7 s, SIGTERM at 9.8 s, gone at 9.9 s)")
	h.Events = slices.DeleteFunc(h.Events, func(e record.Event) bool { return e.Instance == "web-8" })
	if got := said(judged(t, h), "efficacy", verdict.Inconclusive); len(got) != 1 || got[0] != "the fault did not take effect: scale 5: 1 of 2 new instances came to serve" {
		t.Errorf("got %q", got)
	}
}

func mustParse(h record.History) script.Scenario {
	s, err := script.Parse("x.yaml", h.Scenario, script.Options{Ran: true})
	if err != nil {
		panic(err)
	}
	return s
}

// actedInVain demands that a step is told first that has had no effect, and that the run does not pass.
func actedInVain(t *testing.T, h record.History, want string) {
	t.Helper()
	v := judged(t, h)
	if got := said(v, "efficacy", verdict.Inconclusive); len(got) == 0 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if v.Outcome == verdict.Pass {
		t.Errorf("%s: the run passes", want)
	}
}
