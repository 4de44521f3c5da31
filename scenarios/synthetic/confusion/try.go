package confusion

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"throughline/scenarios/check"
	"throughline/scenarios/check/verdict"
	"throughline/scenarios/synthetic"
)

// scaledShare of the runs whose cause their seed draws have an autoscaler.
const scaledShare = 0.05

// Make makes the run of a seed, also one with an autoscaler, which answers itself from what was
// measured until then. Without a cause the seed draws that too.
func Make(seed uint64, cause string) (synthetic.Made, error) {
	if cause == "" {
		if rnd := rand.New(rand.NewPCG(seed, 0x5ca1e)); rnd.Float64() < scaledShare {
			cause = synthetic.HealthyScaled
			if all := synthetic.ScaledCauses(); rnd.Float64() > 0.25 {
				cause = all[1+rnd.IntN(len(all)-1)]
			}
		}
	}
	if slices.Contains(synthetic.ScaledCauses(), cause) {
		return synthetic.MakeScaled(seed, cause, Ask)
	}
	return synthetic.Make(seed, cause)
}

// Try makes the run of a seed, judges it and scores the verdict. An error is one of
// the arguments; a run that cannot be judged says so in its result.
func Try(seed uint64, cause string) (Result, error) {
	made, err := Make(seed, cause)
	if err != nil {
		return Result{}, err
	}
	verdict, err := check.Judge(made.Record)
	if err != nil {
		return Result{Seed: seed, Cause: made.Truth.Cause, Mark: Inconclusive, Error: err.Error()}, nil
	}
	return Score(made, verdict), nil
}

// Explain writes all there is to say about one run: what was drawn, what is true,
// and what the judge found.
func Explain(to io.Writer, made synthetic.Made) error {
	v, err := check.Judge(made.Record)
	if err != nil {
		return err
	}
	fmt.Fprintf(to, "seed %d: %s\n%v", made.Seed, made.Truth.Cause, made.Params)
	fmt.Fprintf(to, "defect: %s\nalso acceptable: %v\n", made.Truth.About, made.Truth.Also)
	if s := made.Params.Scaled; s != nil {
		fmt.Fprintf(to, "decisions astray: %.3f want fewer, %.3f more; may be named: %v; must be named, of each one: %v\n", s.Few, s.Many, s.May, s.Must)
	}
	var names []string
	for name := range made.Truth.Instances {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a := made.Truth.Instances[name]
		fmt.Fprintf(to, "  %s: %d due, %d counted (%+d), %d to %d allowed, %d late\n", name, a.Due, a.Counted, a.Off(), a.Least, a.Most, a.Late)
	}
	fmt.Fprintf(to, "requests: %d; scenario:\n%s", len(made.Record.Requests), made.Record.Scenario)
	fmt.Fprintf(to, "verdict: %v\n", v.Outcome)
	for _, f := range v.Findings {
		if f.Outcome == verdict.Pass && f.Check != "conservation" && f.Check != "continuity" {
			continue
		}
		fmt.Fprintf(to, "  %v %s %s %s [%s", f.Outcome, f.Check, f.Layer, f.Instance, f.Cause)
		if f.RunnerUp != "" {
			fmt.Fprintf(to, ", or %s", f.RunnerUp)
		}
		if len(f.Possible) > 0 {
			fmt.Fprintf(to, " %v", f.Possible)
		}
		fmt.Fprintf(to, "] %s\n", f.Summary)
	}
	r := Score(made, v)
	_, err = fmt.Fprintf(to, "score: %s, amounts right: %v\n", r.Mark, r.Amount)
	return err
}
