package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"throughline/collector"
	"throughline/scenarios/record"
)

// spectrum is how long something took, many times: merged from histograms, so
// that each value is known as well as its bucket. Values are in seconds.
type spectrum struct {
	n, sum  float64
	arrived float64 // values as they came, before they were scaled by their sample rates
	steady  float64 // as many came in each interval but the first and the last; 0: not always as many
	parts   []part
}

// part is a bucket: n values above lo and up to hi.
type part struct{ lo, hi, n float64 }

// spectrumOf merges the last histograms of series. unit is that of values whose
// series does not tell it.
func spectrumOf(series []*record.Series, unit time.Duration) spectrum {
	var s spectrum
	for k, one := range series {
		s.steady = 0
		if k == 0 {
			s.steady = steadily(one.Points)
		}
		for _, p := range one.Points {
			s.arrived += float64(p.Observed)
		}
		for i := len(one.Points) - 1; i >= 0; i-- {
			if h := one.Points[i].Histogram; h != nil && !one.Points[i].Stale {
				s.add(h, unitOf(one.Meta.Unit, unit).Seconds())
				break
			}
		}
	}
	s.sort()
	return s
}

// onBeat tells whether one value or two came in each interval, however many
// requests there were.
func (s spectrum) onBeat() bool { return s.steady > 0 && s.steady <= 2 }

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

func (s *spectrum) add(h *collector.Histogram, unit float64) {
	s.n += h.Count
	s.sum += h.Sum * unit
	base := math.Exp2(math.Exp2(-float64(h.Schema)))
	for _, b := range h.Positive {
		s.parts = append(s.parts, part{math.Pow(base, float64(b.Index-1)) * unit, math.Pow(base, float64(b.Index)) * unit, b.Count})
	}
	if h.ZeroCount > 0 {
		s.parts = append(s.parts, part{0, h.ZeroThreshold * unit, h.ZeroCount})
	}
	for _, b := range h.Negative {
		s.parts = append(s.parts, part{math.Inf(-1), 0, b.Count})
	}
}

// rank gives the bucket of the k-th smallest value; lo and hi are 0 below the
// first.
func (s spectrum) rank(k float64) (lo, hi float64) {
	if k <= 0 {
		return 0, 0
	}
	var seen float64
	for _, p := range s.parts {
		if seen += p.n; seen >= k-1e-6 {
			return max(0, p.lo), p.hi
		}
	}
	return 0, math.Inf(1) // it counts more than its buckets hold
}

// about is a value's best guess, for people.
func (s spectrum) about(q float64) float64 {
	lo, hi := s.rank(math.Ceil(q * s.n))
	return math.Sqrt(lo * hi)
}

func (s spectrum) mean() float64 { return s.sum / max(1, s.n) }

// sampled tells whether values came with sample rates below 1, and of which
// share they are.
func (s spectrum) sampled() (rate float64, yes bool) {
	if s.arrived <= 0 || s.n <= 0 || s.arrived > 0.99*s.n {
		return 1, false
	}
	return s.arrived / s.n, true
}

// chance is by how many values the rank of one may be off because values were
// sampled: the inequality of Dvoretzky, Kiefer and Wolfowitz with the constant
// of Massart, for one wrong comparison in a million.
// Source: https://doi.org/10.1214/aop/1176990746
func (s spectrum) chance(of float64) float64 {
	if _, yes := s.sampled(); !yes {
		return 0
	}
	return of * math.Sqrt(math.Log(2e6)/(2*s.arrived))
}

// took is the users' times of an instance's acknowledged requests of a route,
// from sent to done, sorted, in seconds.
func (e *evidence) took(instance, route string) []float64 {
	if e.times == nil {
		e.times = map[rowKey][]float64{}
		for i := range e.history.Requests {
			if r := &e.history.Requests[i]; r.Outcome == record.Acked && r.Instance != "" {
				key := rowKey{r.Instance, r.Route}
				if e.times[key] == nil {
					e.times[key] = make([]float64, 0, len(e.users.ackedAt[key]))
				}
				e.times[key] = append(e.times[key], (r.Done - r.Sent).Seconds())
			}
		}
		for _, t := range e.times {
			slices.Sort(t)
		}
	}
	return e.times[rowKey{instance, route}]
}

// quantile of sorted values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(1, int(math.Ceil(q*float64(len(sorted)))))-1]
}

func meanOf(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(max(1, len(values)))
}

// millis writes seconds as people read latencies: "4.21 ms".
func millis(s float64) string {
	switch {
	case s >= 1:
		return fmt.Sprintf("%.3g s", s)
	case s < 0.000_1:
		return fmt.Sprintf("%.3g µs", 1e6*s)
	}
	return fmt.Sprintf("%.3g ms", 1000*s)
}

// spectrumOfTimes makes a spectrum of single times, each known exactly.
func spectrumOfTimes(values []float64) spectrum {
	s := spectrum{n: float64(len(values)), parts: make([]part, 0, len(values))}
	for _, v := range values {
		s.sum += v
		s.parts = append(s.parts, part{v, v, 1})
	}
	s.sort()
	return s
}

func (s *spectrum) sort() {
	slices.SortFunc(s.parts, func(a, b part) int { return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo)) })
}
