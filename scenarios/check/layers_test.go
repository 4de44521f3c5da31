package check

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// shiftPolled adds n to a polled series of a proxy from a moment on.
func shiftPolled(h record.History, name string, from time.Duration, n float64) {
	for i := range h.Series {
		if s := &h.Series[i]; s.Name == name && s.Labels.Get("server") == "" {
			for k := range s.Points {
				if s.Points[k].At >= from {
					s.Points[k].Value += n
				}
			}
		}
	}
}

// reload makes HAProxy count anew from 12 s on.
func reload(h *record.History) {
	for i := range h.Series {
		s := &h.Series[i]
		if !strings.HasPrefix(s.Name, "haproxy_") {
			continue
		}
		var gone float64
		for k := range s.Points {
			if s.Points[k].At < 12*time.Second {
				gone = s.Points[k].Value
				continue
			}
			s.Points[k].Value -= gone
		}
	}
}

func TestUsersAndLoadBalancer(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		want    []string
	}{
		{"the frontend missed requests", func(h *record.History) {
			for _, name := range []string{"haproxy_frontend_req_tot", "haproxy_backend_stot", "haproxy_backend_lbtot"} {
				shiftPolled(*h, name, 9*time.Second, -3)
			}
			for i := range h.Series { // the servers too, for the identities
				if s := &h.Series[i]; s.Name == "haproxy_server_stot" && s.Labels.Get("server") == "web-3" {
					for k := range s.Points {
						s.Points[k].Value -= 3
					}
				}
			}
		}, verdict.Fail, []string{"users sent 4,942 requests, HAProxy's frontend fe_main received 4,939: 3 are unexplained (0 had no answer)"}},
		{"a server answered more", func(h *record.History) { shift(*h, "haproxy_server_hrsp_2xx", "web-3", 9*time.Second, 2) }, verdict.Fail,
			[]string{"users saw 2,179 requests answered by web-3 with 2xx, and HAProxy counted 2,181: it should be 2,179 to 2,179"}},
		{"a server answered less", func(h *record.History) { shift(*h, "haproxy_server_hrsp_2xx", "web-3", 9*time.Second, -2) }, verdict.Fail,
			[]string{"users saw 2,179 requests answered by web-3 with 2xx, and HAProxy counted 2,177: it should be 2,179 to 2,179"}},
		{"answers that users had otherwise", func(h *record.History) {
			shiftPolled(*h, "haproxy_frontend_hrsp_2xx", 9*time.Second, -40)
			shiftPolled(*h, "haproxy_frontend_hrsp_5xx", 9*time.Second, 40)
		}, verdict.Fail, []string{"users had answers that HAProxy's frontend fe_main did not give, or not those that it gave: 4,942 with 2xx, and it counted 4,902; 0 with 5xx, and it counted 40; up to 0 more each may be without a user"}},
		{"the backend lost sessions", func(h *record.History) { shiftPolled(*h, "haproxy_backend_stot", 9*time.Second, -1) }, verdict.Fail, []string{
			"HAProxy's own numbers do not add up: backend choices = backend sessions + redispatches: 4,942, and it should be 4,941",
			"HAProxy's own numbers do not add up: backend sessions = frontend requests: 4,941, and it should be 4,942",
			"HAProxy's own numbers do not add up: sessions that servers had more than the backend are redispatches and retries: 1, and it should be 0"}},
		{"a reload that nobody asked for", reload, verdict.Fail, []string{
			"HAProxy's counters fall at 12.1 s without a birth of it in the journal (haproxy_backend_lbtot, haproxy_backend_req_tot, haproxy_backend_stot, haproxy_frontend_hrsp_2xx, haproxy_frontend_req_tot, … (7 in all)): it was reloaded or started again, and its numbers are not compared"}},
		{"a new load balancer", func(h *record.History) {
			reload(h)
			tell(h, record.Event{At: 11 * time.Second, Kind: record.Birth, Instance: "haproxy-2", Role: record.LoadBalancer})
		}, verdict.Inconclusive, []string{
			"HAProxy was started anew and its counters fall at 12.1 s (haproxy_backend_lbtot, haproxy_backend_req_tot, haproxy_backend_stot, haproxy_frontend_hrsp_2xx, haproxy_frontend_req_tot, … (7 in all)): its numbers are not compared"}},
		{"no statistics", func(h *record.History) {
			drop(h, func(s record.Series) bool { return strings.HasPrefix(s.Name, "haproxy_") })
		}, verdict.Inconclusive, []string{"conservation at the load balancer: the record holds no statistics of HAProxy, so users and load balancer were not compared"}},
		{"a server without statistics", func(h *record.History) {
			drop(h, func(s record.Series) bool { return s.Labels.Get("server") == "web-3" })
		}, verdict.Inconclusive, []string{"web-3 answered 2,179 requests, and HAProxy's statistics have no server of that name"}},
		{"the last poll was too early", func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; strings.HasPrefix(s.Name, "haproxy_") {
					s.Points = slices.DeleteFunc(s.Points, func(p record.Point) bool { return p.At > 20*time.Second })
				}
			}
		}, verdict.Inconclusive, []string{"conservation at the load balancer: its last poll was at 19.1 s and the load did not end before, so its numbers are not final"}},
		{"a server was last polled before it answered", func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Labels.Get("server") == "web-1" {
					s.Points = slices.DeleteFunc(s.Points, func(p record.Point) bool { return p.At > 18500*time.Millisecond })
				}
			}
		}, verdict.Inconclusive, []string{"web-1 answered 86 requests after HAProxy was last asked about it at 18.1 s"}},
	} {
		h := talk().make()
		c.change(&h)
		t.Run(c.name, func(t *testing.T) { says(t, judged(t, h), "conservation", c.outcome, c.want...) })
	}
}

