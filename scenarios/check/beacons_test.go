package check

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// The timers are made up where a check of nesting wants them.
const beaconsCheck = nestingCheck + "  - beacons: {route: insert, web: fullstack.insert.time}\n"

// telling is a made-up run whose users tell of nine pages in ten, and a collector that counts what comes.
func telling(check string, change func(*record.History)) record.History {
	p := talk()
	p.checks = check
	h := p.make()
	h.Scenario = bytes.Replace(h.Scenario, []byte("mix: {insert: 9, get: 1}}"), []byte("mix: {insert: 9, get: 1}, beacons: {share: 0.9, form: json}}"), 1)
	for _, r := range h.Requests {
		if r.Outcome != record.Acked || r.Seq%10 == 3 {
			continue
		}
		took := (r.Done - r.Sent).Truncate(time.Microsecond)
		h.Beacons = append(h.Beacons, record.Beacon{Seq: r.Seq, Route: r.Route, Latency: took, Sent: r.Done + time.Millisecond, Done: r.Done + 3*time.Millisecond,
			Outcome: record.Acked, Status: 204, Attempts: 1})
		h.Arrivals = append(h.Arrivals, record.Arrival{At: r.Done + 2*time.Millisecond, Seq: r.Seq, Route: r.Route, Latency: took, Form: "json"})
	}
	change(&h)
	count(&h)
	return h
}

// count has the collector count what came: one bucket of a histogram is enough, for only number and sum are looked at.
func count(h *record.History) {
	for _, route := range []string{"insert", "get"} {
		var n, sum float64
		for _, a := range h.Arrivals {
			if a.Route == route {
				n++
				sum += float64(a.Latency.Microseconds()) / 1000
			}
		}
		if n == 0 {
			continue
		}
		labels := collector.NewLabels("route", route)
		end := 30 * time.Second
		h.Series = append(h.Series,
			record.Series{Name: record.PageViews, Labels: labels, Meta: collector.Meta{Type: collector.Counter}, Points: []record.Point{{At: end, Value: n, Observed: 1}}},
			record.Series{Name: record.PageLatency, Labels: labels, Meta: collector.Meta{Type: collector.Summary, Unit: "milliseconds"},
				Points: []record.Point{{At: end, Observed: 1, Histogram: &collector.Histogram{Schema: 4, Count: n, Sum: sum, Positive: []collector.Bucket{{Index: 1, Count: n}}}}}})
	}
}

// told are the beacons of inserts, each nth of them, in both ledgers or one.
func eachNth(h *record.History, n int, of func(b *record.Beacon, a *record.Arrival)) {
	k := 0
	for i := range h.Arrivals {
		if h.Arrivals[i].Route == "insert" {
			if k++; k%n == 0 {
				of(&h.Beacons[i], &h.Arrivals[i])
			}
		}
	}
}

// lose drops the arrivals that are marked by a form of their own.
func lose(h *record.History) {
	h.Arrivals = slices.DeleteFunc(h.Arrivals, func(a record.Arrival) bool { return a.Form == "lost" })
}

