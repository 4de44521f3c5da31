package picture

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"throughline/scenarios/record"
)

// Where counts are missing, and where there are too many.
func TestNeverAndTooMany(t *testing.T) {
	every := []float64{1, 1, 1, 1, 1, 1}
	for _, c := range []struct {
		name                 string
		acked, counted       []float64
		heard, late          []float64
		never, many, spreads []float64
	}{
		{"all come", []float64{5, 5, 5}, []float64{5, 5, 5}, every[:3], nil, []float64{0, 0, 0}, []float64{0, 0, 0}, []float64{5, 5, 5}},
		{"all come, some in the next interval", []float64{5, 5, 0}, []float64{4, 5, 1}, every[:3], nil, []float64{0, 0, 0}, []float64{0, 0, 0}, []float64{4, 5, 1}},
		{"a hole in the middle", []float64{5, 5, 5, 5}, []float64{5, 0, 5, 5}, every[:4], nil, []float64{0, 5, 0, 0}, []float64{0, 0, 0, 0}, []float64{5, 0, 5, 5}},
		{"the end is lost", []float64{5, 5, 5}, []float64{5, 5, 0}, []float64{1, 1, 0}, nil, []float64{0, 0, 5}, []float64{0, 0, 0}, []float64{5, 5, 0}},
		{"two intervals come in one, and none is lost", []float64{4, 6, 5}, []float64{0, 10, 5}, []float64{0, 1, 1}, nil, []float64{0, 0, 0}, []float64{0, 0, 0}, []float64{4, 6, 5}},
		{"it sends every other interval, and loses its last", []float64{5, 5, 5, 5, 5, 5}, []float64{0, 8, 0, 10, 0, 0}, []float64{0, 1, 0, 1, 0, 0}, nil,
			[]float64{0, 0, 0, 2, 5, 5}, []float64{0, 0, 0, 0, 0, 0}, []float64{4, 4, 5, 5, 0, 0}},
		{"it sends once, and is gone before it sends again", []float64{0, 8, 21, 10, 8}, []float64{0, 0, 0, 35, 0}, []float64{0, 0, 0, 1, 0}, nil,
			[]float64{0, 0, 0, 4, 8}, []float64{0, 0, 0, 0, 0}, []float64{0, 35 * 8. / 39, 35 * 21. / 39, 35 * 10. / 39, 0}},
		{"silence without traffic", []float64{5, 0, 0, 6}, []float64{5, 0, 0, 6}, []float64{1, 0, 0, 1}, nil, []float64{0, 0, 0, 0}, []float64{0, 0, 0, 0}, []float64{5, 0, 0, 6}},
		{"some are always on their way, and lost with the instance", []float64{5, 5, 5, 0}, []float64{4, 5, 4, 0}, []float64{1, 1, 1, 0}, []float64{1, 1, 2, 0},
			[]float64{0, 0, 0, 2}, []float64{0, 0, 0, 0}, []float64{4, 5, 4, 0}},
		{"counted twice", []float64{5, 5, 5}, []float64{5, 10, 5}, every[:3], nil, []float64{0, 0, 0}, []float64{0, 5, 0}, []float64{5, 10, 5}},
	} {
		i := Instance{Acked: c.acked, Counted: c.counted, Heard: c.heard, Late: c.late}
		if c.late == nil {
			i.Late = make([]float64, len(c.acked))
		}
		spread, _ := i.Spread()
		for what, of := range map[string]struct{ got, want []float64 }{"never": {i.Never(1), c.never}, "too many": {i.TooMany(), c.many}, "spread": {spread, c.spreads}} {
			if diff := cmp.Diff(of.want, of.got, exactly); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", c.name, what, diff)
			}
		}
	}
}