// TestErrorsThatHAProxyMakesItself: with no server at all, or one that breaks in
// the middle of an answer, its numbers still add up.
func TestErrorsThatHAProxyMakesItself(t *testing.T) {
	for name, fields := range map[string]map[string]float64{
		"no server":       {"haproxy_backend_econ": 2, "haproxy_backend_lbtot": -2, "haproxy_backend_hrsp_5xx": 2},
		"a server breaks": {"haproxy_backend_eresp": 2, "haproxy_backend_hrsp_5xx": 2},
		"neither":         {"haproxy_backend_hrsp_5xx": 2},
	} {
		h := talk().make()
		for field, n := range fields {
			shiftPolled(h, field, 9*time.Second, n)
		}
		if name == "no server" {
			shift(h, "haproxy_server_stot", "web-3", 9*time.Second, -2)
		}
		var want []string
		if name == "neither" {
			want = []string{"HAProxy's own numbers do not add up: 5xx that no server made = failed connections and responses: 2, and it should be 0"}
		}
		t.Run(name, func(t *testing.T) { says(t, judged(t, h), "conservation", verdict.Fail, want...) })
	}
}

func TestRequestsWithoutAnAnswerWidenTheLoadBalancersBounds(t *testing.T) {
	p := talk()
	p.slow = 60 * time.Millisecond
	w := p.world()
	if w.noAnswer == 0 {
		t.Fatal("the world has no request without an answer")
	}
	if v := judged(t, w.h); v.Outcome != verdict.Pass || v.Ledgers.Users.Unknown != int64(w.noAnswer) {
		t.Fatalf("%v %+v", v.Outcome, v.Findings)
	}
	// HAProxy may not have read what had no answer, and nothing more.
	n := float64(w.noAnswer)
	for _, by := range []float64{-n, -n - 1} {
		h := p.make()
		for _, name := range []string{"haproxy_frontend_req_tot", "haproxy_backend_stot", "haproxy_backend_lbtot"} {
			shiftPolled(h, name, 11*time.Second, by)
		}
		shift(h, "haproxy_server_stot", "web-2", 11*time.Second, by)
		v := judged(t, h)
		if explained := by == -n; explained != (v.Outcome == verdict.Pass) || explained != (v.Unexplained == 0) {
			t.Errorf("%g: %v, unexplained %d", by, v.Outcome, v.Unexplained)
		}
	}
}

