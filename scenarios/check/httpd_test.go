package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// fronted is the run of talk with an httpd before each instance, whose logs have what the load balancer's has.
func fronted() record.History { return frontedOf(talk().make()) }

// frontedOf is a run with an httpd before each instance.
func frontedOf(h record.History) record.History {
	for _, e := range slices.Clone(h.Events) {
		if e.Kind == record.Birth && e.Role == record.Web {
			h.Events = append(h.Events, record.Event{At: e.At, Kind: record.Birth, Instance: strings.Replace(e.Instance, "web", "httpd", 1), Role: record.HTTPD})
		}
	}
	for _, x := range h.Executions {
		h.Passages = append(h.Passages, record.Passage{At: x.At, Seq: x.Seq, Instance: x.Server, Status: x.Status, Answered: x.Answered, Took: time.Millisecond, First: time.Millisecond})
	}
	return h
}

// unpass takes lines from the logs of httpd.
func unpass(h *record.History, seqs ...uint64) {
	h.Passages = slices.DeleteFunc(h.Passages, func(x record.Passage) bool { return slices.Contains(seqs, x.Seq) && !x.Foreign })
}

// passageOf is the line of a request.
func passageOf(h *record.History, seq uint64) *record.Passage {
	return &h.Passages[slices.IndexFunc(h.Passages, func(x record.Passage) bool { return x.Seq == seq && !x.Foreign })]
}

// killHTTPD is the fault, on an instance, around a time.
func killHTTPD(h *record.History, on string, at time.Duration) {
	tell(h, record.Event{At: at, Kind: record.FaultBegin, Fault: "kill-httpd", Instance: on, Role: record.Web})
	tell(h, record.Event{At: at + 200*time.Millisecond, Kind: record.FaultEnd, Fault: "kill-httpd", Instance: on, Role: record.Web, Count: 1})
}

