package check

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const nestingCheck = "  - nesting: {web: fullstack.insert.time, db: fullstack.db.time, route: insert}\n"

func TestNesting(t *testing.T) {
	const noDB = "  - nesting: {web: fullstack.insert.time, route: insert}\n"
	times := func(by float64) func(*plan) {
		return func(p *plan) { p.timers.value = func(ms float64) float64 { return ms * by } }
	}
	none := func(*record.History) {}
	for _, c := range []struct {
		name    string
		plan    func(*plan)
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		want    string // of web-3, or of all
	}{
		{"healthy", func(*plan) {}, none, verdict.Pass, "", "nesting holds (users, web, db): p50 3.05 ms, 1.96 ms, 1.27 ms; p95 10.2 ms, 6.58 ms, 4.46 ms; p99 13.9 ms, 9.31 ms, 6.58 ms; mean 4.01 ms, 2.61 ms, 1.69 ms; compared for each of 4 instances, 4,421 inserts with 4,419 values of fullstack.insert.time and 4,940 of fullstack.db.time; the load balancer is left out: its times are averages over its last 1,024 requests"},
		{"without a database", func(p *plan) { p.checks = noDB }, none, verdict.Pass, "", "nesting holds (users, web): p50 3.05 ms, 1.96 ms; p95 10.2 ms, 6.58 ms; p99 13.9 ms, 9.31 ms; mean 4.01 ms, 2.61 ms; compared for each of 4 instances, 4,421 inserts with 4,419 values of fullstack.insert.time; the load balancer is left out: its times are averages over its last 1,024 requests"},
		{"microseconds as milliseconds", times(1000), none, verdict.Fail, "wrong-unit", "requests of web-3 took longer inside (fullstack.insert.time) than for their users: p50 3.04 ms in users' eyes and over 1.96 s in its own, p95 9.89 ms in users' eyes and over 6.6 s in its own, p99 13.6 ms in users' eyes and over 8.55 s in its own, mean 3.97 ms in users' eyes and 2.59 s in its own; divided by 1,000 it would fit: fullstack.insert.time is in another unit than it says"},
		{"seconds as milliseconds", times(0.001), none, verdict.Fail, "wrong-unit", "requests of web-3 took less time (fullstack.insert.time) than their calls of the database (fullstack.db.time): p95 up to 6.86 µs in the application and over 2.83 ms in the database, p99 up to 9.29 µs in the application and over 3.22 ms in the database; multiplied by 1,000 it would fit: fullstack.insert.time is in another unit than it says"},
		{"seconds as milliseconds, without a database", func(p *plan) { times(0.001)(p); p.checks = noDB }, none, verdict.Inconclusive, "wrong-unit", "fullstack.insert.time of web-3 has the shape of its users' times, a thousand times smaller (medians 3.04 ms and 2 µs): it may be in another unit than it says; a db timer would decide it"},
		{"twice the time", times(2), none, verdict.Fail, "not-nested", "requests of web-3 took longer inside (fullstack.insert.time) than for their users: p95 9.89 ms in users' eyes and over 12.9 ms in its own, p99 13.6 ms in users' eyes and over 17.4 ms in its own"},
		{"a third of the time", func(p *plan) { times(0.3)(p); p.checks = strings.Replace(nestingCheck, "}", ", slack: 0s}", 1) }, none, verdict.Fail, "not-nested", "requests of web-3 took less time (fullstack.insert.time) than their calls of the database (fullstack.db.time): p50 up to 0.595 ms in the application and over 1.14 ms in the database, p95 up to 2 ms in the application and over 2.83 ms in the database, p99 up to 2.71 ms in the application and over 3.22 ms in the database"},
		{"sampled without a rate", func(p *plan) { p.timers.keep = 0.1 }, none, verdict.Fail, "sample-rate-not-sent", "fullstack.insert.time: web-3 acknowledged 1,753 inserts that no metric counted, all between 2.5 s and 26.5 s; evenly, about 1 in 9 is counted: the client samples and does not send its sample rate"},
		{"sampled with its rate", func(p *plan) { p.timers.keep, p.timers.rate = 0.5, 0.5 }, none, verdict.Pass, "", "nesting holds (users, web, db): p50 3.05 ms, 1.96 ms, 1.27 ms; p95 10.2 ms, 6.58 ms, 4.46 ms; p99 13.9 ms, 8.92 ms, 6.58 ms; mean 4.01 ms, 2.59 ms, 1.69 ms; compared for each of 4 instances, 4,421 inserts with 4,478 values of fullstack.insert.time and 4,940 of fullstack.db.time; the load balancer is left out: its times are averages over its last 1,024 requests"},
		{"averaged", func(p *plan) { p.timers.averaged, p.holding = true, 100*time.Millisecond; p.rate = 900 }, none, verdict.Fail, "averaged", "fullstack.insert.time: web-3 acknowledged 8,703 inserts and sent 301 values, with much less spread (95th percentile 1.3 times the median, users 3.2 times): the client sends averages, of which no percentile can be told"},
		{"a seventh lost of one with less spread", func(p *plan) {
			p.checks, p.timers.keep, p.timers.value = noDB, 0.86, func(ms float64) float64 { return 1.5 + 0.1*ms }
		}, none, verdict.Fail, "undecided", "fullstack.insert.time: web-3 acknowledged 239 inserts that no metric counted, all between 2.5 s and 26.5 s; the record does not tell whether it is not-counted or datagrams-lost or silent-worker (if not-counted: evenly, about 1 in 8 is not counted: a path through the code misses the counter); a timer of the same requests would tell (a nesting check that names it)"},
		{"not sent at all", func(*plan) {}, func(h *record.History) {
			drop(h, func(s record.Series) bool {
				return s.Name == "fullstack_insert_time" && s.Labels.Get("instance") == "web-3"
			})
		}, verdict.Fail, "no-metric", "fullstack.insert.time: web-3 acknowledged 1,960 inserts that no metric counted, all between 2.5 s and 26.5 s; it sent other metrics, but never fullstack.insert.time"},
		{"calls of the database not timed", func(*plan) {}, func(h *record.History) {
			drop(h, func(s record.Series) bool {
				return s.Name == "fullstack_db_time" && s.Labels.Get("instance") == "web-3"
			})
		}, verdict.Fail, "no-metric", "web-3 has 0 values of fullstack.db.time for 1,960 of fullstack.insert.time: each request calls the database"},
		{"the record ends too early", func(p *plan) { p.checks = strings.Replace(nestingCheck, "}", ", client_window: 3s}", 1) }, func(*record.History) {}, verdict.Inconclusive, "", "nesting of fullstack.insert.time: the record ends 2.4 s after the load, and clients may hold values for 3s"},
		{"nobody asked", func(*plan) {}, func(h *record.History) {
			h.Requests = slices.DeleteFunc(h.Requests, func(r record.Request) bool { return r.Route == "insert" })
		}, verdict.Inconclusive, "", "nesting of fullstack.insert.time: no instance acknowledged any insert, so nothing was compared"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.checks = nestingCheck
			c.plan(&p)
			h := p.make()
			c.change(&h)
			v := judged(t, h)
			var got []verdict.Finding
			for _, f := range v.Findings {
				if f.Check == "nesting" && (f.Instance == "web-3" || f.Instance == "") {
					got = append(got, f)
				}
			}
			if len(got) != 1 || got[0].Outcome != c.outcome || got[0].Cause != c.cause || got[0].Summary != c.want {
				t.Errorf("%+v\nwant %v %s %s", got, c.outcome, c.cause, c.want)
			}
		})
	}
}

