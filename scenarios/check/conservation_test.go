package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/account"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// want is what a finding must be, beside its outcome.
type want struct {
	instance, cause, text string
	lost, extra           int64
}

func (x want) check(t *testing.T, v verdict.Verdict) {
	t.Helper()
	f := about(t, v, "conservation", x.instance, verdict.Fail)
	if f.Cause != x.cause || f.Lost != x.lost || f.Extra != x.extra || f.Summary != x.text {
		t.Errorf("%s: cause %s lost %d extra %d: %s\nwant cause %s lost %d extra %d: %s", x.instance, f.Cause, f.Lost, f.Extra, f.Summary,
			x.cause, x.lost, x.extra, x.text)
	}
}

// timedCheck names a timer of the same requests, which tells many causes apart.
const timedCheck = "  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms}\n" + nestingCheck

func every(n int, odd, usual int64) func(string, int, time.Duration) int64 {
	return func(_ string, nth int, _ time.Duration) int64 {
		if nth%n == 0 {
			return odd
		}
		return usual
	}
}

// TestDefectsAreToldApart makes the same run with each defect that the
// reference app knows.
func TestDefectsAreToldApart(t *testing.T) {
	for _, c := range []struct {
		defect string
		change func(*plan)
		want   []want
	}{
		{"lost-on-exit", func(p *plan) { p.holding, p.noFlush = 2*time.Second, true }, []want{
			{"web-1", "lost-on-exit", "web-1 acknowledged 80 inserts that no metric counted, all between 18.0 s and 19.0 s; web-1 got SIGTERM at 19.1 s: the client was not flushed on exit", 80, 0},
			{"web-2", "client-buffer-larger-than-declared", "web-2 acknowledged 34 inserts that no metric counted, all between 9.8 s and 10.5 s (its send buffer explains at most 7); web-2 was killed at 10.5 s and the client had held back 0.7 s, more than the 100ms declared as client_window", 34, 0},
		}},
		{"counted-twice", func(p *plan) { p.counts = every(20, 2, 1) }, []want{
			{"web-1", "counted-twice", "web-1 counted 62 inserts more than it acknowledged (1,242 acknowledged, 1,304 counted); evenly, about 1 in 20 is counted twice", 0, 62},
			{"web-4", "counted-twice", "web-4 counted 37 inserts more than it acknowledged (740 acknowledged, 777 counted); evenly, about 1 in 20 is counted twice", 0, 37},
		}},
		{"all counted twice", func(p *plan) { p.counts = every(1, 2, 2) }, []want{
			{"web-1", "double-instrumented", "web-1 counted 1,242 inserts more than it acknowledged (1,242 acknowledged, 2,484 counted); evenly, each is counted about 2 times", 0, 1242},
		}},
		{"not-counted", func(p *plan) { p.counts = every(25, 0, 1) }, []want{
			{"web-1", "not-counted", "web-1 acknowledged 49 inserts that no metric counted, all between 2.5 s and 19.0 s; evenly, about 1 in 25 is not counted: a path through the code misses the counter", 49, 0},
			{"web-2", "not-counted", "web-2 acknowledged 21 inserts that no metric counted, all between 2.5 s and 10.5 s (its send buffer explains at most 7); evenly, about 1 in 23 is not counted: a path through the code misses the counter", 21, 0},
		}},
		{"forgotten-rate", func(p *plan) { p.counts = every(10, 1, 0) }, []want{
			{"web-3", "sample-rate-not-sent", "web-3 acknowledged 1,764 inserts that no metric counted, all between 2.5 s and 26.5 s; evenly, about 1 in 10 is counted: the client samples and does not send its sample rate", 1764, 0},
		}},
		{"renamed-per-instance", func(p *plan) {
			p.metric = func(i string) string { return "fullstack.insert." + strings.ReplaceAll(i, "-", "_") }
		}, []want{
			{"web-1", "renamed", "web-1 acknowledged 1,242 inserts that no metric counted, all between 2.5 s and 19.0 s; fullstack.insert has nothing of web-1, but fullstack.insert.web_1 has 1,242: the instance counts under another name", 1242, 0},
			{"web-2", "renamed", "web-2 acknowledged 479 inserts that no metric counted, all between 2.5 s and 10.5 s (its send buffer explains at most 7); fullstack.insert has nothing of web-2, but fullstack.insert.web_2 has 477: the instance counts under another name", 479, 0},
		}},
		{"silent-start", func(p *plan) {
			p.counts = func(_ string, _ int, life time.Duration) int64 {
				if life < 5*time.Second {
					return 0
				}
				return 1
			}
		}, []want{
			{"web-1", "silent-start", "web-1 acknowledged 238 inserts that no metric counted, all between 2.5 s and 5.5 s; nothing was counted in the first 5.0 s of its life: the client was not sending yet", 238, 0},
			{"web-2", "silent-start", "web-2 acknowledged 235 inserts that no metric counted, all between 2.5 s and 5.5 s (its send buffer explains at most 7); nothing was counted in the first 5.0 s of its life: the client was not sending yet", 235, 0},
			{"web-4", "silent-start", "web-4 acknowledged 547 inserts that no metric counted, all between 18.9 s and 23.5 s; nothing was counted in the first 5.0 s of its life: the client was not sending yet", 547, 0},
		}},
		{"total-as-counter", func(p *plan) { p.counts = func(_ string, nth int, _ time.Duration) int64 { return int64(nth) } }, []want{
			{"web-1", "total-as-counter", "web-1 counted 770,661 inserts more than it acknowledged (1,242 acknowledged, 771,903 counted); what it adds grows with what it has: the running total is sent as a counter (1,242 requests would make 771,903)", 0, 770661},
		}},
		{"stops sending", func(p *plan) {
			p.counts = func(_ string, _ int, life time.Duration) int64 {
				if life > 10*time.Second {
					return 0
				}
				return 1
			}
		}, []want{
			{"web-3", "went-silent", "web-3 acknowledged 1,438 inserts that no metric counted, all between 10.5 s and 26.5 s; nothing was counted from 10.5 s on: the client stopped sending while its instance went on serving", 1438, 0},
		}},
		{"the first is lost", func(p *plan) {
			p.counts = func(_ string, nth int, _ time.Duration) int64 { return min(1, int64(nth)-1) }
		}, []want{
			{"web-1", "first-sample-lost", "web-1 acknowledged 1 insert that no metric counted, all between 2.5 s and 2.5 s; they were missing from its first count on, and no more went missing after: the first sample of a series is lost", 1, 0},
		}},
		{"a hole", func(p *plan) {
			p.counts = func(_ string, _ int, life time.Duration) int64 {
				if life > 10*time.Second && life < 12*time.Second {
					return 0
				}
				return 1
			}
		}, []want{
			// Its timers went on arriving: somebody received them.
			{"web-3", "burst", "web-3 acknowledged 226 inserts that no metric counted, all between 10.1 s and 13.1 s; they are neither the first nor the last of its life, nor spread over it", 226, 0},
		}},
	} {
		t.Run(c.defect, func(t *testing.T) {
			p := talk()
			p.checks = timedCheck
			c.change(&p)
			v := judged(t, p.make())
			if v.Outcome != verdict.Fail || v.Unexplained == 0 {
				t.Errorf("outcome %v, unexplained %d", v.Outcome, v.Unexplained)
			}
			for _, w := range c.want {
				w.check(t, v)
			}
		})
	}
}

