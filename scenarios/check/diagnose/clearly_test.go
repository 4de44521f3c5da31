package diagnose

import (
	"slices"
	"testing"
)

// by is an explanation of one account by some causes, with a score.
func by(score float64, causes ...string) explanation {
	e := explanation{score: score}
	for _, c := range causes {
		e.by = append(e.by, part{h: &hypothesis{cause: c}, set: []int{0}, fit: fit{each: []float64{0}, say: func(int) clause { return clause{} }}})
	}
	return e
}

// The same lead names a cause that nothing else looks like, and not one that others look like,
// nor two at once; what does not decide is possible.
func TestHowFarACauseMustLead(t *testing.T) {
	a := instance("web-1", 1, steady(20), client{period: tenth, workers: 1})
	k := newCourt(&Case{Window: tenth, Interval: a.Ticks[1] - a.Ticks[0], Accounts: []Account{a}})
	for _, c := range []struct {
		best  []string
		lead  float64
		named bool
	}{
		{[]string{Truncated}, 5, true},
		{[]string{Truncated}, 3, false},
		{[]string{FirstLost}, 5, false},
		{[]string{FirstLost}, 7, true},
		{[]string{Burst}, 7, false},
		{[]string{Burst}, 12, true},
		{[]string{FirstLost, Truncated}, 12, false},
		{[]string{FirstLost, Truncated}, 31, true},
		{[]string{LostOnExit, LargeBuffer}, 7, true}, // one client has both
	} {
		d := k.decide(0, []explanation{by(-10, c.best...), by(-10-c.lead, NetTwice)})
		if named := d.Cause == c.best[0]; named != c.named {
			t.Errorf("%v with a lead of %.0f: %s", c.best, c.lead, d.Cause)
		}
		if !c.named && !slices.Contains(d.Possible, NetTwice) {
			t.Errorf("%v with a lead of %.0f: possible are %v", c.best, c.lead, d.Possible)
		}
	}
}

// Each cause with a lead of its own is one of a hypothesis.
func TestLeadsAreOfHypotheses(t *testing.T) {
	for cause := range leads {
		if !slices.ContainsFunc(hypotheses, func(h hypothesis) bool { return h.cause == cause }) {
			t.Errorf("%s: no hypothesis has this cause", cause)
		}
	}
}
