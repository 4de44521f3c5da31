package check

import (
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// TestNestingAtHTTPD: a user waits longer than httpd has a request on a worker, and that is longer than the application works.
func TestNestingAtHTTPD(t *testing.T) {
	// share gives each line a share of the time that its user waited.
	share := func(h *record.History, share float64) {
		for i := range h.Passages {
			x := &h.Passages[i]
			r := h.Requests[x.Seq]
			x.Took = time.Duration(share * float64(r.Done-r.Sent))
			x.First = x.Took
		}
	}
	queued := func(h *record.History) {
		for i := range h.Requests {
			h.Requests[i].Sent -= 500 * time.Millisecond
			h.Requests[i].Due -= 500 * time.Millisecond
		}
	}
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		want    string // in the finding on web-3, or on all
	}{
		{"healthy", func(*record.History) {}, verdict.Pass, "",
			"nesting holds (users, httpd, web, db): p50 3.05 ms, 2.75 ms, 1.96 ms, 1.27 ms; p95 10.2 ms, 9.15 ms, 6.58 ms, 4.46 ms; p99 13.9 ms, 12.5 ms, 9.31 ms, 6.58 ms; mean 4.01 ms, 3.61 ms, 2.61 ms, 1.69 ms; compared for"},
		{"later at httpd than at its user", func(h *record.History) {
			x := passageOf(h, 7)
			x.Took, x.First = 90*time.Millisecond, 80*time.Millisecond
		}, verdict.Fail, "not-nested", "1 insert of web-3 were answered later by the clock of its httpd than their users had the answer: r1-7; the furthest off after 80 ms at httpd and "},
		// The log is written when all has been sent, and a busy machine may let that wait.
		{"only its line came later", func(h *record.History) { passageOf(h, 7).Took = 90 * time.Millisecond }, verdict.Pass, "", "nesting holds (users, httpd, web, db)"},
		{"tried again", func(h *record.History) {
			x := passageOf(h, 7)
			x.Took, x.First = 90*time.Millisecond, 80*time.Millisecond
			lineOf(h, 7).Retries = 1
			h.Passages = append(h.Passages, record.Passage{Seq: 7, Instance: "web-1", Status: 503})
		}, verdict.Pass, "", "nesting holds (users, httpd, web, db)"},
		{"longer inside than at httpd", func(h *record.History) { share(h, 0.3) }, verdict.Fail, "not-nested",
			"requests of web-3 took longer inside (fullstack.insert.time) than on its httpd: p95 2.97 ms at httpd and over 6.44 ms in its own, p99 4.08 ms at httpd and over "},
		// Users' times alone would hide it: the queue before httpd is in none of its own.
		{"longer inside, behind a queue", func(h *record.History) { share(h, 0.3); queued(h) }, verdict.Fail, "not-nested", "requests of web-3 took longer inside (fullstack.insert.time) than on its httpd: "},
		{"behind a queue", queued, verdict.Pass, "", "nesting holds (users, httpd, web, db): p50 503 ms, 2.75 ms, "},
		{"its httpd was killed", func(h *record.History) {
			killHTTPD(h, "web-3", h.Requests[7].Done)
			unpass(h, 7)
		}, verdict.Pass, "", "nesting holds (users, httpd, web, db)"},
		{"the logs are not whole", func(h *record.History) {
			share(h, 0.1)
			tell(h, record.Event{At: time.Second, Kind: record.Trouble, About: "passages", Count: 1, Error: "cut off"})
		}, verdict.Pass, "", "nesting holds (users, web, db): "},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.checks = nestingCheck
			h := frontedOf(p.make())
			share(&h, 0.9)
			c.change(&h)
			var got []verdict.Finding
			for _, f := range judged(t, h).Findings {
				if f.Check == "nesting" && (f.Instance == "web-3" || f.Instance == "") {
					got = append(got, f)
				}
			}
			if len(got) != 1 || got[0].Outcome != c.outcome || got[0].Cause != c.cause || !strings.HasPrefix(got[0].Summary, c.want) {
				t.Errorf("%+v\nwant %v %s %s", got, c.outcome, c.cause, c.want)
			}
			if c.name == "later at httpd than at its user" && got[0].Layer != record.LayerHTTPD {
				t.Errorf("it is of layer %s", got[0].Layer)
			}
		})
	}
}