// TestRunnersUp makes defects that look much like others: the other is named
// too. Those that look like nothing else have none.
func TestRunnersUp(t *testing.T) {
	after := func(from, to time.Duration) func(string, int, time.Duration) int64 {
		return func(_ string, _ int, life time.Duration) int64 {
			if life >= from && life < to {
				return 0
			}
			return 1
		}
	}
	for _, c := range []struct {
		name, instance  string
		counts          func(string, int, time.Duration) int64
		cause, runnerUp string
	}{
		{"half", "web-3", every(2, 0, 1), "sample-rate-not-sent", "not-counted"},
		{"one in sixty twice", "web-3", every(60, 2, 1), "counted-twice", ""},
		{"a little more than half", "web-3", func(_ string, nth int, _ time.Duration) int64 { return int64(min(1, nth%5%2+nth%5/3)) }, "not-counted", ""},
		{"one in ten", "web-3", every(10, 1, 0), "sample-rate-not-sent", ""},
		{"one in twenty-five not", "web-3", every(25, 0, 1), "not-counted", ""},
		{"silent from 5 s before its end", "web-1", after(13600*time.Millisecond, time.Hour), "went-silent", ""},
		{"silent from 8 s before its end", "web-1", after(10600*time.Millisecond, time.Hour), "went-silent", ""},
		{"silent from 6 s before its kill", "web-2", after(4*time.Second, time.Hour), "went-silent", ""},
		{"all but the first 3 s", "web-3", after(0, 5*time.Second), "silent-start", ""},
		{"nearly all of a short life", "web-2", after(0, 9*time.Second), "silent-start", ""},
		{"twice", "web-3", every(20, 2, 1), "counted-twice", ""},
	} {
		p := talk()
		p.checks = timedCheck
		p.counts = c.counts
		if f := about(t, judged(t, p.make()), "conservation", c.instance, verdict.Fail); f.Cause != c.cause || f.RunnerUp != c.runnerUp {
			t.Errorf("%s: cause %s, or else %s; want %s, or else %s: %s", c.name, f.Cause, f.RunnerUp, c.cause, c.runnerUp, f.Summary)
		}
	}
}

