package scaling

import (
	"math"
	"slices"
	"time"

	"throughline/collector/series"
	"throughline/scenarios/autoscale"
	"throughline/scenarios/check/evidence"
	"throughline/scenarios/record"
)

// shadow is an autoscaler of the same policy that is answered what is true.
//
// Of the form Sum it has a fleet of its own: the metric does not depend on how many instances
// there are, so that nothing is left open, and with the run's fleet an instance that was lost to
// a wrong metric would not be missed again, since the tolerance is around the fleet that there
// is. Whoever dies or is launched otherwise is so in both. Of the form Mean the samples are
// those of the instances of the run, so that its fleet is that of the run.
type shadow struct {
	own     *autoscale.Scaler // with a fleet of its own; nil: of the form Mean
	differs int               // by how many instances that is larger than the run's
	run     *autoscale.Scaler // with the run's fleet
}

func newShadow(p autoscale.Policy) *shadow {
	s := &shadow{run: autoscale.New(p)}
	if p.Form == autoscale.Sum {
		s.own = autoscale.New(p)
	}
	return s
}

// decide is between how many instances the shadow wants at a decision of the run. Where the
// metric said what is true, what it wants of the run's fleet is as right as what it wants of its
// own.
func (s *shadow) decide(d autoscale.Decision, samples []autoscale.Sample) (least, most int) {
	r := d.Reading()
	r.Samples, r.Error = samples, ""
	again := s.run.Propose(d.At, r)
	s.run.Accept(d.At, again.Proposed, d.Had, d.Wanted)
	if s.own == nil {
		return again.Wanted, again.Wanted
	}
	r.Had = max(0, d.Had+s.differs)
	own := s.own.Decide(d.At, r)
	s.differs = own.Wanted - d.Wanted
	if d.Error == "" && aboutSame(samples, d.Samples) {
		return min(own.Wanted, again.Wanted), max(own.Wanted, again.Wanted)
	}
	return own.Wanted, own.Wanted
}

// aboutSame tells whether samples differ by no more than the arithmetic that made them.
func aboutSame(a, b []autoscale.Sample) bool {
	return slices.EqualFunc(a, b, func(x, y autoscale.Sample) bool {
		return x.Instance == y.Instance && math.Abs(x.Value-y.Value) <= 1e-9*math.Abs(y.Value)
	})
}

// admissible is between how many instances the truth calls for at a decision.
type admissible struct {
	least, most int
	samples     []autoscale.Sample // of the nearest truth
	dead        bool               // which differ only by what the expression still has of who is gone
}

// admitted plays all decisions again with the truth. It is nil where the truth is the record:
// then what was decided is what the truth decides, which replayed shows.
func (j *judging) admitted(t truth) ([]admissible, error) {
	if !t.changed && len(j.goneGauges(t)) == 0 && !j.unanswered() {
		return nil, nil
	}
	out := make([]admissible, len(j.decisions))
	for n, all := range [][]record.Series{t.nearest, t.least, t.most} {
		store, err := j.ask(all)
		if err != nil {
			return nil, err
		}
		s, expr := newShadow(j.policy), j.livingOnly(t)
		for k, d := range j.decisions {
			on, err := expr(d.At)
			if err != nil {
				return nil, err
			}
			samples, err := store.samples(on, d.At)
			if err != nil {
				return nil, err
			}
			least, most := s.decide(d, samples)
			if n == 0 {
				out[k] = admissible{least: least, most: most, samples: samples}
				if on != j.on {
					all, err := store.samples(j.on, d.At)
					if err != nil {
						return nil, err
					}
					out[k].dead = sameSamples(all, d.Samples) && !sameSamples(all, samples)
				}
			}
			out[k].least, out[k].most = min(out[k].least, least), max(out[k].most, most)
		}
	}
	return out, nil
}

// unanswered tells whether nobody answered at a decision.
func (j *judging) unanswered() bool {
	for _, d := range j.decisions {
		if d.Error != "" {
			return true
		}
	}
	return false
}

// goneGauges are the names of gauges of which an instance that is gone had a series. What a
// gauge said of it is true no more, however far back an expression looks; what it counted until
// its end stays counted.
func (j *judging) goneGauges(t truth) []string {
	for _, l := range j.e.LivesOf("") {
		if l.Death != record.Never {
			return t.gauges
		}
	}
	return nil
}

// livingOnly gives the expression for an offset, without gauges of who is gone by then.
func (j *judging) livingOnly(t truth) func(at time.Duration) (string, error) {
	names := j.goneGauges(t)
	known := map[int]string{}
	return func(at time.Duration) (string, error) {
		var gone []string
		for _, l := range j.e.LivesOf("") {
			if j.last(l) < at {
				gone = append(gone, l.Instance)
			}
		}
		if len(names) == 0 || len(gone) == 0 {
			return j.on, nil
		}
		if expr, have := known[len(gone)]; have {
			return expr, nil
		}
		expr, err := series.Without(j.on, names, evidence.LabelInstance, gone)
		known[len(gone)] = expr
		return expr, err
	}
}
