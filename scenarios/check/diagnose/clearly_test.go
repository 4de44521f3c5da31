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

// A cause is named that leads far enough; what does not decide is possible, and two defects at once must lead further.
func TestHowFarACauseMustLead(t *testing.T) {
	a := instance("web-1", 1, steady(20), client{period: tenth, workers: 1})
	k := newCourt(&Case{Window: tenth, Interval: a.Ticks[1] - a.Ticks[0], Accounts: []Account{a}})
	for _, c := range []struct {
		best  []string
		lead  float64
		named bool
	}{
		{[]string{Twice}, 0.5, false},
		{[]string{Twice}, 30, true},
		{[]string{FirstLost}, 0.5, false},
		{[]string{FirstLost}, 30, true},
		{[]string{FirstLost, Burst}, 12, false},
		{[]string{LostOnExit, LargeBuffer}, 30, true}, // one client has both
	} {
		all := []explanation{by(-10, c.best...), by(-10-c.lead, NetLost)}
		d := k.decide(0, all, probabilities(all, 1))
		if named := d.Cause == c.best[0]; named != c.named {
			t.Errorf("%v with a lead of %.1f: %s", c.best, c.lead, d.Cause)
		}
		if d.Cause == Undecided && !slices.Contains(d.Possible, NetLost) {
			t.Errorf("%v with a lead of %.1f: possible are %v", c.best, c.lead, d.Possible)
		}
	}
}

// A lead is worth more the greater it is, ever less so, and less where it comes of more accounts.
func TestWhatALeadIsWorth(t *testing.T) {
	odds := func(lead float64, accounts int) float64 {
		p := probabilities([]explanation{by(0, NotCounted), by(-lead, NetLost)}, accounts)
		if sum := p[0] + p[1]; sum < 0.999 || sum > 1.001 {
			t.Errorf("probabilities sum up to %.3f", sum)
		}
		return p[0]
	}
	if small, great := odds(2, 1), odds(6, 1); small >= great {
		t.Errorf("a lead of 6 makes it %.3f likely, and one of 2 %.3f", great, small)
	}
	if one, many := odds(6, 1), odds(6, 8); one <= many {
		t.Errorf("a lead of 6 of one account makes it %.3f likely, and of eight %.3f", one, many)
	}
}

// Each hypothesis has a worth, and no other cause has.
func TestWorthsAreOfHypotheses(t *testing.T) {
	for _, h := range hypotheses {
		if w, known := worths[h.cause]; !known || w.behind <= 0 || w.ahead <= 0 {
			t.Errorf("%s: a score of it is worth %+v", h.cause, w)
		}
	}
	for cause := range worths {
		if !slices.ContainsFunc(hypotheses, func(h hypothesis) bool { return h.cause == cause }) {
			t.Errorf("%s: no hypothesis has this cause", cause)
		}
	}
}

func TestOneIn(t *testing.T) {
	for _, c := range []struct {
		all, some int64
		want      string
	}{{100, 4, "1 in 25"}, {100, 49, "1 in 2"}, {100, 66, "1 in 2"}, {100, 67, "67 %"}, {500, 475, "95 %"}, {10, 0, "none"}} {
		if got := oneIn(c.all, c.some); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.some, c.all, got, c.want)
		}
	}
}