func TestUsersAndDatabase(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		want    []string
	}{
		{"writes were lost", func(h *record.History) { h.After.Words[0].Count -= 2 }, verdict.Fail, []string{
			"1 word did not gain what users had acknowledged: \"word0\" gained 701 instead of 703",
			"users had 4,421 writes acknowledged, the database holds 4,419: it should be 4,421 to 4,421"}},
		{"writes were doubled", func(h *record.History) { h.After.Words[0].Count++ }, verdict.Fail, []string{
			"1 word did not gain what users had acknowledged: \"word0\" gained 704 instead of 703",
			"users had 4,421 writes acknowledged, the database holds 4,422: it should be 4,421 to 4,421"}},
		{"the sum is right and the words are not", func(h *record.History) { h.After.Words[0].Count--; h.After.Words[1].Count++ }, verdict.Fail, []string{
			"2 words did not gain what users had acknowledged: \"word0\" gained 702 instead of 703, \"word1\" gained 486 instead of 485"}},
		{"two documents of one word", func(h *record.History) {
			h.After.Words[0].Count -= 5
			h.After.Words = append(h.After.Words, record.WordCount{Word: "word0", Count: 5})
		}, verdict.Fail, []string{"more than one document stands for 1 word (\"word0\"): racing upserts without a unique index"}},
		{"another server answers", func(h *record.History) {
			shiftPolled(*h, "mongodb_opcounters_total", 12*time.Second, -800)
		}, verdict.Inconclusive, []string{"the database's counters fall at 12.1 s: it was started anew or another one answers, and nobody had asked for it"}},
		{"never read", func(h *record.History) { h.After = nil }, verdict.Inconclusive, []string{
			"conservation in the database: its documents were not read before and after the load, so users and database were not compared"}},
	} {
		h := talk().make()
		c.change(&h)
		t.Run(c.name, func(t *testing.T) {
			v := judged(t, h)
			says(t, v, "conservation", c.outcome, c.want...)
			if failed := c.outcome == verdict.Fail; failed != (v.Outcome == verdict.Fail) {
				t.Errorf("outcome %v", v.Outcome)
			}
		})
	}
	p := talk()
	p.database = "none"
	v := judged(t, p.make())
	if v.Outcome != verdict.Pass || !slices.Contains(said(v, "conservation", verdict.Pass), "conservation in the database: skipped, the stack has none") {
		t.Errorf("without a database: %v %+v", v.Outcome, v.Findings)
	}
}

const continuityCheck = "  - continuity: {metric: fullstack.insert, route: insert, max_gap: 2s}\n"

// silence makes the measurements of an instance between two moments arrive at
// the second of them.
func silence(h record.History, instance string, from, to time.Duration) {
	for i := range h.Series {
		s := &h.Series[i]
		if s.Name != "fullstack_insert_total" || s.Labels.Get("instance") != instance {
			continue
		}
		for k := 1; k < len(s.Points); k++ {
			if p := &s.Points[k]; p.At > from && p.At < to {
				p.Value, p.Observed = s.Points[k-1].Value, 0
			}
		}
	}
}

