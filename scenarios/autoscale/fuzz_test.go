package autoscale

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var noNumbers = []float64{math.NaN(), math.Inf(1), math.Inf(-1), -1, -math.SmallestNonzeroFloat64}

func text(t *testing.T, d Decision) string {
	t.Helper()
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatalf("%+v: %v", d, err)
	}
	return string(b)
}

// anyPolicy is one that a scenario can have.
func anyPolicy(r *rand.Rand) Policy {
	p := Policy{
		Min: 1 + r.IntN(4), Form: []string{Sum, Mean}[r.IntN(2)], Target: []float64{0.001, 35, 60, 1e9}[r.IntN(4)],
		Tolerance: []float64{0, 0.1, 1}[r.IntN(3)], Every: second, Up: anyPace(r), Down: anyPace(r),
		Missing: []string{Hold, Zero, Ignore}[r.IntN(3)],
	}
	p.Max = p.Min + r.IntN(30)
	return p
}

func anyPace(r *rand.Rand) Pace {
	p := Pace{Per: time.Duration(1+r.IntN(10)) * second, After: time.Duration(r.IntN(10)) * second}
	for range r.IntN(3) {
		if r.IntN(2) == 0 {
			p.AtMost = append(p.AtMost, Bound{Count: 1 + r.IntN(5)})
		} else {
			p.AtMost = append(p.AtMost, Bound{Percent: 1 + r.IntN(300)})
		}
	}
	return p
}

// anyReading may have what no collector should give.
func anyReading(r *rand.Rand, form string) Reading {
	n := r.IntN(35)
	ready := r.IntN(n + 1)
	got := Reading{Had: n, Ready: named(1, ready), Unready: named(ready+1, n-ready)}
	if r.IntN(6) == 0 {
		got.Error = "no answer"
	}
	value := func() float64 {
		switch r.IntN(12) {
		case 0:
			return noNumbers[r.IntN(len(noNumbers))]
		case 1:
			return math.MaxFloat64
		}
		return r.Float64() * 200
	}
	if form == Sum {
		if r.IntN(6) > 0 {
			got.Samples = []Sample{{"", value() * 10}}
		}
		return got
	}
	for _, name := range named(1, n+1) { // one more than there are
		if r.IntN(6) > 0 {
			got.Samples = append(got.Samples, Sample{name, value()})
		}
	}
	return got
}

// FuzzDecide makes whole runs up. No decision wants fewer than min or more than max; each is written down and read back to
// the byte; and what is read back is decided again, with the same result to the byte.
func FuzzDecide(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := anyPolicy(r)
		live, again := New(p), New(p)
		for at := second; at < 40*second; at += time.Duration(r.IntN(3)) * second / 2 {
			reading := anyReading(r, p.Form)
			d := live.Decide(at, reading)
			if d.Wanted < p.Min || d.Wanted > p.Max {
				t.Fatalf("%+v: wanted %d of %d to %d in %s", p, d.Wanted, p.Min, p.Max, text(t, d))
			}
			journalled := text(t, d)
			var back Decision
			if err := json.Unmarshal([]byte(journalled), &back); err != nil {
				t.Fatalf("%s: %v", journalled, err)
			}
			if got := text(t, back); got != journalled {
				t.Fatalf("read back: %s, was %s", got, journalled)
			}
			if got := text(t, again.Decide(back.At, back.Reading())); got != journalled {
				t.Fatalf("decided again: %s, was %s", got, journalled)
			}
		}
	})
}

// FuzzPolicy: a policy that no scenario could have makes nothing panic.
func FuzzPolicy(f *testing.F) {
	f.Add(2, 8, 60.0, 0.1, int64(4), 2, 100, "mean", 90.0, 3)
	f.Add(0, 0, 0.0, math.NaN(), int64(-1), 0, 0, "", math.Inf(1), 0)
	f.Add(-5, -7, -1.0, -1.0, int64(math.MaxInt64), math.MinInt, math.MaxInt, "sum", math.NaN(), math.MinInt)
	f.Fuzz(func(t *testing.T, least, most int, target, tolerance float64, per int64, count, percent int, form string, value float64, had int) {
		pace := Pace{AtMost: []Bound{{Count: count}, {Percent: percent}}, Per: time.Duration(per), After: time.Duration(per)}
		p := Policy{Min: least, Max: most, Form: form, Target: target, Tolerance: tolerance, Up: pace, Down: pace, Missing: Hold}
		s := New(p)
		for at := range 5 {
			r := Reading{Had: had, Ready: []string{"web-1"}, Unready: []string{"web-2"}, Samples: []Sample{{"web-1", value}}}
			text(t, s.Decide(time.Duration(at), r))
			had++
		}
		p.Needed(value)
	})
}

func TestSampleRefuses(t *testing.T) {
	for _, bad := range []string{
		`{"instance":"web-1"}`, `{"value":null}`, `{"value":"1"}`, `{"value":"Inf"}`, `{"value":1,"weight":2}`, `{"value":true}`, `[]`,
	} {
		var s Sample
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s was read as %+v", bad, s)
		}
	}
}