func TestHTTPD(t *testing.T) {
	const healthy = "4,942 requests followed by their ids through the logs of httpd: 4,942 acknowledged, each logged by the httpd of the instance that users saw, and none more often than sent"
	unknown := func(h *record.History, seq uint64, outcome record.Outcome) {
		r := &h.Requests[seq]
		r.Outcome, r.Status, r.Instance = outcome, 0, ""
	}
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		n       int64
		want    string
	}{
		{"healthy", func(*record.History) {}, verdict.Pass, "", 0, healthy},
		{"lost", func(h *record.History) { unpass(h, 7, 8) }, verdict.Fail, "httpd-disagrees", 1,
			"1 request acknowledged, and the httpd before the instance logged no success: r1-7 on web-3"},
		{"the application counts, and httpd says 502", func(h *record.History) {
			x := passageOf(h, 7)
			x.Status, x.Answered = 502, false
		}, verdict.Fail, "httpd-disagrees", 1, "1 request acknowledged, and the httpd before the instance logged no success: r1-7 on web-3"},
		{"of another httpd", func(h *record.History) { passageOf(h, 7).Instance = "web-1" }, verdict.Fail, "httpd-disagrees", 1,
			"1 request acknowledged, and the httpd before the instance logged no success: r1-7 on web-3"},
		{"another status", func(h *record.History) {
			h.Requests[7].Outcome, h.Requests[7].Status = record.Unknown, 500
			lineOf(h, 7).Status = 500
		}, verdict.Fail, "httpd-disagrees", 1, "1 request answered by an instance as the load balancer saw it, and its httpd logged another status, or nothing: r1-7 on web-3 (500)"},
		{"more often than sent", func(h *record.History) { h.Passages = append(h.Passages, *passageOf(h, 7), *passageOf(h, 7)) }, verdict.Fail, "lb-retry", 2,
			"2 requests logged by httpds more often than they were sent: r1-7 on web-3"},
		{"tried again by the load balancer", func(h *record.History) {
			lineOf(h, 7).Retries = 1
			h.Passages = append(h.Passages, record.Passage{Seq: 7, Instance: "web-1", Status: 503})
		}, verdict.Pass, "", 0, "4,943" + healthy[5:] + "; httpd answered 1 itself (1 503)"},
		{"refused and executed", func(h *record.History) {
			unknown(h, 7, record.Refused)
			lineOf(h, 7).Answered = false
		}, verdict.Fail, "refused-but-executed", 1, "1 request refused as users know it, and executed as an httpd saw it: r1-7"},
		{"not by the load balancer", func(h *record.History) {
			h.Passages = append(h.Passages, record.Passage{At: time.Second, Foreign: true, RequestID: "x", Instance: "web-2", Status: 200, Answered: true})
		}, verdict.Fail, "foreign-requests", 1, `1 request came to httpds, and not by the load balancer: "x" on web-2`},
		{"a 502 that was a closed connection", func(h *record.History) {
			unknown(h, 7, record.Unknown)
			unlog(h, 7)
			x := passageOf(h, 7)
			x.Status, x.Answered = 502, false
		}, verdict.Pass, "", 0, strings.Replace(healthy, "ids through the logs of httpd: 4,942", "ids through the logs of httpd: 4,941", 1) +
			"; httpd answered 1 itself (1 502); 1 logged with 502 had no answer, for httpd closes the connection"},
		{"lost in a reload", func(h *record.History) {
			unknown(h, 7, record.Unknown)
			unlog(h, 7)
			unpass(h, 7)
		}, verdict.Pass, "", 0, strings.ReplaceAll(healthy, "4,942", "4,941") + "; 1 without an answer came to no httpd"},
		{"on an httpd when it was killed", func(h *record.History) {
			killHTTPD(h, "web-3", h.Requests[7].Done)
			unpass(h, 7)
		}, verdict.Pass, "", 0, "4,941" + healthy[5:] + "; 1 on an httpd when it was killed, which logged nothing of them"},
		{"before it was killed", func(h *record.History) {
			killHTTPD(h, "web-3", h.Requests[7].Done+2*time.Second)
			unpass(h, 7)
		}, verdict.Fail, "httpd-disagrees", 1, "1 request acknowledged, and the httpd before the instance logged no success: r1-7 on web-3"},
		{"when another one was killed", func(h *record.History) {
			killHTTPD(h, "web-1", h.Requests[7].Done)
			unpass(h, 7)
		}, verdict.Fail, "httpd-disagrees", 1, "1 request acknowledged, and the httpd before the instance logged no success: r1-7 on web-3"},
		{"one that died by itself", func(h *record.History) {
			tell(h, record.Event{At: h.Requests[7].Done, Kind: record.Death, Instance: "httpd-3", Role: record.HTTPD, Code: -1, Signal: "SIGSEGV"})
			unpass(h, 7)
		}, verdict.Pass, "", 0, "4,941" + healthy[5:] + "; 1 on an httpd when it was killed, which logged nothing of them"},
		{"no log", func(h *record.History) { h.Passages = nil }, verdict.Inconclusive, "", 0,
			"conservation at httpd: the record holds nothing of its log, so users and httpd were not compared"},
		{"a log that is not whole", func(h *record.History) {
			tell(h, record.Event{At: 12 * time.Second, Kind: record.Trouble, About: "passages", Count: 2})
			unpass(h, 7)
		}, verdict.Inconclusive, "", 0, "conservation at httpd: its log is not whole, so users and httpd were not compared"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := fronted()
			c.change(&h)
			var got []verdict.Finding
			v := judged(t, h)
			for _, f := range v.Findings {
				if f.Check == "conservation" && f.Layer == record.LayerHTTPD {
					got = append(got, f)
				}
			}
			i := slices.IndexFunc(got, func(f verdict.Finding) bool { return f.Summary == c.want })
			if i < 0 || got[i].Outcome != c.outcome || got[i].Cause != c.cause || got[i].Lost+got[i].Extra != c.n {
				t.Fatalf("%+v\nwant %v %s %d %s", got, c.outcome, c.cause, c.n, c.want)
			}
			for _, f := range got {
				if c.outcome != verdict.Fail && f.Outcome == verdict.Fail {
					t.Errorf("beside it: %+v", f)
				}
			}
			if c.outcome == verdict.Fail && v.Unexplained == 0 {
				t.Error("it is in no residual")
			}
		})
	}
}

// What it counted as a whole, and of each instance, is among the ledgers; a stack without it has none.
func TestLedgerOfHTTPD(t *testing.T) {
	h := fronted()
	h.Passages = append(h.Passages, record.Passage{Seq: 7, Instance: "web-3", Status: 503})
	_, counts := entriesOf(judged(t, h))
	if c := counts["httpd"]; c["requests"] != 4943 || c["answered_2xx"] != 4942 || c["errors"] != 1 {
		t.Errorf("%v", c)
	}
	if counts["httpd web-3"]["answered_2xx"] != counts["lb web-3"]["answered_2xx"] {
		t.Errorf("of web-3: %v", counts["httpd web-3"])
	}
	if keys, _ := entriesOf(judged(t, talk().make())); slices.Contains(keys, "httpd") {
		t.Errorf("without httpd: %q", keys)
	}
}