func TestContinuity(t *testing.T) {
	p := talk()
	p.checks = continuityCheck
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		want    []string
		cells   verdict.Cells
	}{
		{"a single missing cell", func(h *record.History) { silence(*h, "web-3", 11500*time.Millisecond, 13*time.Second) }, verdict.Pass,
			[]string{"continuity of fullstack.insert: 60 cells of 4 instances looked at, 1 missing, the longest gap 2.0 s of at most 2s"}, verdict.Cells{LookedAt: 60, Missing: 1}},
		{"a gap", func(h *record.History) { silence(*h, "web-3", 11500*time.Millisecond, 15*time.Second) }, verdict.Fail, []string{
			"continuity of fullstack.insert: 60 cells of 4 instances looked at, 3 missing, the longest gap 4.0 s of at most 2s",
			"fullstack.insert of web-3 has a gap of 4.0 s from 11.2 s to 15.1 s: 3 cells missing, max_gap is 2s"}, verdict.Cells{LookedAt: 60, Missing: 3}},
		{"no point at all in a while", func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Labels.Get("instance") == "web-3" {
					s.Points = slices.DeleteFunc(s.Points, func(p record.Point) bool { return p.At > 12*time.Second && p.At < 15*time.Second })
				}
			}
		}, verdict.Fail, []string{
			"continuity of fullstack.insert: 60 cells of 4 instances looked at, 3 missing, the longest gap 4.0 s of at most 2s",
			"fullstack.insert of web-3 has a gap of 4.0 s from 11.2 s to 15.1 s: 3 cells missing, max_gap is 2s"}, verdict.Cells{LookedAt: 60, Missing: 3}},
		{"the dead speak", func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Name == "fullstack_inflight" && s.Labels.Get("instance") == "web-2" {
					for at := 12137 * time.Millisecond; at < 16*time.Second; at += time.Second {
						s.Points = append(s.Points, record.Point{At: at})
					}
				}
			}
		}, verdict.Fail, []string{
			"continuity of fullstack.insert: 60 cells of 4 instances looked at, 0 missing, the longest gap 0.0 s of at most 2s",
			"web-2 died at 10.5 s and still has 3 points until 15.1 s (fullstack_inflight): nothing may come from the dead"}, verdict.Cells{LookedAt: 60, Missing: 0}},
		{"a reset", func(h *record.History) { shift(*h, "fullstack_insert_total", "web-3", 15*time.Second, -500) }, verdict.Fail, []string{
			"continuity of fullstack.insert: 60 cells of 4 instances looked at, 0 missing, the longest gap 0.0 s of at most 2s",
			"fullstack_insert_total of web-3 falls from 939 to 526 at 15.1 s without a birth: the counter was reset"}, verdict.Cells{LookedAt: 60, Missing: 0}},
		{"a gap that the collector made", func(h *record.History) {
			silence(*h, "web-3", 11500*time.Millisecond, 15*time.Second)
			tell(h, record.Event{At: 12 * time.Second, Kind: record.Trouble, About: "collector", Instance: "web-3", Count: 2})
		}, verdict.Inconclusive, []string{
			"continuity of fullstack.insert: 60 cells of 4 instances looked at, 3 missing, the longest gap 4.0 s of at most 2s",
			"fullstack.insert of web-3 has a gap of 4.0 s from 11.2 s to 15.1 s: 3 cells missing, max_gap is 2s, but the collector's socket dropped datagrams: they may have been lost there"}, verdict.Cells{LookedAt: 60, Missing: 3}},
		{"a gap that is too long by less than the collector was late", func(h *record.History) {
			silence(*h, "web-3", 11500*time.Millisecond, 14*time.Second)
			own(h, record.FlushLateness, "", func(time.Duration) float64 { return 0.99 })
		}, verdict.Inconclusive, []string{
			"continuity of fullstack.insert: 60 cells of 4 instances looked at, 2 missing, the longest gap 3.0 s of at most 2s",
			"fullstack.insert of web-3 has a gap of 3.0 s from 11.2 s to 14.1 s: 2 cells missing, max_gap is 2s, but the load generator or the collector was late itself then"}, verdict.Cells{LookedAt: 60, Missing: 2}},
		{"and by more", func(h *record.History) {
			silence(*h, "web-3", 11500*time.Millisecond, 14*time.Second)
			own(h, record.FlushLateness, "", func(time.Duration) float64 { return 0.9 })
		}, verdict.Fail, []string{
			"continuity of fullstack.insert: 60 cells of 4 instances looked at, 2 missing, the longest gap 3.0 s of at most 2s",
			"fullstack.insert of web-3 has a gap of 3.0 s from 11.2 s to 14.1 s: 2 cells missing, max_gap is 2s"}, verdict.Cells{LookedAt: 60, Missing: 2}},
		{"no traffic", func(h *record.History) {
			h.Requests = slices.DeleteFunc(h.Requests, func(r record.Request) bool { return r.Route == "insert" })
		}, verdict.Inconclusive, []string{"continuity of fullstack.insert: no cell was expected, because no instance acknowledged requests of insert that had to be counted within an interval"}, verdict.Cells{}},
	} {
		h := p.make()
		c.change(&h)
		t.Run(c.name, func(t *testing.T) {
			v := judged(t, h)
			says(t, v, "continuity", c.outcome, c.want...)
			if v.Cells != c.cells {
				t.Errorf("cells %+v, want %+v", v.Cells, c.cells)
			}
		})
	}
}