func TestCountsThatComeLate(t *testing.T) {
	p := talk()
	p.delay = func(string) time.Duration { return 4 * time.Second }
	v := judged(t, p.make())
	f := about(t, v, "conservation", "web-1", verdict.Fail)
	if f.Cause != "late" || f.Lost != 0 || f.Summary != "counts of web-1 arrive late: by 4.0 s at 17.1 s; max_lag is 2s" {
		t.Errorf("web-1: %+v", f)
	}
	// A SIGKILL takes what has not left yet.
	want{"web-2", "late", "web-2 acknowledged 177 inserts that no metric counted, all between 6.5 s and 10.5 s (its send buffer explains at most 7); its counts leave about 4.0 s late, and the kill at 10.5 s took the last of them", 177, 0}.check(t, v)
	for _, f := range v.Findings {
		if f.Outcome == verdict.Fail && f.Instance != "" && f.Cause != "late" {
			t.Errorf("%s: cause %s: %s", f.Instance, f.Cause, f.Summary)
		}
	}
}

func TestLatenessThatTheMachineMade(t *testing.T) {
	p := talk()
	p.delay = func(string) time.Duration { return 2800 * time.Millisecond }
	h := p.make()
	for i := range h.Requests { // the generator was late as well, all the time
		if r := &h.Requests[i]; r.Seq%10 == 0 {
			r.Due -= 1100 * time.Millisecond
		}
	}
	f := about(t, judged(t, h), "conservation", "web-1", verdict.Inconclusive)
	if f.Cause != "late" || !strings.HasSuffix(f.Summary, "max_lag is 2s, but the load generator or the collector was late itself then") {
		t.Errorf("%+v", f)
	}
	h = p.make()
	late := record.Series{Name: record.FlushLateness, Meta: collector.Meta{Type: collector.Gauge}}
	for at := time.Second; at < 30*time.Second; at += time.Second {
		late.Points = append(late.Points, record.Point{At: at, Value: 1.2, Observed: 1})
	}
	h.Series = append(h.Series, late)
	if f := about(t, judged(t, h), "conservation", "web-1", verdict.Inconclusive); f.Cause != "late" {
		t.Errorf("%+v", f)
	}
}

