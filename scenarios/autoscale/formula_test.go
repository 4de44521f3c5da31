package autoscale

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// open is a policy whose bounds, windows and paces hold nothing up.
func open(form string) Policy {
	return Policy{Min: 1, Max: 1000, Form: form, Target: 60, Tolerance: 0.1, Every: time.Second, Missing: Hold}
}

// named are web-1 to web-n, from first on.
func named(first, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("web-%d", first+i))
	}
	return names
}

// fleet is a reading of the form Mean: values of the first instances, then so many who are ready without a sample,
// then so many who are not ready.
func fleet(values []float64, missing, unready int) Reading {
	n := len(values) + missing
	r := Reading{Had: n + unready, Ready: named(1, n), Unready: named(n+1, unready)}
	for i, v := range values {
		r.Samples = append(r.Samples, Sample{r.Ready[i], v})
	}
	return r
}

func times(n int, value float64) []float64 { return slices.Repeat([]float64{value}, n) }

func total(had int, sum float64) Reading {
	return Reading{Had: had, Ready: named(1, had), Samples: []Sample{{"", sum}}}
}

// TestFormula are vectors from a transcript of Kubernetes' rules.
func TestFormula(t *testing.T) {
	sum, mean := open(Sum), open(Mean)
	for _, c := range []struct {
		name    string
		policy  Policy
		reading Reading
		want    int
		because Reason
	}{
		{"on target", sum, total(3, 180), 3, Within},
		{"upper edge of the tolerance", sum, total(3, 198), 3, Within},
		{"above the tolerance", sum, total(3, 199), 4, Formula},
		{"lower edge of the tolerance", sum, total(3, 162), 3, Within},
		{"below the tolerance, rounded up to what there is", sum, total(3, 161), 3, Formula},
		{"a third more", sum, total(3, 241), 5, Formula},
		{"nothing", sum, total(3, 0), 0, AtMin},
		{"9 % lost of 300", sum, total(5, 273), 5, Within},
		{"counted twice", sum, total(5, 600), 10, Formula},
		{"just within a step", sum, total(10, 541), 10, Within},
		{"10.2 % lost of 600", sum, total(10, 539), 9, Formula},
		{"1.1 exactly, of one", sum, total(1, 66), 1, Within},
		{"above 1.1, of one", sum, total(1, 67), 2, Formula},
		{"1.1 exactly, of twenty", sum, total(20, 1320), 20, Within},
		{"above 1.1, of twenty", sum, total(20, 1321), 23, Formula},
		{"1.1 exactly, in floats", Policy{Min: 1, Max: 9, Form: Sum, Target: 50, Tolerance: 0.1}, total(1, 55), 1, Within},
		{"several, as Kubernetes sums them up", sum, Reading{Had: 3, Samples: []Sample{{"a", 100}, {"b", 141}}}, 5, Formula},

		{"3×90", mean, fleet(times(3, 90), 0, 0), 5, Formula},
		{"3×90 and one that starts", mean, fleet(times(3, 90), 0, 1), 5, Formula},
		{"3×90 and three that start: mean 45, the other direction", mean, fleet(times(3, 90), 0, 3), 6, MissingSome},
		{"3×30 and one missing", mean, fleet(times(3, 30), 1, 0), 3, Formula},
		{"1×30 and three missing", mean, fleet(times(1, 30), 3, 0), 4, Formula},
		{"2×90 and two missing: mean 45, the other direction", mean, fleet(times(2, 90), 2, 0), 4, MissingSome},
		{"four missing", mean, fleet(nil, 4, 0), NoProposal, NoMetric},
		{"2×30 and one that starts, which counts not on the way down", mean, fleet(times(2, 30), 0, 1), 1, Formula},
		{"on target with one missing, which is left out", mean, fleet(times(2, 60), 1, 0), 3, Within},
		{"within the tolerance with one missing", mean, fleet(times(2, 63), 1, 0), 3, Within},
		{"3×53 and one missing, which takes it into the tolerance", mean, fleet(times(3, 53), 1, 0), 4, MissingSome},
		{"the order of the terms: ceil(145 ÷ 35 × 7)", Policy{Min: 1, Max: 99, Form: Mean, Target: 35, Tolerance: 0.1, Missing: Hold}, fleet(times(7, 145), 0, 0), 30, Formula},
		{"only who starts has a sample", mean, Reading{Had: 1, Unready: named(1, 1), Samples: []Sample{{"web-1", 90}}}, NoProposal, NoMetric},
		{"a sample of somebody who is not there", mean, Reading{Had: 2, Ready: named(1, 2), Samples: []Sample{{"web-1", 60}, {"web-2", 60}, {"web-9", 6000}}}, 2, Within},

		{"out of bounds below", sum, Reading{Had: 0, Samples: []Sample{{"", 600}}}, NoProposal, OutOfBounds},
		{"out of bounds above", Policy{Min: 1, Max: 3, Form: Sum, Target: 60}, total(4, 600), NoProposal, OutOfBounds},
		{"out of bounds before an error", sum, Reading{Error: "refused"}, NoProposal, OutOfBounds},
	} {
		d := New(c.policy).Propose(0, c.reading)
		if d.Proposed != c.want || d.Because != c.because {
			t.Errorf("%s: proposed %d because of %s, want %d because of %s", c.name, d.Proposed, d.Because, c.want, c.because)
		}
	}
}