// TestContinuityOfSparseTraffic: where hardly anybody comes, cells without a
// request are not expected, and a count that comes in the next interval is no
// gap of many.
func TestContinuityOfSparseTraffic(t *testing.T) {
	for seed := range uint64(50) {
		p := talk()
		p.seed, p.rate, p.checks = seed, 2, continuityCheck
		if got := said(judged(t, p.make()), "continuity", verdict.Fail); len(got) > 0 {
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
}

// TestContinuityOfCountsBeforeTheirAnswers: where requests are rare and slow, the one
// request of an interval may have been counted before its end and answered after it.
func TestContinuityOfCountsBeforeTheirAnswers(t *testing.T) {
	for seed := range uint64(60) {
		p := talk()
		p.seed, p.rate, p.slow, p.window = seed, 3, 80*time.Millisecond, 20*time.Millisecond
		p.checks = strings.Replace(continuityCheck, "2s", "1s", 1) + "  - conservation: {metric: fullstack.insert, route: insert, client_window: 20ms}\n"
		if got := said(judged(t, p.make()), "continuity", verdict.Fail); len(got) > 0 {
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
}

// TestContinuityOfALongBufferThatStandsStill: a client that buffers longer than max_gap
// holds what it has for its window and the time in which it stood still. What does not
// come then is a gap.
func TestContinuityOfALongBufferThatStandsStill(t *testing.T) {
	for seed := range uint64(20) {
		at, long := 10*time.Second+time.Duration(seed)*100*time.Millisecond, 2*time.Second+time.Duration(seed)*70*time.Millisecond
		p := frozenPlan(seed, 4*time.Second, at, long, false)
		p.phases[2].long = 14 * time.Second
		p.checks = continuityCheck + "  - conservation: {metric: fullstack.insert, route: insert, client_window: 4s}\n"
		h := p.make()
		if got := said(judged(t, h), "continuity", verdict.Fail); len(got) > 0 {
			t.Fatalf("seed %d: %q", seed, got)
		}
		silence(h, "web-2", at-4*time.Second, at+long+8*time.Second)
		if got := said(judged(t, h), "continuity", verdict.Fail); len(got) == 0 {
			t.Fatalf("seed %d: silent since before the freeze, and nothing fails", seed)
		}
	}
}

// TestContinuityOfASampledCounter: where a client leaves out nine of ten, whole
// intervals may be without a line; a silence of so many requests that chance
// cannot have left out all of them is a gap.
func TestContinuityOfASampledCounter(t *testing.T) {
	for seed := range uint64(30) {
		p := talk()
		p.seed, p.rate, p.rare = seed, 60, 0.1
		p.checks = continuityCheck + sampledCheck
		rnd := rand.New(rand.NewPCG(seed, 23))
		p.counts = func(string, int, time.Duration) int64 { return int64(rnd.IntN(10) / 9) }
		h := p.make()
		if got := said(judged(t, h), "continuity", verdict.Fail); len(got) > 0 {
			t.Fatalf("seed %d: %q", seed, got)
		}
		silence(h, "web-3", 11500*time.Millisecond, 23500*time.Millisecond)
		if got := said(judged(t, h), "continuity", verdict.Fail); len(got) == 0 {
			t.Fatalf("seed %d: silent for 12 s, and nothing fails", seed)
		}
	}
}

// TestContinuityOfAClientThatBuffersLong: datadog-go's default is 2 s, in
// intervals of 1 s.
func TestContinuityOfAClientThatBuffersLong(t *testing.T) {
	p := talk()
	p.window, p.checks = 2*time.Second, continuityCheck+"  - conservation: {metric: fullstack.insert, route: insert, client_window: 2s}\n"
	if v := judged(t, p.make()); v.Outcome != verdict.Pass || v.Cells.LookedAt == 0 || v.Cells.Missing != 0 {
		t.Errorf("%v %+v", v.Outcome, v.Cells)
	}
	h := p.make()
	silence(h, "web-3", 11500*time.Millisecond, 18*time.Second)
	if v := judged(t, h); v.Outcome != verdict.Fail || v.Cells.Missing == 0 {
		t.Errorf("%v %+v", v.Outcome, v.Cells)
	}
}

// TestAGapAloneHasNoCause: all that was acknowledged in it comes at its end, once, of one instance. That a client flushes
// seldom would show again, and in others; what else it may be the record does not tell.
func TestAGapAloneHasNoCause(t *testing.T) {
	p := talk()
	p.checks = continuityCheck + "  - conservation: {metric: fullstack.insert, route: insert, max_lag: 5s}\n"
	h := p.make()
	silence(h, "web-3", 11500*time.Millisecond, 14500*time.Millisecond)
	var got []string
	for _, f := range judged(t, h).Findings {
		if f.Check == "continuity" && f.Instance == "web-3" {
			got = append(got, f.Cause+" "+strings.Join(f.Possible, ","))
		}
	}
	if len(got) != 1 || got[0] != "undecided flush-interval" {
		t.Errorf("%q", got)
	}
}

const correlationCheck = "  - correlation: {layers: [users, lb, web, db], at_least: 0.9, max_lag: 1s, metric: fullstack.insert}\n"

func TestCorrelation(t *testing.T) {
	p := talk()
	p.checks = correlationCheck
	says(t, judged(t, p.make()), "correlation", verdict.Pass, "users and db: r = 0.999 at a lag of 0.00 s, from 21 intervals",
		"users and lb: r = 1.000 at a lag of 0.00 s, from 21 intervals", "users and web: r = 0.991 at a lag of 0.00 s, from 21 intervals")

	late := p
	late.delay = func(string) time.Duration { return 1500 * time.Millisecond }
	late.phases = []act{{"warm-up", nil, 24 * time.Second}}
	says(t, judged(t, late.make()), "correlation", verdict.Fail, "web follows the users with a lag of 1.50 s (r = 0.995), max_lag is 1s")

	h := p.make()
	silence(h, "web-3", 9*time.Second, 20*time.Second)
	says(t, judged(t, h), "correlation", verdict.Fail, "users and web do not tell the same story: r = 0.542 at the best lag (-0.50 s), it should be at least 0.9")

	h = p.make()
	drop(&h, func(s record.Series) bool { return s.Name == "mongodb_opcounters_total" })
	says(t, judged(t, h), "correlation", verdict.Inconclusive, "correlation of users and db: the record has no numbers of db under load")

	h = p.make()
	for i := range h.Series {
		if s := &h.Series[i]; s.Name == "mongodb_opcounters_total" {
			for k := range s.Points {
				s.Points[k].Value = 5
			}
		}
	}
	says(t, judged(t, h), "correlation", verdict.Fail, "db does not follow the users: its rate is constant while theirs varies by 31.1 %")

	short := p
	short.phases = []act{{"warm-up", nil, 8 * time.Second}}
	if got := said(judged(t, short.make()), "correlation", verdict.Inconclusive); len(got) != 3 || got[0] != "correlation of users and db: too few intervals, 5, and it takes 8" {
		t.Errorf("%q", got)
	}

	none := p
	none.database = "none"
	if got := said(judged(t, none.make()), "correlation", verdict.Pass); !slices.Contains(got, "correlation of users and db: skipped, the stack has no database") {
		t.Errorf("%q", got)
	}
}

func TestALoadThatHardlyVariesIsNotCorrelated(t *testing.T) {
	p := talk()
	p.checks = correlationCheck
	h := p.make()
	n := 0
	for i := range h.Requests { // evenly paced, as a constant load is
		r := &h.Requests[i]
		r.Due = worldBegin + time.Duration(i)*24*time.Second/time.Duration(len(h.Requests))
		r.Sent = r.Due
		r.Done = r.Due + 2*time.Millisecond
		n++
	}
	got := said(judged(t, h), "correlation", verdict.Inconclusive)
	if len(got) != 3 || !strings.HasPrefix(got[1], "correlation of users and lb: not evaluated, the load hardly varied (by 0.") {
		t.Errorf("%q", got)
	}
}

// The counters of a server that was removed end once its last ones are remembered, and all sums are what they would be if
// these were carried on; where they are not remembered, sums over servers tell nothing.
func TestServersThatAreRemoved(t *testing.T) {
	carried := talk().make()
	ended := func(remembers bool) record.History {
		h := talk().make()
		gone := map[string]time.Duration{}
		for _, ev := range h.Events {
			if ev.Kind == record.Death && ev.Role == record.Web {
				gone[ev.Instance] = ev.At
			}
		}
		cut := 0
		for i := range h.Series {
			s := &h.Series[i]
			at, over := gone[s.Labels.Get("instance")]
			if !over || !strings.HasPrefix(s.Name, record.ServerPrefix) {
				continue
			}
			k := slices.IndexFunc(s.Points, func(p record.Point) bool { return p.At > at })
			if k < 1 || k+1 >= len(s.Points) {
				continue
			}
			cut++
			s.Points = slices.Clone(s.Points[:k+2])
			if s.Points[k].Observed = 0; !remembers {
				s.Points[k] = record.Point{At: s.Points[k].At, Stale: true}
				s.Points = s.Points[:k+1]
				continue
			}
			s.Points[k+1] = record.Point{At: s.Points[k+1].At, Stale: true}
		}
		if cut == 0 {
			t.Fatal("no server was removed")
		}
		tallied(&h)
		return h
	}
	of := func(h record.History) (all []verdict.Finding) {
		for _, f := range judged(t, h).Findings {
			if f.Layer == record.LayerLB {
				all = append(all, f)
			}
		}
		return all
	}
	want := of(carried)
	if diff := cmp.Diff(want, of(ended(true))); diff != "" {
		t.Errorf("of servers that ended (-carried on +ended):\n%s", diff)
	}
	if cmp.Equal(want, of(ended(false))) {
		t.Error("whether the last counters are remembered makes no difference")
	}
}
