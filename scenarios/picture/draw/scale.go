package draw

import (
	"fmt"
	"math"
	"strings"
)

// scale is a vertical axis of some pixels, with round steps.
type scale struct {
	low, high, step float64
	height          float64
	log             bool
}

// linear makes an axis that has the values from low (at most 0) to high on it, and as
// many steps as have room.
func linear(low, high, height float64) scale {
	if !(low < 0) { // nor is what is no number
		low = 0
	}
	if !(high > 0) {
		high = 0
	}
	low, high = max(low, -most), min(high, most)
	if high-low == 0 {
		high = 1
	}
	few := max(2, math.Floor(height/55))
	s := scale{low: low * 1.04, high: high * 1.04, step: roundStep((high - low) / few), height: height}
	if len(s.ticks()) < 2 { // 0 alone
		s.step = roundStep((high - low) / (few + 1))
	}
	return s
}

// most is the greatest number that is drawn.
const most = 1e15

// roundStep is the next 1, 2 or 5 with zeros.
func roundStep(least float64) float64 {
	if !(least > 0) || math.IsInf(least, 0) {
		return 1
	}
	ten := math.Pow(10, math.Floor(math.Log10(least)))
	for _, f := range []float64{1, 2, 5} {
		if f*ten >= least*(1-1e-9) {
			return f * ten
		}
	}
	return 10 * ten
}

// logarithmic makes an axis whose steps are powers of ten.
func logarithmic(low, high, height float64) scale {
	s := scale{low: math.Floor(math.Log10(max(low, 1/most))), high: math.Ceil(math.Log10(min(high, most))), step: 1, height: height, log: true}
	if s.high-s.low < 1 {
		s.high = s.low + 1
	}
	return s
}

// y is where a value is, from the top.
func (s scale) y(value float64) float64 {
	if s.log {
		value = math.Log10(max(value, 1e-9))
	}
	value = min(max(value, s.low), s.high)
	return s.height * (s.high - value) / (s.high - s.low)
}

// ticks are the values that have a line.
func (s scale) ticks() []float64 {
	var out []float64
	for k := math.Ceil(s.low/s.step - 1e-9); k*s.step <= s.high*(1+1e-9); k++ {
		if s.log {
			out = append(out, math.Pow(10, k))
		} else {
			out = append(out, k*s.step)
		}
	}
	return out
}

// amount writes a value of an axis or a table: "1,200", "0.25".
func amount(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	digits := 0
	if a := math.Abs(x); a < 10 && a != math.Trunc(a) {
		digits = max(0, min(3, 1-int(math.Floor(math.Log10(a)))))
	}
	text := fmt.Sprintf("%.*f", digits, math.Abs(x))
	if digits > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	whole, rest, _ := strings.Cut(text, ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	if rest != "" {
		whole += "." + rest
	}
	if x < 0 && whole != "0" {
		return "−" + whole
	}
	return whole
}

// clock writes a moment of the run in the unit that suits the steps of an axis.
func clock(seconds, step float64) string {
	sign := ""
	if seconds < 0 {
		sign, seconds = "−", -seconds
	}
	switch {
	case step >= 3600:
		return fmt.Sprintf("%s%.0f h", sign, seconds/3600)
	case step >= 60:
		return fmt.Sprintf("%s%.0f min", sign, seconds/60)
	case seconds >= 120 && step >= 1:
		return fmt.Sprintf("%s%d:%02d", sign, int(seconds)/60, int(seconds)%60)
	case step < 1:
		return fmt.Sprintf("%s%.1f s", sign, seconds)
	}
	return fmt.Sprintf("%s%.0f s", sign, seconds)
}

// timeStep is the distance of marks on a time axis of some seconds.
func timeStep(seconds float64, most int) float64 {
	for _, step := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600} {
		if seconds/step <= float64(most) {
			return step
		}
	}
	return roundStep(seconds/float64(most)/86400) * 86400
}
