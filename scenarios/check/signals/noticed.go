package signals

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/check/words"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
)

// CheckNoticed is the name in findings on what no check asked about.
const CheckNoticed = "noticed"

// Noticed tells what a run saw and no check of its scenario asked about. It fails
// nothing: nobody promised anything of it. Each thing is one finding with
// examples, however many series it has: if 40 series of page.views began in the second half
// of the traffic, each with another value of the tag user, that is one thing.
func Noticed(e *evidence.Index) verdict.Result {
	var out []verdict.Finding
	asked, all := metricsAsked(e)
	if !all.hygiene {
		out = append(out, summed(Hygiene{}.wireOf(e), "sent the collector what it could not take in")...)
		out = append(out, summed(Hygiene{}.collectorFindings(e), "sent names or tags that the collector found fault with")...)
		out = append(out, instancesInNames(e)...)
	}
	grown, names := growingSeries(e)
	if !all.series {
		out = append(out, grown...)
	}
	if !names { // else each instance has names of its own
		out = append(out, onlySome(e, asked)...)
	}
	for i := range out {
		f := &out[i]
		f.Check, f.Outcome, f.Noticed, f.Layer = CheckNoticed, verdict.Pass, true, record.LayerWeb
		f.Lost, f.Extra = 0, 0 // told in words: nobody promised otherwise
	}
	return verdict.Result{Findings: out}
}

// hygieneAsked is what a scenario's hygiene checks look at.
type hygieneAsked struct{ hygiene, series bool }

// metricsAsked gives the metrics that the checks of a scenario look at, as their senders spell them.
func metricsAsked(e *evidence.Index) (metrics map[string]bool, all hygieneAsked) {
	metrics = map[string]bool{}
	for _, c := range e.Scenario.Checks {
		for _, m := range c.Metrics() {
			for _, name := range e.SentAs(m) {
				metrics[name] = true
			}
		}
	}
	for _, c := range script.Promised[script.Hygiene](e.Scenario) {
		all.hygiene = true
		all.series = all.series || c.MaxSeries > 0 || c.Growth != script.AnyGrowth
	}
	return metrics, all
}

// wireOf leaves out what the scenario itself spoils.
func (c Hygiene) wireOf(e *evidence.Index) []verdict.Finding {
	if script.Uses[script.TruncateDatagrams](e.Scenario) {
		return nil
	}
	return c.wire(e)
}

// summed makes one finding of all with the same cause, with the greatest as the
// example.
func summed(findings []verdict.Finding, what string) []verdict.Finding {
	slices.SortStableFunc(findings, func(a, b verdict.Finding) int {
		return cmp.Or(strings.Compare(a.Cause, b.Cause), cmp.Compare(b.Lost, a.Lost), words.CompareFindings(a, b))
	})
	var out []verdict.Finding
	for len(findings) > 0 {
		n := 1
		for n < len(findings) && findings[n].Cause == findings[0].Cause {
			n++
		}
		f := findings[0]
		if n > 1 {
			names := map[string]bool{}
			for _, f := range findings[:n] {
				names[cmp.Or(f.Instance, "somebody")] = true
			}
			f.Instance = ""
			f.Summary = fmt.Sprintf("%s %s (%s in all), such as: %s", words.Some(sortedKeys(names)), what, words.Times(int64(n), "finding"), f.Summary)
		}
		out = append(out, f)
		findings = findings[n:]
	}
	return out
}

// instancesInNames finds metrics that are called after their instance.
func instancesInNames(e *evidence.Index) []verdict.Finding {
	var all []verdict.Finding
	for _, l := range e.Lives {
		all = append(all, Hygiene{}.namedAfter(e, l.Instance)...)
	}
	return summed(all, "have their name in those of metrics")
}

// What makes growth with the requests: so many new series in the second half of
// an instance's traffic, and one for so many requests at most.
const (
	leastNew        = 20
	mostRequestsNew = 20
)

