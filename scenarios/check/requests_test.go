package check

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/account"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// lineOf is the load balancer's line of the nth acknowledged request.
func lineOf(h *record.History, nth int) *record.Execution {
	for i := range h.Executions {
		if x := &h.Executions[i]; x.Answered && x.Status == 200 {
			if nth--; nth < 0 {
				return x
			}
		}
	}
	panic("not so many")
}

// rowWith is the user's row of a line.
func rowWith(h *record.History, x *record.Execution) *record.Request {
	for i := range h.Requests {
		if h.Requests[i].Seq == x.Seq {
			return &h.Requests[i]
		}
	}
	panic("no such row")
}

// unlog takes lines from the load balancer's log.
func unlog(h *record.History, seqs ...uint64) {
	h.Executions = slices.DeleteFunc(h.Executions, func(x record.Execution) bool { return slices.Contains(seqs, x.Seq) && !x.Foreign })
}

func TestRequests(t *testing.T) {
	const healthy = "4,942 requests followed by their ids: 4,942 acknowledged, each answered once and by the instance that users saw; 0 lost, 0 duplicated, 0 unexpected; of 0 of unknown outcome 0 recovered, 0 not logged"
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		n       int64
		want    string
	}{
		{"healthy", func(*record.History) {}, verdict.Pass, "", 0, healthy},
		{"lost", func(h *record.History) { unlog(h, 7, 8) }, verdict.Fail, "answered-elsewhere", 2,
			"2 requests acknowledged and the load balancer saw no instance answer: r1-7 on web-3, r1-8 on web-2"},
		{"lost: the load balancer itself made what it logged", func(h *record.History) {
			x := lineOf(h, 7)
			x.Answered, x.Status = false, 502
		}, verdict.Fail, "answered-elsewhere", 1, "1 request acknowledged and the load balancer saw no instance answer: r1-7 on web-3"},
		{"lost or not logged", func(h *record.History) {
			unlog(h, 7)
			tell(h, record.Event{At: 12 * time.Second, Kind: record.Trouble, About: "executions", Count: 2})
		}, verdict.Inconclusive, "", 1, "1 request acknowledged and the load balancer saw no instance answer: r1-7 on web-3; its log is not whole"},
		{"replayed", func(h *record.History) {
			h.Executions = append(h.Executions, *lineOf(h, 7), *lineOf(h, 7), *lineOf(h, 9))
		}, verdict.Fail, "client-replay", 3,
			"3 requests duplicated, ids came to the load balancer more than once: r1-7 on web-3, r1-9 on web-2"},
		{"replayed after a refusal", func(h *record.History) {
			h.Executions = append([]record.Execution{{Seq: 7, Status: 503, Termination: "SC"}}, h.Executions...)
		}, verdict.Pass, "", 0, "4,943 requests followed by their ids: 4,942 acknowledged, each answered once and by the instance that users saw; 0 lost, 0 duplicated, 0 unexpected; of 0 of unknown outcome 0 recovered, 0 not logged"},
		{"connected again", func(h *record.History) {
			x := lineOf(h, 7)
			x.Retries, x.Redispatched = 1, true
			lineOf(h, 8).Retries = 1
		}, verdict.Pass, "", 0, healthy},
		{"of another run", func(h *record.History) {
			h.Executions = append(h.Executions, record.Execution{At: time.Second, Foreign: true, RequestID: "r0-7", Server: "web-1", Status: 200, Answered: true, Termination: "--"},
				record.Execution{At: 2 * time.Second, Foreign: true, RequestID: "\"\xff", Status: 503, Termination: "SC"}, record.Execution{At: 2 * time.Second, Foreign: true, Server: "web-1", Termination: "--"})
		}, verdict.Fail, "foreign-requests", 3, `3 requests unexpected, no user of this run sent them: "r0-7" on web-1, "\"\xff", one without an id on web-1`},
		{"a number that was never dealt", func(h *record.History) {
			h.Executions = append(h.Executions, record.Execution{Seq: 1 << 40, Server: "web-1", Status: 200, Answered: true, Termination: "--"})
		}, verdict.Fail, "foreign-requests", 1, "1 request unexpected, no user of this run sent them: r1-1099511627776"},
		{"what never became a request", func(h *record.History) {
			h.Executions = append(h.Executions, record.Execution{Foreign: true, Status: 400, Termination: "CR"})
		}, verdict.Pass, "", 0, healthy},
		{"of another instance", func(h *record.History) { lineOf(h, 7).Server = "web-1" }, verdict.Fail, "other-instance", 1,
			"1 request answered by another instance than users saw: r1-7 on web-3, logged on web-1"},
		{"refused and executed", func(h *record.History) {
			r := rowWith(h, lineOf(h, 7))
			r.Outcome, r.Status, r.Instance = record.Refused, 503, ""
		}, verdict.Fail, "refused-but-executed", 1, "1 request refused as users know it, and executed as the load balancer saw it: r1-7 on web-3"},
		{"recovered", func(h *record.History) {
			r := rowWith(h, lineOf(h, 7))
			r.Outcome, r.Status, r.Instance = record.Unknown, 0, ""
		}, verdict.Pass, "", 0, "1 request of unknown outcome recovered, the load balancer saw an instance answer with 2xx: r1-7 on web-3"},
		{"unknown and not logged", func(h *record.History) {
			r := rowWith(h, lineOf(h, 7))
			r.Outcome, r.Status, r.Instance = record.Unknown, 0, ""
			unlog(h, 7)
		}, verdict.Pass, "", 0, "4,941 requests followed by their ids: 4,941 acknowledged, each answered once and by the instance that users saw; 0 lost, 0 duplicated, 0 unexpected; of 1 of unknown outcome 0 recovered, 1 not logged"},
		{"an old record", func(h *record.History) { h.Executions = nil }, verdict.Inconclusive, "", 0,
			"requests were not followed one by one: the record is from before the load balancer's log was kept"},
		{"a silent log", func(h *record.History) { h.Executions = h.Executions[:0] }, verdict.Inconclusive, "", 0,
			"requests were not followed one by one: the load balancer logged none"},
		{"no users", func(h *record.History) { h.Requests = nil }, verdict.Inconclusive, "", 0, "requests were not followed one by one: users sent none"},
		{"a log that is not whole", func(h *record.History) {
			tell(h, record.Event{At: 12 * time.Second, Kind: record.Trouble, About: "executions", Count: 2})
		}, verdict.Inconclusive, "", 0, "requests were not followed one by one: the load balancer's log is not whole"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := talk().make()
			c.change(&h)
			var got []verdict.Finding
			for _, f := range judged(t, h).Findings {
				if f.Check == "requests" {
					got = append(got, f)
				}
			}
			i := slices.IndexFunc(got, func(f verdict.Finding) bool { return f.Summary == c.want })
			if i < 0 || got[i].Outcome != c.outcome || got[i].Cause != c.cause || got[i].Lost+got[i].Extra != c.n {
				t.Fatalf("%+v\nwant %v %s %d %s", got, c.outcome, c.cause, c.n, c.want)
			}
			for _, f := range got {
				if c.outcome != verdict.Fail && f.Outcome == verdict.Fail || c.outcome == verdict.Fail && f.Outcome == verdict.Inconclusive {
					t.Errorf("beside it: %+v", f)
				}
			}
		})
	}
}

