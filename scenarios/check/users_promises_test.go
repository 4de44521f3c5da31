package check

import (
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// usersPromised is a run of the talk whose users were promised something, changed.
func usersPromised(t *testing.T, promise string, rate float64, change func(i int, r *record.Request)) verdict.Verdict {
	t.Helper()
	p := talk()
	p.checks, p.rate = "  - "+promise+"\n", rate
	h := p.make()
	n := 0
	for i := range h.Requests {
		if r := &h.Requests[i]; change != nil && r.Route == "insert" {
			change(n, r)
			n++
		}
	}
	for _, r := range h.Requests {
		if r.Outcome == record.Refused && r.Attempts == 0 {
			n = -1
		}
	}
	if n < 0 {
		h.Events = append(h.Events, record.Event{At: 20 * time.Second, Kind: record.Trouble, About: "load", Count: 5000, Error: "for want of file descriptors"})
	}
	return judged(t, h)
}

const ms = time.Millisecond

// longer has every nth insert that web-3 answered take 300 ms longer.
func longer(nth int) func(int, *record.Request) {
	return func(i int, r *record.Request) {
		if i%nth == 0 && r.Instance == "web-3" {
			r.Done += 300 * ms
		}
	}
}

// due has every nth insert sent 300 ms after it was due.
func due(nth int) func(int, *record.Request) {
	return func(i int, r *record.Request) {
		if i%nth == 0 {
			r.Due -= 300 * ms
		}
	}
}

// failed has every nth insert answered with 503.
func failed(nth int) func(int, *record.Request) {
	return func(i int, r *record.Request) {
		if i%nth == 0 {
			r.Outcome, r.Status, r.Err = record.Unknown, 503, ""
		}
	}
}

// stalled has every nth insert take 300 ms longer, while the machine keeps another one from being sent for 100 ms.
func stalled(nth int) func(int, *record.Request) {
	return func(i int, r *record.Request) {
		switch i % nth {
		case 0:
			r.Done += 300 * ms
		case 1:
			r.Due -= 100 * ms
		}
	}
}

// atTheKill has the insert requests that come just after web-2 was killed get no answer.
func atTheKill(_ int, r *record.Request) {
	if r.Due > 10600*ms && r.Due < 10700*ms {
		r.Outcome, r.Status, r.Instance, r.Err = record.Unknown, 0, "", "EOF"
	}
}

// unsent has every nth insert fail for want of something to send it with.
func unsent(nth int) func(int, *record.Request) {
	return func(i int, r *record.Request) {
		if i%nth == 0 {
			*r = record.Request{Seq: r.Seq, Due: r.Due, Sent: r.Sent, Done: r.Done, Route: r.Route, Word: r.Word, Outcome: record.Refused, Err: "dial tcp: too many open files"}
		}
	}
}

func TestLatency(t *testing.T) {
	for name, c := range map[string]struct {
		promise string
		rate    float64
		change  func(int, *record.Request)
		outcome verdict.Outcome
		cause   string
		want    string
	}{
		"kept":         {"latency: {route: insert, p50: 20ms, p99: 200ms}", 200, nil, verdict.Pass, "", `latency of insert: p50 is 3.2 ms (of at most 20ms), p99 is 14.1 ms (of at most 200ms), of 4,421 requests`},
		"any route":    {"latency: {max: 2s, in: warm-up}", 200, nil, verdict.Pass, "", `latency of all routes in phase "warm-up": max is 20.4 ms (of at most 2s), of 1,629 requests`},
		"broken":       {"latency: {route: insert, p50: 20ms, p99: 200ms, in: one dies}", 200, longer(5), verdict.Fail, "", `latency of insert in phase "one dies": p99 is 307 ms, of at most 200ms: 133 of 1,440 requests took longer since they were due; 133 at web-3`},
		"in one phase": {"latency: {route: insert, p99: 200ms, in: warm-up}", 200, longer(5000), verdict.Pass, "", `latency of insert in phase "warm-up": p99 is 14.8 ms (of at most 200ms), of 1,470 requests`},
		"few":          {"latency: {route: insert, p99: 200ms}", 2, nil, verdict.Inconclusive, "", `latency of insert: 43 requests are too few for p99, which takes at least 100`},
		"few, surely":  {"latency: {route: insert, p99: 200ms}", 2, longer(2), verdict.Fail, "", `latency of insert: p99 is 309 ms, of at most 200ms: 10 of 43 requests took longer since they were due; 4 in phase "warm-up", 4 in phase "one is replaced", 2 in phase "one dies"; 10 at web-3`},
		"late harness": {"latency: {route: insert, p99: 200ms}", 200, due(5), verdict.Inconclusive, verdict.CauseStall, `latency of insert: p99 is 310 ms, of at most 200ms, and the load generator was itself up to 300 ms late, without which it may have been less`},
		"stalled":      {"latency: {route: insert, p99: 200ms}", 200, stalled(50), verdict.Inconclusive, verdict.CauseStall, `latency of insert: p99 is 303 ms, of at most 200ms, and the load generator was itself up to 100 ms late, without which it may have been less`},
		"tight":        {"latency: {route: insert, p99: 20ms}", 200, longer(5), verdict.Fail, "", `latency of insert: p99 is 308 ms, of at most 20ms: 385 of 4,421 requests took longer since they were due; 144 in phase "one is replaced", 134 in phase "one dies", 107 in phase "warm-up"; 382 at web-3, 2 at web-4, 1 at web-1`},
		"failed":       {"latency: {route: insert, p50: 20ms, p99: 200ms}", 200, failed(20), verdict.Fail, "", `latency of insert: p99 is that of a failed request, of at most 200ms: 222 of 4,421 requests took longer since they were due, among them 222 answered with 503; 76 in phase "one is replaced", 74 in phase "warm-up", 72 in phase "one dies"; 90 at web-3, 67 at web-1, 38 at web-4, 27 at web-2`},
		"some failed":  {"latency: {route: insert, p90: 200ms}", 200, failed(20), verdict.Pass, "", `latency of insert: p90 is 10.2 ms (of at most 200ms), of 4,421 requests`},
	} {
		t.Run(name, func(t *testing.T) {
			v := usersPromised(t, c.promise, c.rate, c.change)
			says(t, v, "latency", c.outcome, c.want)
			for _, f := range v.Findings {
				if f.Check == "latency" && f.Outcome == c.outcome && f.Cause != c.cause {
					t.Errorf("cause %q, want %q", f.Cause, c.cause)
				}
			}
		})
	}
}

func TestAvailability(t *testing.T) {
	for name, c := range map[string]struct {
		promise string
		rate    float64
		change  func(int, *record.Request)
		outcome verdict.Outcome
		lost    int64
		want    string
	}{
		"kept":           {"availability: {route: insert, least: 99%}", 200, nil, verdict.Pass, 0, `availability of insert: 100 % of 4,421 requests answered with 2xx, of at least 99 %`},
		"broken":         {"availability: {route: insert, least: 99.9%, in: one dies}", 200, failed(50), verdict.Fail, 29, `availability of insert in phase "one dies": 97.98 % of 1,440 requests answered with 2xx, of at least 99.9 %: 29 answered with 503; 15 at web-3, 14 at web-1`},
		"as promised":    {"availability: {route: insert, least: 99%, status: [2xx, 503]}", 200, failed(50), verdict.Pass, 0, `availability of insert: 100 % of 4,421 requests answered with 2xx or 503, of at least 99 %`},
		"nobody had it":  {"availability: {route: insert, least: 100%}", 200, unsent(5), verdict.Inconclusive, 0, `availability of insert: 79.98 % of 4,421 requests answered with 2xx, of at least 100 %, but the load generator could not send and wait as it should, without which it may have been more: 885 refused`},
		"at a kill":      {"availability: {route: insert, least: 99.9%}", 200, atTheKill, verdict.Fail, 16, `availability of insert: 99.63 % of 4,421 requests answered with 2xx, of at least 99.9 %: 16 without an answer; 16 in phase "one dies"; 16 of them while or just after kill web-2 (10.5 s)`},
		"few":            {"availability: {route: insert, least: 99.9%, in: warm-up}", 2, nil, verdict.Inconclusive, 0, `availability of insert in phase "warm-up": 19 requests are too few to tell 99.9 %, which takes at least 1,000`},
		"few, surely":    {"availability: {route: insert, least: 99.9%}", 2, failed(4), verdict.Fail, 11, `availability of insert: 74.41 % of 43 requests answered with 2xx, of at least 99.9 %: 11 answered with 503; 5 in phase "warm-up", 3 in phase "one dies", 3 in phase "one is replaced"; 6 at web-3, 4 at web-1, 1 at web-2`},
		"few, and whole": {"availability: {least: 100%, in: warm-up}", 2, nil, verdict.Pass, 0, `availability of all routes in phase "warm-up": 100 % of 20 requests answered with 2xx, of at least 100 %`},
	} {
		t.Run(name, func(t *testing.T) {
			v := usersPromised(t, c.promise, c.rate, c.change)
			says(t, v, "availability", c.outcome, c.want)
			for _, f := range v.Findings {
				if f.Check == "availability" && f.Lost != c.lost {
					t.Errorf("%d lost, want %d", f.Lost, c.lost)
				}
			}
		})
	}
}
