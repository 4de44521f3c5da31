package loadgen

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Shape is an arrival rate over time, and when each request of it is due.
//
// The two are tied by the integral I(t) of Rate over [0, t], the number of
// requests that should have been sent by t: request n is due when I(t)
// reaches n + ½. So the number of requests due by t is I(t) rounded, no
// request is due while the rate is zero, and Due never decreases with n.
// The shapes of this package hold both for as long as a time.Duration lasts.
//
// A Shape is read by several goroutines at once and must not change.
type Shape interface {
	// Rate is the number of requests per second due at offset t from the start.
	Rate(t time.Duration) float64
	// Due is the offset from the start at which request n (the first is 0)
	// is due; false: never, nor is any later one.
	Due(n uint64) (time.Duration, bool)
}

// DueBy is how many requests are due at an offset from the start, or before.
func DueBy(s Shape, t time.Duration) uint64 {
	later := func(n uint64) bool {
		due, ok := s.Due(n)
		return !ok || due > t
	}
	most := uint64(1)
	for !later(most - 1) {
		most *= 2
	}
	return uint64(sort.Search(int(most), func(n int) bool { return later(uint64(n)) }))
}

// maxRate is the highest rate a shape takes, in requests per second: beyond
// it, neighbours would be due less than a microsecond apart, which no pacing
// on one machine can keep.
const maxRate = 1e6

// Constant is the shape that sends rate requests per second, always.
func Constant(rate float64) (Shape, error) {
	if err := checkRate("constant", rate); err != nil {
		return nil, err
	}
	if rate == 0 {
		return nil, fmt.Errorf("constant: rate 0/s would never send a request; give a rate above 0")
	}
	return constant(rate), nil
}

type constant float64

func (c constant) Rate(time.Duration) float64 { return float64(c) }

func (c constant) Due(n uint64) (time.Duration, bool) {
	return offset((float64(n) + 0.5) / float64(c))
}

// Ramp is the shape whose rate goes in a straight line from one rate to
// another (requests per second) over a time, and stays there.
func Ramp(from, to float64, over time.Duration) (Shape, error) {
	if err := checkRate("ramp: from", from); err != nil {
		return nil, err
	}
	if err := checkRate("ramp: to", to); err != nil {
		return nil, err
	}
	switch {
	case from == 0 && to == 0:
		return nil, fmt.Errorf("ramp: from 0/s to 0/s would never send a request; give one rate above 0")
	case over <= 0:
		return nil, fmt.Errorf("ramp: over %v: a ramp takes a time above 0", over)
	}
	return ramp{from: from, to: to, over: over.Seconds()}, nil
}

type ramp struct{ from, to, over float64 } // per second, per second, seconds

func (r ramp) Rate(t time.Duration) float64 {
	if s := t.Seconds(); s < r.over {
		return r.from + (r.to-r.from)*s/r.over
	}
	return r.to
}

// Due solves from·t + (to−from)/(2·over)·t² = n + ½, in the form of the
// quadratic formula that loses no digits when the slope is small.
func (r ramp) Due(n uint64) (time.Duration, bool) {
	k := float64(n) + 0.5
	onRamp := (r.from + r.to) / 2 * r.over
	if k <= onRamp {
		slope := (r.to - r.from) / r.over
		return offset(2 * k / (r.from + math.Sqrt(max(0, r.from*r.from+2*slope*k))))
	}
	return offset(r.over + (k-onRamp)/r.to)
}

// Level is a rate (requests per second) held for a time.
type Level struct {
	Rate float64
	For  time.Duration
}

// Steps is the shape that holds one level after the other. The last level
// is held for good, so its For may be 0. A level may have rate 0: a pause.
func Steps(levels []Level) (Shape, error) {
	if len(levels) == 0 {
		return nil, fmt.Errorf("steps: no levels; give at least one")
	}
	var s steps
	var start, count, highest float64
	for i, l := range levels {
		if err := checkRate(fmt.Sprintf("steps: level %d", i+1), l.Rate); err != nil {
			return nil, err
		}
		if l.For < 0 || l.For == 0 && i < len(levels)-1 {
			return nil, fmt.Errorf("steps: level %d: for %v: a level that is not the last takes a time above 0", i+1, l.For)
		}
		s = append(s, step{rate: l.Rate, start: start, count: count})
		start += l.For.Seconds()
		count += l.Rate * l.For.Seconds()
		highest = max(highest, l.Rate)
	}
	if highest == 0 {
		return nil, fmt.Errorf("steps: every level has rate 0/s, which would never send a request")
	}
	return s, nil
}

