package check

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const auditCheck = "  - audit: {route: insert}\n"

// gain adds n to a word's document, which is made if there is none.
func gain(h *record.History, word string, n int64) {
	for i := range h.After.Words {
		if d := &h.After.Words[i]; d.Word == word {
			d.Count += n
			return
		}
	}
	h.After.Words = append(h.After.Words, record.WordCount{Word: word, Count: n})
}

// rolledBack has a member of the database say how much it took back.
func rolledBack(h *record.History, member string, n float64) {
	h.Series = append(h.Series, record.Series{Name: record.RolledBack, Labels: collector.NewLabels("instance", member), Meta: collector.Meta{Type: collector.Counter},
		Points: []record.Point{{At: 20 * time.Second, Value: n, Observed: 1}}})
}

func TestAudit(t *testing.T) {
	unknown := func(h *record.History, word string, n int) {
		for i := range h.Requests {
			if r := &h.Requests[i]; r.Word == word && r.Route == "insert" && r.Outcome == record.Acked && n > 0 {
				r.Outcome, r.Instance, r.Status = record.Unknown, "", 0
				n--
			}
		}
	}
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		want    string
	}{
		{"healthy", func(*record.History) {}, verdict.Pass, "", "audit of insert: 4,421 writes of 50 words acknowledged, 0 lost, 0 applied twice, 0 unexpected; of 0 of unknown outcome 0 were applied"},
		{"one lost", func(h *record.History) { gain(h, "word3", -1) }, verdict.Fail, "lost-writes", `the database lost 1 write that users had acknowledged, of 1 word: "word3" gained 293, and 294 were acknowledged`},
		{"rolled back", func(h *record.History) {
			gain(h, "word3", -2)
			rolledBack(h, "mongo-1", 3)
		}, verdict.Fail, "rolled-back", `the database lost 2 writes that users had acknowledged, of 1 word: "word3" gained 292, and 294 were acknowledged; ` +
			`3 writes that mongo-1 had acknowledged, by its own count, and rolled back when another member was the primary that had not heard of them`},
		{"more lost than was rolled back", func(h *record.History) {
			gain(h, "word3", -4)
			rolledBack(h, "mongo-1", 3)
		}, verdict.Fail, "lost-writes", `the database lost 4 writes that users had acknowledged, of 1 word: "word3" gained 290, and 294 were acknowledged; 3 of them were rolled back by mongo-1`},
		{"nothing rolled back", func(h *record.History) {
			gain(h, "word3", -1)
			rolledBack(h, "mongo-1", 0)
		}, verdict.Fail, "lost-writes", `the database lost 1 write that users had acknowledged, of 1 word: "word3" gained 293, and 294 were acknowledged`},
		{"one applied twice", func(h *record.History) { gain(h, "word3", 1) }, verdict.Fail, "applied-twice", `the database applied 1 write too many, of 1 word, and the load balancer repeated at most 0: "word3" gained 295, and 294 were acknowledged`},
		{"one applied twice by the load balancer", func(h *record.History) {
			gain(h, "word3", 1)
			shiftPolled(*h, "haproxy_backend_wretr", 12*time.Second, 1)
			retryAll(h)
		}, verdict.Fail, "applied-twice", `the database applied 1 write too many, of 1 word, and the load balancer repeated at most 1: "word3" gained 295, and 294 were acknowledged`},
		{"one applied twice, and what the load balancer repeated had reached nobody", func(h *record.History) {
			gain(h, "word3", 1)
			shiftPolled(*h, "haproxy_backend_wretr", 12*time.Second, 1)
		}, verdict.Fail, "applied-twice", `the database applied 1 write too many, of 1 word, and the load balancer repeated at most 0: "word3" gained 295, and 294 were acknowledged`},
		{"lost here and twice there", func(h *record.History) {
			gain(h, "word3", 1)
			gain(h, "word4", -1)
		}, verdict.Fail, "applied-twice", `the database applied 1 write too many, of 1 word, and the load balancer repeated at most 0: "word3" gained 295, and 294 were acknowledged`},
		{"a word that nobody sent", func(h *record.History) { gain(h, "stranger", 4) }, verdict.Fail, "foreign-writes", `the database gained 4 writes of 1 word that nobody sent: "stranger" gained 4, and 0 were acknowledged`},
		{"recovered", func(h *record.History) { unknown(h, "word3", 5) }, verdict.Pass, "", "audit of insert: 4,416 writes of 50 words acknowledged, 0 lost, 0 applied twice, 0 unexpected; of 5 of unknown outcome 5 were applied"},
		{"some recovered", func(h *record.History) {
			unknown(h, "word3", 5)
			gain(h, "word3", -2)
		}, verdict.Pass, "", "audit of insert: 4,416 writes of 50 words acknowledged, 0 lost, 0 applied twice, 0 unexpected; of 5 of unknown outcome 3 were applied"},
		{"nothing acknowledged", func(h *record.History) {
			for i := range h.Requests {
				if r := &h.Requests[i]; r.Route == "insert" {
					r.Outcome, r.Status = record.Unknown, 500
				}
			}
			h.After.Words = h.Before.Words
		}, verdict.Inconclusive, "", "audit of insert: none of 4,421 writes was acknowledged, so that none could be lost"},
		{"not read", func(h *record.History) { h.After = nil }, verdict.Inconclusive, "", "audit of insert: the documents were not read before and after the load"},
		{"nothing written", func(h *record.History) {
			h.Requests = slices.DeleteFunc(h.Requests, func(r record.Request) bool { return r.Route == "insert" })
			h.After.Words = h.Before.Words
		}, verdict.Inconclusive, "", "audit of insert: nothing was written, so nothing was looked at"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.checks = auditCheck
			h := p.make()
			c.change(&h)
			var got []verdict.Finding
			for _, f := range judged(t, h).Findings {
				if f.Check == "audit" {
					got = append(got, f)
				}
			}
			if len(got) == 0 || got[0].Outcome != c.outcome || got[0].Cause != c.cause || got[0].Summary != c.want {
				t.Errorf("%+v\nwant %v %s %s", got, c.outcome, c.cause, c.want)
			}
		})
	}
}