// first is the first of some words, if there is one.
func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// TestNestingFindsWhatWasPutIn makes the timers of made-up runs wrong in known
// ways, or leaves them right.
func TestNestingFindsWhatWasPutIn(t *testing.T) {
	wrong := []struct {
		cause string
		plan  timerPlan
	}{
		{"", timerPlan{}},
		{"", timerPlan{keep: 0.5, rate: 0.5}},
		{"wrong-unit", timerPlan{value: func(ms float64) float64 { return ms * 1000 }}},
		{"wrong-unit", timerPlan{value: func(ms float64) float64 { return ms / 1000 }}},
		{"sample-rate-not-sent", timerPlan{keep: 0.3}},
	}
	found := map[string]int{}
	for seed := range uint64(histories) {
		rnd := rand.New(rand.NewPCG(seed, 23))
		p := anyPlan(seed)
		p.slow = time.Duration(4+rnd.IntN(30)) * time.Millisecond
		p.checks = fmt.Sprintf("  - nesting: {web: fullstack.insert.time, db: fullstack.db.time, route: insert, client_window: %s, slack: 1ms}\n", p.window)
		kind := wrong[rnd.IntN(len(wrong))]
		p.timers = kind.plan
		v := judged(t, p.make())
		causes := map[string]int{}
		for _, f := range v.Findings {
			if f.Check == "nesting" && f.Outcome == verdict.Fail {
				causes[cmp.Or(first(f.Possible), f.Cause)]++ // of several that fit, the likeliest
				if kind.cause == "" {
					t.Fatalf("seed %d: nothing was put in: %s", seed, f.Summary)
				}
			}
		}
		if causes[kind.cause] > 0 {
			found[kind.cause]++
		} else if kind.cause != "" {
			t.Logf("seed %d: %s was put in, and found was %v", seed, kind.cause, causes)
		}
		found["in "+kind.cause]++
	}
	for _, kind := range wrong {
		if got, in := found[kind.cause], found["in "+kind.cause]; kind.cause != "" && got < in*95/100 {
			t.Errorf("%s: found in %d of %d runs", kind.cause, got, in)
		}
	}
	t.Log(found)
}