// TestBeacons: what is wrong with beacons is found, with its cause and number, and nothing else; the healthy run, and one in
// which the machine is to blame, are silent.
func TestBeacons(t *testing.T) {
	for _, c := range []struct {
		name    string
		check   string
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		lost    bool   // else extra, where there is a number
		n       int64  // 0: none
		want    string // is part of the finding
	}{
		{"healthy", "", func(*record.History) {}, verdict.Pass, "", false, 0, "each once, after its page, and with its user's time"},
		{"all routes", "  - beacons: {}\n", func(*record.History) {}, verdict.Pass, "", false, 0, "beacons hold: 4,9"},
		{"an answer to a beacon that came was lost", "", func(h *record.History) {
			eachNth(h, 100, func(b *record.Beacon, _ *record.Arrival) { b.Outcome, b.Status, b.Err = record.Unknown, 0, "reset" })
		}, verdict.Pass, "", false, 0, "hold"},
		{"beacons of unknown outcome did not come", "", func(h *record.History) {
			eachNth(h, 200, func(b *record.Beacon, a *record.Arrival) { b.Outcome, b.Status, a.Form = record.Unknown, 0, "lost" })
			lose(h)
		}, verdict.Pass, "", false, 0, "hold"},
		{"sent twice", "", func(h *record.History) {
			for i := range slices.Clone(h.Beacons) {
				if h.Beacons[i].Route == "insert" && h.Beacons[i].Seq%100 == 7 {
					again, more := h.Beacons[i], h.Arrivals[i]
					again.Again, more.At = true, more.At+time.Millisecond
					h.Beacons, h.Arrivals = append(h.Beacons, again), append(h.Arrivals, more)
				}
			}
		}, verdict.Fail, "beacon-twice", false, -1, "came of pages that had told already"},
		{"counted more often than sent", "", func(h *record.History) {
			for i := range slices.Clone(h.Beacons)[:5] {
				if more := h.Arrivals[i]; more.Route == "insert" {
					h.Arrivals = append(h.Arrivals, more)
				}
			}
		}, verdict.Fail, "beacon-foreign", false, -1, "that no page of this run sent"},
		{"of another run", "", func(h *record.History) {
			h.Arrivals = append(h.Arrivals, record.Arrival{At: 9 * time.Second, Foreign: true, PageID: "other-1", Route: "insert", Latency: time.Millisecond})
		}, verdict.Fail, "beacon-foreign", false, 1, `1 beacon came that no page of this run sent: "other-1"`},
		{"of a page that there never was", "", func(h *record.History) {
			h.Arrivals = append(h.Arrivals, record.Arrival{At: 9 * time.Second, Seq: 1 << 40, Route: "insert", Latency: time.Millisecond})
		}, verdict.Fail, "beacon-foreign", false, 1, "no page of this run sent"},
		{"of a page that nobody got", "", func(h *record.History) {
			r := h.Requests[len(h.Requests)-1]
			h.Requests[len(h.Requests)-1].Outcome = record.Unknown
			h.Beacons = slices.DeleteFunc(h.Beacons, func(b record.Beacon) bool { return b.Seq == r.Seq })
			h.Arrivals = slices.DeleteFunc(h.Arrivals, func(a record.Arrival) bool { return a.Seq == r.Seq })
			h.Beacons = append(h.Beacons, record.Beacon{Seq: r.Seq, Route: "insert", Sent: r.Done, Outcome: record.Acked, Status: 204, Attempts: 1})
			h.Arrivals = append(h.Arrivals, record.Arrival{At: r.Done + time.Second, Seq: r.Seq, Route: "insert"})
			h.Requests[len(h.Requests)-1].Route = "insert"
		}, verdict.Fail, "", false, 1, "1 beacon came of pages that nobody got"},
		{"sent before the page, and come after it", "", func(h *record.History) {
			eachNth(h, 50, func(b *record.Beacon, a *record.Arrival) { b.Sent, a.Latency = b.Sent-2*time.Millisecond, 0 })
		}, verdict.Fail, "beacon-early", false, -1, "told before their users had the page"},
		{"before the page", "", func(h *record.History) {
			eachNth(h, 50, func(_ *record.Beacon, a *record.Arrival) {
				a.At -= 2*time.Millisecond + time.Microsecond
				a.Latency = 0
			})
		}, verdict.Fail, "beacon-early", false, -1, "told before their users had the page"},
		{"less than the user waited", "", func(h *record.History) {
			eachNth(h, 1, func(_ *record.Beacon, a *record.Arrival) { a.Latency = (a.Latency / 2).Truncate(time.Microsecond) })
		}, verdict.Fail, "beacon-early", false, 0, "told less than their users waited"},
		{"seconds as milliseconds", "  - beacons: {route: insert, slack: 0s}\n", func(h *record.History) {
			for i := range h.Requests {
				h.Requests[i].Sent, h.Requests[i].Done = h.Requests[i].Sent.Truncate(time.Millisecond), h.Requests[i].Done.Truncate(time.Millisecond)
			}
			eachNth(h, 1, func(_ *record.Beacon, a *record.Arrival) {
				r := h.Requests[a.Seq]
				a.Latency = (r.Done - r.Sent) / 1000 // whole microseconds
			})
		}, verdict.Fail, "wrong-unit", false, 0, "multiplied by 1,000 they would fit"},
		{"microseconds as milliseconds", "", func(h *record.History) {
			eachNth(h, 1, func(_ *record.Beacon, a *record.Arrival) { a.Latency *= 1000 })
		}, verdict.Fail, "wrong-unit", false, 0, "divided by 1,000 they would fit"},
		{"more than went by", "", func(h *record.History) {
			eachNth(h, 1, func(_ *record.Beacon, a *record.Arrival) { a.Latency += 10 * time.Millisecond })
		}, verdict.Fail, "not-nested", false, 0, "told more than went by until they came"},
		{"taken and not there", "", func(h *record.History) {
			eachNth(h, 400, func(_ *record.Beacon, a *record.Arrival) { a.Form = "lost" })
			lose(h)
		}, verdict.Fail, "", true, -1, "missing that the collector had said it took"},
		{"preflights refused", "", func(h *record.History) {
			eachNth(h, 1, func(b *record.Beacon, a *record.Arrival) {
				*b = record.Beacon{Seq: b.Seq, Route: b.Route, Sent: b.Sent, Done: b.Done, Outcome: record.Refused, Err: record.PreflightRefused + ": answered with 403"}
				a.Form = "lost"
			})
			lose(h)
		}, verdict.Fail, "beacon-refused", true, -1, "the collector refused the preflight of"},
		{"beacons refused", "", func(h *record.History) {
			eachNth(h, 1, func(b *record.Beacon, a *record.Arrival) { b.Outcome, b.Status, a.Form = record.Refused, 403, "lost" })
			lose(h)
		}, verdict.Fail, "beacon-refused", true, -1, "that came"},
		{"the collector is away", "", func(h *record.History) {
			eachNth(h, 4, func(b *record.Beacon, a *record.Arrival) {
				b.Outcome, b.Status, b.Attempts, b.Err, a.Form = record.Refused, 0, 0, "connection refused", "lost"
			})
			lose(h)
		}, verdict.Fail, "", true, -1, "found no collector"},
		{"the collector has no time, and nobody else has", "", func(h *record.History) {
			eachNth(h, 4, func(b *record.Beacon, a *record.Arrival) {
				b.Outcome, b.Status, b.Attempts, b.Err, a.Form = record.Refused, 0, 0, "preflight: context deadline exceeded", "lost"
			})
			lose(h)
			own(h, record.FlushLateness, "", func(time.Duration) float64 { return 3.9 })
		}, verdict.Inconclusive, "flush-late-on-busy-machine", true, -1, "was late itself"},
		{"the collector is away, as is allowed", "  - beacons: {route: insert, share: 0.6}\n", func(h *record.History) {
			eachNth(h, 4, func(b *record.Beacon, a *record.Arrival) {
				b.Outcome, b.Status, b.Attempts, b.Err, a.Form = record.Refused, 0, 0, "connection refused", "lost"
			})
			lose(h)
		}, verdict.Pass, "", false, 0, "found no collector"},
		{"nobody tells", "", func(h *record.History) { h.Beacons, h.Arrivals = nil, nil }, verdict.Fail, "", true, -1, "too few pages of insert told of themselves: 0 of 4,421 pages did"},
		{"the application took longer", "", func(h *record.History) {
			for _, s := range h.Series {
				for i := range s.Points {
					if x := s.Points[i].Histogram; s.Meta.Sent == "fullstack.insert.time" && x != nil {
						shifted := *x
						shifted.Positive = slices.Clone(x.Positive)
						for k := range shifted.Positive {
							shifted.Positive[k].Index += 4 << max(0, x.Schema) // 16 times
						}
						s.Points[i].Histogram = &shifted
					}
				}
			}
		}, verdict.Fail, "not-nested", false, 0, "tell of less than the application took"},
		{"no timer", nestingCheck + "  - beacons: {route: insert, web: fullstack.insert.times}\n", func(*record.History) {}, verdict.Inconclusive, "", false, 0, "no instance sent fullstack.insert.times"},
		{"no page", "", func(h *record.History) {
			for i := range h.Requests {
				h.Requests[i].Outcome = record.Unknown
			}
			h.Beacons, h.Arrivals = nil, nil
		}, verdict.Inconclusive, "", false, 0, "no page was acknowledged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.check == "" {
				c.check = beaconsCheck
			}
			h := telling(c.check, c.change)
			got := findingsOf(judged(t, h), "beacons")
			if len(got) != 1 {
				t.Fatalf("%d findings, want 1: %+v", len(got), got)
			}
			f := got[0]
			n := f.Extra
			if c.lost {
				n = f.Lost
			}
			if f.Outcome != c.outcome || f.Cause != c.cause || !strings.Contains(f.Summary, c.want) || c.n >= 0 && f.Lost+f.Extra != c.n || c.n < 0 && (n <= 0 || n != f.Lost+f.Extra) {
				t.Errorf("%+v\nwant %v, cause %q, %q", f, c.outcome, c.cause, c.want)
			}
		})
	}
}

