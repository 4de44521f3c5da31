package scaling

import (
	"context"
	"fmt"
	"slices"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// asked is a store that gives what an autoscaler would have been answered.
type asked struct {
	store  *series.Store
	moment func(time.Duration) time.Time
	form   string
}

// ask makes a store of some series.
func (j *judging) ask(all []record.Series) (asked, error) {
	store, err := j.e.StoreOf(all)
	return asked{store, j.e.Moment, j.policy.Form}, err
}

// samples are what an expression comes to at an offset, as an autoscaler reads it: of the form
// Sum one value or none, of the form Mean one for each instance, in the order of their names.
func (a asked) samples(expr string, at time.Duration) ([]autoscale.Sample, error) {
	answer, err := a.store.Query(context.Background(), expr, a.moment(at))
	if err != nil {
		return nil, err
	}
	var out []autoscale.Sample
	for _, s := range answer.Series {
		if len(s.Points) == 0 {
			continue
		}
		if s.Points[0].Histogram != nil {
			return nil, fmt.Errorf("%s: gives a histogram where numbers are wanted", expr)
		}
		x := autoscale.Sample{Value: s.Points[0].Value}
		if a.form == autoscale.Mean {
			x.Instance = s.Labels.Get(evidence.LabelInstance)
		}
		out = append(out, x)
	}
	slices.SortStableFunc(out, func(x, y autoscale.Sample) int { return record.CompareNames(x.Instance, y.Instance) })
	for i := range out {
		switch {
		case a.form == autoscale.Sum && i > 0:
			return nil, fmt.Errorf("%s: gives %d values where one is wanted", expr, len(out))
		case a.form == autoscale.Mean && out[i].Instance == "":
			return nil, fmt.Errorf("%s: gives a value of no instance", expr)
		case a.form == autoscale.Mean && i > 0 && out[i].Instance == out[i-1].Instance:
			return nil, fmt.Errorf("%s: gives several values of %s", expr, out[i].Instance)
		}
	}
	return out, nil
}
