package check

import (
	"slices"
	"strings"
	"testing"
	"time"

	"throughline/collector"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
)

// counting makes a run whose counter of inserts came otherwise: change gives the series that stand for that of an instance.
func counting(checks string, change func(s record.Series) []record.Series) record.History {
	p := talk()
	p.checks = checks
	h := p.make()
	var out []record.Series
	for _, s := range h.Series {
		if s.IsCounter() && s.Meta.Sent == "fullstack.insert" {
			out = append(out, change(s)...)
			continue
		}
		out = append(out, s)
	}
	h.Series = out
	return h
}

// shared is a part of a counter, with a label more: every point has so much of what there was, from a moment on.
func shared(s record.Series, share float64, from time.Duration, label, value string) record.Series {
	part := s
	part.Labels, part.Points = s.Labels.With(label, value), nil
	began := 0.0
	for _, p := range s.Points {
		if p.At < from {
			began = p.Value
			continue
		}
		p.Value = float64(int64(p.Value*share)) - float64(int64(began*share))
		part.Points = append(part.Points, p)
	}
	return part
}

// split tells a counter apart by the label http_route: half of it has the one value and the rest the other.
func split(s record.Series) []record.Series {
	one := shared(s, 0.5, 0, "http_route", "/insert/{word}")
	other := s
	other.Labels, other.Points = s.Labels.With("http_route", "/other"), nil
	for k, p := range s.Points {
		if k < len(one.Points) {
			p.Value -= one.Points[k].Value
		}
		other.Points = append(other.Points, p)
	}
	return []record.Series{one, other}
}

// beside adds what counts something else under the name, which must not be counted.
func beside(s record.Series) []record.Series {
	right := s
	right.Labels = s.Labels.With("http_route", "/insert/{word}").With("http_response_status_code", "201")
	wrong := shared(s, 0.1, 0, "http_route", "/about")
	wrong.Labels = wrong.Labels.With("http_response_status_code", "200")
	failed := shared(s, 0.2, 5*time.Second, "http_route", "/insert/{word}") // it comes later
	failed.Labels = failed.Labels.With("http_response_status_code", "503")
	return []record.Series{right, wrong, failed}
}

// by has a series come by another way.
func by(way collector.Way) func(record.Series) record.Series {
	return func(s record.Series) record.Series {
		s.Meta.Way, s.Labels = way, s.Labels.With(collector.LabelWay, string(way))
		return s
	}
}

// asHistogram makes the histogram of a counter, as automatic instrumentation sends one.
func asHistogram(s record.Series) record.Series {
	out := by(collector.ByOTLP)(s)
	out.Name, out.Meta.Sent, out.Meta.Type, out.Meta.Unit, out.Points = "http_server_request_duration_seconds", "http.server.request.duration", collector.Summary, "seconds", nil
	for _, p := range s.Points {
		if !p.Stale {
			p.Histogram, p.Value = &collector.Histogram{Schema: 3, Count: p.Value, Sum: p.Value / 1000, Positive: []collector.Bucket{{Index: -80, Count: p.Value}}}, 0
		}
		out.Points = append(out.Points, p)
	}
	return out
}

// mentions wants a finding of an outcome with such a text in it, and none that is worse.
func mentions(t *testing.T, v verdict.Verdict, check string, o verdict.Outcome, text string) {
	t.Helper()
	all := said(v, check, o)
	if !slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, text) }) {
		t.Errorf("%s says %v:\n%s\nand does not mention %q", check, o, strings.Join(all, "\n"), text)
	}
	for _, worse := range []verdict.Outcome{verdict.Inconclusive, verdict.Fail} {
		if bad := said(v, check, worse); o == verdict.Pass && len(bad) > 0 {
			t.Errorf("%s says %v: %s", check, worse, strings.Join(bad, "\n"))
		}
	}
}

func TestSomeSeriesOfAMetric(t *testing.T) {
	const all = "  - conservation: {metric: fullstack.insert, route: insert}\n"
	some := func(where string) string {
		return "  - conservation: {metric: fullstack.insert, route: insert, where: {" + where + "}}\n  - continuity: {metric: fullstack.insert, route: insert, where: {" + where + "}}\n" +
			"  - identity: {metric: fullstack.insert, route: insert, tags: [http.route, http.response.status_code], where: {" + where + "}}\n" +
			"  - shutdown: {metric: fullstack.insert, route: insert, where: {" + where + "}}\n"
	}
	for _, c := range []struct {
		name, checks string
		change       func(record.Series) []record.Series
		outcome      verdict.Outcome
		check, says  string
	}{
		{"split, and added up", all, split, verdict.Pass, "conservation", "conservation of fullstack.insert: 4 of 4 instances agree"},
		{"split, and one part alone", some("http.route: /other"), split, verdict.Fail, "conservation", "that no metric counted"},
		{"others beside it", all, beside, verdict.Fail, "conservation", "more than it acknowledged"},
		{"others beside it, told apart", some("http.route: \"/insert/{word}\", http.response.status_code: 2xx"), beside, verdict.Pass, "conservation",
			`conservation of fullstack.insert{http.response.status_code="2xx", http.route="/insert/{word}"}: 4 of 4 instances agree`},
		{"in Prometheus' spelling", strings.ReplaceAll(some("http_response_status_code: [201, 202]"), "fullstack.insert", "fullstack_insert_total"), beside, verdict.Pass, "conservation", "4 of 4 instances agree"},
		{"a label that is not there", some("http.rout: /about"), beside, verdict.Inconclusive, "conservation", "no series of fullstack.insert has a label http.rout; did you mean http_route?"},
		{"a label that is not there, of no check of sums", some("http.rout: /about"), beside, verdict.Inconclusive, "continuity", "did you mean http_route?"},
		{"a value that is not there", some("http.route: /abuot"), beside, verdict.Inconclusive, "identity", `has http.route="/abuot"; there are /about, /insert/{word}`},
		{"labels that never are together", some("http.route: /about, http.response.status_code: 503"), beside, verdict.Inconclusive, "shutdown", "has all of these labels at once"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mentions(t, judged(t, counting(c.checks, c.change)), c.check, c.outcome, c.says)
		})
	}
}

