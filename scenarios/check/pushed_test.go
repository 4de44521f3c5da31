package check

import (
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

const pushedChecks = `  - continuity: {metric: fullstack.insert}
  - conservation: {metric: fullstack.insert, route: insert}
  - identity: {metric: fullstack.insert, route: insert}
  - hygiene: {max_series: 40}
`

// exporting makes a run whose counters come by OTLP, each with a request for every point that change leaves it.
func exporting(change func(instance string, points []record.Point) []record.Point, steps ...string) record.History {
	p := plan{seed: 1, instances: 3, rate: 150, swing: 0.2, checks: pushedChecks, web: ", metrics: {otlp: http/protobuf, every: 1s}",
		phases: []act{{"before", nil, 7 * time.Second}, {"after", steps, 7 * time.Second}}}
	h := p.make()
	var out []record.Series
	for _, s := range h.Series {
		if !s.IsCounter() || s.Meta.Sent != "fullstack.insert" {
			out = append(out, s)
			continue
		}
		s = by(collector.ByOTLP)(s)
		instance := s.Labels.Get("instance")
		if s.Points = change(instance, s.Points); len(s.Points) == 0 {
			continue
		}
		requests := record.Series{Name: "throughline_collector_otlp_requests_total", Labels: collector.NewLabels("instance", instance), Meta: collector.Meta{Type: collector.Counter}}
		n, last := 0.0, 0.0
		for _, p := range s.Points {
			if !p.Stale && p.Value > last {
				n, last = n+1, p.Value
			}
			requests.Points = append(requests.Points, record.Point{At: p.At, Value: n, Observed: 1, Stale: p.Stale})
		}
		out = append(out, s, requests)
	}
	h.Series = out
	return h
}

// untouched leaves points as they are.
func untouched(_ string, points []record.Point) []record.Point { return points }

// atItsEnd is an exporter that exports when its instance is asked to end, and never before.
func atItsEnd(ending string) func(string, []record.Point) []record.Point {
	return func(instance string, points []record.Point) []record.Point {
		if instance != ending {
			return nil
		}
		var last record.Point
		for _, p := range points {
			if !p.Stale {
				last = p
			}
		}
		return []record.Point{last, {At: last.At + time.Second, Stale: true}}
	}
}

func TestExportsAsDeclared(t *testing.T) {
	v := judged(t, exporting(untouched, "terminate web-1"))
	for _, check := range []string{"conservation", "continuity", "identity", "hygiene"} {
		if bad := append(said(v, check, verdict.Fail), said(v, check, verdict.Inconclusive)...); len(bad) > 0 {
			t.Errorf("%s says %q", check, bad)
		}
	}
}

// One that exports at its end alone shows why those lack all that did not come to one, be they killed or alive.
func TestExportsTooRarely(t *testing.T) {
	v := judged(t, exporting(atItsEnd("web-1"), "kill web-2", "terminate web-1"))
	for _, instance := range []string{"web-1", "web-2", "web-3"} {
		if f := about(t, v, "conservation", instance, verdict.Fail); f.Cause != "rare-export" || instance != "web-1" && f.Lost < 100 {
			t.Errorf("%s: %+v", instance, f)
		}
	}
	if v.Title != "web-1, web-2 and web-3 export by OTLP less often than declared" || !strings.Contains(v.Sentence, "OTEL_METRIC_EXPORT_INTERVAL") || strings.Contains(v.Sentence, "never send") {
		t.Errorf("%s: %s", v.Title, v.Sentence)
	}
}

// Where nobody ever exported, nobody knows that it would have been too rare.
func TestNeverExports(t *testing.T) {
	only := func(instance string, points []record.Point) []record.Point {
		if instance == "web-1" {
			return points
		}
		return nil
	}
	v := judged(t, exporting(only, "kill web-2"))
	for _, instance := range []string{"web-2", "web-3"} {
		if f := about(t, v, "conservation", instance, verdict.Fail); f.Cause != "no-metric" {
			t.Errorf("%s: %+v", instance, f)
		}
	}
	if !strings.Contains(v.Sentence, "the endpoint and protocol of the exporter") {
		t.Errorf("what to do does not fit OTLP: %s", v.Sentence)
	}
}

// A loss at an exit of one that exports as declared is no matter of how often it does.
func TestNoLastExport(t *testing.T) {
	h := exporting(func(instance string, points []record.Point) []record.Point {
		if instance != "web-1" {
			return points
		}
		last := 0
		for i, p := range points {
			if !p.Stale && i > 0 && p.Value > points[last].Value {
				last = i
			}
		}
		for i := last; i < len(points); i++ {
			points[i].Value = points[last-1].Value
		}
		return points
	}, "terminate web-1")
	if f := about(t, judged(t, h), "conservation", "web-1", verdict.Fail); f.Cause != "lost-on-exit" || !strings.Contains(f.Summary, "nothing was exported on exit") {
		t.Errorf("%+v", f)
	}
}

// What is called delta and is cumulative is added up: the amount has that cause.
func TestCumulativeValuesCalledDeltas(t *testing.T) {
	h := exporting(func(_ string, points []record.Point) []record.Point {
		sum := 0.0
		for i := range points {
			sum += points[i].Value
			points[i].Value = sum
		}
		return points
	})
	accused := func(metric string) verdict.Finding {
		found := record.Series{Name: "throughline_collector_otlp_findings", Labels: collector.NewLabels("kind", "wrong_temporality", "metric", metric, "other", "delta", "instance", "web-2"),
			Meta: collector.Meta{Type: collector.Gauge}, Points: []record.Point{{At: 9 * time.Second, Value: 4, Observed: 1}}}
		more := h
		more.Series = append([]record.Series{found}, h.Series...)
		return about(t, judged(t, more), "conservation", "web-2", verdict.Fail)
	}
	if f := accused("fullstack.insert"); f.Cause != verdict.CauseTemporality || f.Extra < 1000 {
		t.Errorf("%+v", f)
	}
	if f := accused("fullstack.get"); f.Cause == verdict.CauseTemporality {
		t.Errorf("of another metric: %+v", f)
	}
}
