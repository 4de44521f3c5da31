package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// cache is a tier that no stack has: it stands before the web instances, and tells how
// often each of them answered.
var cache = record.Tier{Layer: "cache", Title: "cache", Counter: "the cache", Series: []string{"cache_"}, Answers: "cache_answers_total"}

// withCache is the tiers with that one in its place.
func withCache() record.Tiers {
	all := record.AllTiers().In(record.History{})
	web := slices.IndexFunc(all, func(t record.Tier) bool { return t.Layer == record.LayerWeb })
	return slices.Insert(all, web, cache)
}

// cached judges a run of three instances with a cache, which counts what HAProxy counts
// of each, as alter would have it.
func cached(t *testing.T, waive string, alter func(*record.History)) verdict.Verdict {
	t.Helper()
	p := talk()
	p.checks = allChecks + waive
	h := p.make()
	for _, s := range slices.Clone(h.Series) {
		if s.Name == record.ServerPrefix+"hrsp_2xx" {
			s.Name, s.Points = cache.Answers, slices.Clone(s.Points)
			h.Series = append(h.Series, s)
		}
	}
	alter(&h)
	for i := range h.Events {
		if tally := h.Events[i].Tally; tally != nil {
			tally.Points = 0
			for _, s := range h.Series {
				tally.Points += int64(len(s.Points))
			}
		}
	}
	e := evidence.New(h, mustParse(h))
	e.Tiers = withCache()
	return judge(e, checksOf(e.Scenario, e.Tiers))
}

// A further tier is an entry of the list: it is held against the users' ledger, in its
// place, and what differs is told of it and booked, without a rule that knows it.
func TestAFurtherTierIsAnEntry(t *testing.T) {
	t.Run("it agrees", func(t *testing.T) {
		v := cached(t, "", func(*record.History) {})
		if v.Outcome != verdict.Pass || v.Unexplained != 0 {
			t.Errorf("outcome %v, %d unexplained", v.Outcome, v.Unexplained)
		}
		var layers []string
		for _, f := range v.Findings {
			if f.Check == "conservation" {
				layers = append(layers, f.Layer)
			}
			if f.Layer == cache.Layer && f.Summary != "4 servers agree with their instances: 4,942 requests acknowledged, 4,942 answered with 2xx; up to 0 of unknown outcome could hide a difference" {
				t.Errorf("%s", f.Summary)
			}
		}
		if got := strings.Join(slices.Compact(layers), " "); got != "web lb cache db" {
			t.Errorf("compared were %s", got)
		}
		keys, counts := entriesOf(v)
		at := slices.Index(keys, "cache")
		if at < 0 || keys[at-1] != "lb web-4" || keys[at+1] != "cache web-1" || keys[at+5] != "web fullstack.insert" ||
			counts["cache"]["answered_2xx"] != 4942 || counts["cache web-3"]["answered_2xx"] != counts["lb web-3"]["answered_2xx"] {
			t.Errorf("its ledgers are not in their place: %q, or wrong: %v", keys, counts)
		}
	})
	t.Run("it counts fewer", func(t *testing.T) {
		v := cached(t, "", func(h *record.History) { shift(*h, cache.Answers, "web-3", 9*time.Second, -2) })
		f := about(t, v, "conservation", "web-3", verdict.Fail)
		if f.Layer != cache.Layer || f.Lost != 2 || !strings.Contains(f.Summary, "and the cache counted ") {
			t.Errorf("%+v", f)
		}
		want := verdict.Residual{Between: "users→cache", Instance: "web-3", Cause: verdict.CauseUnexplained, Lost: 2}
		if v.Outcome != verdict.Fail || v.Unexplained != 2 || !slices.Contains(v.Residuals, want) {
			t.Errorf("outcome %v, %d unexplained, residuals %+v", v.Outcome, v.Unexplained, v.Residuals)
		}
	})
	t.Run("a waiver covers it", func(t *testing.T) {
		v := cached(t, "waive:\n  - {check: conservation, instance: web-3, reason: known}\n", func(h *record.History) { shift(*h, cache.Answers, "web-3", 9*time.Second, -2) })
		want := verdict.Residual{Between: "users→cache", Instance: "web-3", Cause: verdict.CauseWaived, Lost: 2}
		if v.Outcome != verdict.Pass || v.Unexplained != 0 || !slices.Contains(v.Residuals, want) {
			t.Errorf("outcome %v, %d unexplained, residuals %+v", v.Outcome, v.Unexplained, v.Residuals)
		}
	})
	t.Run("it was started anew", func(t *testing.T) {
		v := cached(t, "", func(h *record.History) { shift(*h, cache.Answers, "web-3", 15*time.Second, -700) })
		says(t, v, "conservation", verdict.Inconclusive, "the cache counts fewer answers of web-3 at 15.1 s than before: it was started anew, and its numbers are not compared")
		if v.Outcome != verdict.Inconclusive {
			t.Errorf("outcome %v", v.Outcome)
		}
	})
	t.Run("nobody asked it", func(t *testing.T) {
		v := cached(t, "", func(h *record.History) {
			drop(h, func(s record.Series) bool { return s.Name == cache.Answers })
		})
		says(t, v, "conservation", verdict.Inconclusive, "conservation at the cache: the record holds no series cache_answers_total, so users and cache were not compared")
	})
}

// The language names the layers that there are, and no other.
func TestTheLanguageKnowsTheTiers(t *testing.T) {
	parse := func(layer string) error {
		p := talk()
		p.checks = "  - correlation: {layers: [users, " + layer + "], metric: fullstack.insert, at_least: 0.9}\n"
		_, err := script.Parse("x.yaml", []byte(p.yaml()), script.Options{Ran: true})
		return err
	}
	for _, tier := range record.AllTiers()[1:] {
		if err := parse(tier.Layer); err != nil {
			t.Errorf("%s: %v", tier.Layer, err)
		}
	}
	if err := parse(cache.Layer); err == nil || !strings.Contains(err.Error(), "users, lb, httpd, web, db") {
		t.Errorf("a layer that is not there: %v", err)
	}
}