// A retry repeats nothing where HAProxy retries connections only. Where it may
// send a request again, it does, unless a redispatch may have been all there was.
func TestRetriesOfALoadBalancerThatResends(t *testing.T) {
	h := talk().make()
	x, y := lineOf(&h, 7), lineOf(&h, 8)
	x.Retries = 2
	y.Retries, y.Redispatched = 1, true
	e := evidence.New(h, mustParse(h))
	for _, resends := range []bool{false, true} {
		f := tiers.Requests{Resends: resends}.Judge(e).Findings[0]
		switch {
		case !resends && f.Outcome != verdict.Pass:
			t.Errorf("%+v", f)
		case resends && (f.Outcome != verdict.Fail || f.Extra != 2 || f.Bound != 1 || f.Cause != "lb-retry" ||
			f.Summary != "2 requests duplicated, the load balancer sent them again: r1-7 on web-3"):
			t.Errorf("%+v", f)
		}
	}
}

// TestRequestsFindsWhatWasPutIn puts losses, replays, strangers and wrong names of
// known sizes into made-up runs, and answers that users did not see: every number
// is exact.
func TestRequestsFindsWhatWasPutIn(t *testing.T) {
	for seed := range uint64(histories) {
		rnd := rand.New(rand.NewPCG(seed, 47))
		h := anyPlan(seed).make()
		want := map[string]int64{}
		for cause, n := range found(t, h) {
			if cause != "recovered" { // a killed instance may have answered
				t.Fatalf("seed %d: nothing was put in: %s %d", seed, cause, n)
			}
		}
		rows := map[uint64]*record.Request{}
		for i := range h.Requests {
			rows[h.Requests[i].Seq] = &h.Requests[i]
		}
		picked := rnd.Perm(len(h.Executions))[:min(len(h.Executions), rnd.IntN(40))]
		var lost []uint64
		for _, i := range picked {
			x := &h.Executions[i]
			if rows[x.Seq].Outcome != record.Acked {
				continue
			}
			switch rnd.IntN(5) {
			case 0:
				lost = append(lost, x.Seq)
				want[verdict.CauseElsewhere]++
			case 1:
				h.Executions = append(h.Executions, *x)
				want[verdict.CauseReplay]++
			case 2:
				h.Executions = append(h.Executions, record.Execution{At: x.At, Foreign: true, RequestID: fmt.Sprintf("r0-%d", x.Seq), Termination: "SC"})
				want[verdict.CauseForeign]++
			case 3:
				x.Server = "web-77"
				want[verdict.CauseOther]++
			case 4:
				r := rows[x.Seq]
				r.Outcome, r.Status, r.Instance = record.Unknown, 0, ""
				want["recovered"]++
			}
		}
		unlog(&h, lost...)
		rnd.Shuffle(len(h.Executions), func(i, k int) { h.Executions[i], h.Executions[k] = h.Executions[k], h.Executions[i] })
		if got := found(t, h); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("seed %d: found %v, put in %v", seed, got, want)
		}
	}
}

