package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// notices gives what a verdict has noticed.
func notices(v verdict.Verdict) []string {
	var out []string
	for _, f := range v.Findings {
		if f.Noticed {
			out = append(out, f.Summary)
		}
	}
	return out
}

func TestHealthyRunsNoticeNothing(t *testing.T) {
	for seed := range uint64(histories / 3) {
		if got := notices(judged(t, anyPlan(seed).make())); len(got) > 0 {
			t.Fatalf("seed %d: %q", seed, got)
		}
	}
}

// addSeries adds a series of an instance that is sent at an interval end and
// from then on.
func addSeries(h *record.History, instance, metric string, at time.Duration, labels ...string) {
	s := record.Series{Name: underscored(metric) + "_total", Labels: collector.NewLabels(append([]string{"instance", instance}, labels...)...),
		Meta: collector.Meta{Type: collector.Counter, Sent: metric}}
	for t := worldPhase; t < 24*time.Second; t += time.Second {
		if t >= at {
			s.Points = append(s.Points, record.Point{At: t, Value: 1, Observed: 1})
		}
	}
	h.Series = append(h.Series, s)
}

// TestANoticeDecidesNothing: what no check promised anything of neither passes
// nor fails a run.
func TestANoticeDecidesNothing(t *testing.T) {
	h := talk().make()
	e := evidence.New(h, mustParse(h))
	v := judged(t, h)
	if v.Outcome != verdict.Pass {
		t.Fatal(v.Outcome)
	}
	for _, o := range []verdict.Outcome{verdict.Pass, verdict.Fail, verdict.Inconclusive} {
		with := v
		with.Findings = append(slices.Clone(v.Findings), verdict.Finding{Check: "noticed", Outcome: o, Noticed: true})
		if got := decide(e, with); got != verdict.Pass {
			t.Errorf("a notice with outcome %v makes it %v", o, got)
		}
	}
}

// addFigure adds to the collector's figures.
func addFigure(h *record.History, name string, n float64, labels ...string) {
	h.Series = append(h.Series, record.Series{Name: record.CollectorPrefix + name, Labels: collector.NewLabels(labels...),
		Meta: collector.Meta{Type: collector.Counter}, Points: []record.Point{{At: 20 * time.Second, Value: n, Observed: 1}}})
}

func TestNoticed(t *testing.T) {
	each := func(h *record.History, add func(r record.Request, at time.Duration)) {
		for _, r := range h.Requests {
			if r.Outcome == record.Acked && r.Route == "get" {
				add(r, r.Done.Truncate(time.Second)+worldPhase+time.Second)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*record.History)
		want   []string // what the one notice says, among other things; nil: there is none
	}{
		{"nothing", func(*record.History) {}, nil},
		{"a tag for each request", func(h *record.History) {
			each(h, func(r record.Request, at time.Duration) {
				addSeries(h, r.Instance, "shop.order", at, "id", fmt.Sprint(r.Seq))
			})
			for _, instance := range []string{"web-1", "web-2", "web-3", "web-4"} {
				addSeries(h, instance, "shop.order", worldBegin, "id", "first")
			}
		}, []string{"series grow with the requests: in the second half of their traffic web-1, web-2, web-3 brought ", " more series of shop.order, told apart by the tag id (", "in all)) in "}},
		{"a name for each request", func(h *record.History) {
			each(h, func(r record.Request, at time.Duration) {
				addSeries(h, r.Instance, fmt.Sprintf("shop.order.%d", r.Seq), at)
			})
		}, []string{"more metrics of new names (shop.order."}},
		{"a few new names", func(h *record.History) {
			for i := range 19 {
				addSeries(h, "web-3", fmt.Sprintf("shop.late.%d", i), 20*time.Second)
			}
		}, nil},
		{"bad lines", func(h *record.History) {
			for i := range 3 {
				addFigure(h, "bad_lines_total", float64(i+2), "instance", fmt.Sprintf("web-%d", i+1), "reason", "no value")
			}
		}, []string{"web-1, web-2, web-3 sent the collector what it could not take in (3 findings in all), such as: web-3 sent 4 bad lines (4 no value): what was in them is lost"}},
		{"a change of type", func(h *record.History) {
			addFigure(h, "findings", 7, "instance", "web-1", "kind", "type_change", "metric", "shop.order")
		}, []string{"the collector found fault with shop.order: type change, 7 lines"}},
		{"a tag explosion", func(h *record.History) {
			for i := range 3 {
				addFigure(h, "findings", 7, "instance", fmt.Sprintf("web-%d", i+1), "kind", "tag_explosion", "metric", "shop.order", "tag", "user")
			}
		}, []string{"(3 findings in all), such as: the collector found fault with shop.order: tag explosion of user, 7 lines"}},
		{"only some have it", func(h *record.History) {
			for _, metric := range []string{"shop.cache", "shop.miss"} {
				addSeries(h, "web-1", metric, worldBegin)
				addSeries(h, "web-4", metric, worldBegin)
			}
		}, []string{"web-3 never sent what web-1 sent all along, although all served the same routes: shop.cache, shop.miss"}},
		{"only some had an error", func(h *record.History) {
			addSeries(h, "web-1", "shop.errors", worldBegin)
			s := &h.Series[len(h.Series)-1]
			for k := range s.Points {
				if k != 5 {
					s.Points[k].Observed = 0
				}
			}
		}, nil},
		{"only some served its route", func(h *record.History) {
			addSeries(h, "web-1", "shop.cache", worldBegin)
			for i := range h.Requests {
				if r := &h.Requests[i]; r.Instance == "web-1" && r.Route == "get" {
					r.Route = "list"
				}
			}
		}, nil},
		{"called after the instance", func(h *record.History) {
			for _, instance := range []string{"web-1", "web-3"} {
				addSeries(h, instance, "shop."+instance+".cache", worldBegin)
			}
		}, []string{"web-1, web-3 have their name in those of metrics (2 findings in all), such as: the name of web-1 is part of shop.web-1.cache"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := talk()
			h := p.make()
			c.change(&h)
			v := judged(t, h)
			worst := verdict.Pass
			got := notices(v)
			if c.want == nil && len(got) > 0 || c.want != nil && len(got) != 1 {
				t.Fatalf("noticed %q, want %q", got, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(got[0], want) {
					t.Errorf("noticed %s\nwant %s", got[0], want)
				}
			}
			if c.want != nil && len(got[0]) > 600 {
				t.Errorf("a notice of %d characters", len(got[0]))
			}
			for _, f := range v.Findings {
				switch {
				case f.Noticed && (f.Outcome != verdict.Pass || f.Check != "noticed"):
					t.Errorf("%+v", f)
				case f.Outcome == verdict.Fail || f.Outcome == verdict.Inconclusive && worst == verdict.Pass:
					worst = f.Outcome
				}
			}
			if v.Outcome != worst { // of the other findings
				t.Errorf("outcome %v, want %v", v.Outcome, worst)
			}
			// A scenario that asks about it gets a finding of its check instead.
			p.checks = "  - conservation: {metric: fullstack.insert}\n  - hygiene: {max_series: 9}\n"
			h.Scenario = []byte(p.yaml())
			if got := notices(judged(t, h)); len(got) > 0 && !strings.HasPrefix(c.name, "only some") {
				t.Errorf("noticed although hygiene asks: %q", got)
			}
		})
	}
}