func TestTheSendBufferAtASigkill(t *testing.T) {
	p := talk()
	p.rate, p.window = 400, 500*time.Millisecond
	p.checks = "  - conservation: {metric: fullstack.insert, route: insert, client_window: 500ms}\n"
	h := p.make()
	v := judged(t, h)
	if v.Outcome != verdict.Pass || len(v.Residuals) == 0 || v.Residuals[0].Cause != "client-buffer-at-sigkill" || v.Residuals[0].Instance != "web-2" {
		t.Fatalf("%v %+v", v.Outcome, v.Residuals)
	}
	fits := v.Residuals[0].Bound - v.Residuals[0].Lost
	death := 10505 * time.Millisecond
	final := 11 * time.Second // the interval in which it died
	shift(h, "fullstack_insert_total", "web-2", final, -float64(fits))
	if v := judged(t, h); v.Outcome != verdict.Pass {
		t.Errorf("a loss as large as the buffer: %v", v.Outcome)
	}
	shift(h, "fullstack_insert_total", "web-2", final, -1)
	f := about(t, judged(t, h), "conservation", "web-2", verdict.Fail)
	if f.Cause != "client-buffer-larger-than-declared" || f.Lost != v.Residuals[0].Bound+1 {
		t.Errorf("one more: %+v", f)
	}
	// With a machine that was late by 100 ms it proves nothing.
	i := slices.IndexFunc(h.Requests, func(r record.Request) bool { return r.Due > death-800*time.Millisecond })
	h.Requests[i].Due -= 100 * time.Millisecond
	v = judged(t, h)
	f = about(t, v, "conservation", "web-2", verdict.Inconclusive)
	if v.Outcome != verdict.Inconclusive || f.Cause != "flush-late-on-busy-machine" || !strings.Contains(f.Summary, "1 more than fit in client_window 500ms before its SIGKILL; the machine was 111ms late then") {
		t.Errorf("late machine: %+v", f)
	}
	// It excuses what fits in 100 ms more, and nothing beyond.
	shift(h, "fullstack_insert_total", "web-2", final, -60)
	about(t, judged(t, h), "conservation", "web-2", verdict.Fail)
}

func TestDatagramsThatTheCollectorDropped(t *testing.T) {
	for _, whose := range []string{"web-3", ""} {
		h := talk().make()
		shift(h, "fullstack_insert_total", "web-3", 12*time.Second, -30)
		tell(&h, record.Event{At: 12 * time.Second, Kind: record.Trouble, About: "collector", Instance: whose, Count: 2})
		v := judged(t, h)
		f := about(t, v, "conservation", "web-3", verdict.Inconclusive)
		if f.Cause != "collector-dropped" || f.Lost != 30 || v.Outcome != verdict.Inconclusive || v.Unexplained != 0 {
			t.Errorf("%q: %+v", whose, f)
		}
	}
	h := talk().make()
	shift(h, "fullstack_insert_total", "web-3", 12*time.Second, -30)
	tell(&h, record.Event{At: 12 * time.Second, Kind: record.Trouble, About: "collector", Instance: "web-1", Count: 2})
	about(t, judged(t, h), "conservation", "web-3", verdict.Fail)
}

func TestRequestsOfUnknownOutcomeWidenTheBounds(t *testing.T) {
	h := talk().make()
	// Ten requests of web-3 are executed, and their answers lost.
	n := 0
	for i := range h.Requests {
		if r := &h.Requests[i]; r.Instance == "web-3" && r.Route == "insert" && n < 10 && r.Due > 20*time.Second {
			r.Outcome, r.Status, r.Instance, r.Err = record.Unknown, 0, "", "connection reset by peer"
			n++
		}
	}
	v := judged(t, h)
	if v.Outcome != verdict.Pass {
		t.Fatalf("%v: %+v", v.Outcome, v.Findings)
	}
	if !slices.ContainsFunc(v.Residuals, func(r verdict.Residual) bool {
		return r == verdict.Residual{Between: "users→web", Instance: "web-3", Cause: "outcome-unknown", Extra: 10, Bound: 10}
	}) {
		t.Errorf("residuals %+v", v.Residuals)
	}
	// The load balancer knows that web-3 had them all.
	shift(h, "fullstack_insert_total", "web-4", 25*time.Second, 10)
	if f := about(t, judged(t, h), "conservation", "web-4", verdict.Fail); f.Extra != 10 || f.Bound != 0 {
		t.Errorf("%+v", f)
	}
	// Without it each may have been executed once, by anybody: not once by
	// everybody.
	h.Executions = nil
	v = judged(t, h)
	says(t, v, "conservation", verdict.Fail, "together the instances counted 20 inserts more than they acknowledged, and only 10 more can have been executed")
}

