package confusion

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"throughline/collector"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
	"throughline/scenarios/synthetic"
)

// Ask opens a made-up record to PromQL, for its autoscaler.
func Ask(h record.History) (synthetic.Answer, func(), error) {
	e := evidence.New(record.History{Run: h.Run}, script.Scenario{})
	store, err := e.StoreOf(slices.DeleteFunc(slices.Clone(h.Series), func(s record.Series) bool { return s.Meta.Sent == "" || s.Meta.Type == collector.Summary }))
	if err != nil {
		e.Close()
		return nil, nil, err
	}
	return func(on string, at time.Duration) ([]autoscale.Sample, error) {
		answer, err := store.Query(context.Background(), on, e.Moment(at))
		if err != nil {
			return nil, err
		}
		var out []autoscale.Sample
		for _, s := range answer.Series {
			out = append(out, autoscale.Sample{Instance: s.Labels.Get("instance"), Value: s.Points[0].Value})
		}
		slices.SortFunc(out, func(a, b autoscale.Sample) int { return record.CompareNames(a.Instance, b.Instance) })
		return out, nil
	}, e.Close, nil
}

// scaledCauses are what the check of an autoscaler can name, beside what no run is made up with.
func scaledCauses() []string { return synthetic.ScaledCauses()[1:] }

// scoreScaled holds a verdict on a run with an autoscaler against the truth. What is said of its metric is of no
// account: runs without an autoscaler tell about that.
func scoreScaled(m synthetic.Made, v verdict.Verdict) Result {
	r := Result{Seed: m.Seed, Cause: m.Truth.Cause}
	s := m.Params.Scaled
	var wrong []string
	known := scaledCauses()
	for _, f := range v.Findings {
		if f.Check != "scaling" || f.Outcome != verdict.Fail || !slices.Contains(known, f.Cause) {
			continue
		}
		if r.Said == "" {
			r.Said = f.Summary
		}
		if r.Named = append(r.Named, f.Cause); !slices.Contains(s.May, f.Cause) {
			wrong = append(wrong, f.Summary)
		}
	}
	slices.Sort(r.Named)
	r.Named = slices.Compact(r.Named)
	if i := slices.IndexFunc(v.Findings, func(f verdict.Finding) bool { return f.Outcome == v.Outcome && v.Outcome != verdict.Pass }); i >= 0 && r.Said == "" {
		r.Said = v.Findings[i].Check + ": " + v.Findings[i].Summary
	}
	unsaid := slices.IndexFunc(s.Must, func(set []string) bool {
		return !slices.ContainsFunc(set, func(cause string) bool { return slices.Contains(r.Named, cause) })
	})
	switch {
	case m.Truth.Cause == synthetic.HealthyScaled:
		r.Mark = map[verdict.Outcome]Mark{verdict.Pass: Silent, verdict.Fail: Alarm, verdict.Inconclusive: Inconclusive}[v.Outcome]
	case len(wrong) > 0:
		r.Mark, r.Said = Wrong, wrong[0]
	case unsaid >= 0 && len(r.Named) == 0 && v.Outcome == verdict.Inconclusive:
		r.Mark = Inconclusive
	case unsaid >= 0:
		r.Mark = Missed
		r.Said = fmt.Sprintf("%s is not told; %.2f of the decisions want fewer, and %.2f more, than any right metric brings about", strings.Join(s.Must[unsaid], " or "), s.Few, s.Many)
	case len(r.Named) > 0:
		r.Mark = Right
	case v.Outcome == verdict.Inconclusive && len(s.May) > 0:
		r.Mark = Inconclusive
	default:
		r.Mark = Hidden
	}
	return r
}