// grown are the new series of one metric, or of all metrics that are new
// themselves (metric "").
type grown struct {
	metric string
	series []*record.Series
	who    map[string]bool
	acked  int64
}

// growingSeries finds series that come with the requests: what begins in the second
// half of an instance's traffic was not there to be sent from the start. It also
// tells whether names of metrics are among what grows.
func growingSeries(e *evidence.Index) (out []verdict.Finding, names bool) {
	by := map[string]*grown{}
	for _, l := range e.Lives {
		if acked := e.Acked(l.Instance); len(acked) > 0 {
			half := (acked[0]+acked[len(acked)-1])/2 + e.Interval
			addSeries(by, l.Instance, int64(len(acked))-evidence.CountUpTo(acked, half), seriesBegunAfter(e.Pushed[l.Instance], half))
		}
	}
	for metric, g := range by {
		if n := int64(len(g.series)); n >= leastNew && n*mostRequestsNew >= g.acked {
			out = append(out, g.finding())
			names = names || metric == ""
		}
	}
	slices.SortFunc(out, words.CompareFindings)
	return out, names
}

// seriesBegunAfter gives the series that begin after a moment, by their metric; "" stands
// for all metrics that are new themselves.
func seriesBegunAfter(pushed []*record.Series, after time.Duration) map[string][]*record.Series {
	newer, older := map[string][]*record.Series{}, map[string]bool{}
	for _, s := range pushed {
		switch first, ok := firstOf(s); {
		case !ok || s.CountsSampled():
		case first <= after:
			older[s.Meta.Sent] = true
		default:
			newer[s.Meta.Sent] = append(newer[s.Meta.Sent], s)
		}
	}
	out := map[string][]*record.Series{}
	for metric, series := range newer {
		if !older[metric] {
			metric = ""
		}
		out[metric] = append(out[metric], series...)
	}
	return out
}

// addSeries adds what is new of an instance, which acknowledged so many requests
// meanwhile.
func addSeries(by map[string]*grown, instance string, acked int64, newer map[string][]*record.Series) {
	for metric, series := range newer {
		g := by[metric]
		if g == nil {
			g = &grown{metric: metric, who: map[string]bool{}}
			by[metric] = g
		}
		g.who[instance] = true
		g.acked += acked
		g.series = append(g.series, series...)
	}
}

// firstOf is the time of a series' first point.
func firstOf(s *record.Series) (time.Duration, bool) {
	for _, p := range s.Points {
		if !p.Stale {
			return p.At, true
		}
	}
	return 0, false
}

func (g *grown) finding() verdict.Finding {
	slices.SortFunc(g.series, func(a, b *record.Series) int {
		x, _ := firstOf(a)
		y, _ := firstOf(b)
		return cmp.Or(evidence.CompareTimes(x, y), strings.Compare(a.Name, b.Name))
	})
	values := map[string]map[string]bool{}
	note := func(label, value string) {
		if values[label] == nil {
			values[label] = map[string]bool{}
		}
		values[label][value] = true
	}
	for _, s := range g.series {
		if g.metric == "" {
			note("", s.Meta.Sent)
			continue
		}
		for _, l := range s.Labels {
			if l.Name != evidence.LabelInstance {
				note(l.Name, l.Value)
			}
		}
	}
	most := ""
	for _, label := range sortedKeys(values) {
		if len(values[label]) > len(values[most]) {
			most = label
		}
	}
	what := fmt.Sprintf("metrics of new names (%s)", words.Some(sortedKeys(values[most])))
	if g.metric != "" {
		what = fmt.Sprintf("series of %s, told apart by the tag %s (%s)", g.metric, most, words.Some(sortedKeys(values[most])))
	}
	return verdict.Finding{Cause: verdict.CauseCardinality, Summary: fmt.Sprintf("series grow with the requests: in the second half of their traffic %s brought %s more %s in %s",
		words.Some(sortedKeys(g.who)), words.Number(int64(len(g.series))), what, words.Times(g.acked, "request"))}
}