// How much is on its way is learned from what came: of 60 that were acknowledged in the last
// moments of intervals, 10 came later. So most of the 9 that another one loses
// are lost when they are, and not when it ends.
func TestWhatIsOnItsWay(t *testing.T) {
	healthy := Instance{Acked: []float64{20, 20, 20, 0}, Counted: []float64{16, 20, 22, 2}, Heard: []float64{1, 1, 1, 1}, Late: []float64{10, 10, 10, 0}}
	losing := Instance{Acked: []float64{20, 20, 20, 0}, Counted: []float64{20, 11, 20, 0}, Heard: []float64{1, 1, 1, 0}, Late: []float64{10, 10, 10, 0}}
	s := Snapshot{Counts: counted, Bins: 4, Whole: 4, Over: true, Instances: []Instance{healthy, losing}}
	if share := s.onTheWay(); math.Abs(share-1./3) > 1e-9 {
		t.Errorf("a share of %v, want twice 10 of 60", share)
	}
	if diff := cmp.Diff([]float64{0, 9 - 10./3, 0, 10. / 3}, losing.Never(1./3), exactly); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// It may be otherwise with one that ended: it took what was on its way.
	losing.Name, s.Instances[1].Name = "web-2", "web-2"
	s.Events = []record.Event{{Kind: record.Death, Instance: "web-2"}}
	if never, _ := s.Net(); cmp.Diff([]float64{0, 0, 0, 9}, never, exactly) != "" {
		t.Errorf("of one that ended %v are lost, want 9 at the end", never)
	}
}

// While a run goes on, what an instance always owes may be on its way, and each time other
// counts; when it has ended, or owes more than that, it is lost.
func TestWhatIsOwedAllTheWhile(t *testing.T) {
	i := Instance{Name: "web-1", Acked: []float64{20, 20, 20, 20}, Counted: []float64{15, 20, 20, 20}, Heard: []float64{1, 1, 1, 1}, Late: []float64{5, 5, 5, 5}}
	s := Snapshot{Counts: counted, Bins: 4, Whole: 4, Instances: []Instance{i}}
	never := func() float64 {
		lost, _ := s.Net()
		return Total(lost)
	}
	if got := never(); got != 0 {
		t.Errorf("%v never came of an instance that owes 5 all the while, want 0", got)
	}
	s.Instances[0].Counted = []float64{15, 14, 20, 20}
	if got := never(); got != 6 {
		t.Errorf("%v never came of one that owes 6 more, want 6", got)
	}
	s.Bins, s.Whole, s.Events = 5, 5, []record.Event{{Kind: record.Death, Instance: "web-1"}}
	s.Instances[0] = Instance{Name: "web-1", Acked: []float64{20, 20, 20, 0, 0}, Counted: []float64{15, 20, 20, 0, 0}, Heard: []float64{1, 1, 1, 0, 0}, Late: []float64{5, 5, 5, 0, 0}}
	if got := never(); got != 5 {
		t.Errorf("%v never came of one that has ended and owes 5, want 5", got)
	}
}

// What is more may be requests of which nobody knows: they are no surplus.
func TestUnknownOutcomes(t *testing.T) {
	h := twoInstances()
	h.Series = []record.Series{pushed("web-1", 0, 8, 20, 31, 31), pushed("web-2", 0, 5, 11, 15, 15)}
	s := Of(h, counted).Now()
	if _, many := s.Net(); s.Unknown != 1 || Total(many) != 0 {
		t.Errorf("%d of unknown outcome; too many %v", s.Unknown, many)
	}
	s.Unknown = 0
	if _, many := s.Net(); Total(many) != 1 {
		t.Errorf("of known outcome: too many %v, want 1", many)
	}
}

// One instance that loses and another that counts twice make no sum.
func TestNetOfLossAndSurplus(t *testing.T) {
	lost := Instance{Acked: []float64{5, 5}, Counted: []float64{5, 1}, Heard: []float64{1, 1}, Late: []float64{0, 0}}
	twice := Instance{Acked: []float64{5, 5}, Counted: []float64{6, 5}, Heard: []float64{1, 1}, Late: []float64{0, 0}}
	never, many := Snapshot{Counts: counted, Bins: 2, Whole: 2, Over: true, Instances: []Instance{lost, twice}}.Net()
	if Total(never) != 3 || Total(many) != 0 {
		t.Errorf("never %v, too many %v; want 3 and 0", never, many)
	}
}
