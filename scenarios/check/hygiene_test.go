package check

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const hygieneCheck = "  - hygiene: {max_series: 5, growth: 0}\n"

// addLosses adds a series to the collector's figures.
func addLosses(h *record.History, name string, value float64, labels ...string) {
	h.Series = append(h.Series, record.Series{Name: "throughline_collector_" + name, Labels: collector.NewLabels(labels...),
		Meta: collector.Meta{Type: collector.Counter}, Points: []record.Point{{At: 10 * time.Second, Observed: 1}, {At: 20 * time.Second, Value: value, Observed: 1}}})
}

// another adds n series to an instance.
func another(h *record.History, instance, metric string, n int) {
	for i := range n {
		h.Series = append(h.Series, record.Series{Name: underscored(metric), Labels: collector.NewLabels("instance", instance, "user", fmt.Sprint(i)),
			Meta: collector.Meta{Type: collector.Gauge, Sent: metric}, Points: []record.Point{{At: 10 * time.Second, Observed: 1}}})
	}
}

func TestHygiene(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*record.History)
		outcome verdict.Outcome
		cause   string
		want    string
	}{
		{"healthy", func(*record.History) {}, verdict.Pass, "", "hygiene: no bad line, no refused line, no truncated datagram of 4 instances, each with at most 2 series, of a budget of 5, with a growth of at most 0"},
		{"bad lines", func(h *record.History) {
			addLosses(h, "bad_lines_total", 3, "instance", "web-3", "reason", "no_type")
			addLosses(h, "bad_lines_total", 1, "instance", "web-3", "reason", "conflict")
		}, verdict.Fail, "bad-lines", "web-3 sent 4 bad lines (1 conflict, 3 no_type): what was in them is lost"},
		{"one bad line of nobody", func(h *record.History) { addLosses(h, "bad_lines_total", 1, "reason", "no_type") }, verdict.Fail, "bad-lines", "somebody sent 1 bad line (1 no_type): what was in them is lost"},
		{"refused lines", func(h *record.History) {
			addLosses(h, "refused_lines_total", 1200, "instance", "web-3", "reason", "series")
		}, verdict.Fail, "cardinality", "web-3 sent 1,200 lines that were refused by a limit (1,200 series): what was in them is lost"},
		{"refused lines of an older record", func(h *record.History) { addLosses(h, "series_refused_total", 1, "instance", "web-3") }, verdict.Fail, "cardinality", "web-3 sent 1 line that would have begun a series too many: what was in them is lost"},
		{"truncated datagrams", func(h *record.History) { addLosses(h, "truncated_datagrams_total", 2, "instance", "web-3") }, verdict.Fail, "truncated-datagrams", "web-3 sent 2 truncated datagrams: what was in them is lost"},
		{"a stream that a kill broke off", func(h *record.History) { addLosses(h, "truncated_datagrams_total", 1, "instance", "web-2") }, verdict.Pass, "",
			"hygiene: no bad line, no refused line, no truncated datagram of 4 instances, each with at most 2 series, of a budget of 5, with a growth of at most 0"},
		{"a name that collides", func(h *record.History) {
			addLosses(h, "findings", 7, "kind", "name_collision", "metric", "a.b", "other", "a_b", "instance", "web-3")
		}, verdict.Fail, "name-collision", "the collector found fault with a.b: name collision with a_b, 7 lines"},
		{"tags that explode", func(h *record.History) {
			addLosses(h, "findings", 7, "kind", "tag_explosion", "metric", "a.b", "tag", "user")
		}, verdict.Fail, "tag-explosion", "the collector found fault with a.b: tag explosion of user, 7 lines"},
		{"tags in a name", func(h *record.History) {
			addLosses(h, "findings", 3, "kind", "tags_in_name", "metric", "page.views", "other", "influxdb", "instance", "web-3")
		}, verdict.Fail, verdict.CauseTagsInName, "the collector found fault with page.views: it has tags in its name that became part of it, 3 lines; `stack: {collector: {tags: influxdb}}` makes them tags"},
		{"a finding of a kind to come", func(h *record.History) { addLosses(h, "findings", 1, "kind", "new_kind", "metric", "a.b") }, verdict.Fail, "new-kind", "the collector found fault with a.b: new kind, 1 line"},
		{"over the budget", func(h *record.History) { another(h, "web-1", "shop.users", 4) }, verdict.Fail, "cardinality", "web-1 has 6 series, and the budget is 5; most are of shop.users"},
		{"a replacement that brings more", func(h *record.History) { another(h, "web-4", "shop.users", 1) }, verdict.Fail, "cardinality", "web-4 has 3 series, and web-1 before it had 2: a replacement may bring 0 more"},
		{"more at the same time is no growth", func(h *record.History) { another(h, "web-3", "shop.users", 1) }, verdict.Pass, "", "hygiene: no bad line, no refused line, no truncated datagram of 4 instances, each with at most 3 series, of a budget of 5, with a growth of at most 0"},
		{"called after its instance", func(h *record.History) {
			for i := range h.Series {
				if s := &h.Series[i]; s.Name == "fullstack_insert_total" {
					s.Meta.Sent += "." + s.Labels.Get("instance")
				}
			}
			drop(h, func(s record.Series) bool { return s.Labels.Get("instance") != "web-3" })
		}, verdict.Fail, "renamed", "the name of web-3 is part of fullstack.insert.web-3: an instance belongs into a tag, or each replacement makes a new metric"},
		{"no account", func(h *record.History) {
			drop(h, func(s record.Series) bool { return s.Name == "throughline_collector_truncated_datagrams_total" })
		}, verdict.Inconclusive, "", "hygiene: the record has no account of the collector, so nobody knows what it could not understand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			p.checks = hygieneCheck
			h := p.make()
			c.change(&h)
			var got []verdict.Finding
			for _, f := range judged(t, h).Findings {
				if f.Check == "hygiene" {
					got = append(got, f)
				}
			}
			if len(got) != 1 || got[0].Outcome != c.outcome || got[0].Cause != c.cause || got[0].Summary != c.want {
				t.Errorf("%+v\nwant %v %s %s", got, c.outcome, c.cause, c.want)
			}
		})
	}
}