// found gives the sizes of the sets, by cause.
func found(t *testing.T, h record.History) map[string]int64 {
	t.Helper()
	c := tiers.Requests{}
	e := evidence.New(h, mustParse(h))
	out := map[string]int64{}
	for _, f := range c.Judge(e).Findings {
		if f.Outcome == verdict.Fail {
			out[f.Cause] += f.Lost + f.Extra
		}
		if number, _, recovered := strings.Cut(f.Summary, " of unknown outcome recovered"); recovered {
			var n int64
			if _, err := fmt.Sscan(strings.ReplaceAll(number, ",", ""), &n); err != nil {
				t.Fatalf("%q: %v", f.Summary, err)
			}
			out["recovered"] = n
		}
	}
	return out
}

// TestTheLogTellsWhoHadARequest: a request of unknown outcome widens the bounds
// of the one instance that the load balancer sent it to, unless the log leaves
// that open.
func TestTheLogTellsWhoHadARequest(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*record.History, *record.Execution)
		others int64 // who else may have had it
	}{
		{"one line", func(*record.History, *record.Execution) {}, 0},
		{"tried again", func(_ *record.History, x *record.Execution) { x.Retries = 1 }, 1},
		{"twice", func(h *record.History, x *record.Execution) { h.Executions = append(h.Executions, *x) }, 1},
		{"not logged", func(h *record.History, x *record.Execution) { unlog(h, x.Seq) }, 1},
		{"on nobody that the journal knows", func(_ *record.History, x *record.Execution) { x.Server = "web-77" }, 1},
		{"no log", func(h *record.History, _ *record.Execution) { h.Executions = nil }, 1},
		{"lines dropped", func(h *record.History, _ *record.Execution) {
			tell(h, record.Event{At: 12 * time.Second, Kind: record.Trouble, About: "executions", Count: 2})
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.phases = p.phases[:1] // without the kill, whose own victim is unknown too
			h := p.make()
			x := lineOf(&h, 700)
			r := rowWith(&h, x)
			server := x.Server
			r.Outcome, r.Status, r.Instance = record.Unknown, 0, ""
			c.change(&h, x)
			e := evidence.New(h, mustParse(h))
			for _, l := range e.Lives {
				want := int64(1)
				if l.Instance != server {
					want = c.others
				}
				if got := account.NewAllowances(e).ForLife(l).Unknown; got != want {
					t.Errorf("%s may have had %d, want %d; %s had it", l.Instance, got, want, server)
				}
			}
		})
	}
}
