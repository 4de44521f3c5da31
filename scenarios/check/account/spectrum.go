package account

import (
	"cmp"
	"math"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// Spectrum is how long something took, many times: merged from histograms, so
// that each value is known as well as its bucket. Values are in seconds. With 90 values above
// 1 ms and up to 2 ms, and 10 above 2 ms and up to 4 ms, the 95th of 100 took 2 to 4 ms.
type Spectrum struct {
	N, Sum  float64
	Arrived float64 // values as they came, before they were scaled by their sample rates
	Steady  float64 // as many came in each interval but the first and the last; 0: not always as many
	Parts   []Part
}

// Part is a bucket: n values above lo and up to hi.
type Part struct{ Lo, Hi, N float64 }

// SpectrumOf merges the last histograms of series. unit is that of values whose
// series does not tell it.
func SpectrumOf(series []*record.Series, unit time.Duration) Spectrum {
	var s Spectrum
	for k, one := range series {
		s.Steady = 0
		if k == 0 {
			s.Steady = steadily(one.Points)
		}
		for _, p := range one.Points {
			s.Arrived += float64(p.Observed)
		}
		for i := len(one.Points) - 1; i >= 0; i-- {
			if h := one.Points[i].Histogram; h != nil && !one.Points[i].Stale {
				s.add(h, unitOf(one.Meta.Unit, unit).Seconds())
				break
			}
		}
	}
	s.Sort()
	return s
}

// OnBeat tells whether one value or two came in each interval, however many
// requests there were.
func (s Spectrum) OnBeat() bool { return s.Steady > 0 && s.Steady <= 2 }

// steadily is how many values came in each interval, where it is the same in all
// but the first and the last; 0 where it is not.
func steadily(points []record.Point) float64 {
	for len(points) > 0 && points[len(points)-1].Observed == 0 {
		points = points[:len(points)-1]
	}
	const fewest = 4 // with the first and the last
	if len(points) < fewest {
		return 0
	}
	inner := points[1 : len(points)-1]
	for _, p := range inner {
		if p.Observed != inner[0].Observed {
			return 0
		}
	}
	return float64(inner[0].Observed)
}

func unitOf(told string, otherwise time.Duration) time.Duration {
	switch told {
	case "seconds":
		return time.Second
	case "milliseconds":
		return time.Millisecond
	case "microseconds":
		return time.Microsecond
	}
	return otherwise
}

func (s *Spectrum) add(h *collector.Histogram, unit float64) {
	s.N += h.Count
	s.Sum += h.Sum * unit
	base := math.Exp2(math.Exp2(-float64(h.Schema)))
	for _, b := range h.Positive {
		s.Parts = append(s.Parts, Part{math.Pow(base, float64(b.Index-1)) * unit, math.Pow(base, float64(b.Index)) * unit, b.Count})
	}
	if h.ZeroCount > 0 {
		s.Parts = append(s.Parts, Part{0, h.ZeroThreshold * unit, h.ZeroCount})
	}
	for _, b := range h.Negative {
		s.Parts = append(s.Parts, Part{math.Inf(-1), 0, b.Count})
	}
}

// Rank gives the bucket of the k-th smallest value; lo and hi are 0 below the
// first.
func (s Spectrum) Rank(k float64) (lo, hi float64) {
	if k <= 0 {
		return 0, 0
	}
	var seen float64
	for _, p := range s.Parts {
		if seen += p.N; seen >= k-1e-6 {
			return max(0, p.Lo), p.Hi
		}
	}
	return 0, math.Inf(1) // it counts more than its buckets hold
}

// About is a guess at a quantile, for people: the geometric middle of its bucket.
func (s Spectrum) About(q float64) float64 {
	lo, hi := s.Rank(math.Ceil(q * s.N))
	return math.Sqrt(lo * hi)
}

// Mean is 0 without values.
func (s Spectrum) Mean() float64 { return s.Sum / max(1, s.N) }

// Sampled tells whether values came with sample rates below 1, and of which
// share they are.
func (s Spectrum) Sampled() (rate float64, yes bool) {
	if s.Arrived <= 0 || s.N <= 0 || s.Arrived > 0.99*s.N {
		return 1, false
	}
	return s.Arrived / s.N, true
}

// Chance is by how many values the rank of one may be off because values were
// sampled: the inequality of Dvoretzky, Kiefer and Wolfowitz with the constant
// of Massart, for one wrong comparison in a million.
// Source: https://doi.org/10.1214/aop/1176990746
func (s Spectrum) Chance(of float64) float64 {
	if _, yes := s.Sampled(); !yes {
		return 0
	}
	return of * math.Sqrt(math.Log(2e6)/(2*s.Arrived))
}

// SpectrumOfTimes makes a spectrum of single times, each known exactly.
func SpectrumOfTimes(values []float64) Spectrum {
	s := Spectrum{N: float64(len(values)), Parts: make([]Part, 0, len(values))}
	for _, v := range values {
		s.Sum += v
		s.Parts = append(s.Parts, Part{v, v, 1})
	}
	s.Sort()
	return s
}

// Sort puts the parts in the order that ranks are found in; whoever adds parts sorts anew.
func (s *Spectrum) Sort() {
	slices.SortFunc(s.Parts, func(a, b Part) int { return cmp.Or(cmp.Compare(a.Hi, b.Hi), cmp.Compare(a.Lo, b.Lo)) })
}
