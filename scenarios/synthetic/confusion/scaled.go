package confusion

import (
	"context"
	"fmt"
	"slices"
	"time"

	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/record"
	"throughline/scenarios/script"
	"throughline/scenarios/synthetic"
)

// Ask opens a made-up record to PromQL, for its autoscaler.
func Ask(h record.History) (func(on string, at time.Duration) ([]autoscale.Sample, error), func(), error) {
	e := evidence.New(record.History{Run: h.Run}, script.Scenario{})
	store, err := e.StoreOf(slices.DeleteFunc(slices.Clone(h.Series), func(s record.Series) bool { return !s.IsCounter() }))
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

// misleading are the causes that say how a metric led an autoscaler astray. That a fleet was late,
// or cost too much, accuses the policy, and no metric.
var misleading = []string{"misled-too-small", "misled-too-big", "missing-taken-for-zero", "dead-still-counted", "decision-not-replayed"}

// showsAstray is from which share of decisions on a difference between two runs, one with a
// defect and one without, is more than what two fleets do that once parted.
const showsAstray = 0.25

// scoreScaled holds a verdict on a run with an autoscaler against the truth.
func scoreScaled(m synthetic.Made, v verdict.Verdict) Result {
	r := Result{Seed: m.Seed, Cause: m.Truth.Cause}
	wrong := ""
	for _, f := range v.Findings {
		if f.Check != "scaling" || f.Outcome != verdict.Fail || !slices.Contains(misleading, f.Cause) {
			continue
		}
		if r.Said == "" {
			r.Said = f.Summary
		}
		if r.Named = append(r.Named, f.Cause); !m.Truth.Accepts(f.Cause) {
			wrong = f.Summary
		}
	}
	slices.Sort(r.Named)
	r.Named = slices.Compact(r.Named)
	if i := slices.IndexFunc(v.Findings, func(f verdict.Finding) bool { return f.Outcome == v.Outcome && v.Outcome != verdict.Pass }); i >= 0 && r.Said == "" {
		r.Said = v.Findings[i].Check + ": " + v.Findings[i].Summary
	}
	s := m.Params.Scaled
	switch {
	case m.Truth.Cause == synthetic.HealthyScaled:
		r.Mark = map[verdict.Outcome]Mark{verdict.Pass: Silent, verdict.Fail: Alarm, verdict.Inconclusive: Inconclusive}[v.Outcome]
	case wrong != "":
		r.Mark, r.Said = Wrong, wrong
	case len(r.Named) > 0:
		r.Mark = Right
	case v.Outcome == verdict.Inconclusive:
		r.Mark = Inconclusive
	case max(s.Few, s.Many) > showsAstray:
		r.Mark = Missed
		r.Said = fmt.Sprintf("%.2f of the decisions want fewer, and %.2f more, than without the defect", s.Few, s.Many)
	default:
		r.Mark = Hidden
	}
	return r
}
