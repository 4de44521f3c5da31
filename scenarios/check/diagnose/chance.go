package diagnose

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// never is the score of what the record contradicts.
var never = math.Inf(-1)

// Scores are logarithms of probabilities, to the base e: 0 is what was predicted to the
// letter, and each free number that a hypothesis fits to the record costs it the logarithm
// of how many values the number might have had.
const contradicted = -14.0 // what only a second, independent mishap could explain

// binomial is the logarithm of how likely the nearest number in lo..hi is, of n events each
// of which happens with probability p; they happen in clumps, and spread further by noise.
func binomial(n, lo, hi int64, p, clump, noise float64) float64 {
	if n <= 0 {
		return 0
	}
	p = min(max(p, 1e-9), 1-1e-9)
	k := min(max(int64(math.Round(float64(n)*p)), lo), hi)
	k = min(max(k, 0), n)
	width := math.Log(float64(max(0, hi-lo) + 1)) // each number of the range would do
	if clump <= 1 && noise == 0 {
		return min(0, width+distuv.Binomial{N: float64(n), P: p}.LogProb(float64(k)))
	}
	return min(0, width+normal(float64(k)-float64(n)*p, max(1, clump)*float64(n)*p*(1-p)+noise*noise))
}

// normal is the logarithm of the chance to be off by so much of whole numbers that have this
// variance.
func normal(off, variance float64) float64 {
	variance += 1.0 / 12 // of rounding
	return min(0, -off*off/(2*variance)-0.5*math.Log(2*math.Pi*variance))
}

// parameter is what one number costs that is fitted to n observations.
func parameter(n int64) float64 { return -0.5 * math.Log(float64(max(2, n))) }

// choice is what one of n possibilities costs.
func choice(n int64) float64 { return -math.Log(float64(max(1, n))) }

// betaBinomial is binomial with a probability that is drawn anew for each account, from a beta
// distribution.
func betaBinomial(n, lo, hi int64, a, b float64) float64 {
	if n <= 0 {
		return 0
	}
	k := min(max(int64(math.Round(float64(n)*a/(a+b))), lo), hi)
	k = min(max(k, 0), n)
	N, K := float64(n), float64(k)
	score := lbeta(K+a, N-K+b) - lbeta(a, b) - math.Log(N+1) - lbeta(N-K+1, K+1)
	return min(0, score+math.Log(float64(max(0, hi-lo)+1)))
}

// lbeta is the logarithm of the beta function.
func lbeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}