// TestHygieneFindsWhatWasPutIn gives one instance of made-up runs bad lines or
// too many series.
func TestHygieneFindsWhatWasPutIn(t *testing.T) {
	for seed := range uint64(histories) {
		rnd := rand.New(rand.NewPCG(seed, 37))
		p := anyPlan(seed)
		p.checks = "  - hygiene: {max_series: 10}\n"
		w := p.world()
		b := w.beings[rnd.IntN(len(w.beings))]
		var lost, extra int64
		switch rnd.IntN(3) {
		case 0:
			lost = int64(1 + rnd.IntN(1000))
			addLosses(&w.h, "bad_lines_total", float64(lost), "instance", b.name, "reason", "no_type")
		case 1:
			before := 0
			for _, s := range w.h.Series {
				if s.Meta.Sent != "" && s.Labels.Get("instance") == b.name {
					before++
				}
			}
			extra = int64(1 + rnd.IntN(50))
			another(&w.h, b.name, "shop.users", 10-before+int(extra))
		}
		fails := 0
		for _, f := range judged(t, w.h).Findings {
			if f.Check != "hygiene" || f.Outcome == verdict.Pass {
				continue
			}
			if fails++; f.Instance != b.name || f.Lost != lost || f.Extra != extra {
				t.Fatalf("seed %d: %d lost and %d extra of %s were put in: %+v", seed, lost, extra, b.name, f)
			}
		}
		if want := lost+extra > 0; want != (fails == 1) || fails > 1 {
			t.Fatalf("seed %d: %d findings, %d lost and %d extra of %s were put in", seed, fails, lost, extra, b.name)
		}
	}
}