func TestReplaysAndRetriesWidenTheBounds(t *testing.T) {
	h := talk().make()
	for i := range h.Requests {
		if r := &h.Requests[i]; r.Instance == "web-3" && r.Route == "insert" && r.Due > 22*time.Second {
			r.Attempts = 3
			break
		}
	}
	shift(h, "fullstack_insert_total", "web-3", 24*time.Second, 2)
	f := func(v verdict.Verdict) []verdict.Residual {
		return slices.DeleteFunc(v.Residuals, func(r verdict.Residual) bool { return r.Instance != "web-3" })
	}
	v := judged(t, h)
	if got := f(v); len(got) != 1 || got[0] != (verdict.Residual{Between: "users→web", Instance: "web-3", Cause: "client-replay", Extra: 2, Bound: 2}) {
		t.Errorf("replays: %+v", got)
	}
	h = talk().make()
	shift(h, "fullstack_insert_total", "web-3", 24*time.Second, 2)
	about(t, judged(t, h), "conservation", "web-3", verdict.Fail)
	shift(h, "haproxy_server_wretr", "web-3", 24*time.Second, 2)
	about(t, judged(t, h), "conservation", "web-3", verdict.Fail) // what it repeats reached nobody
	retryAll(&h)
	if got := f(judged(t, h)); len(got) != 1 || got[0].Cause != "lb-retry" || got[0].Extra != 2 {
		t.Errorf("retries: %+v", got)
	}
}

// TestLossesThatMakeUpForSurpluses: what is counted twice and what is lost later
// leave no difference in the end, and still tell nothing of the requests.
func TestLossesThatMakeUpForSurpluses(t *testing.T) {
	p := talk()
	p.instances, p.rate = 40, 3000
	p.counts = func(instance string, nth int, _ time.Duration) int64 {
		switch {
		case instance == "web-3" && nth >= 200 && nth < 220:
			return 2
		case instance == "web-3" && nth >= 900 && nth < 920:
			return 0
		}
		return 1
	}
	v := judged(t, p.make())
	says(t, v, "conservation", verdict.Fail, "web-3 counted 20 inserts more than had been sent to it, first at 5.1 s, and agrees in the end: as many were lost later")
	if v.Outcome != verdict.Fail || v.Unexplained != 20 {
		t.Errorf("%v, %d unexplained", v.Outcome, v.Unexplained)
	}
}

// unanswered makes n requests of an instance that were sent from a moment on ones
// of which nobody knows whether they were executed; they were not.
func unanswered(h *record.History, instance string, from time.Duration, n int) {
	for i := range h.Requests {
		r := &h.Requests[i]
		if r.Instance == instance && r.Route == "insert" && r.Sent >= from && n > 0 {
			r.Outcome, r.Status, n = record.Unknown, 500, n-1
			shift(*h, "fullstack_insert_total", instance, r.Sent, -1)
		}
	}
}