func findingsOf(v verdict.Verdict, check string) (out []verdict.Finding) {
	for _, f := range v.Findings {
		if f.Check == check {
			out = append(out, f)
		}
	}
	return out
}

// TestBeaconsByPhase: no phase has more beacons that came than were sent, nor more than it has pages, and the phases come to
// the whole; a verdict is the same however often it is given.
func TestBeaconsByPhase(t *testing.T) {
	h := telling(beaconsCheck, func(*record.History) {})
	first := findingsOf(judged(t, h), "beacons")[0].Summary
	_, table, found := strings.Cut(first, "(pages, sent, came: ")
	table, _, closed := strings.Cut(table, ")")
	if !found || !closed {
		t.Fatal(first)
	}
	var sum [3]int
	for _, row := range strings.Split(table, "; ") {
		fields := strings.Fields(strings.ReplaceAll(row, ",", ""))
		var n [3]int
		for i, text := range fields[len(fields)-3:] {
			if _, err := fmt.Sscan(text, &n[i]); err != nil {
				t.Fatalf("%s: %v", row, err)
			}
		}
		if n[0] == 0 || n[1] > n[0] || n[2] > n[1] {
			t.Errorf("more beacons than pages, or than were sent: %s", row)
		}
		for i := range n {
			sum[i] += n[i]
		}
	}
	if sum[1] != sum[2] || !strings.Contains(first, fmt.Sprintf("insert hold: %s pages, %s sent and %s came", digits(sum[0]), digits(sum[1]), digits(sum[2]))) {
		t.Errorf("the phases come to %v: %s", sum, first)
	}
	h = telling(beaconsCheck, func(h *record.History) {
		eachNth(h, 40, func(_ *record.Beacon, a *record.Arrival) { a.Form = "lost" })
		lose(h)
	})
	for range 5 {
		if a, b := judged(t, h), judged(t, h); a.Sentence != b.Sentence || findingsOf(a, "beacons")[0].Summary != findingsOf(b, "beacons")[0].Summary {
			t.Fatalf("two verdicts of one record:\n%+v\n%+v", findingsOf(a, "beacons"), findingsOf(b, "beacons"))
		}
	}
}

