package autoscale

import (
	"testing"
	"time"
)

const second = time.Second

// step is a decision of a made-up run: the fleet is as wanted at the next one.
type step struct {
	at      time.Duration
	sum     float64
	want    int
	because Reason
}

func play(t *testing.T, p Policy, had int, steps []step) {
	t.Helper()
	s := New(p)
	for _, c := range steps {
		d := s.Decide(c.at, total(had, c.sum))
		if d.Wanted != c.want || d.Because != c.because {
			t.Errorf("at %v with %d and a sum of %g: wanted %d because of %s, want %d because of %s",
				c.at, had, c.sum, d.Wanted, d.Because, c.want, c.because)
		}
		had = d.Wanted
	}
}

// kubernetes has the paces and windows that an autoscaler has there if it says nothing.
func kubernetes() Policy {
	p := open(Sum)
	p.Up = Pace{AtMost: []Bound{{Count: 4}, {Percent: 100}}, Per: 15 * second}
	p.Down = Pace{AtMost: []Bound{{Percent: 100}}, Per: 15 * second, After: 300 * second}
	return p
}

func TestPaceOfKubernetes(t *testing.T) {
	play(t, kubernetes(), 3, []step{
		{0, 1200, 7, Paced},           // 3+4 is more than 3×2
		{1 * second, 1200, 7, Paced},  // four came in these 15 s
		{14 * second, 1200, 7, Paced}, // still
		{15 * second, 1200, 14, Paced},
		{30 * second, 1200, 20, Formula},
	})
}

func TestBounds(t *testing.T) {
	p := open(Sum)
	p.Min, p.Max = 2, 8
	p.Up = Pace{AtMost: []Bound{{Percent: 10}}, Per: 4 * second}
	p.Down = Pace{AtMost: []Bound{{Percent: 10}}, Per: 4 * second}
	play(t, p, 3, []step{
		{0, 6000, 4, Paced}, // a tenth of 3 is one
		{2 * second, 6000, 4, Paced},
		{4 * second, 6000, 5, Paced},
		{8 * second, 6000, 6, Paced},
		{12 * second, 6000, 7, Paced},
		{16 * second, 6000, 8, Paced},
		{20 * second, 6000, 8, AtMax},
		{24 * second, 0, 7, Paced},
		{25 * second, 0, 7, Paced},
		{28 * second, 0, 6, Paced},
		{32 * second, 0, 5, Paced},
		{36 * second, 0, 4, Paced},
		{40 * second, 0, 3, Paced}, // cut off: 4 less a tenth is 3.6
		{44 * second, 0, 2, Paced},
		{48 * second, 0, 2, AtMin},
	})
}

// TestPaceCountsFromTheBeginOfThePeriod: what was taken away in the period may come back.
func TestPaceCountsFromTheBeginOfThePeriod(t *testing.T) {
	p := open(Sum)
	p.Up = Pace{AtMost: []Bound{{Count: 1}}, Per: 10 * second}
	play(t, p, 5, []step{
		{0, 120, 2, Formula},
		{second, 600, 6, Paced}, // there were 5 when the period began
	})
}

func TestStabilisation(t *testing.T) {
	p := open(Sum)
	p.Down.After = 10 * second
	play(t, p, 5, []step{
		{0, 60, 5, Stabilised}, // the size that there was is remembered, from this moment
		{2 * second, 181, 5, Stabilised},
		{9 * second, 60, 5, Stabilised},
		{10 * second, 60, 4, Stabilised}, // the five of second 0 are 10 s ago; four were proposed at 2 s
		{12 * second, 60, 1, Formula},
		{13 * second, 300, 5, Formula}, // upwards there is no window
	})
	p = open(Sum)
	p.Up.After = 4 * second
	play(t, p, 2, []step{
		{0, 600, 2, Stabilised},
		{2 * second, 240, 2, Stabilised},
		{4 * second, 600, 4, Stabilised}, // the least of what was proposed in 4 s, before it was stabilised
		{6 * second, 600, 10, Formula},
		{8 * second, 60, 1, Formula}, // downwards there is none
	})
}

// TestWithoutAMetricNothingIsRemembered: no proposal, so nothing that a window would hold on to.
func TestWithoutAMetricNothingIsRemembered(t *testing.T) {
	p := open(Sum)
	p.Down.After = 10 * second
	s := New(p)
	s.Decide(0, total(5, 300))
	for at := second; at < 10*second; at += second {
		if d := s.Decide(at, Reading{Had: 5, Error: "refused"}); d.Wanted != 5 || d.Because != NoMetric {
			t.Fatalf("at %v without a metric: wanted %d because of %s, want 5 because of %s", at, d.Wanted, d.Because, NoMetric)
		}
	}
	if d := s.Decide(10*second, total(5, 60)); d.Wanted != 1 || len(d.Window) != 0 {
		t.Errorf("after it: wanted %d, having looked at %v: want 1, and nothing looked at", d.Wanted, d.Window)
	}
}