// TestUnknownOutcomesExplainNothingBefore: what was counted too often is not made
// right by requests of unknown outcome that are sent later, nor by a clock where
// other counts came in time. Those that had been sent by then may have been it.
func TestUnknownOutcomesExplainNothingBefore(t *testing.T) {
	h := talk().make()
	shift(h, "fullstack_insert_total", "web-3", 5*time.Second, 40)
	unanswered(&h, "web-3", 20*time.Second, 60)
	v := judged(t, h)
	f := about(t, v, "conservation", "web-3", verdict.Fail)
	if want := "web-3 counted 40 inserts more than it acknowledged (1,900 acknowledged, 1,940 counted, 60 more may have been executed in the end, but fewer when it had counted them: 40 too many, first at 5.1 s); "; !strings.HasPrefix(f.Summary, want) || f.Extra != 40 {
		t.Errorf("%d extra: %s\nwant %s", f.Extra, f.Summary, want)
	}
	if got := said(v, "time", verdict.Pass); len(got) != 1 {
		t.Errorf("the clocks: %v", said(v, "time", verdict.Inconclusive))
	}
	for _, r := range v.Residuals {
		if r.Instance == "web-3" && r.Between == "users→web" && (r.Cause != "unexplained" || r.Extra != 40) {
			t.Errorf("booked: %+v, want 40 unexplained", r)
		}
	}

	h = talk().make()
	unanswered(&h, "web-3", 3*time.Second, 60)
	shift(h, "fullstack_insert_total", "web-3", 5*time.Second, 40)
	v = judged(t, h)
	for _, f := range v.Findings {
		if f.Check == "conservation" && f.Instance == "web-3" && f.Outcome != verdict.Pass {
			t.Errorf("what may have been executed is held against it: %s", f.Summary)
		}
	}
}

// TestCountsAheadInOneInstanceAreNoClock: a clock that is off puts the counts of all
// instances ahead, at all times.
func TestCountsAheadInOneInstanceAreNoClock(t *testing.T) {
	h := talk().make()
	shift(h, "fullstack_insert_total", "web-3", 5*time.Second, 200)
	unanswered(&h, "web-3", 15*time.Second, 230)
	v := judged(t, h)
	if f := about(t, v, "conservation", "web-3", verdict.Fail); f.Extra != 200 || f.Cause != "burst" {
		t.Errorf("%d extra, cause %s", f.Extra, f.Cause)
	}
	if got := said(v, "time", verdict.Inconclusive); len(got) > 0 {
		t.Errorf("the clocks are blamed: %v", got)
	}
}

func TestCountsOfNobody(t *testing.T) {
	h := talk().make()
	h.Series = append(h.Series, record.Series{Name: "fullstack_insert_total", Labels: collector.NewLabels("instance", "web-9"),
		Meta:   collector.Meta{Type: collector.Counter, Sent: "fullstack.insert"},
		Points: []record.Point{{At: 9137 * time.Millisecond, Value: 41, Observed: 1}}})
	f := about(t, judged(t, h), "conservation", "web-9", verdict.Fail)
	if f.Extra != 41 || f.Summary != `41 inserts were counted by fullstack.insert for "web-9", which is no web instance of this run` {
		t.Errorf("%+v", f)
	}
}

func TestNoMetricAtAll(t *testing.T) {
	h := talk().make()
	drop(&h, func(s record.Series) bool { return s.Labels.Get("instance") == "web-3" && s.Meta.Sent != "" })
	want{"web-3", "no-metric", "web-3 acknowledged 1,960 inserts that no metric counted, all between 2.5 s and 26.5 s; nothing at all arrived from it", 1960, 0}.check(t, judged(t, h))
	h = talk().make()
	drop(&h, func(s record.Series) bool {
		return s.Labels.Get("instance") == "web-3" && s.Name == "fullstack_insert_total"
	})
	want{"web-3", "no-metric", "web-3 acknowledged 1,960 inserts that no metric counted, all between 2.5 s and 26.5 s; it sent other metrics, but never fullstack.insert", 1960, 0}.check(t, judged(t, h))
	h.Series = nil
	says(t, judged(t, h), "conservation", verdict.Inconclusive,
		"conservation of fullstack.insert: the record holds no series at all, so there is nothing to compare the requests with",
		"conservation at the load balancer: the record holds no statistics of HAProxy, so users and load balancer were not compared")
}

