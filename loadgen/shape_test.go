package loadgen

import (
	"math"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"
)

func mustShape(t testing.TB) func(Shape, error) Shape {
	return func(s Shape, err error) Shape {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestDueTimes(t *testing.T) {
	must := mustShape(t)
	const never = time.Duration(-1)
	second := func(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }
	for name, c := range map[string]struct {
		shape Shape
		due   map[uint64]time.Duration
	}{
		"constant": {must(Constant(2)), map[uint64]time.Duration{
			0: second(0.25), 1: second(0.75), 2: second(1.25), 7199: second(3599.75), math.MaxUint64: never,
		}},
		// ∫ = t²/2 = n + ½
		"ramp from zero": {must(Ramp(0, 10, 10*time.Second)), map[uint64]time.Duration{
			0: second(1), 4: second(3), 49: second(math.Sqrt(99)), 50: second(10.05), 51: second(10.15),
		}},
		// 50 requests on the ramp, then nothing
		"ramp to zero": {must(Ramp(10, 0, 10*time.Second)), map[uint64]time.Duration{
			49: second(9), 50: never, 51: never,
		}},
		"flat ramp": {must(Ramp(5, 5, time.Second)), map[uint64]time.Duration{
			0: second(0.1), 4: second(0.9), 5: second(1.1),
		}},
		"steps with pauses": {must(Steps([]Level{{0, time.Second}, {2, time.Second}, {0, time.Second}, {10, 0}})), map[uint64]time.Duration{
			0: second(1.25), 1: second(1.75), 2: second(3.05), 3: second(3.15),
		}},
		"steps that end": {must(Steps([]Level{{2, time.Second}, {0, 0}})), map[uint64]time.Duration{
			1: second(0.75), 2: never,
		}},
		// a period holds 2.125·4 = 8.5 requests, its upper half 4.25 plus
		// swing·period/π = 1.25
		"sine": {must(Sine(2.125, 1.25*math.Pi/4, 4*time.Second)), map[uint64]time.Duration{
			5: second(2), 8: second(4), 25: second(12), 4255: second(2002),
		}},
		"sine without swing": {must(Sine(10, 0, 4*time.Second)), map[uint64]time.Duration{
			0: second(0.05), 39: second(3.95), 40: second(4.05),
		}},
	} {
		for n, want := range c.due {
			got, ok := c.shape.Due(n)
			if !ok {
				got = never
			}
			if got != want {
				t.Errorf("%s: Due(%d) = %v, want %v", name, n, got, want)
			}
		}
	}
}

// sample is a shape and the time in which it does something worth looking at.
type sample struct {
	shape Shape
	span  time.Duration
}

// randomShapes are shapes of all kinds, the awkward corners among them.
func randomShapes(t *testing.T, r *rand.Rand) []sample {
	t.Helper()
	must := mustShape(t)
	var samples []sample
	add := func(s Shape, span time.Duration) { samples = append(samples, sample{s, span}) }
	for range 10 {
		rate := func() float64 { return math.Pow(10, 4*r.Float64()-0.5) }
		mean, other := rate(), rate()
		span := time.Duration((0.05 + 5*r.Float64()) * 1e9)
		add(must(Constant(mean)), span)
		add(must(Ramp(mean, other, span)), span)
		add(must(Ramp(0, mean, span)), span)
		add(must(Ramp(mean, 0, span)), span)
		add(must(Sine(mean, mean*r.Float64(), span)), span)
		add(must(Sine(mean, mean, span)), span)
		add(must(Sine(mean, mean, span/1000)), span/1000)
		add(must(Steps([]Level{{mean, span}, {0, span / 2}, {other, span}, {rate(), 0}})), 2*span)
	}
	return samples
}

func TestDueNeverDecreases(t *testing.T) {
	for _, s := range randomShapes(t, rand.New(rand.NewPCG(1, 2))) {
		var last time.Duration
		ended := false
		check := func(n uint64) {
			due, ok := s.shape.Due(n)
			if ok && ended {
				t.Fatalf("%#v: Due(%d) = %v after an earlier request was never due", s.shape, n, due)
			}
			if ok && due < last {
				t.Fatalf("%#v: Due(%d) = %v, before %v of the one before", s.shape, n, due, last)
			}
			ended, last = !ok, max(last, due)
		}
		for n := range uint64(5000) {
			check(n)
		}
		// and far out, where seconds have few digits left for nanoseconds
		for n := uint64(1e9); n < 1e9+2000; n++ {
			check(n)
		}
	}
}

// TestDueIsTheInverseOfTheRate integrates Rate in small steps, and compares
// with the number of requests due by then.
func TestDueIsTheInverseOfTheRate(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range randomShapes(t, r) {
		const cells = 50_000
		cell := (0.5 + 2.5*r.Float64()) * s.span.Seconds() / cells
		var integral, highest float64
		for i := range cells {
			rate := s.shape.Rate(time.Duration((float64(i) + 0.5) * cell * 1e9))
			integral += rate * cell
			highest = max(highest, rate)
			if i%1000 != 999 {
				continue
			}
			at := time.Duration(float64(i+1) * cell * 1e9)
			due := sort.Search(1<<20, func(n int) bool {
				offset, ok := s.shape.Due(uint64(n))
				return !ok || offset > at
			})
			// ½ for the rounding to whole requests; a jump of the rate within
			// a cell costs half that cell at most, and there are three
			if bound := 0.5 + 1.5*highest*cell + 1e-6*(1+integral); math.Abs(float64(due)-integral) > bound {
				t.Fatalf("%#v: %d requests are due by %v, the integral of the rate is %.4f (±%.4f)", s.shape, due, at, integral, bound)
			}
		}
	}
}

func TestShapesRefuseSenselessInput(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		want string
		err  func() (Shape, error)
	}{
		{"constant: rate -1/s is below zero", func() (Shape, error) { return Constant(-1) }},
		{"constant: rate 0/s would never send", func() (Shape, error) { return Constant(0) }},
		{"constant: rate NaN/s is no number", func() (Shape, error) { return Constant(nan) }},
		{"constant: rate +Inf/s is no number", func() (Shape, error) { return Constant(inf) }},
		{"constant: rate 2e+06/s: at most 1000000/s", func() (Shape, error) { return Constant(2e6) }},
		{"ramp: from: rate -1/s is below zero", func() (Shape, error) { return Ramp(-1, 1, time.Second) }},
		{"ramp: to: rate -1/s is below zero", func() (Shape, error) { return Ramp(1, -1, time.Second) }},
		{"ramp: from 0/s to 0/s would never send", func() (Shape, error) { return Ramp(0, 0, time.Second) }},
		{"ramp: over 0s: a ramp takes a time above 0", func() (Shape, error) { return Ramp(1, 2, 0) }},
		{"steps: no levels", func() (Shape, error) { return Steps(nil) }},
		{"steps: level 2: rate -3/s is below zero", func() (Shape, error) { return Steps([]Level{{1, 1}, {-3, 1}}) }},
		{"steps: level 1: for 0s", func() (Shape, error) { return Steps([]Level{{1, 0}, {3, 1}}) }},
		{"steps: level 2: for -1ns", func() (Shape, error) { return Steps([]Level{{1, 1}, {3, -1}}) }},
		{"steps: every level has rate 0/s", func() (Shape, error) { return Steps([]Level{{0, 1}, {0, 1}}) }},
		{"sine: swing 80/s is above the mean of 50/s", func() (Shape, error) { return Sine(50, 80, time.Second) }},
		{"sine: mean 0/s would never send", func() (Shape, error) { return Sine(0, 0, time.Second) }},
		{"sine: swing: rate -1/s is below zero", func() (Shape, error) { return Sine(5, -1, time.Second) }},
		{"sine: mean 600000/s plus swing 500000/s: at most", func() (Shape, error) { return Sine(6e5, 5e5, time.Second) }},
		{"sine: period 0s", func() (Shape, error) { return Sine(5, 1, 0) }},
	} {
		shape, err := c.err()
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, %v; want the error %q…", shape, err, c.want)
		}
	}
}

func BenchmarkSineDue(b *testing.B) {
	shape := mustShape(b)(Sine(200, 200, 8*time.Second))
	for n := range b.N {
		if _, ok := shape.Due(uint64(n)); !ok {
			b.Fatal("never due")
		}
	}
}
