package check

import (
	"fmt"
	"testing"
	"time"

	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const failuresCheck = "  - failures: {at_most: 2}\n"

// failingRun makes the first n inserts after the beginning fail at their instances.
func failingRun(h *record.History, n int, status uint16, kept bool) {
	shiftPolled(*h, "haproxy_frontend_hrsp_2xx", 12*time.Second, -float64(n))
	shiftPolled(*h, fmt.Sprintf("haproxy_frontend_hrsp_%dxx", status/100), 12*time.Second, float64(n))
	for i := range h.Requests {
		r := &h.Requests[i]
		if n == 0 {
			return
		}
		if r.Route != "insert" || r.Outcome != record.Acked || r.Instance != "web-1" {
			continue
		}
		n--
		r.Outcome, r.Status = record.Unknown, status
		if kept {
			continue
		}
		for k := range h.After.Words {
			if h.After.Words[k].Word == r.Word {
				h.After.Words[k].Count--
			}
		}
	}
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		want    string
	}{
		"none":      {func(*record.History) {}, verdict.Pass, "", "failures: 0 of 4,942 requests answered with 5xx by an instance, of at most 2"},
		"few":       {func(h *record.History) { failingRun(h, 2, 500, true) }, verdict.Pass, "", "failures: 2 of 4,942 requests answered with 5xx by an instance, of at most 2"},
		"not found": {func(h *record.History) { failingRun(h, 9, 404, true) }, verdict.Pass, "", "failures: 0 of 4,942 requests answered with 5xx by an instance, of at most 2"},
		"written":   {func(h *record.History) { failingRun(h, 9, 500, true) }, verdict.Fail, "failed-writes-kept", "web-1 answered 9 requests with 500, the first at 2.5 s, and at most 2 may fail in all; their writes are in the database all the same: they were made before the failure, and no metric of successes has them"},
		"unwritten": {func(h *record.History) { failingRun(h, 9, 500, false) }, verdict.Fail, "failed-writes", "web-1 answered 9 requests with 500, the first at 2.5 s, and at most 2 may fail in all; none of their writes is in the database"},
		"no load":   {func(h *record.History) { h.Requests = nil }, verdict.Inconclusive, "", "failures: no request was sent, so nothing was looked at"},
	} {
		t.Run(name, func(t *testing.T) {
			p := talk()
			p.checks = allChecks + failuresCheck
			h := p.make()
			for i := range h.Requests { // what a kill cut off is nobody's failure here
				if r := &h.Requests[i]; r.Outcome == record.Unknown && r.Status == 0 {
					r.Outcome = record.Refused
				}
			}
			c.change(&h)
			v := judged(t, h)
			says(t, v, "failures", c.outcome, c.want)
			for _, f := range v.Findings {
				if f.Check == "failures" && f.Cause != c.cause {
					t.Errorf("cause %q, want %q", f.Cause, c.cause)
				}
			}
		})
	}
}

// A counter of successes that counts failures as well: without being told what
// it counts the judge must allow both, with it neither more nor less.
func TestACounterOfSuccesses(t *testing.T) {
	for name, c := range map[string]struct {
		status  string
		outcome verdict.Outcome
	}{"not told": {"", verdict.Pass}, "told": {", status: 2xx", verdict.Fail}} {
		t.Run(name, func(t *testing.T) {
			p := talk()
			p.checks = "  - conservation: {metric: fullstack.insert, route: insert" + c.status + "}\n"
			h := p.make()
			failingRun(&h, 9, 500, true)
			v := judged(t, h)
			if v.Outcome != c.outcome {
				t.Fatalf("outcome %v", v.Outcome)
			}
			if c.outcome == verdict.Fail {
				f := about(t, v, "conservation", "web-1", verdict.Fail)
				if f.Cause != diagnose.Failures || f.Extra != 9 || f.Bound != 0 {
					t.Errorf("cause %s, extra %d, bound %d: %s", f.Cause, f.Extra, f.Bound, f.Summary)
				}
			}
		})
	}
}
