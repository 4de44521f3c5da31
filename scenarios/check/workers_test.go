package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// sharedLoad has the load of a run sent by two workers, whose clocks are known to within a bound.
func sharedLoad(h *record.History, bound time.Duration) {
	for worker := 1; worker <= 2; worker++ {
		h.Events = append(h.Events,
			record.Event{Kind: record.WorkerBegin, Worker: worker, ID: "17", At: h.Events[0].At},
			record.Event{Kind: record.WorkerCompared, Worker: worker, Offset: 3 * time.Second, Bound: bound / 2, Count: 9, At: h.Events[0].At + time.Second},
			record.Event{Kind: record.WorkerCompared, Worker: worker, Offset: 3 * time.Second, Bound: bound, Count: 90, At: 25 * time.Second},
			record.Event{Kind: record.WorkerEnd, Worker: worker, ID: "17", Expected: true, At: 25 * time.Second})
	}
	slices.SortStableFunc(h.Events, func(a, b record.Event) int { return int(a.At - b.At) })
}

// loseWorker has the second worker lost at a time, and what is due later unsent.
func loseWorker(h *record.History, at time.Duration) {
	for i := range h.Events {
		switch e := &h.Events[i]; {
		case e.Kind == record.WorkerEnd && e.Worker == 2:
			e.At, e.Expected, e.Count, e.Error = at, false, 1, "its connection is gone; its process has ended (SIGKILL)"
		}
	}
	slices.SortStableFunc(h.Events, func(a, b record.Event) int { return int(a.At - b.At) })
	unsend(h, func(r record.Request) bool { return r.Seq%2 == 1 && r.Due > at })
}

// unsend takes requests out of a record, and out of its tally.
func unsend(h *record.History, which func(record.Request) bool) {
	n := len(h.Requests)
	h.Requests = slices.DeleteFunc(h.Requests, which)
	for i := range h.Events {
		if e := &h.Events[i]; e.Tally != nil {
			tally := *e.Tally
			tally.Requests -= int64(n - len(h.Requests))
			e.Tally = &tally
		}
	}
}

// laterUsers has all times of the users' ledger later than they were.
func laterUsers(h *record.History, by time.Duration) {
	for i := range h.Requests {
		r := &h.Requests[i]
		r.Due, r.Sent, r.Done = r.Due+by, r.Sent+by, r.Done+by
	}
}

func TestSharedLoad(t *testing.T) {
	h := talk().make()
	sharedLoad(&h, 1234*time.Microsecond)
	v := judged(t, h)
	if v.Outcome != verdict.Pass {
		t.Fatalf("%v: %v", v.Outcome, v.Findings)
	}
	says(t, v, "time", verdict.Pass, "clocks of 2 workers of the load within 1.234ms of one: 27 intervals of the collector ended at most 0s late, nothing was answered before it was sent or counted before it was asked for")
}

// TestLostWorker: what nobody knows is held against nobody, not even where much is missing.
func TestLostWorker(t *testing.T) {
	lossy := talk()
	lossy.noFlush = true
	for name, p := range map[string]plan{"healthy": talk(), "lossy": lossy} {
		h := p.make()
		sharedLoad(&h, time.Millisecond)
		loseWorker(&h, 5200*time.Millisecond)
		v := judged(t, h)
		if v.Outcome != verdict.Inconclusive {
			t.Errorf("%s: %v: %v", name, v.Outcome, v.Findings)
		}
		for _, f := range v.Findings {
			if f.Outcome == verdict.Fail || f.Cause != "" && f.Outcome != verdict.Pass {
				t.Errorf("%s: somebody is accused: %+v", name, f)
			}
			if f.Check == "record" && f.Outcome != verdict.Pass {
				t.Errorf("%s: what was never sent is missed in the ledger: %s", name, f.Summary)
			}
		}
		says(t, v, "harness", verdict.Inconclusive, "worker 2 of the 2 that shared the load was lost at 5.2 s (its connection is gone; its process has ended (SIGKILL)): "+
			"what became of 1 request that it may have sent nobody knows, and what was due later it never sent")
	}
}

// TestRowsOfASharedLoadAreMissed: each worker numbers its own requests without a hole.
func TestRowsOfASharedLoadAreMissed(t *testing.T) {
	h := talk().make()
	sharedLoad(&h, time.Millisecond)
	loseWorker(&h, 5200*time.Millisecond)
	unsend(&h, func(r record.Request) bool { return r.Seq == 100 || r.Seq == 102 })
	says(t, judged(t, h), "record", verdict.Inconclusive, "the record is not what was seen: the users' ledger lacks 2 rows, as their numbers tell")
}

// TestClocksOfWorkers: what clocks may be apart is borne, up to a tenth of an interval, and nobody is accused beyond that.
func TestClocksOfWorkers(t *testing.T) {
	h := talk().make()
	sharedLoad(&h, 100*time.Millisecond)
	v := judged(t, h)
	says(t, v, "time", verdict.Inconclusive, "times in the users' ledger may be wrong by 100ms, for the clocks of the load's workers could be compared no better; a verdict bears less than 100ms")
	lossy := talk()
	lossy.noFlush = true
	h = lossy.make()
	sharedLoad(&h, 100*time.Millisecond)
	v = judged(t, h)
	if v.Outcome != verdict.Inconclusive || slices.ContainsFunc(v.Findings, func(f verdict.Finding) bool { return f.Outcome == verdict.Fail }) {
		t.Errorf("%v: %v", v.Outcome, v.Findings)
	}

	h = talk().make()
	laterUsers(&h, 90*time.Millisecond)
	if v := judged(t, h); v.Outcome != verdict.Inconclusive || !slices.ContainsFunc(v.Findings, func(f verdict.Finding) bool {
		return f.Check == "time" && strings.Contains(f.Summary, "the clocks of users and collector differ")
	}) {
		t.Errorf("users whose clock is 90 ms ahead: %v: %v", v.Outcome, v.Findings)
	}
	sharedLoad(&h, 99*time.Millisecond)
	if v := judged(t, h); v.Outcome != verdict.Pass {
		t.Errorf("the same within what is known of it: %v: %v", v.Outcome, v.Findings)
	}
}

// TestBeaconsOfASharedLoad: a beacon that came a little before its user had the page, by clocks that may be off by more, is not early.
func TestBeaconsOfASharedLoad(t *testing.T) {
	sooner := func(h *record.History) {
		for i := range h.Arrivals {
			h.Arrivals[i].At -= 3 * time.Millisecond // 1 ms before
		}
	}
	if f := about(t, judged(t, telling(beaconsCheck, sooner)), "beacons", "", verdict.Fail); f.Cause != verdict.CauseBeaconEarly {
		t.Errorf("by one clock: %+v", f)
	}
	v := judged(t, telling(beaconsCheck, func(h *record.History) {
		sooner(h)
		sharedLoad(h, 2*time.Millisecond)
	}))
	if slices.ContainsFunc(v.Findings, func(f verdict.Finding) bool { return f.Check == "beacons" && f.Outcome != verdict.Pass }) {
		t.Errorf("by clocks within 2 ms: %v", v.Findings)
	}
}
