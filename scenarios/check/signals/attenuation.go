package signals

import (
	"fmt"
	"math"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"throughline/scenarios/script"
)

// A client that sends one measurement in 1/p adds noise to a curve: of n
// requests in an interval it counts a binomial number, scaled by 1/p, whose
// variance is n(1-p)/p. That noise is in no relation to the users and lowers
// Pearson's r by the square root of the reliability, the share that the signal
// has in the variance. At 150 requests a second and p = 0.1 the noise has a variance of
// 150×0.9/0.1 = 1,350, and a load that swings by 80/s in a sine has 3,200: √(3200/4550) = 0.84
// is all that can be seen of a perfect r.
//
//	r observed ≈ r true × √ρ, ρ = var(signal) / (var(signal) + var(noise))
//
// A client that holds its counts for a while before it sends them adds noise too (script.HoldingNoise): one that sends
// every 0.3 s brings what was counted in 0.9 s into some seconds, and in 1.2 s into others.
//
// Source: C. Spearman, The proof and measurement of association between two
// things, https://doi.org/10.2307/1412159
//
// The users' counts are known exactly, so var(signal) and var(noise) are too.
// How far r may be below √ρ by chance follows from the regression of the curve
// on the users': with δ = √((n-1) var(signal)/var(noise)), r = T/√(T²+C), where
// T is normal around δ and C has the χ² distribution with n-2 degrees of freedom.

// The chances that the bars of a noisy curve leave.
const (
	// falseFail is how often a layer that follows as well as it should is said
	// not to.
	falseFail = 1e-6
	// falseDoubt is how often it is left open.
	falseDoubt = 1e-2
	// falsePass is how often a curve that is in no relation with the users'
	// has an r that passes, at any of the lags.
	falsePass = 1e-3
	// shownNoise is what holding leaves of r where nobody needs to hear of it.
	shownNoise = 0.985
)

// bars are the values of r that decide: below fail it fails, from pass on it passes, and
// between them nobody can tell.
// Without noise both are what the scenario asks for.
type bars struct {
	noise
	atLeast    float64 // what the scenario asks for
	fail, pass float64
	expected   float64 // √ρ
}

// noise is what chance does to a layer's curve.
type noise struct {
	rate      float64       // of the client's samples; 1: it does not sample
	share     bool          // that rate is the share of pages with a beacon
	held      time.Duration // for how long the client holds counts at most
	width     time.Duration // of the intervals that rates are taken of
	intervals int           // of these, side by side
}

// any tells that chance has a part in r.
func (n noise) any() bool { return n.rate < 1 || n.held > 0 }

// barsOf gives the bars for a curve with noise, from the users' rates in its intervals.
//
// Holding lowers only what fails. For how long a client really holds is not known, so nothing passes for it that would
// not pass without.
func barsOf(atLeast float64, n noise, users []float64) bars {
	b := bars{noise: n, atLeast: atLeast, fail: atLeast, pass: atLeast, expected: 1}
	if !n.any() {
		return b
	}
	var sampling, holding float64
	for _, perSecond := range users {
		sampling += perSecond * (1 - n.rate) / n.rate / n.width.Seconds() / float64(len(users))
		holding += math.Pow(perSecond*script.HoldingNoise(n.held, n.width), 2) / float64(len(users))
	}
	signal := stat.Variance(users, nil)
	b.expected = math.Sqrt(signal / (signal + sampling + holding))
	b.fail = leastR(signal/(sampling+holding), n.intervals, falseFail)
	if b.fail > 0 {
		b.fail *= atLeast
	}
	if n.rate < 1 {
		// What passes must not be what any curve reaches by chance; but no more is
		// ever asked for than of a curve without noise.
		b.pass = min(atLeast, max(atLeast*leastR(signal/sampling, n.intervals, falseDoubt), unrelatedR(n.intervals)))
	}
	b.fail = min(b.fail, b.pass)
	return b
}

// leastR is below what r of a curve that follows with a ratio of signal to
// noise only falls with a chance of alpha at most: half of it for each of the
// two ways in which chance can lower it. Where the noise can turn the slope
// around it is -1: no r is too low.
func leastR(ratio float64, n int, alpha float64) float64 {
	delta := math.Sqrt(float64(n-1) * ratio)
	t := delta - distuv.UnitNormal.Quantile(1-alpha/2)
	if t <= 0 {
		return -1
	}
	c := distuv.ChiSquared{K: float64(n - 2)}.Quantile(1 - alpha/2)
	return t / math.Sqrt(t*t+c)
}

// unrelatedR is what r of two curves in no relation exceeds at one of the lags
// with a chance of falsePass at most, by Fisher's transformation.
func unrelatedR(n int) float64 {
	lags := float64(2*furthestLag/lagStep + 1)
	return math.Tanh(distuv.UnitNormal.Quantile(1-falsePass/lags) / math.Sqrt(float64(n-3)))
}

// note is for a finding: "; at sample rate 0.1 noise leaves 0.84 of r", or "" where there is no noise that shows.
func (b bars) note() string {
	var from []string
	if b.rate < 1 {
		what := "sample rate"
		if b.share {
			what = "a share of"
		}
		from = append(from, fmt.Sprintf("at %s %g", what, b.rate))
	}
	if b.held > 0 && b.expected < shownNoise {
		from = append(from, fmt.Sprintf("of a client that holds counts for up to %s", b.held))
	}
	if len(from) == 0 {
		return ""
	}
	return fmt.Sprintf("; %s noise leaves %.2f of r", strings.Join(from, ", "), b.expected)
}

// fails tells what would be too low.
func (b bars) fails() string {
	if b.fail <= 0 {
		return "and nothing would be too low"
	}
	return fmt.Sprintf("and fails below %.2f", b.fail)
}

// least is for a finding on an r that is too low: what it should be at least.
func (b bars) least() string {
	if b.note() == "" {
		return fmt.Sprintf("%g", b.atLeast)
	}
	return fmt.Sprintf("%.2f%s", b.fail, b.note())
}