type steps []step

// step is a level with the seconds and the requests that come before it.
type step struct{ rate, start, count float64 }

func (s steps) Rate(t time.Duration) float64 {
	next := sort.Search(len(s), func(i int) bool { return s[i].start > t.Seconds() })
	return s[max(next-1, 0)].rate
}

// Due finds the level in which the integral reaches n + ½: the last one that
// begins below it. A pause never is that level, unless it is the last.
func (s steps) Due(n uint64) (time.Duration, bool) {
	k := float64(n) + 0.5
	next := sort.Search(len(s), func(i int) bool { return s[i].count >= k })
	level := s[next-1] // s[0].count is 0, below any k
	return offset(level.start + (k-level.count)/level.rate)
}

// Sine is the shape whose rate swings around a mean (both in requests per
// second): mean + swing·sin(2πt/period). It begins at the mean, going up.
func Sine(mean, swing float64, period time.Duration) (Shape, error) {
	if err := checkRate("sine: mean", mean); err != nil {
		return nil, err
	}
	if err := checkRate("sine: swing", swing); err != nil {
		return nil, err
	}
	switch {
	case mean == 0:
		return nil, fmt.Errorf("sine: mean 0/s would never send a request; give a mean above 0")
	case swing > mean:
		return nil, fmt.Errorf("sine: swing %v/s is above the mean of %v/s: the rate would go below zero", swing, mean)
	case mean+swing > maxRate:
		return nil, fmt.Errorf("sine: mean %v/s plus swing %v/s: at most %.0f/s", mean, swing, float64(maxRate))
	case period <= 0:
		return nil, fmt.Errorf("sine: period %v: give a period above 0", period)
	}
	return sine{mean: mean, swing: swing, period: period.Seconds()}, nil
}

type sine struct{ mean, swing, period float64 } // per second, per second, seconds

func (s sine) Rate(t time.Duration) float64 { return s.rate(t.Seconds()) }

func (s sine) rate(t float64) float64 {
	return s.mean + s.swing*math.Sin(2*math.Pi*t/s.period)
}

// count is the integral of the rate over [0, t].
func (s sine) count(t float64) float64 {
	return s.mean*t + s.swing*s.period/(2*math.Pi)*(1-math.Cos(2*math.Pi*t/s.period))
}

// Due takes off the whole periods, each of which has mean·period requests,
// and finds the rest in one period: by Newton's method, which needs a few
// rounds where the rate is not near zero, and by halving the interval known
// to hold the answer where Newton leaves it.
func (s sine) Due(n uint64) (time.Duration, bool) {
	const close = 1e-10 // seconds: a tenth of what a Duration can tell
	k := float64(n) + 0.5
	each := s.mean * s.period
	rest := math.Mod(k, each)
	whole := math.Round((k-rest)/each) * s.period

	low, high := 0.0, s.period
	t := rest / s.mean
	for range 64 { // halving alone would be done
		above := s.count(t) - rest
		if above > 0 {
			high = t
		} else {
			low = t
		}
		next := t - above/s.rate(t)
		if !(low <= next && next <= high) { // also when the rate is 0 and next is no number
			next = (low + high) / 2
		}
		moved := math.Abs(next - t)
		t = next
		if moved < close {
			break
		}
	}
	return offset(whole + t)
}

// offset turns seconds into a Duration; false: later than a Duration reaches.
func offset(seconds float64) (time.Duration, bool) {
	ns := math.Round(seconds * float64(time.Second))
	if !(ns < math.MaxInt64) {
		return 0, false
	}
	return time.Duration(ns), true
}

func checkRate(what string, rate float64) error {
	switch {
	case math.IsNaN(rate) || math.IsInf(rate, 0):
		return fmt.Errorf("%s: rate %v/s is no number", what, rate)
	case rate < 0:
		return fmt.Errorf("%s: rate %v/s is below zero", what, rate)
	case rate > maxRate:
		return fmt.Errorf("%s: rate %v/s: at most %.0f/s", what, rate, float64(maxRate))
	}
	return nil
}
