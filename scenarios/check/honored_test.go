package check

import (
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/diagnose"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/tiers"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// What an instance counts is stored as somebody else's because labels that it exposes win: that is told with all that is missing of it. What else a
// server has is nobody's, and an instance that has no series where there is none is no such one.
func TestHonoredLabels(t *testing.T) {
	named := func(name string) func(*record.History) {
		return func(h *record.History) { h.Series[0].Labels = h.Series[0].Labels.With("instance", name) }
	}
	for name, c := range map[string]struct {
		change func(*record.History)
		cause  string
		lost   int64
		says   string
	}{
		"another name":      {named("localhost:8080"), diagnose.Honored, 200, `stored as that of "localhost:8080": an exposed label instance won over its own`},
		"its own":           {func(*record.History) {}, "", 0, ""},
		"none at all":       {func(h *record.History) { h.Series = h.Series[1:] }, diagnose.NoMetric, 200, ""},
		"and somebody else": {func(h *record.History) { h.Series = append(h.Series, other(h.Series[0], 1)) }, "", 0, ""},
		"somebody else who counted more than there was": {func(h *record.History) {
			h.Series[0] = other(h.Series[0], 1000)
		}, diagnose.NoMetric, 200, ""},
		"never scraped well": {func(h *record.History) {
			named("localhost:8080")(h)
			for i := range h.Series[1].Points {
				h.Series[1].Points[i].Value = 0
			}
		}, diagnose.ScrapeFailed, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := scrapedBy(t, 0, seconds(1, 23), nothing).History
			c.change(&h)
			s, err := script.Parse("demo.yaml", []byte(scrapedThere), script.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var failed []verdict.Finding
			for _, f := range (tiers.Conservation{Promise: script.Promised[script.Conservation](s)[0]}).Judge(evidence.New(h, s)).Findings {
				if f.Outcome == verdict.Fail && f.Instance != "" {
					failed = append(failed, f)
				}
			}
			switch {
			case c.lost == 0 && len(failed) > 0:
				t.Errorf("it fails: %+v", failed)
			case c.lost == 0:
			case len(failed) != 1 || failed[0].Instance != "web-1" || failed[0].Lost != c.lost || failed[0].Cause != c.cause || !strings.Contains(failed[0].Summary, c.says):
				t.Errorf("want %d lost of web-1 by %s, and %q: %+v", c.lost, c.cause, c.says, failed)
			}
		})
	}
}

// other is a series of somebody else's, that counts so many times as much.
func other(of record.Series, times float64) record.Series {
	s := of
	s.Labels = of.Labels.With("instance", "gateway:9091")
	s.Points = nil
	for _, p := range of.Points {
		s.Points = append(s.Points, record.Point{At: p.At, Value: p.Value * times, Observed: p.Observed})
	}
	return s
}

// Where the run's own collector honours labels, instances that all say that they are web-1 share its series: web-1 has too much, web-2 nothing, and
// both for one reason.
func TestHonoredLabelsOfOneInstance(t *testing.T) {
	h := scrapedBy(t, 0, seconds(1, 23), nothing).History
	s, err := script.Parse("demo.yaml", []byte(strings.NewReplacer("metrics_from: {url: \"http://prom:9090\", every: 1s}\n", "", "scrape: /metrics", "scrape: /metrics, honor_labels: yes",
		"instances: 1", "instances: 2").Replace(scrapedThere)), script.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h.Events { // web-2 lives as web-1 does
		if e.Instance == "web-1" {
			e.Instance = "web-2"
			h.Events = append(h.Events, e)
		}
	}
	for i := range h.Requests {
		if i%2 == 1 {
			h.Requests[i].Instance = "web-2"
		}
	}
	words := &h.Series[0]
	for i := range words.Points { // the counter of either, in turns
		words.Points[i].Value = float64(min(10*(i+1), 200)/2 - i%2)
	}
	whose := collector.NewLabels("instance", "web-2")
	samples := record.Series{Name: record.ScrapeSamples, Labels: whose}
	for _, s := range h.Series[1:3] {
		s.Labels = whose
		h.Series = append(h.Series, s)
	}
	samples.Points = []record.Point{{At: time.Second, Value: 3, Observed: 1}}
	h.Series = append(h.Series, samples)
	words.Points[len(words.Points)-1].Value = 90 // one falls behind the other
	found := map[string]verdict.Finding{}
	for _, f := range (tiers.Conservation{Promise: script.Promised[script.Conservation](s)[0]}).Judge(evidence.New(h, s)).Findings {
		if f.Outcome == verdict.Fail && f.Instance != "" {
			found[f.Instance] = f
		}
	}
	if f := found["web-2"]; f.Cause != diagnose.Honored || f.Lost != 100 {
		t.Errorf("web-2: %+v", f)
	}
	if f := found["web-1"]; f.Cause != diagnose.Honored || f.Extra == 0 {
		t.Errorf("web-1: %+v", f)
	}
}
