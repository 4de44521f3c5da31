package script

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// What it takes to compare the curves of two layers. The judge keeps to the same numbers; here they tell beforehand which
// scenario could never have its curves compared.
const (
	// LeastVariation is the coefficient of variation of the users' rate under which Pearson's r is about the noise of two
	// flat lines.
	LeastVariation = 0.05
	// LeastIntervals is the fewest intervals that a coefficient is computed of.
	LeastIntervals = 8
	// LoadEdge is left out at both ends of the load, where intervals are cut.
	LoadEdge = time.Second
	// ClearOfHolding is how many times as much as HoldingNoise a load should vary, so that r can be 0.95 of what it is.
	ClearOfHolding = 3
)

// HoldingNoise is the coefficient of variation that a client brings into the rates of a curve by holding its counts for up to a
// time: what an interval of this width begins and ends with was counted between 0 and held before, evenly at worst, so
// that each end moves by a standard deviation of held/√12, and all instances together where they send at the same
// moments. A client that sends every 0.3 s sends three times in some seconds and four times in others.
func HoldingNoise(held, width time.Duration) float64 {
	return held.Seconds() / width.Seconds() / math.Sqrt(6)
}

// Wide is how many intervals each rate of a curve is taken of, which comes from a client that holds counts for up to a
// time, given how the load varies between pieces of so many: from the first in which all that is held fits up to most,
// the first at which the load is clear of HoldingNoise. Where none is, it is the last one.
func Wide(held, interval time.Duration, most int, variation func(n int) float64) int {
	n := int(1 + held/interval)
	for n < most && variation(n) < ClearOfHolding*HoldingNoise(held, time.Duration(n)*interval) {
		n++
	}
	return n
}

// grain is the collector's interval.
const grain = time.Second

// comparable refuses a correlation that could only be inconclusive: of a load that does not vary, or not for long enough.
// A client that buffers for longer than an interval needs several of them for each rate.
func (p *promises) comparable(m mapping, c Correlation) {
	if !p.sound || len(c.Layers) < 2 {
		return // what the load is has not been understood
	}
	l, wide, why := p.s.Load, time.Duration(1), ""
	if slices.Contains(c.Layers, "web") {
		window := p.s.HeldFor(p.s.Stack.OwnerOf(""), c.Metric)
		if wide = 1 + window/grain; wide > 1 {
			why = fmt.Sprintf(", each of %s because of the client_window of %s", show(wide*grain), show(window))
		}
	}
	least := (LeastIntervals*wide+1)*grain + 2*LoadEdge
	switch total := p.s.Duration(); {
	case l.Shape == Constant:
		m.failf("needs a load that varies, and this one is constant: flat curves agree whatever they measure; give load a shape, " +
			"like {rate: 200/s, shape: sine, swing: 80/s, period: 8s}, or remove the check")
	case total < least:
		m.failf("takes %s of load at least (%d intervals%s, and what is left out at both ends), and all phases together last %s: make them longer",
			show(least), LeastIntervals, why, show(total))
	default:
		if v := l.variation(total, wide*grain); v < LeastVariation {
			m.failf("needs a load that varies by %g %% at least, and this one varies by %.1f %% between its intervals%s: let it swing more",
				100*LeastVariation, 100*v, why)
		}
	}
}

// at is how many requests are due until a time, from the beginning of the load.
func (l Load) at(t time.Duration) float64 {
	s := t.Seconds()
	switch l.Shape {
	case Sine:
		turn := 2 * math.Pi / l.Period.Seconds()
		return l.Rate*s + l.Swing/turn*(1-math.Cos(turn*s))
	case Ramp:
		over := min(s, l.Over.Seconds())
		return l.Rate*over + (l.To-l.Rate)*over*over/(2*l.Over.Seconds()) + l.To*(s-over)
	case Steps:
		var sum float64
		for i, level := range l.Levels {
			part := min(t, level.For)
			if i == len(l.Levels)-1 {
				part = t
			}
			sum += level.Rate * part.Seconds()
			t -= part
		}
		return sum
	}
	return l.Rate * s
}

// variation is the coefficient of variation of the rate between intervals of a width, at the best of their phases: where
// intervals begin is not known before a run.
func (l Load) variation(total, width time.Duration) float64 {
	var most float64
	for phase := time.Duration(0); phase < width; phase += max(width/8, 1) {
		var rates []float64
		for t := LoadEdge + phase; t+width <= total-LoadEdge; t += width {
			rates = append(rates, l.at(t+width)-l.at(t))
		}
		most = max(most, variationOf(rates))
	}
	return most
}

// variationOf is the sample's standard deviation over its mean; 0 where that has no meaning.
func variationOf(x []float64) float64 {
	if len(x) < 2 {
		return 0
	}
	var sum, squares float64
	for _, v := range x {
		sum += v
	}
	mean := sum / float64(len(x))
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	if mean <= 0 {
		return 0
	}
	return math.Sqrt(squares/float64(len(x)-1)) / mean
}