// TestOutsideOfBounds: the fleet goes to the bound at once, whatever window, pace and metric say; the pace counts it.
func TestOutsideOfBounds(t *testing.T) {
	p := kubernetes()
	p.Min, p.Max = 6, 8
	s := New(p)
	d := s.Decide(0, Reading{Had: 1, Error: "not asked"})
	if d.Wanted != 6 || d.Because != OutOfBounds {
		t.Fatalf("one instance: wanted %d because of %s, want 6 because of %s", d.Wanted, d.Because, OutOfBounds)
	}
	if d = s.Decide(second, total(6, 6000)); d.Wanted != 6 || d.Because != Paced {
		t.Errorf("a second later: wanted %d because of %s, want 6 because of %s", d.Wanted, d.Because, Paced)
	}
	if d = New(p).Decide(0, total(20, 6000)); d.Wanted != 8 || d.Because != OutOfBounds {
		t.Errorf("twenty instances: wanted %d because of %s, want 8 because of %s", d.Wanted, d.Because, OutOfBounds)
	}
}

// TestProposeChangesNothing: a scaler that was asked in between decides as one that was not.
func TestProposeChangesNothing(t *testing.T) {
	p := kubernetes()
	asked, left := New(p), New(p)
	for i, sum := range []float64{180, 1200, 60, 600, 60, 0} {
		at := time.Duration(i) * second
		for range 3 {
			asked.Propose(at, total(4, 6000))
			asked.Propose(at, total(4, 0))
		}
		if a, b := asked.Decide(at, total(4, sum)), left.Decide(at, total(4, sum)); text(t, a) != text(t, b) {
			t.Errorf("at %v: %s, without the questions %s", at, text(t, a), text(t, b))
		}
	}
}

func TestDecisionInWords(t *testing.T) {
	for want, d := range map[string]Decision{
		"2 → 5 (value 290, formula)":            New(open(Sum)).Propose(0, total(2, 290)),
		"2 → 2 (no metric: connection refused)": New(open(Sum)).Propose(0, Reading{Had: 2, Error: "connection refused"}),
		"0 → 1 (out of bounds)":                 New(open(Sum)).Propose(0, Reading{}),
	} {
		if got := d.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestSoonest(t *testing.T) {
	p := open(Sum)
	p.Every, p.Max = 2*second, 20
	p.Up = Pace{AtMost: []Bound{{Count: 2}}, Per: 4 * second}
	p.Down = Pace{AtMost: []Bound{{Count: 1}}, Per: 4 * second, After: 10 * second}
	wide := p
	wide.Up, wide.Down = Pace{}, Pace{}
	slow := p
	slow.Up.After = 3 * second
	stuck := p
	stuck.Up = Pace{AtMost: []Bound{{}}, Per: second}
	for _, c := range []struct {
		name     string
		policy   Policy
		from, to int
		want     time.Duration
	}{
		{"nothing to do", p, 5, 5, 0},
		{"one step", p, 2, 4, 0},
		{"four steps of two in 4 s each", p, 2, 10, 12 * second},
		{"no pace", wide, 2, 10, 0},
		// The last proposal of four is from 2 s before; 3 s later it is over, so the decision after 2 s no longer sees it.
		{"a window upwards", slow, 2, 4, 2 * second},
		{"down: the window, then the pace", p, 4, 2, 12 * second},
		{"to max", p, 18, 100, 0},
		{"never", stuck, 2, 3, Never},
	} {
		if got := c.policy.Soonest(c.from, c.to); got != c.want {
			t.Errorf("%s: from %d to %d takes %v, want %v", c.name, c.from, c.to, got, c.want)
		}
	}
}

// TestSoonestIsWhatDecisionsTake holds Soonest against a scaler that is given the rate that calls for so many.
func TestSoonestIsWhatDecisionsTake(t *testing.T) {
	p := kubernetes()
	p.Every, p.Max, p.Down.After = 2*second, 40, 7*second
	for _, c := range []struct{ from, to int }{{2, 10}, {1, 40}, {10, 2}, {40, 1}, {3, 4}} {
		s, had := New(p), c.from
		s.Decide(-p.Every, total(c.from, float64(60*c.from)))
		for at := time.Duration(0); ; at += p.Every {
			d := s.Decide(at, total(had, float64(60*c.to)))
			if had = d.Wanted; had == c.to {
				if got := p.Soonest(c.from, c.to); got != at {
					t.Errorf("from %d to %d: Soonest gives %v, decisions take %v", c.from, c.to, got, at)
				}
				break
			}
			if at > time.Hour {
				t.Fatalf("from %d to %d: not within an hour", c.from, c.to)
			}
		}
	}
}