// TestMissing holds what a policy takes for a sample against what it says.
func TestMissing(t *testing.T) {
	nothing := Reading{Had: 4, Ready: named(1, 4)}
	failed := Reading{Had: 4, Ready: named(1, 4), Error: "connection refused"}
	for _, c := range []struct {
		name             string
		form             string
		reading          Reading
		hold, zero, omit int
	}{
		{"a fleet without any", Sum, nothing, NoProposal, 0, NoProposal},
		{"nobody answered", Sum, failed, NoProposal, NoProposal, NoProposal},
		{"a fleet without any", Mean, nothing, NoProposal, 0, NoProposal},
		{"nobody answered", Mean, failed, NoProposal, NoProposal, NoProposal},
		{"3×70 and three without, under load", Mean, fleet(times(3, 70), 3, 0), 6, 4, 4},
		{"2×30 and two without", Mean, fleet(times(2, 30), 2, 0), 3, 1, 1},
		{"3×60 and one without", Mean, fleet(times(3, 60), 1, 0), 4, 3, 4},
	} {
		for missing, want := range map[string]int{Hold: c.hold, Zero: c.zero, Ignore: c.omit} {
			p := open(c.form)
			p.Missing = missing
			if d := New(p).Propose(0, c.reading); d.Proposed != want {
				t.Errorf("%s, %s, missing: %s: proposed %d because of %s, want %d", c.form, c.name, missing, d.Proposed, d.Because, want)
			}
		}
	}
}

// TestNoNumbers: what a rate cannot be is missing, in whatever form.
func TestNoNumbers(t *testing.T) {
	for _, bad := range noNumbers {
		if d := New(open(Sum)).Propose(0, total(3, bad)); d.Because != NoMetric || d.Value != nil || d.Wanted != 3 {
			t.Errorf("sum of %v: %d because of %s, want 3 because of %s", bad, d.Wanted, d.Because, NoMetric)
		}
		r := fleet([]float64{90, 90, 90, bad}, 0, 0)
		d := New(open(Mean)).Propose(0, r)
		if !slices.Equal(d.Missing, []string{"web-4"}) || d.Value == nil || *d.Value != 90 {
			t.Errorf("mean of three and %v: missing %v, value %v, want web-4 and 90", bad, d.Missing, d.Value)
		}
	}
}

func TestNeeded(t *testing.T) {
	p := Policy{Min: 2, Max: 8, Target: 60}
	for sum, want := range map[float64]int{0: 2, 120: 2, 120.5: 3, 180: 3, 181: 4, 480: 8, 481: 8, 1e300: 8} {
		if got := p.Needed(sum); got != want {
			t.Errorf("%g calls for %d, want %d", sum, got, want)
		}
	}
}