// TestBeaconsHaveABeatOfTheirOwn: a source of beacons that was late lacks an interval that others have, and none of its series
// has it; where one of them has it and another one not, a sample was lost.
func TestBeaconsHaveABeatOfTheirOwn(t *testing.T) {
	figure := func(name string, at ...int) record.Series {
		s := record.Series{Name: name, Meta: collector.Meta{Type: collector.Counter}}
		for _, k := range at {
			s.Points = append(s.Points, record.Point{At: time.Duration(k) * time.Second, Value: 1, Observed: 1})
		}
		return s
	}
	for _, c := range []struct {
		of   []record.Series
		want int
	}{
		{[]record.Series{figure(record.CollectorPrefix+"x", 5, 6, 7, 8, 9), figure(record.BeaconFigures+"requests_total", 5, 6, 8, 9), figure(record.BeaconFigures+"beacons_total", 5, 6, 8, 9)}, 0},
		{[]record.Series{figure(record.BeaconFigures+"requests_total", 5, 6, 8, 9), figure(record.BeaconFigures+"beacons_total", 5, 6, 7, 8, 9)}, 1},
	} {
		h := telling(beaconsCheck, func(*record.History) {})
		h.Series = append(h.Series, c.of...)
		got := 0
		for _, f := range findingsOf(judged(t, h), "record") {
			if strings.Contains(f.Summary, "it lacks 1 sample in the midst") {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%d findings of a sample that was lost, want %d: %+v", got, c.want, findingsOf(judged(t, h), "record"))
		}
	}
}

// TestBeaconsMiscounted: the counter and the timer of the collector are held against what it took.
func TestBeaconsMiscounted(t *testing.T) {
	for _, c := range []struct {
		spoil func(*record.Series)
		want  string
	}{
		{func(s *record.Series) {
			if s.Name == record.PageViews {
				s.Points[0].Value += 3
			}
		}, "rum_page_views_total has"},
		{func(s *record.Series) {
			if s.Name == record.PageViews {
				s.Name = "another_total"
			}
		}, "rum_page_views_total has 0"},
		{func(s *record.Series) {
			if s.Name == record.PageLatency {
				s.Points[0].Histogram.Count--
			}
		}, "rum_page_latency has"},
		{func(s *record.Series) {
			if s.Name == record.PageLatency {
				s.Points[0].Histogram.Sum *= 1.01
			}
		}, "and rum_page_latency of"},
	} {
		h := telling(beaconsCheck, func(*record.History) {})
		for i := range h.Series {
			if h.Series[i].Labels.Get("route") == "insert" {
				c.spoil(&h.Series[i])
			}
		}
		got := findingsOf(judged(t, h), "beacons")
		if len(got) != 1 || got[0].Outcome != verdict.Fail || !strings.Contains(got[0].Summary, c.want) {
			t.Errorf("%+v, want %s", got, c.want)
		}
	}
}

// TestBeaconsAreTold: the verdict on a run with beacons that are wrong leads with them, by how many.
func TestBeaconsAreTold(t *testing.T) {
	h := telling(beaconsCheck, func(h *record.History) {
		h.Arrivals = append(h.Arrivals, record.Arrival{At: 9 * time.Second, Foreign: true, PageID: "other-1", Route: "insert", Latency: time.Millisecond})
	})
	v := judged(t, h)
	if want := "The collector took beacons that no page of this run sent"; v.Title != want {
		t.Errorf("title %q, want %q", v.Title, want)
	}
	if want := fmt.Sprintf("1 beacon came that no page of this run sent, beside the %s that the collector took", digits(len(h.Arrivals)-1)); !strings.Contains(v.Sentence, want) {
		t.Errorf("%q, want %q", v.Sentence, want)
	}
}

func digits(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