// TestOneThingByTwoWays: what came by two ways is not added up, and somebody has to say which is meant.
func TestOneThingByTwoWays(t *testing.T) {
	both := func(s record.Series) []record.Series {
		return []record.Series{s, by(collector.ByOTLP)(shared(s, 0.5, 0, "http_route", "/insert/{word}"))}
	}
	other := func(s record.Series) []record.Series { return []record.Series{by(collector.ByScrape)(s)} }
	migrated := func(s record.Series) []record.Series {
		if s.Labels.Get("instance") == "web-1" {
			return other(s)
		}
		return []record.Series{s}
	}
	check := func(by string) string {
		return "  - conservation: {metric: fullstack.insert, route: insert" + by + "}\n"
	}
	for _, c := range []struct {
		name, by string
		change   func(record.Series) []record.Series
		outcome  verdict.Outcome
		says     string
	}{
		{"nobody says which", "", both, verdict.Inconclusive, "web-1 sends fullstack.insert by statsd and by otlp, so that it may count one thing twice: say which is meant, by: statsd or by: otlp"},
		{"the right one", ", by: statsd", both, verdict.Pass, "conservation of fullstack.insert by statsd: 4 of 4 instances agree"},
		{"the wrong one", ", by: otlp", both, verdict.Fail, "that no metric counted"},
		{"one way, whichever", "", other, verdict.Pass, "4 of 4 instances agree"},
		{"one way at each instance", "", migrated, verdict.Pass, "4 of 4 instances agree"},
		{"another way than it came", ", by: otlp", other, verdict.Inconclusive, "fullstack.insert never came by otlp; it came by scrape"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mentions(t, judged(t, counting(check(c.by), c.change)), "conservation", c.outcome, c.says)
		})
	}
}

// TestAHistogramCounts: an app with nothing but automatic instrumentation is judged by how many values its histogram has.
func TestAHistogramCounts(t *testing.T) {
	checks := func(name string) string {
		of := "metric: " + name + ", route: insert"
		return "  - conservation: {" + of + "}\n  - continuity: {" + of + "}\n  - identity: {" + of + "}\n  - shutdown: {" + of + "}\n"
	}
	sound := func(s record.Series) []record.Series { return []record.Series{asHistogram(s)} }
	for _, name := range []string{"http.server.request.duration", "http_server_request_duration_seconds"} {
		v := judged(t, counting(checks(name), sound))
		mentions(t, v, "conservation", verdict.Pass, "conservation of "+name+": 4 of 4 instances agree")
		for _, check := range []string{"continuity", "identity", "shutdown"} {
			if len(said(v, check, verdict.Pass)) == 0 || len(said(v, check, verdict.Fail)) > 0 || len(said(v, check, verdict.Inconclusive)) > 0 {
				t.Errorf("%s by %s: %v", check, name, v.Findings)
			}
		}
	}
	short := func(s record.Series) []record.Series {
		if s.Labels.Get("instance") == "web-3" {
			s = shared(s, 0.9, 0, "zone", s.Labels.Get("zone"))
		}
		return []record.Series{asHistogram(s)}
	}
	v := judged(t, counting(checks("http.server.request.duration"), short))
	if f := about(t, v, "conservation", "web-3", verdict.Fail); f.Lost < 50 {
		t.Errorf("a tenth is missing: %+v", f)
	}
	// Where there is a counter of the name, it is that which counts.
	both := func(s record.Series) []record.Series {
		timer := asHistogram(shared(s, 0.5, 0, "zone", s.Labels.Get("zone")))
		timer.Meta.Sent, timer.Meta.Way, timer.Labels = s.Meta.Sent, "", s.Labels
		return []record.Series{s, timer}
	}
	mentions(t, judged(t, counting("  - conservation: {metric: fullstack.insert, route: insert}\n", both)), "conservation", verdict.Pass, "4 of 4 instances agree")
}
