package gallery

import (
	"fmt"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"
)

// Share is how many of all, with the interval in which the true share lies with
// 95 % confidence, by Clopper and Pearson's exact method.
// Source: https://doi.org/10.1093/biomet/26.4.404
type Share struct {
	Of    int     `json:"of"`
	Is    int     `json:"is"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// NewShare makes the share of those that are so.
func NewShare(is, of int) Share {
	const tail = 0.025
	s := Share{Of: of, Is: is, Least: 0, Most: 1}
	if is > 0 {
		s.Least = distuv.Beta{Alpha: float64(is), Beta: float64(of - is + 1)}.Quantile(tail)
	}
	if is < of {
		s.Most = distuv.Beta{Alpha: float64(is + 1), Beta: float64(of - is)}.Quantile(1 - tail)
	}
	return s
}

// String writes "120 of 120 (97.0 % to 100.0 %)".
func (s Share) String() string {
	if s.Of == 0 {
		return "none looked at"
	}
	return fmt.Sprintf("%d of %d (%.1f %% to %.1f %%)", s.Is, s.Of, 100*s.Least, 100*s.Most)
}

// Figures are those of a medical test: how much of what is there it finds, and
// how often it cries wolf.
type Figures struct {
	Detection    Share `json:"detection"`    // entries' runs caught by the right check
	Instance     Share `json:"instance"`     // of those caught: the right instances blamed
	Amount       Share `json:"amount"`       // of those caught: the number right within its bound
	Cause        Share `json:"cause"`        // of those caught: the right cause
	FalseAlarms  Share `json:"false_alarms"` // healthy runs that failed
	Inconclusive Share `json:"inconclusive"` // runs that should prove something and did not
}

// NewFigures sums up results. Runs that prove nothing are in Inconclusive alone.
func NewFigures(results []Result) Figures {
	var entries, caught, controls, alarms, unproved int
	asked := map[string]*[2]int{"instance": {}, "amount": {}, "cause": {}}
	for _, r := range results {
		switch {
		case !r.Proved:
			unproved++
		case r.Control:
			controls++
			if r.Caught == Wrong {
				alarms++
			}
		default:
			entries++
			if r.Caught == Right {
				caught++
			}
		}
		for name, m := range map[string]Mark{"instance": r.Instance, "amount": r.Amount, "cause": r.Cause} {
			if m != NotAsked {
				asked[name][1]++
			}
			if m == Right {
				asked[name][0]++
			}
		}
	}
	share := func(name string) Share { return NewShare(asked[name][0], asked[name][1]) }
	return Figures{
		Detection: NewShare(caught, entries), Instance: share("instance"), Amount: share("amount"), Cause: share("cause"),
		FalseAlarms: NewShare(alarms, controls), Inconclusive: NewShare(unproved, len(results)),
	}
}

// String writes one figure a line.
func (f Figures) String() string {
	var b strings.Builder
	for _, line := range []struct {
		name  string
		share Share
	}{
		{"caught by the right check", f.Detection},
		{"right instances", f.Instance},
		{"right amount", f.Amount},
		{"right cause", f.Cause},
		{"false alarms on healthy runs", f.FalseAlarms},
		{"runs that prove nothing", f.Inconclusive},
	} {
		fmt.Fprintf(&b, "%-29s %v\n", line.name, line.share)
	}
	return b.String()
}