func TestNothingToCompare(t *testing.T) {
	p := talk()
	p.checks = "  - conservation: {metric: fullstack.get, route: get, client_window: 100ms}\n"
	h := p.make()
	h.Requests = slices.DeleteFunc(h.Requests, func(r record.Request) bool { return r.Route == "get" })
	if got := said(judged(t, h), "conservation", verdict.Inconclusive); len(got) != 1 || got[0] != "conservation of fullstack.get: no instance acknowledged any get, so nothing was compared" {
		t.Errorf("%q", got)
	}
}

const sampledCheck = "  - conservation: {metric: fullstack.insert, route: insert, client_window: 100ms, sample_rate: 0.1, confidence: 0.999}\n"

func TestSampledCounters(t *testing.T) {
	sample := func(p *plan, every int) {
		p.checks, p.rare = sampledCheck, 0.1
		p.counts = func(_ string, nth int, _ time.Duration) int64 {
			if (nth*7919)%every == 0 {
				return 1
			}
			return 0
		}
	}
	p := talk()
	sample(&p, 10)
	v := judged(t, p.make())
	if v.Outcome != verdict.Pass {
		t.Errorf("sampled and sent: %v %+v", v.Outcome, v.Findings)
	}
	if !slices.ContainsFunc(v.Residuals, func(r verdict.Residual) bool { return r.Cause == "sampling" && r.Bound > 0 }) {
		t.Errorf("residuals %+v", v.Residuals)
	}
	// One measurement in 14 instead of 10: 140 of 1,960, where at least 149 are likely.
	sample(&p, 14)
	f := about(t, judged(t, p.make()), "conservation", "web-3", verdict.Fail)
	if !strings.HasPrefix(f.Summary, "web-3: 1,960 inserts acknowledged at sample rate 0.1 make 149 to 246 measurements (99.9 % confidence for all instances together), and 140 came, counted as 1,400; ") {
		t.Errorf("%s", f.Summary)
	}
	// The rate is declared, applied and not sent.
	sample(&p, 10)
	p.rare = 1
	if f := about(t, judged(t, p.make()), "conservation", "web-3", verdict.Fail); f.Cause != "sample-rate-not-sent" {
		t.Errorf("not sent: %+v", f)
	}
	// Sent, and not applied: every request counts for ten.
	p.counts, p.rare = nil, 0.1
	if f := about(t, judged(t, p.make()), "conservation", "web-3", verdict.Fail); f.Cause != "sample-rate-not-applied" {
		t.Errorf("not applied: %+v", f)
	}
}

// TestAnExactCounterThatWasDeclaredSampled: datadog-go ignores a count's rate
// when it aggregates, and sends exact numbers.
func TestAnExactCounterThatWasDeclaredSampled(t *testing.T) {
	p := talk()
	p.checks = sampledCheck
	h := p.make()
	for i := range h.Series {
		if s := h.Series[i]; s.Name == "fullstack_insert_total" {
			s.Name = "fullstack_insert_sampled_total"
			h.Series = append(h.Series, s)
		}
	}
	if v := judged(t, h); v.Outcome != verdict.Pass {
		t.Errorf("%v %+v", v.Outcome, v.Findings)
	}
}

func TestTheBinomialIntervalIsExact(t *testing.T) {
	// By hand: of 10 tosses of a fair coin 0 or 10 heads come with 2/1024, at
	// most 1 with 11/1024 = 1.07 %.
	for _, c := range []struct {
		lo, hi      int64
		p, alpha    float64
		least, most int64
	}{
		{10, 10, 0.5, 0.02, 1, 9},
		{10, 10, 0.5, 0.0215, 2, 8},
		{10, 10, 0.5, 0.0001, 0, 10},
		{0, 0, 0.5, 0.01, 0, 0},
		{5, 20, 1, 0.01, 5, 20},
	} {
		least, most := account.SampledRange(c.lo, c.hi, c.p, c.alpha)
		if least != c.least || most != c.most {
			t.Errorf("%+v: %d to %d", c, least, most)
		}
	}
}
