package diagnose

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// A score is the logarithm of a probability by a model that is simpler than the world: it knows
// no client that stumbles, and takes for independent what is not. So a lead is worth less than
// it says, and not the same for each cause: some leave such a trace that hardly anything else
// looks like it, and others look like whatever the record is too short to tell. What a lead is
// worth was measured on made-up runs (scenarios/synthetic), in all of which it was asked which
// explanation was true: [worths] are what makes the truth most likely, by a multinomial
// logistic regression, and with them leads become probabilities that can be held against how
// often the best explanation was wrong. docs/CONFUSION.md has what comes of it.

// worth is what a score is worth to a cause.
type worth struct {
	// often is the logarithm of how much more often it is true than its score says.
	often float64
	// behind is what a unit of lead is worth that it is behind, and ahead by what that is
	// multiplied when it is ahead of others itself.
	behind, ahead float64
}

const (
	// sure is how likely a cause must be to be named.
	sure = 0.92
	// conceivable is how likely one must be to be called possible, where none is sure, or to be
	// mentioned as the next likely one.
	conceivable = 0.02
	// rarely is what two defects at once are worth less, beside what it costs to think of two.
	rarely = -6.0
	// alikeAccounts is to which power of their number the leads of several accounts are worth less:
	// what one model gets wrong of one account it gets wrong of all.
	alikeAccounts = 0.29

	// far is the lead from which on a further one tells ever less: what is so unlikely by a model
	// is likelier by something that the model does not know.
	far = 20.0
)

// probabilities are how likely explanations are, the best score first, of so many accounts.
func probabilities(all []explanation, accounts int) []float64 {
	if len(all) == 0 {
		return nil
	}
	scale := math.Pow(float64(max(1, accounts)), -alikeAccounts)
	_, _, ahead := all[0].worth()
	p := make([]float64, len(all))
	for i, e := range all {
		often, behind, _ := e.worth()
		p[i] = often - behind*ahead*scale*far*math.Log1p((all[0].score-e.score)/far)
	}
	whole := floats.LogSumExp(p)
	for i := range p {
		p[i] = math.Exp(p[i] - whole)
	}
	return p
}

// worth is what the score of an explanation is worth, by its causes.
func (e explanation) worth() (often, behind, ahead float64) {
	seen := map[string]bool{}
	for _, p := range e.by {
		if seen[p.h.cause] {
			continue
		}
		seen[p.h.cause] = true
		w := worths[p.h.cause]
		often, behind, ahead = often+w.often, behind+math.Log(w.behind), ahead+math.Log(w.ahead)
	}
	n := float64(len(seen))
	if n > 1 && !e.kin() {
		often += rarely
	}
	return often, math.Exp(behind / n), math.Exp(ahead / n)
}

// kin tells whether its causes are such that one client has alike.
func (e explanation) kin() bool {
	for _, p := range e.by {
		if !kin[p.h.cause] {
			return false
		}
	}
	return true
}

// worths are those of each cause. In made-up runs all causes are as common as each other. In the world fewer programs count
// probes, or lose a stretch or a beginning, than one in so many: these are thought a little rarer than the runs say, and the loss
// of a first sample, at an exit, or as workers are replaced a little more common. Silence, full queues and double counting are
// as a fit of 10,813 made-up runs (of the seeds 300000 to 314999, cross-validated in three parts) has them: they were named
// wrongly most often; sampling is between that and what it was, for a share that is not the same in each interval speaks against
// it by itself now (steady.go). The whole fit names 75 % rightly and 0.9 % wrongly, and leaves seven saved real runs open that are
// told rightly now.
var worths = map[string]worth{
	BadLines:       {-0.54, 0.33, 6.07},
	Burst:          {-1.13, 0.38, 0.76},
	LargeBuffer:    {0.04, 0.13, 1.33},
	QueueFull:      {-2.07, 0.49, 1.01},
	Away:           {-1.33, 0.32, 1.65},
	Conditional:    {0.16, 1.00, 1.46},
	Twice:          {-0.04, 0.64, 0.84},
	NetTwice:       {-1.27, 0.40, 1.24},
	NetLost:        {-0.03, 0.49, 1.05},
	Double:         {-2.09, 0.42, 2.67},
	Failures:       {-0.36, 0.17, 1.71},
	FirstLost:      {0.10, 0.43, 1.61},
	ForeignLines:   {0.30, 0.30, 1.93},
	WindowTwice:    {0.88, 0.30, 1.01},
	Late:           {3.53, 0.26, 0.64},
	LostOnExit:     {0.45, 0.22, 1.04},
	NoMetric:       {-0.47, 0.24, 1.30},
	NotCounted:     {-0.41, 0.89, 1.18},
	OtherRoute:     {0.39, 0.32, 1.74},
	Probes:         {-2.93, 0.24, 1.12},
	Renamed:        {0.33, 0.33, 1.51},
	RateNotApplied: {0.09, 0.30, 1.32},
	RateNotSent:    {-0.80, 0.80, 1.33},
	SilentStart:    {0.24, 0.50, 0.87},
	SilentWorker:   {0.19, 0.69, 0.95},
	StillHeld:      {0.46, 0.50, 1.26},
	RunningTotal:   {-1.97, 0.49, 1.11},
	Truncated:      {3.05, 0.23, 1.37},
	Undecided:      {-3.12, 0.76, 0.49},
	WentSilent:     {-1.69, 0.37, 1.72},
	Turnover:       {-0.42, 0.34, 0.83},
	Wrapping:       {1.44, 0.49, 0.73},
	WrongType:      {1.06, 0.19, 1.90},
}