// TestAuditFindsWhatWasPutIn loses and doubles writes of made-up runs: the
// numbers are exact, less what users do not know.
func TestAuditFindsWhatWasPutIn(t *testing.T) {
	found := 0
	for seed := range uint64(histories) {
		rnd := rand.New(rand.NewPCG(seed, 43))
		p := anyPlan(seed)
		p.checks = auditCheck
		h := p.make()
		for _, f := range judged(t, h).Findings {
			if f.Check == "audit" && f.Outcome != verdict.Pass {
				t.Fatalf("seed %d: nothing was put in: %s", seed, f.Summary)
			}
		}
		widths := map[string]int64{} // what of each word users do not know
		asked := map[string]bool{}
		for i := range h.Requests {
			r := &h.Requests[i]
			asked[r.Word] = asked[r.Word] || r.Route == "insert" && r.Outcome == record.Acked
			if r.Route == "insert" && r.Outcome == record.Unknown {
				widths[r.Word]++
			}
		}
		d := h.After.Words[rnd.IntN(len(h.After.Words))]
		if !asked[d.Word] {
			continue
		}
		by := int64(1 + rnd.IntN(9))
		if rnd.IntN(2) == 0 {
			by = -by
		}
		gain(&h, d.Word, by)
		var lost, extra int64
		fails := 0
		for _, f := range judged(t, h).Findings {
			if f.Check == "audit" && f.Outcome == verdict.Fail {
				lost, extra, fails = f.Lost, f.Extra, fails+1
			}
		}
		off := by - extra
		if by < 0 {
			off = -by - lost
		}
		if fails > 1 || off < 0 || off > widths[d.Word] || by > 0 && lost > 0 || by < 0 && extra > 0 {
			t.Fatalf("seed %d: %d put in to %s (%d unknown), found %d lost, %d extra", seed, by, d.Word, widths[d.Word], lost, extra)
		}
		found += fails
	}
	if found < histories/2 {
		t.Errorf("only %d were found", found)
	}
}
